import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { JsonObject } from '../base/json.ts'
import { ManualClock, settled } from '../../tests/kit/clock.ts'
import { MemoryEvents } from '../drivers/memory/events.ts'
import { MemoryRows } from '../drivers/memory/rows.ts'
import type { Entry } from '../store/events.ts'
import { countOf } from '../trace/sketch.ts'
import { DIMENSIONS, type Dimension } from './rollup.ts'
import { TOKEN_BUCKETS } from './usage.ts'
import { HOURS_KEPT_DAYS, UsageBook } from './usage-book.ts'

const DAY_MS = 86_400_000
const T0 = Date.UTC(2026, 10, 1)

let made = 0
const request = (body: JsonObject, day = 0, kind = 'request'): Entry => ({
  id: `req_${made++}`,
  phase: 'close',
  kind,
  atMs: T0 + day * DAY_MS + 3_600_000,
  body: {
    operation: 'chat',
    key: 'k',
    model: 'chat',
    deployment: 'local/weights',
    outcome: 'answered',
    totalMs: 100,
    ...body,
  },
})

const paid = (model: string, nano: bigint, tokens: number, day = 0): Entry =>
  request(
    {
      model,
      costNanoUsd: nano.toString(),
      usage: { inputTokens: tokens, cachedInputTokens: 0, outputTokens: 1, reasoningTokens: 0, estimated: false },
    },
    day,
  )

function open() {
  const rows = new MemoryRows()
  const events = new MemoryEvents()
  const clock = new ManualClock(T0 + 20 * DAY_MS)
  return { clock, rows, events, book: new UsageBook({ clock, rows, events }) }
}

const MONTH = { from: '2026-11-01', to: '2026-11-30', where: {} }

test('sums are exact to the nano-dollar, by any combination of dimensions', async () => {
  const { events, book } = open()
  await events.append([
    paid('a', 9_007_199_254_740_993n, 10),
    paid('a', 1n, 20, 1),
    paid('b', 5n, 30),
    request({ outcome: 'failed', costNanoUsd: null }),
  ])
  const [whole] = await book.report({ ...MONTH, by: [] })
  assert.deepEqual(
    [whole?.requests, whole?.answered, whole?.failed, whole?.costNanoUsd, whole?.inputTokens],
    [4, 3, 1, '9007199254740999', 60],
  )
  const byModel = await book.report({ ...MONTH, by: ['model'] })
  assert.deepEqual(
    byModel.map(({ at, costNanoUsd }) => [at.model, costNanoUsd]),
    [
      ['a', '9007199254740994'],
      ['b', '5'],
      ['chat', '0'],
    ],
  )
  const byDay = await book.report({ ...MONTH, by: ['day'], where: { model: 'a' } })
  assert.deepEqual(
    byDay.map(({ at }) => at.day),
    ['2026-11-01', '2026-11-02'],
  )
  assert.deepEqual(
    await book
      .report({ ...MONTH, from: '2026-11-02', to: '2026-11-02', by: ['model'] })
      .then((rows) => rows.map(({ requests }) => requests)),
    [1],
  )
  assert.deepEqual(await book.report({ ...MONTH, from: '2027-01-01', to: '2027-01-31', by: [] }), [])
})

test('each request is counted once, however the following is cut up and raced', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.nat(20), { minLength: 1, maxLength: 12 }),
      fc.integer({ min: 1, max: 3 }),
      async (bursts, followers) => {
        const { clock, rows, events } = open()
        const books = Array.from({ length: followers }, () => new UsageBook({ clock, rows, events }))
        let total = 0
        for (const burst of bursts) {
          await events.append(Array.from({ length: burst }, (_, i) => paid(`m${i % 3}`, 7n, 1, i % 2)))
          total += burst
          await Promise.all(books.map((book) => book.catchUp()))
        }
        const sum = (await books[0]?.report({ ...MONTH, by: ['model', 'day'] })) ?? []
        assert.equal(
          sum.reduce((all, { requests }) => all + requests, 0),
          total,
        )
        assert.equal(
          sum.reduce((all, { costNanoUsd }) => all + BigInt(costNanoUsd), 0n),
          BigInt(total) * 7n,
        )
        assert.equal(
          sum.reduce((all, { costNanoUsdPerRequest }) => all + countOf(costNanoUsdPerRequest), 0),
          total,
        )
      },
    ),
    { numRuns: 50 },
  )
})

