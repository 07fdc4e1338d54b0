import assert from 'node:assert/strict'
import { appendFile, mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { systemClock as clock } from '../../base/clock.ts'
import { seededRandom, uniform } from '../../base/random.ts'
import { Analyzer } from '../../base/words.ts'
import { type DurableIndexFixture, durableIndexContract, indexContract } from '../../store/contract/index.ts'
import { type VectorsFixture, vectorsContract } from '../../store/contract/vectors.ts'
import type { Filter } from '../../store/filter.ts'
import type { Hit, Index, IndexChunk } from '../../store/index.ts'
import { chooseEffort } from '../../store/vector-probe.ts'
import type { RecallAt } from '../../store/vectors.ts'
import { openFilesystemIndex } from '../filesystem/index.ts'
import { MemoryIndex } from '../memory/index.ts'
import { loadZvec, type Zvec } from './binding.ts'
import { openZvecVectors } from './vectors.ts'

const zvec = loadZvec(1)
if (typeof zvec === 'string') test('zvec', { skip: `zvec: ${zvec}` }, () => {})
else {
  indexContract('filesystem with zvec', () => fixture(1))
  indexContract('filesystem with zvec, compared', () => fixture(Number.POSITIVE_INFINITY))
  durableIndexContract('filesystem with zvec', () => fixture(1))
  vectorsContract('zvec', vectorsFixture)
  graphs()
}

/** No vector is few enough to be held in memory. */
function openAt(folder: string, graphVectorsMin: number): Index {
  assert.ok(typeof zvec !== 'string')
  const apart = openZvecVectors({ clock, folder, zvec, threads: 1, graphVectorsMin })
  return openFilesystemIndex(folder, new Analyzer(), { apart, comparedMax: 0 })
}

async function fixture(graphVectorsMin: number): Promise<DurableIndexFixture> {
  const folder = await mkdtemp(join(tmpdir(), 'headworks-zvec-'))
  const opened: Index[] = []
  const open = (): Index => {
    const index = openAt(folder, graphVectorsMin)
    opened.push(index)
    return index
  }
  return {
    index: open(),
    reopen: async () => open(),
    damage: async (segment, how) => {
      const path = join(folder, `${segment}.segment`)
      if (how === 'cut') return truncate(path, 100)
      const bytes = await readFile(path)
      bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 0x40
      await writeFile(path, bytes)
    },
    close: async () => {
      for (const index of opened) await index.close()
      await rm(folder, { recursive: true })
    },
  }
}

async function vectorsFixture(): Promise<VectorsFixture> {
  assert.ok(typeof zvec !== 'string')
  const options = {
    clock,
    folder: await mkdtemp(join(tmpdir(), 'headworks-zvec-')),
    zvec,
    threads: 1,
    graphVectorsMin: 2_000,
  }
  return {
    vectors: openZvecVectors(options),
    reopen: async () => openZvecVectors(options),
    damage: (segment) => truncate(join(options.folder, `${segment}.zvec`, 'description.json'), 50),
    close: () => rm(options.folder, { recursive: true }),
  }
}

const DIMENSION = 24
const COUNT = 3_000

function chunksOf(seed: number): IndexChunk[] {
  const random = seededRandom(seed)
  return Array.from({ length: COUNT }, (_, at) => ({
    text: `number${at}`,
    vector: Float32Array.from({ length: DIMENSION }, () => uniform(random) - 0.5),
    attributes: { tenth: at % 10, price: uniform(random) * 100, language: at % 100 === 7 ? "d'e" : 'en' },
  }))
}

interface Pair {
  readonly folder: string
  readonly index: Index
  readonly naive: Index
  readonly chunks: readonly IndexChunk[]
}

async function pair(t: TestContext, removed: readonly { first: number; count: number }[] = []): Promise<Pair> {
  const folder = await mkdtemp(join(tmpdir(), 'headworks-zvec-'))
  const index = openAt(folder, 500)
  const naive = new MemoryIndex(new Analyzer())
  t.after(async () => {
    await index.close()
    await rm(folder, { recursive: true })
  })
  const chunks = chunksOf(5)
  async function* parts(): AsyncGenerator<IndexChunk[]> {
    for (let at = 0; at < chunks.length; at += 700) yield chunks.slice(at, at + 700)
  }
  await index.build('c/a', parts())
  await naive.build('c/a', chunks)
  for (const one of [index, naive]) await one.mount('c', [{ segment: 'c/a', removed }])
  return { folder, index, naive, chunks }
}

const numbers = (hits: readonly Hit[]): number[] => hits.map(({ chunk }) => chunk)

async function recallOf({ index, naive }: Pair, filter: Filter | undefined, exact: boolean): Promise<number> {
  const random = seededRandom(8)
  let [found, wanted] = [0, 0]
  for (let question = 0; question < 40; question++) {
    const vector = Float32Array.from({ length: DIMENSION }, () => uniform(random) - 0.5)
    const query = { vector, k: 10, exact, ...(filter === undefined ? {} : { filter }) }
    const truth = new Set(numbers(await naive.search('c', query)))
    const hits = numbers(await index.search('c', query))
    assert.equal(new Set(hits).size, hits.length)
    assert.equal(hits.length, truth.size)
    found += hits.filter((chunk) => truth.has(chunk)).length
    wanted += truth.size
  }
  return found / wanted
}

/** Collections that take a thousand rows and no more, and cannot be closed then. */
function refusing(real: Zvec, message: string): Zvec['createAndOpen'] {
  return (path, schema, options) => {
    const collection = real.createAndOpen(path, schema, options)
    let inserted = 0
    return {
      stats: collection.stats,
      query: (query) => collection.query(query),
      optimize: (how) => collection.optimize(how),
      insertSync: (docs) => {
        inserted += docs.length
        return inserted > 1_024 ? docs.map(() => ({ ok: false, message })) : collection.insertSync(docs)
      },
      closeSync: () => {
        collection.closeSync()
        throw new Error(message)
      },
    }
  }
}

function graphs(): void {
  test('a graph finds nearly all of the nearest, and all of them when asked to be exact', async (t) => {
    const both = await pair(t)
    const recall = await recallOf(both, undefined, false)
    assert.ok(recall >= 0.9, String(recall))
    assert.equal(await recallOf(both, undefined, true), 1)
  })

  test('filters of every selectivity find k, and the right ones', async (t) => {
    const both = await pair(t)
    const filters: readonly Filter[] = [
      { op: 'in', name: 'tenth', values: [3] },
      { op: 'in', name: 'language', values: ["d'e"] },
      { op: 'not', filter: { op: 'in', name: 'tenth', values: [1, 2, 3, 4, 5, 6, 7, 8, 9] } },
      // Thousands of different values: too many to name.
      { op: 'range', name: 'price', atLeast: 20, below: 70 },
      { op: 'range', name: 'price', below: 0.5 },
      {
        op: 'and',
        filters: [
          { op: 'range', name: 'price', above: 99 },
          { op: 'in', name: 'tenth', values: [2, 4] },
        ],
      },
    ]
    for (const filter of filters) {
      const recall = await recallOf(both, filter, false)
      assert.ok(recall >= 0.85, `${JSON.stringify(filter)}: ${recall}`)
      assert.equal(await recallOf(both, filter, true), 1)
    }
  })

  test('removed vectors never answer, and those behind them do', async (t) => {
    const both = await pair(t, [
      { first: 0, count: 1000 },
      { first: 1500, count: 1450 },
    ])
    const recall = await recallOf(both, undefined, false)
    assert.ok(recall >= 0.9, String(recall))
    assert.ok((await recallOf(both, { op: 'in', name: 'tenth', values: [3] }, false)) >= 0.85)
  })

  test('what is published was probed', async (t) => {
    const folder = await mkdtemp(join(tmpdir(), 'headworks-zvec-'))
    const index = openAt(folder, 500)
    t.after(async () => {
      await index.close()
      await rm(folder, { recursive: true })
    })
    const { probe } = await index.build('c/a', chunksOf(5))
    assert.ok(probe !== undefined)
    assert.equal(probe.vectors, COUNT)
    assert.ok(probe.found.of >= 100 && probe.found.found === probe.found.of)
    for (const [at, { effort, nearest, recall, n }] of probe.recall.entries()) {
      assert.ok(recall > 0.3 && recall <= 1 && n === probe.found.of)
      const before: RecallAt | undefined = probe.recall[at - 1]
      assert.ok(before === undefined || effort > before.effort || nearest > before.nearest)
    }
    const effortFor = (recallAt10: number, share: number): number => chooseEffort(probe, { recallAt10 }, { share })
    // A segment that holds a part of what is searched for needs less effort.
    assert.ok(effortFor(0.95, 0.1) <= effortFor(0.95, 1))
    // One that aims higher never needs less.
    const efforts = [0.3, 0.6, 0.9, 0.95, 0.999].map((aim) => effortFor(aim, 1))
    assert.deepEqual(
      efforts,
      efforts.toSorted((a, b) => a - b),
    )
    assert.deepEqual(
      probe.filtered.map(({ share }) => Math.round(share * 100)),
      [1, 10],
    )
  })

  test('a damaged, cut or missing file of the vectors is noticed, and names its segment', async (t) => {
    const { folder, index } = await pair(t)
    await index.close()
    const vectors = join(folder, 'c', 'a.zvec')
    const files = (await readdir(vectors, { recursive: true, withFileTypes: true }))
      .filter((entry) => entry.isFile() && !['LOCK', 'LOG'].includes(entry.name))
      .map((entry) => join(entry.parentPath, entry.name))
    assert.ok(files.length > 5)
    const fresh = openAt(folder, 500)
    const mount = (): Promise<void> => fresh.mount('c', [{ segment: 'c/a', removed: [] }])
    for (const path of files) {
      const sound = await readFile(path)
      if (sound.length > 0) {
        const bytes = Buffer.from(sound)
        bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 1
        await writeFile(path, bytes)
        await assert.rejects(mount(), { code: 'index_unavailable', message: /c\/a/ }, path)
        await truncate(path, sound.length - 1)
        await assert.rejects(mount(), { code: 'index_unavailable' }, path)
      }
      await writeFile(path, sound)
      await appendFile(path, 'x')
      await assert.rejects(mount(), { code: 'index_unavailable' }, path)
      await rm(path)
      await assert.rejects(mount(), { code: 'index_unavailable' }, path)
      await writeFile(path, sound)
    }
    await mount()
    await fresh.close()
  })

  test('a disk that fills up is called by its name, what was half built goes, and with room it is built', async (t) => {
    assert.ok(typeof zvec !== 'string')
    const folder = await mkdtemp(join(tmpdir(), 'headworks-zvec-'))
    t.after(() => rm(folder, { recursive: true }))
    let freeBytes = 4096
    const options = { clock, folder, threads: 1, graphVectorsMin: 500, freeBytes: async () => freeBytes }
    const rows = Float32Array.from(chunksOf(1).flatMap(({ vector = [] }) => [...vector]))
    const attributes = Array.from({ length: COUNT }, () => ({}))
    // As zvec says it on a full disk.
    const full = openZvecVectors({ ...options, zvec: { ...zvec, createAndOpen: refusing(zvec, 'WAL append failed') } })
    const stopped = await full.write('a', DIMENSION)
    await assert.rejects(stopped.add(rows, attributes), { code: 'disk_full' })
    await stopped.abandon()
    assert.deepEqual(await full.segments(), [])
    freeBytes = 2 ** 30
    const broken = await full.write('a', DIMENSION)
    await assert.rejects(broken.add(rows, attributes), { code: 'store_unavailable', message: /WAL append failed/ })
    await broken.abandon()
    const vectors = openZvecVectors({ ...options, zvec })
    const writer = await vectors.write('a', DIMENSION)
    await writer.add(rows, attributes)
    await writer.finish()
    const reader = await vectors.open('a', { recallAt10: 0.9 })
    assert.equal((await reader.search(new Float32Array(DIMENSION).fill(0.2), { k: 5 })).length, 5)
    reader.close()
  })

  test('vectors that a crash left unfinished are listed and dropped, and a second build succeeds', async (t) => {
    const folder = await mkdtemp(join(tmpdir(), 'headworks-zvec-'))
    t.after(() => rm(folder, { recursive: true }))
    const index = openAt(folder, 500)
    async function* cutShort(): AsyncGenerator<IndexChunk[]> {
      yield chunksOf(1).slice(0, 1500)
      throw new Error('the source has gone')
    }
    await assert.rejects(index.build('c/a', cutShort()), /the source has gone/)
    assert.deepEqual(await index.segments(), [])
    assert.ok(typeof zvec !== 'string')
    const writer = await openZvecVectors({ clock, folder, zvec, threads: 1, graphVectorsMin: 1 }).write('c/b', 2)
    await writer.add(Float32Array.of(1, 0), [{}])
    assert.deepEqual(await index.segments(), ['c/b'])
    await assert.rejects(index.mount('c', [{ segment: 'c/b', removed: [] }]), { code: 'index_unavailable' })
    await writer.abandon()
    await index.drop('c/b')
    assert.deepEqual(await index.segments(), [])
    await index.build('c/a', chunksOf(1))
    await index.close()
  })
}
