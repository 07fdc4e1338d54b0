import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { type Random, seededRandom, uniform } from '../../base/random.ts'
import { Analyzer } from '../../base/words.ts'
import type { Filter } from '../../store/filter.ts'
import type { Index, IndexChunk, IndexQuery, MountedSegment } from '../../store/index.ts'
import { MemoryIndex } from '../memory/index.ts'
import { openFilesystemIndex } from './index.ts'

/** Enough chunks for several windows and for lists of many blocks. */
const SEGMENTS = { large: 18_000, small: 300, middle: 9_000 }
const VOCABULARY = 2_000

describe('words over many blocks and windows', () => {
  const random = seededRandom(3)
  const below = (bound: number): number => Math.floor(uniform(random) * bound)
  let folder: string
  let fast: Index
  let naive: Index

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'headworks-index-'))
    fast = openFilesystemIndex(folder, new Analyzer())
    naive = new MemoryIndex(new Analyzer())
    for (const [segment, count] of Object.entries(SEGMENTS)) {
      const chunks = Array.from({ length: count }, (_, at) => chunk(random, at))
      await fast.build(segment, chunks)
      await naive.build(segment, chunks)
    }
  })

  after(async () => {
    await fast.close()
    await rm(folder, { recursive: true })
  })

  const mount = async (...parts: readonly MountedSegment[]): Promise<void> => {
    await fast.mount('c', parts)
    await naive.mount('c', parts)
  }
  const agree = async (query: IndexQuery): Promise<void> =>
    assert.deepEqual(await fast.search('c', query), await naive.search('c', query), JSON.stringify(query))
  const terms = (count: number): NonNullable<IndexQuery['terms']> =>
    Array.from({ length: count }, () => ({ word: word(random), weight: [1, 0.15, 3][below(3)] ?? 1 }))

  test('the best are those of the naive index', async () => {
    await mount(all('large'), all('small'), all('middle'))
    for (const [count, k] of [
      [1, 10],
      [3, 1],
      [10, 10],
      [10, 1000],
      [30, 18],
      [30, 5],
    ] as const)
      for (let round = 0; round < 2; round++) await agree({ terms: terms(count), k })
  })

  test('what is worth much is found among blocks of what is worth little', async () => {
    await mount(all('large'), all('small'), all('middle'))
    for (const k of [1, 2, 5, 20])
      for (const rare of ['spike', 'deep']) await agree({ terms: [{ word: rare, weight: 1 }], k })
    for (const weight of [0.1, 0.3, 0.6, 1]) {
      const both = [
        { word: 'seldom', weight: 1 },
        { word: 'spike', weight },
      ]
      for (const k of [1, 2, 5, 20]) await agree({ terms: both, k })
    }
    for (let round = 0; round < 6; round++) {
      const common = ['spike', 'deep'].map((one) => ({ word: one, weight: [0.1, 0.5, 1][below(3)] ?? 1 }))
      await agree({ terms: [...terms(1 + (round % 3)), ...common], k: [1, 5, 20][below(3)] ?? 1 })
    }
  })

  test('also with removals, which count nowhere', async () => {
    const removed = (chunks: number): MountedSegment['removed'] =>
      Array.from({ length: 40 }, () => ({ first: below(chunks), count: below(chunks / 20) }))
    await mount(
      { segment: 'middle', removed: removed(SEGMENTS.middle) },
      { segment: 'large', removed: removed(SEGMENTS.large) },
      { segment: 'small', removed: [{ first: 0, count: 300 }] },
    )
    const asked = Array.from({ length: 20 }, () => word(random))
    assert.deepEqual(await fast.statistics('c', asked), await naive.statistics('c', asked))
    assert.deepEqual(await fast.statistics('c', asked), await naive.statistics('c', asked))
    for (const count of [2, 10, 30]) await agree({ terms: terms(count), k: 10 })
  })

  test('also under filters that leave much, little, one place or nothing', async () => {
    await mount(all('large'), { segment: 'middle', removed: [{ first: 100, count: 5_000 }] })
    const filters: readonly Filter[] = [
      { op: 'range', name: 'year', atLeast: 20 },
      { op: 'in', name: 'year', values: [7] },
      { op: 'in', name: 'shelf', values: [11] },
      {
        op: 'and',
        filters: [
          { op: 'in', name: 'shelf', values: [3, 4] },
          { op: 'not', filter: { op: 'in', name: 'year', values: [1] } },
        ],
      },
      {
        op: 'or',
        filters: [
          { op: 'in', name: 'shelf', values: [0] },
          { op: 'in', name: 'year', values: [99] },
        ],
      },
      { op: 'in', name: 'year', values: [1000] },
      { op: 'and', filters: [] },
      { op: 'or', filters: [] },
    ]
    for (const filter of filters) for (const count of [1, 10]) await agree({ terms: terms(count), filter, k: 10 })
  })

  test('of equal scores the first are taken, though many tie', async () => {
    await mount(all('large'), all('middle'))
    for (const tied of ['tie', 'tie pair', 'tie pair other'])
      await agree({ terms: tied.split(' ').map((one) => ({ word: one, weight: 1 })), k: 20 })
  })
})

const all = (segment: string): MountedSegment => ({ segment, removed: [] })

/** The n-th commonest about 1/n as often as the first. */
const word = (random: Random): string => `w${Math.floor(VOCABULARY ** uniform(random))}`

function chunk(random: Random, at: number): IndexChunk {
  return { text: text(random, at), attributes: { year: at % 100, shelf: Math.floor(at / 1_000) } }
}

function text(random: Random, at: number): string {
  // Beyond what the bound of a block can say.
  if (at % 3_000 === 50) return 'deep '.repeat(260 + at / 75)
  if (at % 5_000 === 77) return Array.from({ length: 6_000 }, () => word(random)).join(' ')
  // Worth much, far apart, in blocks of what is worth little.
  if (at % 1_013 === 500) return 'seldom ' + 'spike '.repeat(2 + (at % 5))
  if (at % 1_499 === 700) return 'spike'
  if (at % 5 === 0) return `tie pair ${at % 15 === 0 ? 'other' : ''} filling`
  const words = Array.from({ length: 1 + Math.floor(uniform(random) * 24) }, () => word(random))
  if (at % 5 < 3) words.push('spike', 'deep', 'and', 'much', 'that', 'makes', 'it', 'longer')
  if (at % 97 === 3) words.push('seldom')
  return words.join(' ')
}
