import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ToldApi, type } from '../../tests/kit/terminal.ts'

const DAY = {
  id: 'day',
  kind: 'budget',
  scope: 'user',
  match: '*',
  unit: 'totalTokens',
  limit: 200_000,
  window: { kind: 'calendar', unit: 'day', zone: 'Europe/Berlin' },
  onLimit: { kind: 'refuse' },
  warnAt: [],
}
const MONEY = {
  ...DAY,
  id: 'money',
  scope: 'team',
  match: 'web',
  unit: 'nanoUsd',
  limit: 50_000_000_000,
  window: { kind: 'rolling', durationMs: 30 * 86_400_000 },
  onLimit: { kind: 'degrade', to: 'small' },
}
const account = (subject: string, posted: number, limit: number) => ({
  subject,
  period: 'x',
  startsAt: null,
  endsAt: '2026-11-23T23:00:00.000Z',
  limit,
  posted,
  leased: 1000,
  leases: [],
})
const OVERRIDE = {
  id: 'ovr_1',
  budget: 'day',
  subject: 'ann',
  limit: 500_000,
  from: '2026-11-23T00:00:00.000Z',
  until: '2026-11-24T00:00:00.000Z',
  inForce: true,
  reason: 'demo \u001b[2J',
  by: 'key_1',
}
const ok = (body: object) => ({ status: 200, body: body as never })

test('budgets lists what they are, how far the most used is, and what stands in for them', async () => {
  const api = new ToldApi({
    'GET /api/budgets': ok({ budgets: [DAY, MONEY], overrides: [OVERRIDE] }),
    'GET /api/budgets/day/accounts?limit=1': ok({ budget: DAY, accounts: [account('ann', 99_000, 200_000)] }),
    'GET /api/budgets/money/accounts?limit=1': ok({ budget: MONEY, accounts: [] }),
  })
  const { exit, out } = await type(['budgets'], { api })
  assert.equal(exit, 0)
  const lines = out.split('\n')
  assert.match(lines[1] ?? '', /^day +each user: 200,000 tokens a day \(Europe\/Berlin\) +refuse +█+░+ +50% +ann$/)
  assert.match(lines[2] ?? '', /^money +team web: \$50\.00 in any 30 d +degrade to small +-$/)
  assert.match(out, /ovr_1 +day +ann +500,000 tokens +2026-11-24T00:00 +demo \[2J/)
})

test('a house without budgets says where they are declared', async () => {
  const { exit, out } = await type(['budgets'], {
    api: new ToldApi({ 'GET /api/budgets': ok({ budgets: [], overrides: [] }) }),
  })
  assert.equal(exit, 0)
  assert.match(out, /declared in headworks\.yaml/)
})

test('an override is asked for in the words of the command', async () => {
  const api = new ToldApi({ 'POST /api/budgets/day/overrides': { status: 201, body: OVERRIDE } })
  const words = [
    'budgets',
    'raise',
    'day',
    '--to',
    '500000',
    '--until',
    '2026-11-24',
    '--reason',
    'demo',
    '--subject',
    'ann',
  ]
  const { exit, out } = await type(words, { api })
  assert.equal(exit, 0)
  assert.deepEqual(api.asked[0]?.body, {
    limit: '500000',
    until: '2026-11-24T00:00:00Z',
    reason: 'demo',
    subject: 'ann',
  })
  assert.match(out, /day of ann has another limit until 2026-11-24T00:00:00\.000Z: ovr_1\./)
})

test('what is missing or wrong is said before anything is asked', async () => {
  for (const [words, said] of [
    [['budgets', 'raise', 'day', '--reason', 'x'], /--to is missing/],
    [['budgets', 'raise', 'day', '--to', '5'], /--reason is missing/],
    [['budgets', 'raise', 'day', '--to', '5', '--reason', 'x', '--until', 'soon'], /--until is a duration such as 90d/],
    [['budgets', 'reset', 'day'], /--reason is missing/],
  ] as const) {
    const api = new ToldApi({})
    const { exit, err } = await type([...words], { api })
    assert.deepEqual([exit, api.asked.length], [2, 0], words.join(' '))
    assert.match(err, said)
  }
})

test('a reset and the end of an override are told', async () => {
  const api = new ToldApi({
    'POST /api/budgets/money/reset': ok({ budget: 'money', subject: 'web', unit: 'nanoUsd', was: 1_500_000_000 }),
    'DELETE /api/budgets/day/overrides/ovr_1': ok({ id: 'ovr_1', ended: true }),
  })
  const reset = await type(['budgets', 'reset', 'money', '--reason', 'tests'], { api })
  assert.match(reset.out, /money begins afresh; \$1\.50 counted as used before\./)
  assert.deepEqual(api.asked[0]?.body, { reason: 'tests' })
  const restored = await type(['budgets', 'restore', 'day', 'ovr_1'], { api })
  assert.match(restored.out, /ovr_1 has ended/)
})

test('the audit shows who did what to what, and why', async () => {
  const act = {
    id: 'act_1',
    at: '2026-11-23T10:00:00.000Z',
    action: 'budget.reset',
    object: 'day',
    by: 'key_1',
    byName: 'ops',
    outcome: 'done',
    reason: 'tests',
  }
  const { out } = await type(['audit'], { api: new ToldApi({ 'GET /api/audit?limit=20': ok({ acts: [act] }) }) })
  assert.match(out, /2026-11-23 10:00:00 +ops +budget\.reset +day +done +tests/)
})
