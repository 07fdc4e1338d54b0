import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Origins } from '../../store/origins.ts'
import type { CollectionRow } from '../document.ts'
import { liveRuns, mountOf, partToBuild } from './parts.ts'

type Segment = CollectionRow['segments'][number]

const rowOf = (segments: readonly Segment[], parts: CollectionRow['parts'] = []): CollectionRow => ({
  name: 'c',
  segments,
  parts,
  documents: 0,
  chunks: 0,
  bytes: 0,
  updatedAtMs: 0,
})

/** As the collection does after building: the part stands in for all that its segments were in. */
function built(row: CollectionRow, segments: readonly Segment[], name: string): CollectionRow {
  const names = new Set(segments.map(({ segment }) => segment))
  const holds = liveRuns(segments)
  const others = (row.parts ?? []).filter((part) => !part.holds.some(({ segment }) => names.has(segment)))
  const chunks = holds.reduce((sum, { count }) => sum + count, 0)
  return { ...row, parts: [...others, { segment: name, chunks, holds }] }
}

/** Every chunk that answers, as `segment:chunk`. */
function answers(row: CollectionRow): string[] {
  return mountOf(row)
    .flatMap(({ segment, removed, holds }) => {
      const own = row.segments.find((one) => one.segment === segment)
      const origins = holds === undefined ? undefined : new Origins(holds)
      return Array.from({ length: origins?.chunks ?? own?.chunks ?? 0 }, (_, chunk) => ({ chunk, origins, segment }))
        .filter(({ chunk }) => !removed.some(({ first, count }) => chunk >= first && chunk < first + count))
        .map(({ chunk }) => origins?.of(chunk) ?? { segment, chunk })
    })
    .map(({ segment, chunk }) => `${segment}:${chunk}`)
    .sort()
}

const truthOf = (row: CollectionRow): string[] => answers({ ...row, parts: [] })

const segmentsWith = (counts: readonly number[]): Segment[] =>
  counts.map((chunks, at) => ({ segment: `s${at}`, chunks, removed: [] }))

test('whatever is built, removed and dropped in between, exactly the chunks that are there answer', () => {
  const step = fc.oneof(
    fc.record({ do: fc.constant('add' as const), chunks: fc.integer({ min: 1, max: 30 }) }),
    fc.record({
      do: fc.constant('remove' as const),
      at: fc.nat(),
      first: fc.nat(30),
      count: fc.integer({ min: 1, max: 9 }),
    }),
    fc.record({ do: fc.constant('drop' as const), at: fc.nat() }),
    fc.record({ do: fc.constant('build' as const), from: fc.nat(), to: fc.nat() }),
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      let row = rowOf([])
      for (const [number, one] of steps.entries()) {
        const { segments } = row
        if (one.do === 'add') {
          row = { ...row, segments: [...segments, { segment: `s${number}`, chunks: one.chunks, removed: [] }] }
        } else if (segments.length === 0) continue
        else if (one.do === 'remove') {
          const at = one.at % segments.length
          row = { ...row, segments: segments.map((segment, i) => (i === at ? withRemoved(segment, one) : segment)) }
        } else if (one.do === 'drop') {
          row = { ...row, segments: segments.filter((_, i) => i !== one.at % segments.length) }
        } else {
          const [low, high] = [one.from % segments.length, one.to % segments.length].toSorted((a, b) => a - b)
          row = built(row, wholeItems(row, segments.slice(low, (high ?? 0) + 1)), `p${number}`)
        }
        assert.deepEqual(answers(row), truthOf(row))
      }
    }),
  )
})

/** A part is given up whole: all it holds goes into the next one. */
function wholeItems({ segments, parts = [] }: CollectionRow, chosen: readonly Segment[]): Segment[] {
  const names = new Set(chosen.map(({ segment }) => segment))
  for (const { holds } of parts)
    if (holds.some(({ segment }) => names.has(segment))) for (const { segment } of holds) names.add(segment)
  return segments.filter(({ segment }) => names.has(segment))
}

/** Ranges in order, apart from one another, as the collection keeps them. */
function withRemoved(segment: Segment, { first, count }: { first: number; count: number }): Segment {
  const gone = new Set<number>()
  for (const range of [...segment.removed, { first, count }])
    for (let chunk = range.first; chunk < Math.min(segment.chunks, range.first + range.count); chunk++) gone.add(chunk)
  const removed: { first: number; count: number }[] = []
  for (const chunk of [...gone].toSorted((a, b) => a - b)) {
    const last = removed.at(-1)
    if (last !== undefined && last.first + last.count === chunk) last.count++
    else removed.push({ first: chunk, count: 1 })
  }
  return { ...segment, removed }
}

test('a first reading of ten million becomes five parts at once', () => {
  let row = rowOf(segmentsWith(Array.from({ length: 2_442 }, () => 4_096)))
  let built_ = 0
  for (let chosen = partToBuild(row); chosen.length > 0; chosen = partToBuild(row)) {
    row = built(row, chosen, `p${built_++}`)
    assert.ok(built_ < 9)
  }
  assert.equal(row.parts?.length, 5)
  assert.ok(mountOf(row).length < 15)
})

test('a stream of small segments is searched in a few dozen, and each chunk built a few times', () => {
  let row = rowOf([])
  let [work, chunks] = [0, 0]
  for (let at = 0; at < 1_500; at++) {
    row = { ...row, segments: [...row.segments, { segment: `s${at}`, chunks: 4_000, removed: [] }] }
    chunks += 4_000
    const chosen = partToBuild(row)
    if (chosen.length === 0) continue
    row = built(row, chosen, `p${at}`)
    work += chosen.reduce((sum, segment) => sum + segment.chunks, 0)
    assert.ok(mountOf(row).length <= 36, String(mountOf(row).length))
  }
  assert.ok(work / chunks < 4, `each chunk was built ${work / chunks} times`)
})

test('few segments are left alone, a hollow part is built again, one too large is not merged', () => {
  assert.deepEqual(partToBuild(rowOf(segmentsWith([4_000, 4_000, 50_000]))), [])
  const many = rowOf(segmentsWith(Array.from({ length: 10 }, () => 4_000)))
  const whole = built(many, partToBuild(many), 'p')
  assert.deepEqual(partToBuild(whole), [])
  const hollow = {
    ...whole,
    segments: whole.segments.map((segment) => ({ ...segment, removed: [{ first: 0, count: 3_000 }] })),
  }
  assert.equal(partToBuild(hollow).length, 10)
  const large = rowOf(segmentsWith(Array.from({ length: 12 }, () => 1_500_000)))
  assert.deepEqual(partToBuild(large), [])
})

test('vectors that are compared one by one are few, at the price of few more builds', () => {
  let row: CollectionRow = { ...rowOf([]), space: 'model' }
  let [work, chunks] = [0, 0]
  for (let at = 0; at < 200; at++) {
    row = { ...row, segments: [...row.segments, { segment: `s${at}`, chunks: 3_000, removed: [] }] }
    chunks += 3_000
    for (let chosen = partToBuild(row); chosen.length > 0; chosen = partToBuild(row)) {
      row = built(row, chosen, `p${at}`)
      work += chosen.reduce((sum, segment) => sum + segment.chunks, 0)
    }
    const held = new Set(row.parts?.flatMap(({ holds }) => holds.map(({ segment }) => segment)))
    const compared = row.segments.filter(({ segment }) => !held.has(segment))
    assert.ok(compared.length <= 8 && mountOf(row).length <= 18, `${compared.length} of ${mountOf(row).length}`)
  }
  assert.ok(work / chunks < 4, `each chunk was built ${work / chunks} times`)
})
