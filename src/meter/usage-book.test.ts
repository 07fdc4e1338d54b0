import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { JsonObject } from '../base/json.ts'
import { MemoryEvents } from '../drivers/memory/events.ts'
import { MemoryRows } from '../drivers/memory/rows.ts'
import type { Entry } from '../store/events.ts'
import { countOf } from './sketch.ts'
import { UsageBook } from './usage-book.ts'

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
  return { rows, events, book: new UsageBook({ rows, events }) }
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
        const { rows, events } = open()
        const books = Array.from({ length: followers }, () => new UsageBook({ rows, events }))
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
          sum.reduce((all, { cost }) => all + countOf(cost), 0),
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