test('an unknown cost is counted as unknown, an estimate as one, and other entries not at all', async () => {
  const { events, book } = open()
  await events.append([
    request({ costNanoUsd: null, usage: { inputTokens: 5, estimated: true } }),
    request({ costNanoUsd: '-5', usage: { inputTokens: -5 } }),
    request({}, 0, 'ingest'),
    request({ outcome: 'interrupted' }),
  ])
  const [sum] = await book.report({ ...MONTH, by: [] })
  assert.deepEqual(
    [sum?.requests, sum?.unpriced, sum?.estimated, sum?.inputTokens, sum?.interrupted, sum?.costNanoUsd],
    [3, 2, 1, 5, 1, '0'],
  )
})

/** Requests over few names, so that selections meet many of them. */
const name = (prefix: string) => fc.option(fc.nat(2).map((i) => `${prefix}${i}`))
const anyRequest = fc.record({
  hour: fc.nat(24 * 4),
  outcome: fc.constantFrom('answered', 'failed', 'cancelled', 'interrupted', 'refused'),
  key: fc.constantFrom('k0', 'k1'),
  user: name('u'),
  team: name('t'),
  workflow: name('w'),
  prompt: name('p'),
  model: fc.constantFrom('m0', 'm1'),
  tags: fc.option(fc.uniqueArray(fc.constantFrom('x', 'y', 'z'))),
  costNanoUsd: fc.option(fc.bigInt(0n, 10n ** 18n)),
  tokens: fc.array(fc.nat(1000), { minLength: TOKEN_BUCKETS.length, maxLength: TOKEN_BUCKETS.length }),
})
type AnyRequest = typeof anyRequest extends fc.Arbitrary<infer Value> ? Value : never

const entryOf = ({ hour, outcome, costNanoUsd, tokens, ...body }: AnyRequest): Entry => ({
  id: `req_${made++}`,
  phase: 'close',
  kind: 'request',
  atMs: T0 + hour * 3_600_000 + 5,
  body: {
    ...body,
    outcome,
    operation: 'chat',
    costNanoUsd: costNanoUsd?.toString() ?? null,
    usage: Object.fromEntries(TOKEN_BUCKETS.map((bucket, i) => [bucket, tokens[i] ?? 0])),
  },
})

/** A selection, and what it says of one entry: written from the entry, not from any rollup. */
const selection = fc.record({
  by: fc.uniqueArray(fc.constantFrom(...DIMENSIONS)),
  where: fc.dictionary(
    fc.constantFrom<Dimension>('user', 'prompt', 'tag', 'model', 'day', 'hour'),
    fc.constantFrom('', 'u0', 'p1', 'x', 'm0', '2026-11-02', '2026-11-01T03'),
    { maxKeys: 2 },
  ),
})

function valuesOf({ atMs, body }: Entry, dimension: string): readonly string[] {
  const iso = new Date(atMs).toISOString()
  if (dimension === 'hour') return [iso.slice(0, 13)]
  if (dimension === 'day') return [iso.slice(0, 10)]
  const value = dimension === 'tag' ? body['tags'] : body[dimension]
  if (Array.isArray(value) && value.length > 0) return value as string[]
  return [typeof value === 'string' ? value : '']
}

