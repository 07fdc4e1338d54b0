import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { ManualClock, settled } from '../../../tests/kit/clock.ts'
import { openLibrary } from '../../../tests/kit/library.ts'
import { seededRandom } from '../../base/random.ts'
import { MemoryRows } from '../../drivers/memory/rows.ts'
import { Alerts } from '../../meter/alerts/alerts.ts'
import type { Hit, IndexQuery } from '../../store/index.ts'
import { QualityBook, SELECTIVITIES } from './book.ts'
import { wilson } from './interval.ts'
import { FreshnessWatch } from './progress.ts'
import { recallOf, RecallSampler } from './sampler.ts'

const TARGETS = { recallAt10: 0.95, searchP95Ms: 50, freshnessMs: 2_000 }
const hit = (chunk: number, score: number): Hit => ({ segment: 's', chunk, score })
const hits = (...chunks: number[]): Hit[] => chunks.map((chunk) => hit(chunk, 1 - chunk / 100))
const range = (count: number, from = 0): number[] => Array.from({ length: count }, (_, at) => from + at)

describe('recall', () => {
  test('is the share of the ten nearest that was found', () => {
    const exact = hits(...range(20))
    assert.equal(recallOf(hits(...range(10)), exact), 1)
    assert.equal(recallOf(hits(...range(8), 40, 41), exact), 0.8)
    assert.equal(recallOf([], exact), 0)
    assert.equal(recallOf(hits(0, 0, 0), hits(0)), 1)
    assert.equal(recallOf(hits(1), []), undefined)
    assert.equal(recallOf(hits(0, 1), hits(0, 1)), 1, 'where there are fewer than ten, of those')
  })

  test('takes what is as near as the tenth for as good', () => {
    const exact = [...hits(...range(9)), ...range(5, 50).map((chunk) => hit(chunk, 0.5))]
    assert.equal(recallOf([...hits(...range(9)), hit(54, 0.5)], exact), 1)
    assert.equal(recallOf([...hits(...range(9)), hit(99, 0.4)], exact), 0.9)
  })
})

test("Wilson's interval holds the mean, narrows with n, and doubts a few perfect queries", () => {
  fc.assert(
    fc.property(fc.double({ min: 0, max: 1, noNaN: true }), fc.integer({ min: 1, max: 100_000 }), (mean, n) => {
      const { low, high } = wilson(mean, n)
      assert.ok(low >= 0 && high <= 1 && low <= mean + 1e-9 && high >= mean - 1e-9)
      const more = wilson(mean, n * 4)
      assert.ok(more.high - more.low < high - low)
    }),
  )
  // Agresti and Coull 1998: 10 of 10 lie within .722 and 1.
  assert.deepEqual(Math.round(wilson(1, 10).low * 1000), 722)
  assert.deepEqual(wilson(0, 0), { low: 0, high: 1 })
})

/** Vectors on a line, so that the nearest are known; the index may be told to miss some. */
async function open({ share = 1, misses = 0, delayMs = 0 } = {}) {
  const clock = new ManualClock()
  const documents = range(200).map((at) => ({
    id: `doc_${at.toString(32)}`,
    texts: [`car number ${at}`],
    metadata: { part: at % 100 === 0 ? 'rare' : at % 20 === 0 ? 'some' : 'most' },
  }))
  const { rows, index } = await openLibrary(documents)
  const asked: IndexQuery[] = []
  const search = async (collection: string, query: IndexQuery): Promise<Hit[]> => {
    asked.push(query)
    if (delayMs > 0) await new Promise<void>((resolve) => clock.after(delayMs, resolve))
    const found = await index.search(collection, query)
    return query.exact === true ? found : [...found.slice(misses), ...range(misses, 1000).map((at) => hit(at, 0))]
  }
  const alerts = new Alerts({ clock, random: seededRandom(3), rows: new MemoryRows() })
  const trouble: unknown[] = []
  const onTrouble = (cause: unknown): void => void trouble.push(cause)
  const book = new QualityBook({ clock, rows, alerts, targetsOf: () => TARGETS, onTrouble })
  const sampler = new RecallSampler({
    clock,
    random: seededRandom(4),
    index: { search },
    rows,
    book,
    shareOf: () => share,
    onTrouble,
  })
  const vector = Float32Array.of(1, 0, 0, 0, 0.1)
  const ask = (filter?: IndexQuery['filter']): Promise<Hit[]> =>
    sampler.search('c', { vector, k: 10, ...(filter === undefined ? {} : { filter }) })
  const pass = async (steps: number): Promise<void> => {
    for (let step = 0; step < steps; step++) {
      clock.advance(1000)
      await settled()
    }
  }
  return { clock, sampler, book, alerts, asked, ask, pass, trouble }
}

