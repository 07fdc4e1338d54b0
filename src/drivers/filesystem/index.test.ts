import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import fc from 'fast-check'
import { Analyzer } from '../../base/words.ts'
import { type DurableIndexFixture, durableIndexContract, indexContract } from '../../store/contract/index.ts'
import type { Filter } from '../../store/filter.ts'
import type { Hit, Index, IndexChunk, IndexQuery, MountedSegment } from '../../store/index.ts'
import type { Vectors } from '../../store/vectors.ts'
import { MemoryIndex } from '../memory/index.ts'
import { openFilesystemIndex } from './index.ts'

indexContract('filesystem', fixture)
durableIndexContract('filesystem', fixture)

async function fixture(): Promise<DurableIndexFixture> {
  const folder = await mkdtemp(join(tmpdir(), 'headworks-index-'))
  const opened: Index[] = []
  const open = (): Index => {
    const index = openFilesystemIndex(folder, new Analyzer())
    opened.push(index)
    return index
  }
  return {
    index: open(),
    reopen: async () => open(),
    damage: (segment, how) => damage(join(folder, `${segment}.segment`), how),
    close: async () => {
      for (const index of opened) await index.close()
      await rm(folder, { recursive: true })
    },
  }
}

async function damage(path: string, how: 'flip' | 'cut'): Promise<void> {
  const bytes = await readFile(path)
  const middle = bytes.length >> 1
  if (how === 'cut') return truncate(path, middle)
  bytes[middle] = (bytes[middle] ?? 0) ^ 0x40
  await writeFile(path, bytes)
}

const word = fc.constantFrom(
  'apple',
  'banana',
  'cherry',
  'fig',
  'outputTokensMax',
  'Ünïcode',
  '東京',
  '𝒳𝒴',
  'ﬀ',
  'the',
  '7',
)
const attributes = fc.record(
  { kind: fc.constantFrom('a', 'b', 'c'), shelf: fc.constantFrom(1, 2) },
  { requiredKeys: [] },
)
const segments = fc.array(
  fc.record({
    chunks: fc.array(
      fc.record({
        text: fc.array(word, { maxLength: 12 }).map((list) => list.join(' ')),
        attributes,
        direction: fc.tuple(
          fc.integer({ min: 1, max: 9 }),
          fc.integer({ min: -9, max: 9 }),
          fc.integer({ min: -9, max: 9 }),
        ),
      }),
      { maxLength: 15 },
    ),
    removed: fc.array(fc.record({ first: fc.nat(20), count: fc.nat(4) }), { maxLength: 2 }),
  }),
  { maxLength: 4 },
)
const filter = fc.letrec<{ filter: Filter }>((tie) => ({
  filter: fc.oneof(
    { depthSize: 'small' },
    fc.record({
      op: fc.constant('in' as const),
      name: fc.constantFrom('kind', 'shelf'),
      values: fc.subarray(['a', 'b', 1, 2, 'none']),
    }),
    fc.record({ op: fc.constant('range' as const), name: fc.constantFrom('kind', 'shelf'), atLeast: fc.nat(3) }),
    fc.record({
      op: fc.constantFrom('and' as const, 'or' as const),
      filters: fc.array(tie('filter'), { maxLength: 3 }),
    }),
    fc.record({ op: fc.constant('not' as const), filter: tie('filter') }),
  ),
})).filter
const query = fc.record(
  {
    terms: fc.array(fc.record({ word, weight: fc.constantFrom(0, 0.25, 1, 3) }), { maxLength: 6 }),
    filter,
    k: fc.integer({ min: 1, max: 20 }),
  },
  { requiredKeys: ['terms', 'k'] },
)

test('ranks exactly like the naive index', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'headworks-index-'))
  const fast = openFilesystemIndex(folder, new Analyzer())
  const naive = new MemoryIndex(new Analyzer())
  let built = 0
  try {
    await fc.assert(
      fc.asyncProperty(segments, fc.array(query, { minLength: 1, maxLength: 5 }), async (list, queries) => {
        const parts: MountedSegment[] = []
        for (const { chunks, removed } of list) {
          const segment = `s${built++}`
          const given: IndexChunk[] = chunks.map(({ direction, ...chunk }) => ({
            ...chunk,
            vector: Float32Array.from(direction),
          }))
          await fast.build(segment, given)
          await naive.build(segment, given)
          parts.push({ segment, removed })
        }
        await fast.mount('c', parts)
        await naive.mount('c', parts)
        assert.deepEqual(
          await fast.statistics('c', ['apple', 'the', 'zebra']),
          await naive.statistics('c', ['apple', 'the', 'zebra']),
        )
        for (const one of queries) {
          assert.deepEqual(await fast.search('c', one), await naive.search('c', one))
          await sameByVector(fast, naive, one)
        }
      }),
      { numRuns: 60 },
    )
  } finally {
    await fast.close()
    await rm(folder, { recursive: true })
  }
})

