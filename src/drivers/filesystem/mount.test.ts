import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { seededRandom, uniform } from '../../base/random.ts'
import { Analyzer } from '../../base/words.ts'
import type { Near, VectorReader } from '../../store/vectors.ts'
import { Mount } from './mount.ts'
import { Segment } from './segment.ts'
import { SegmentBuilder, writeUnit } from './segment-build.ts'

const DIMENSION = 8

/** Vectors that lie apart, searched exactly; counts what it is asked for. */
class Apart implements VectorReader {
  readonly rows: Float32Array[]
  readonly asked: number[] = []
  readonly probe = { vectors: 0, found: { of: 0, found: 0 }, recall: [], filtered: [] }

  constructor(rows: Float32Array[]) {
    this.rows = rows
  }

  search: VectorReader['search'] = async (vector, { k }) => {
    this.asked.push(k)
    return this.near(vector).slice(0, k)
  }

  near = (vector: Float32Array): Near[] =>
    this.rows
      .map((row, chunk) => ({ chunk, score: row.reduce((sum, value, at) => sum + value * (vector[at] ?? 0), 0) }))
      .toSorted((a, b) => b.score - a.score || a.chunk - b.chunk)

  close = (): void => {}
}

function unit(values: readonly number[]): Float32Array {
  const row = new Float32Array(DIMENSION)
  writeUnit(Float32Array.from(values), row, 0)
  return row
}

function segmentOf(name: string, rows: Float32Array[], isApart: boolean): { segment: Segment; apart: Apart } {
  const builder = new SegmentBuilder(new Analyzer())
  builder.add(rows.map(() => ({ text: 'x' })))
  const vectors = new Float32Array(rows.length * DIMENSION)
  for (const [at, row] of rows.entries()) vectors.set(row, at * DIMENSION)
  const apart = new Apart(rows)
  const sections = builder.finish(DIMENSION, isApart ? new Float32Array(0) : vectors)
  return { segment: new Segment(name, sections, isApart ? apart : undefined), apart }
}

test('the nearest of all parts are found, however they are spread over them and whatever was removed', async () => {
  const setting = fc.record({
    counts: fc.array(fc.integer({ min: 1, max: 200 }), { minLength: 1, maxLength: 5 }),
    k: fc.integer({ min: 1, max: 60 }),
    // All that is near in the first part, or anywhere.
    isGathered: fc.boolean(),
    isApart: fc.array(fc.boolean(), { minLength: 5, maxLength: 5 }),
    removedShare: fc.constantFrom(0, 0.3, 0.9),
    seed: fc.integer(),
  })
  await fc.assert(
    fc.asyncProperty(setting, async ({ counts, k, isGathered, isApart, removedShare, seed }) => {
      const random = seededRandom(seed)
      const draw = (): number => uniform(random) - 0.5
      const question = unit(Array.from({ length: DIMENSION }, draw))
      const parts = counts.map((count, at) => {
        const rows = Array.from({ length: count }, () => {
          const pull = isGathered ? (at === 0 ? 2 : -2) : 0
          return unit(Array.from({ length: DIMENSION }, (_, place) => draw() + pull * (question[place] ?? 0)))
        })
        const removed = rows.flatMap((_, first) => (uniform(random) < removedShare ? [{ first, count: 1 }] : []))
        return { ...segmentOf(`s${at}`, rows, isApart[at] === true), removed, origins: undefined }
      })
      const expected = parts
        .flatMap(({ segment, apart, removed }) => {
          const gone = new Set(removed.map(({ first }) => first))
          return apart
            .near(question)
            .flatMap(({ chunk, score }) => (gone.has(chunk) ? [] : [{ segment: segment.name, chunk, score }]))
        })
        .toSorted((a, b) => b.score - a.score)
        .slice(0, k)
      const found = await new Mount(parts).searchVector(question, { vector: question, k })
      assert.deepEqual(
        found.map(({ segment, chunk }) => `${segment} ${chunk}`),
        expected.map(({ segment, chunk }) => `${segment} ${chunk}`),
      )
    }),
    { numRuns: 80 },
  )
})

test('a part is asked for its share alone, unless it holds more', async () => {
  const random = seededRandom(1)
  const rows = (): Float32Array[] =>
    Array.from({ length: 500 }, () => unit(Array.from({ length: DIMENSION }, () => uniform(random) - 0.5)))
  const parts = Array.from({ length: 10 }, (_, at) => ({
    ...segmentOf(`s${at}`, rows(), true),
    removed: [],
    origins: undefined,
  }))
  const question = unit(Array.from({ length: DIMENSION }, () => uniform(random) - 0.5))
  await new Mount(parts).searchVector(question, { vector: question, k: 100 })
  for (const { apart } of parts) assert.deepEqual(apart.asked, [28])
})

test('where everything was removed nothing is asked for, and nothing is found', async () => {
  const question = unit([1, 0, 0, 0, 0, 0, 0, 0])
  const parts = ['s0', 's1'].map((name, at) => ({
    ...segmentOf(name, [question, question], at === 0),
    removed: [{ first: 0, count: 2 }],
    origins: undefined,
  }))
  assert.deepEqual(await new Mount(parts).searchVector(question, { vector: question, k: 3 }), [])
  assert.deepEqual(await new Mount([]).searchVector(question, { vector: question, k: 3 }), [])
  assert.deepEqual(parts[0]?.apart.asked, [])
})