describe('sampled queries', () => {
  test('are replayed in the background, against every vector', async () => {
    const { ask, pass, book, asked, trouble } = await open({ misses: 2 })
    await ask()
    assert.equal(asked.length, 1, 'the query itself waits for nothing')
    await pass(3)
    assert.deepEqual(
      asked.map(({ exact }) => exact === true),
      [false, true, false],
    )
    const { recallAt10 } = (await book.figures('c')) as { recallAt10: { recall: number; queries: number }[] }
    assert.equal(recallAt10[0]?.queries, 1)
    assert.deepEqual(trouble, [])
  })

  test('are told apart by how much their filter lets through', async () => {
    const { ask, pass, book } = await open()
    for (const part of ['rare', 'some', 'most']) {
      await ask({ op: 'in', name: 'part', values: [part] })
      await pass(3)
    }
    const { recallAt10 } = (await book.figures('c')) as {
      recallAt10: { selectivityPercent: string; queries: number }[]
    }
    assert.deepEqual(
      recallAt10.map(({ selectivityPercent, queries }) => [selectivityPercent, queries]),
      [
        ['10..100', 1],
        ['1..10', 2],
        ['0..1', 0],
      ],
    )
  })

  test('are as many as the share says; none of words, none that are exact', async () => {
    const { ask, pass, asked, sampler } = await open({ share: 0 })
    await ask()
    await pass(2)
    assert.equal(asked.length, 1)
    const all = await open({ share: 1 })
    await all.sampler.search('c', { terms: [{ word: 'car', weight: 1 }], k: 1 })
    await all.sampler.search('c', { vector: Float32Array.of(1, 0, 0, 0, 1), k: 1, exact: true })
    await all.pass(2)
    assert.equal(all.asked.length, 2)
    const some = await open({ share: 0.1 })
    for (const _ of range(1000)) {
      await some.ask()
      some.clock.advance(100)
      await settled()
    }
    await some.pass(10)
    const replays = some.asked.filter(({ exact }) => exact === true).length
    assert.ok(replays > 70 && replays < 130, String(replays))
    await Promise.all([sampler.stop(), all.sampler.stop(), some.sampler.stop()])
  })

  test('are skipped, and counted so, where too many wait or searches are in flight', async () => {
    const { ask, pass, book, asked } = await open()
    await Promise.all(range(30).map(() => ask()))
    const busy = (await book.figures('c')) as { skipped: number }
    assert.equal(busy.skipped, 14, 'sixteen wait')
    await pass(40)
    assert.equal(asked.filter(({ exact }) => exact === true).length, 16)

    const slow = await open({ delayMs: 10_000 })
    const first = slow.ask()
    slow.clock.advance(10_000)
    await first
    const others = range(8).map(() => slow.ask())
    slow.clock.advance(1000)
    await settled()
    assert.equal(((await slow.book.figures('c')) as { skipped: number }).skipped, 1)
    slow.clock.advance(10_000)
    await Promise.all(others)
    await slow.sampler.stop()
  })

  test('take a twentieth of the time at most', async () => {
    const { ask, clock, asked, sampler } = await open({ delayMs: 50 })
    for (const _ of range(3)) {
      const asking = ask()
      clock.advance(50)
      await asking
    }
    for (let ms = 0; ms < 3000; ms += 10) {
      clock.advance(10)
      await settled()
    }
    assert.equal(asked.filter(({ exact }) => exact === true).length, 2, 'the third waits for its turn')
    await sampler.stop()
  })
})

describe('the book', () => {
  test('keeps what was measured, for a week, and tells it with an interval', async () => {
    const { book, clock } = await open()
    for (const _ of range(90)) book.measured('c', '1..10', 1)
    for (const _ of range(10)) book.measured('c', '1..10', 0.5)
    book.fresh('c', 200, 99)
    book.fresh('c', 9000, 1)
    const told = async () =>
      (await book.figures('c')) as {
        recallAt10: { recall: number | null; low: number; high: number; queries: number }[]
        freshnessMs: { p50: number; p99: number; documents: number }
      }
    const { recallAt10, freshnessMs } = await told()
    const [, middle] = recallAt10
    assert.ok(middle !== undefined && Math.abs((middle.recall ?? 0) - 0.95) < 1e-9 && middle.queries === 100)
    assert.ok(middle.low < 0.95 && middle.high > 0.95 && middle.high < 1)
    assert.ok(Math.abs(freshnessMs.p50 - 200) < 3 && freshnessMs.documents === 100)
    assert.deepEqual(recallAt10[0]?.recall, null)
    clock.advance(8 * 86_400_000)
    assert.equal((await told()).recallAt10[1]?.queries, 0)
    await book.prune(() => true)
  })

  test('raises an alert once the whole interval lies below the target, and closes it', async () => {
    const { book, alerts, clock } = await open()
    const open_ = async (): Promise<string[]> => {
      await book.save()
      const { alerts: list } = await alerts.list({ limit: 10, fits: ({ closed }) => closed === undefined })
      return list.map(({ kind, subject }) => `${kind} ${subject['collection']} ${subject['selectivityPercent']}`)
    }
    for (const _ of range(49)) book.measured('c', '0..1', 0.5)
    assert.deepEqual(await open_(), [], 'too few to say')
    book.measured('c', '0..1', 0.5)
    for (const _ of range(50)) book.measured('c', '10..100', 0.94)
    assert.deepEqual(await open_(), ['recall_low c 0..1'], 'one that may be above is none')
    clock.advance(8 * 86_400_000)
    for (const _ of range(60)) book.measured('c', '0..1', 1)
    assert.deepEqual(await open_(), [])
  })

  test('forgets collections that are gone', async () => {
    const { book } = await open()
    for (const one of ['c', 'gone']) book.measured(one, SELECTIVITIES[0], 1)
    await book.save()
    await book.prune((name) => name === 'c')
    const queries = async (name: string): Promise<unknown> =>
      ((await book.figures(name)) as { recallAt10: { queries: number }[] }).recallAt10[0]?.queries
    assert.deepEqual([await queries('c'), await queries('gone')], [1, 0])
  })
})

test('documents count as fresh once their run has counted them', () => {
  const clock = new ManualClock()
  const told: [string, number, number][] = []
  const watch = new FreshnessWatch(clock, { fresh: (...one) => void told.push(one) })
  const run = { run: 'ing_1', collection: 'c', startedAt: new Date(clock.wallMs()).toISOString() }
  for (const documents of [0, 10, 10, 25]) {
    clock.advance(100)
    watch.told({ ...run, documents, endedAt: null })
  }
  watch.told({ ...run, documents: 25, endedAt: 'now' })
  watch.told({ run: 7 })
  assert.deepEqual(told, [
    ['c', 200, 10],
    ['c', 400, 15],
  ])
})