/** The stored vectors are rounded once more than the given ones: chunks may swap within 1e-6. */
async function sameByVector(fast: Index, naive: Index, { filter, k }: IndexQuery): Promise<void> {
  const query: IndexQuery = { vector: Float32Array.of(1, 2, -1), k, ...(filter === undefined ? {} : { filter }) }
  if ((await naive.statistics('c', [])).chunks === 0) return
  const [found, expected] = [await fast.search('c', query), await naive.search('c', query)]
  const scores = (hits: readonly Hit[]): number[] => hits.map(({ score }) => Math.round(score * 1e5))
  assert.equal(found.length, expected.length)
  for (const [at, score] of scores(found).entries()) assert.ok(Math.abs(score - (scores(expected)[at] ?? 0)) <= 1)
}

test('any single flipped bit of a segment file is noticed', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'headworks-index-'))
  const index = openFilesystemIndex(folder, new Analyzer())
  await index.build('a', [{ text: 'apple banana', attributes: { kind: 'x' }, vector: Float32Array.of(1, 2) }])
  const path = join(folder, 'a.segment')
  const sound = await readFile(path)
  const paddings = new Set<number>()
  for (let at = 0; at < sound.length; at++) {
    const bytes = Buffer.from(sound)
    bytes[at] = (bytes[at] ?? 0) ^ (1 << (at % 8))
    await writeFile(path, bytes)
    const noticed = await index.mount('c', [{ segment: 'a', removed: [] }]).then(
      () => false,
      () => true,
    )
    if (noticed) continue
    paddings.add(at)
    await index.mount('c', []) // Else the next mount would take the segment it still holds.
  }
  // Only the filling between sections, of zeros that nobody reads, may change unseen.
  for (const at of paddings) assert.equal(sound[at], 0)
  assert.ok(paddings.size < 80, `${paddings.size} of ${sound.length} bytes are unguarded`)
  await rm(folder, { recursive: true })
})

test('a segment of an older format is named, so that it is built again', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'headworks-index-'))
  const index = openFilesystemIndex(folder, new Analyzer())
  await index.build('a', [{ text: 'apple' }])
  const path = join(folder, 'a.segment')
  const bytes = await readFile(path)
  bytes.writeUInt32LE(1, 4)
  await writeFile(path, bytes)
  const mounting = index.mount('c', [{ segment: 'a', removed: [] }])
  await assert.rejects(mounting, { code: 'index_unavailable', message: /a is damaged: it has format 1, not 2/ })
  await rm(folder, { recursive: true })
})

test('what a crash left unfinished is listed, cannot be mounted and can be dropped', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'headworks-index-'))
  const index = openFilesystemIndex(folder, new Analyzer())
  await writeFile(join(folder, 'half.segment.unfinished'), 'half')
  assert.deepEqual(await index.segments(), ['half'])
  await assert.rejects(index.mount('c', [{ segment: 'half', removed: [] }]), { code: 'index_unavailable' })
  await index.drop('half')
  assert.deepEqual(await index.segments(), [])
  await rm(folder, { recursive: true })
})

test('a folder that cannot be written is a fault of the store', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'headworks-index-'))
  await writeFile(join(folder, 'file'), 'in the way')
  const index = openFilesystemIndex(join(folder, 'file'), new Analyzer())
  await assert.rejects(index.build('a', [{ text: 'x' }]), { code: 'store_unavailable' })
  await rm(folder, { recursive: true })
})

test('what was opened for a mount that fails is closed, and what was mounted before goes on', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'headworks-index-'))
  let open = 0
  const probe = { vectors: 3, found: { of: 3, found: 3 }, recall: [], filtered: [] }
  const apart: Vectors = {
    write: async () => ({ add: async () => {}, finish: async () => probe, abandon: async () => {} }),
    open: async () => {
      open++
      return { probe, search: async () => [], close: () => void open-- }
    },
    segments: async () => [],
    drop: async () => {},
  }
  const index = openFilesystemIndex(folder, new Analyzer(), { apart, comparedMax: 1 })
  const chunks = [0, 1, 2].map((): IndexChunk => ({ text: 'apple', vector: new Float32Array([1, 0]) }))
  for (const name of ['c/s1', 'c/s2', 'c/s3']) await index.build(name, chunks)
  const mounted = (...names: string[]): MountedSegment[] => names.map((segment) => ({ segment, removed: [] }))
  await index.mount('c', mounted('c/s1'))
  await damage(join(folder, 'c/s3.segment'), 'cut')
  for (let turn = 0; turn < 3; turn++) await assert.rejects(index.mount('c', mounted('c/s1', 'c/s2', 'c/s3')))
  assert.equal(open, 1)
  assert.equal((await index.search('c', { terms: [{ word: 'apple', weight: 1 }], k: 5 })).length, 3)
  await index.close()
  assert.equal(open, 0)
  await rm(folder, { recursive: true })
})
