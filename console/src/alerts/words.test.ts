import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Alert } from '../api/alerts.ts'
import { addressOf, evidenceOf, titleOf } from './words.ts'

const NOW_MS = new Date(2026, 10, 18, 15).getTime()
const alert = (more: Partial<Alert>): Alert => ({
  id: 'alr_1',
  kind: 'usage_anomaly',
  subject: [['prompt', 'summary']],
  evidence: {},
  raisedMs: NOW_MS,
  changedMs: NOW_MS,
  times: 1,
  seenBy: undefined,
  ...more,
})

test('a departure says how far, with its figures and their n', () => {
  const evidence = {
    measure: 'tokensPerRequest',
    since: new Date(2026, 10, 18, 11).toISOString(),
    before: { n: 412, p50: 6100, p95: 9900 },
    after: { n: 37, p50: 18_800, p95: 30_100 },
    ratio: { p50: { value: 3.082, low: 2.7, high: 3.4 } },
  }
  assert.equal(titleOf(alert({ evidence })), 'Requests of prompt summary take 3.08 times the tokens')
  assert.deepEqual(evidenceOf(alert({ evidence }), NOW_MS), [
    ['Before', 'p50 6,100 tokens, p95 9,900 tokens (n 412)'],
    ['Since then', 'p50 18,800 tokens, p95 30,100 tokens (n 37)'],
    ['Ratio of p50', '× 3.08 (2.70 to 3.40)'],
    ['Since', '18 Nov, 11:00'],
  ])
})

test('money from nothing, and evidence of a kind that nobody knows yet', () => {
  const evidence = { measure: 'costNanoUsdPerRequest', ratio: { p50: { value: null } } }
  assert.equal(titleOf(alert({ evidence })), 'Requests of prompt summary cost something now')
  assert.equal(evidenceOf(alert({ evidence }), NOW_MS)[2]?.[1], 'from nothing')
  const other = alert({ kind: 'disk_full', subject: [], evidence: { free: 12_000, on: '/data', more: { a: 1 } } })
  assert.equal(titleOf(other), 'disk_full: ')
  assert.deepEqual(evidenceOf(other, NOW_MS), [
    ['free', '12,000'],
    ['on', '/data'],
    ['more', '{"a":1}'],
  ])
})

test('alerts about budgets: amounts in their unit, and the way to the account', () => {
  const subject = [
    ['budget', 'spend'],
    ['user', 'ann'],
  ] as const
  const resetsAt = new Date(2026, 11, 1).toISOString()
  const warning = alert({
    kind: 'budget_warning',
    subject,
    evidence: { share: 0.8, posted: 16e9, limit: 20e9, unit: 'nanoUsd', period: 'month x', resetsAt },
  })
  assert.equal(titleOf(warning), '80 % of the budget spend of user ann is used')
  assert.deepEqual(evidenceOf(warning, NOW_MS), [
    ['Posted', '$16.00'],
    ['Limit', '$20.00'],
    ['Resets', '1 Dec, 00:00'],
  ])
  assert.equal(addressOf(warning), '/budgets?budget=spend&subject=ann')
  const ahead = alert({
    kind: 'budget_forecast',
    subject: [['budget', 'all']],
    evidence: {
      unit: 'totalTokens',
      limit: 900,
      spent: 500,
      probability: 0.834,
      p50: 1000,
      passesAt: null,
      historyHours: 400,
    },
  })
  assert.equal(titleOf(ahead), 'The budget all will hardly last')
  assert.deepEqual(evidenceOf(ahead, NOW_MS).slice(2), [
    ['At the end, p50', '1,000 tokens'],
    ['Spent before', 'in 83 of 100 futures'],
    ['From', '400 hours of history'],
  ])
  assert.equal(addressOf(ahead), '/budgets?budget=all')
  assert.equal(addressOf(alert({})), undefined)
})
