import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { CollectionRow } from '../document.ts'
import { liveRuns, mountOf, partToBuild } from './parts.ts'
import { answering, segmentsToMerge, TIER_SEGMENTS } from './tiers.ts'

type Segment = CollectionRow['segments'][number]

const FULL = 512
/** Below full: 1, 8, 64. */
const TIERS = 3

/** A collection that both kinds of work are done to until neither has anything to do. */
class Streamed {
  row: CollectionRow = { name: 'c', segments: [], parts: [], documents: 0, chunks: 0, bytes: 0, updatedAtMs: 0 }
  added = 0
  removed = 0
  rewritten = 0
  #names = 0

  constructor(space?: string) {
    if (space !== undefined) this.row = { ...this.row, space }
  }

  add(chunks: number): void {
    this.row = { ...this.row, segments: [...this.row.segments, this.#segment(chunks)] }
    this.added += chunks
    this.#tidy()
  }

  /** The first `count` that answer of a segment. */
  remove(at: number, count: number): void {
    const { segments } = this.row
    const one = segments[at % segments.length]
    if (one === undefined) return
    const first = one.removed[0]?.count ?? 0
    const gone = Math.min(one.chunks, first + count)
    this.removed += gone - first
    const left = { ...one, removed: [{ first: 0, count: gone }] }
    this.row = {
      ...this.row,
      segments: segments.flatMap((other) => (other !== one ? [other] : answering(left) > 0 ? [left] : [])),
    }
    this.#tidy()
  }

  get live(): number {
    return this.row.segments.reduce((sum, segment) => sum + answering(segment), 0)
  }

  #segment = (chunks: number): Segment => ({ segment: `s${this.#names++}`, chunks, removed: [] })

  #tidy(): void {
    for (let work = 0; ; work++) {
      assert.ok(work < 100, 'it goes round in a circle')
      const merged = segmentsToMerge(this.row, FULL)
      const built = merged.length > 0 ? [] : partToBuild(this.row, FULL)
      if (merged.length === 0 && built.length === 0) return
      if (merged.length > 0) this.#rewrite(merged)
      else this.#build(built)
    }
  }

  #rewrite(chosen: readonly Segment[]): void {
    const chunks = chosen.reduce((sum, segment) => sum + answering(segment), 0)
    this.rewritten += chunks
    const others = this.row.segments.filter((segment) => !chosen.includes(segment))
    this.row = { ...this.row, segments: chunks === 0 ? others : [...others, this.#segment(chunks)] }
  }

  #build(chosen: readonly Segment[]): void {
    const names = new Set(chosen.map(({ segment }) => segment))
    const holds = liveRuns(chosen)
    const others = (this.row.parts ?? []).filter((part) => !part.holds.some(({ segment }) => names.has(segment)))
    const chunks = holds.reduce((sum, { count }) => sum + count, 0)
    this.row = { ...this.row, parts: [...others, { segment: `p${this.#names++}`, chunks, holds }] }
  }
}

test('whatever streams in and goes, segments stay few and none is rewritten often', () => {
  const step = fc.oneof(
    { weight: 4, arbitrary: fc.record({ add: fc.oneof(fc.constant(1), fc.integer({ min: 1, max: 700 })) }) },
    { weight: 1, arbitrary: fc.record({ remove: fc.nat(), count: fc.integer({ min: 1, max: 300 }) }) },
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 400 }), fc.boolean(), (steps, hasVectors) => {
      const streamed = new Streamed(hasVectors ? 'space' : undefined)
      for (const one of steps) {
        if ('add' in one) streamed.add(one.add)
        else streamed.remove(one.remove, one.count)
        const { length } = streamed.row.segments
        const most = (TIER_SEGMENTS - 1) * TIERS + streamed.live / (FULL / 4)
        assert.ok(length <= most, `${length} segments of ${streamed.live} chunks`)
      }
      // A chunk that others are removed beside sinks by a tier for seven of them.
      const most = TIERS * streamed.added + TIERS * streamed.removed
      assert.ok(streamed.rewritten <= most, `${streamed.rewritten} rewritten of ${streamed.added}`)
    }),
  )
})

test('documents that come one by one are rewritten once a tier', () => {
  const streamed = new Streamed()
  for (let at = 0; at < 5_000; at++) streamed.add(1)
  assert.ok(streamed.rewritten / streamed.added <= TIERS, String(streamed.rewritten / streamed.added))
  assert.ok(streamed.row.segments.length <= (TIER_SEGMENTS - 1) * TIERS + 5_000 / (FULL / 2))
})

test('a stream of groups is rewritten about once, and searched in few parts', () => {
  const streamed = new Streamed('space')
  let most = 0
  for (let at = 0; at < 2_000; at++) {
    streamed.add(60)
    most = Math.max(most, mountOf(streamed.row).length)
  }
  assert.ok(streamed.rewritten / streamed.added < 2.1, String(streamed.rewritten / streamed.added))
  assert.ok(most < 120, String(most))
})

test('what a part holds is not rewritten, and a part takes nothing that is about to be', () => {
  const streamed = new Streamed('space')
  for (let at = 0; at < 300; at++) streamed.add(300)
  const held = new Set(streamed.row.parts?.flatMap(({ holds }) => holds.map(({ segment }) => segment)))
  assert.ok(held.size > 50, String(held.size))
  for (let at = 0; at < TIER_SEGMENTS; at++) {
    const small = { segment: `small${at}`, chunks: 5, removed: [] }
    streamed.row = { ...streamed.row, segments: [...streamed.row.segments, small] }
  }
  const merged = segmentsToMerge(streamed.row, FULL)
  assert.deepEqual(new Set(merged.map(({ segment }) => segment.replace(/\d/, ''))), new Set(['small']))
  assert.ok(!partToBuild(streamed.row, FULL).some(({ segment }) => segment.startsWith('small')))
})

test('segments of a part that removals have hollowed out are rewritten together', () => {
  const segments = Array.from({ length: 12 }, (_, at): Segment => ({ segment: `s${at}`, chunks: 400, removed: [] }))
  const holds = segments.map(({ segment }) => ({ segment, first: 0, count: 400 }))
  const row = { ...new Streamed().row, segments, parts: [{ segment: 'p', chunks: 4_800, holds }] }
  assert.deepEqual(segmentsToMerge(row, FULL), [])
  const hollow = segments.map((one) => ({ ...one, removed: [{ first: 0, count: 330 }] }))
  assert.equal(segmentsToMerge({ ...row, segments: hollow }, FULL).length, 7, 'as many as fit a full one')
})
