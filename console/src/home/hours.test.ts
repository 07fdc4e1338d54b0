import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BUCKETS, type UsageRow } from '../api/usage.ts'
import { hoursOf, spanOf, sumsOf } from './hours.ts'

const NOW_MS = Date.UTC(2026, 2, 1, 3, 40)
const SOME = { n: 3, p50: 10, p95: 20, p99: 30 }

const row = (hour: string, requests: number): UsageRow => ({
  at: { hour },
  requests,
  answered: requests,
  failed: 1,
  refused: 2,
  tokens: Object.fromEntries(BUCKETS.map((bucket) => [bucket, 0])) as UsageRow['tokens'],
  costNanoUsd: 5,
  unpriced: 0,
  estimated: 0,
  costPerRequest: SOME,
  tokensPerRequest: SOME,
  totalMs: SOME,
  firstTokenMs: SOME,
})

test('the last hours in order, over the end of a month; one without requests says nothing', () => {
  assert.deepEqual(spanOf(NOW_MS), { from: '2026-02-28', to: '2026-03-01' })
  const hours = hoursOf([row('2026-03-01T03', 7)], NOW_MS)
  assert.deepEqual([hours.length, hours[0]?.name, hours.at(-1)?.name], [24, '2026-02-28T04', '2026-03-01T03'])
  assert.deepEqual([hours.at(-1)?.totalMs, hours[0]?.totalMs.n], [SOME, 0])
})

test('what lies before the last hours does not count', () => {
  const rows = [row('2026-02-28T03', 100), row('2026-02-28T04', 10), row('2026-03-01T03', 1)]
  assert.deepEqual(sumsOf(rows, NOW_MS), { requests: 11, failed: 2, refused: 4, costNanoUsd: 10, unpriced: 0 })
})