test('any selection is, to the nano-dollar and the token, what its entries add up to', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(anyRequest, { maxLength: 40 }), selection, async (requests, { by, where }) => {
      const { events, book } = open()
      const entries = requests.map(entryOf)
      await events.append(entries)
      const found = await book.report({ ...MONTH, by, where })
      const truth = new Map<string, { nano: bigint; tokens: number; requests: number; refused: number }>()
      for (const entry of entries) {
        if (!Object.entries(where).every(([name, value]) => valuesOf(entry, name).includes(value))) continue
        let groups: string[][] = [[]]
        for (const name of DIMENSIONS.filter((one) => by.includes(one))) {
          const values = valuesOf(entry, name).filter((value) => name !== 'tag' || (where['tag'] ?? value) === value)
          groups = groups.flatMap((group) => values.map((value) => [...group, value]))
        }
        for (const group of groups) {
          const sum = truth.get(group.join('|')) ?? { nano: 0n, tokens: 0, requests: 0, refused: 0 }
          const usage = (entry.body['usage'] ?? {}) as { readonly [bucket: string]: number }
          truth.set(group.join('|'), {
            nano: sum.nano + BigInt((entry.body['costNanoUsd'] as string | null) ?? 0),
            tokens: Object.values(usage).reduce((all, one) => all + one, sum.tokens),
            requests: sum.requests + Number(entry.body['outcome'] !== 'refused'),
            refused: sum.refused + Number(entry.body['outcome'] === 'refused'),
          })
        }
      }
      const seen = found.map((row) => [
        DIMENSIONS.filter((one) => by.includes(one))
          .map((one) => row.at[one])
          .join('|'),
        {
          nano: BigInt(row.costNanoUsd),
          tokens: TOKEN_BUCKETS.reduce((sum, bucket) => sum + row[bucket], 0),
          requests: row.requests,
          refused: row.refused,
        },
      ])
      assert.deepEqual(new Map(seen as [string, unknown][]), truth)
      for (const row of found) {
        assert.equal(row.requests, row.answered + row.failed + row.cancelled + row.interrupted)
        assert.ok(countOf(row.tokensPerRequest) <= row.requests && countOf(row.costNanoUsdPerRequest) <= row.requests)
      }
    }),
    { numRuns: 200 },
  )
})

test('a request that was refused is counted as that and as nothing else', async () => {
  const { events, book } = open()
  await events.append([
    request({ outcome: 'refused', costNanoUsd: null, error: 'budget_spent', user: 'ann', totalMs: 1 }),
    request({ outcome: 'answered', costNanoUsd: '5', user: 'ann' }),
  ])
  const [sum] = await book.report({ ...MONTH, by: ['user'] })
  assert.deepEqual([sum?.requests, sum?.refused, sum?.answered, sum?.unpriced], [1, 1, 1, 0])
  assert.deepEqual(sum && [countOf(sum.totalMs), countOf(sum.costNanoUsdPerRequest)], [1, 1])
})

test('hours come as series of what a budget counts, several in one pass', async () => {
  const { events, book } = open()
  const usage = { inputTokens: 5, cacheWrite1hTokens: 2, outputTokens: 3 }
  await events.append([
    request({ user: 'ann', tags: ['eu'], costNanoUsd: '7', usage }),
    request({ user: 'ben', tags: ['eu', 'us'], costNanoUsd: '11', usage }, 1),
    request({ user: 'ann', outcome: 'refused' }, 1),
  ])
  const series = [
    { where: {}, unit: 'nanoUsd' },
    { where: { user: 'ann' }, unit: 'inputTokens' },
    { where: { tag: 'us' }, unit: 'outputTokens' },
    { where: {}, unit: 'totalTokens' },
    { where: { user: 'ann' }, unit: 'requests' },
  ] as const
  const sums = await book.hours(series, T0, T0 + DAY_MS + 2 * 3_600_000)
  const at = (first: number, second: number) =>
    Array.from({ length: 27 }, (_, hour) => (hour === 1 ? first : hour === 25 ? second : 0))
  assert.deepEqual(sums, [at(7, 11), at(7, 0), at(0, 3), at(10, 10), at(1, 0)])
})

test('hours are forgotten when they are old, days are not, and old hours that come late stay out', async () => {
  const { clock, events, book } = open()
  await events.append([request({ costNanoUsd: '3' })])
  const hours = () => book.report({ from: '2026-01-01', to: '2027-12-31', where: {}, by: ['hour'] })
  const days = () => book.report({ from: '2026-01-01', to: '2027-12-31', where: {}, by: ['day'] })
  assert.equal((await hours()).length, 1)
  clock.advance(HOURS_KEPT_DAYS * DAY_MS)
  book.keepUp()
  clock.advance(30_000)
  for (let i = 0; i < 20; i++) await settled()
  assert.equal((await hours()).length, 0)
  await events.append([request({ costNanoUsd: '4' })])
  assert.equal((await hours()).length, 0)
  assert.deepEqual(
    (await days()).map(({ costNanoUsd }) => costNanoUsd),
    ['7'],
  )
  await book.stop()
})
