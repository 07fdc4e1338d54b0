import assert from 'node:assert/strict'
import { test } from 'node:test'
import { accountingOf } from '../../tests/kit/accounting.ts'
import { ManualClock, settled } from '../../tests/kit/clock.ts'
import { RecordedReply, request } from '../../tests/kit/exchange.ts'
import { fault } from '../base/errors.ts'
import { seededRandom } from '../base/random.ts'
import { MemoryEvents } from '../drivers/memory/events.ts'
import { Audit } from '../guard/audit.ts'
import { LOCAL } from '../guard/principal.ts'
import { HeldCall, type Spending } from '../meter/spending.ts'
import { NO_USAGE } from '../meter/usage.ts'
import type { Entry } from '../store/events.ts'
import { auditRoutes } from './audit.ts'
import { budgetRoutes } from './budgets.ts'
import { controlPlane } from './router.ts'

const BUDGETS = `
budgets:
  - { id: day, scope: user, limit: { tokens: 1000 }, window: day, warnAt: [0.5] }
  - { id: money, scope: global, limit: { usd: 2 }, window: month }
rateLimits: [{ id: pace, scope: key, limit: { requests: 10 } }]
`

class Store extends MemoryEvents {
  refuses = false
  override async append(entries: readonly Entry[]): Promise<void> {
    if (this.refuses) throw fault('store_unavailable', { reason: 'told to' })
    return super.append(entries)
  }
}

async function open() {
  const clock = new ManualClock()
  const random = seededRandom(3)
  const { accounting, rows, warnings } = await accountingOf(clock, BUDGETS)
  accounting.follow()
  const events = new Store()
  const audit = new Audit({ events, clock, random })
  const handle = controlPlane({
    routes: [...budgetRoutes({ accounting, rows, audit, clock, random }), ...auditRoutes(audit)],
    authenticate: () => LOCAL,
    newRequestId: () => 'req_1',
  })
  async function call(method: string, target: string, body?: unknown): Promise<RecordedReply> {
    const reply = new RecordedReply()
    handle(request(method, target, body ?? ''), reply)
    for (let turn = 0; turn < 200 && !reply.ended; turn++) await settled()
    return reply
  }
  async function pass(ms: number): Promise<void> {
    for (let passedMs = 0; passedMs < ms; passedMs += 250) {
      await settled()
      clock.advance(250)
    }
    await settled()
  }
  let number = 0
  async function spend(user: string, tokens: number): Promise<string> {
    const spending: Spending = accounting.spending(`req_${++number}`, { key: 'key_1', user })
    const asked = Promise.resolve(
      spending.hold({
        model: 'm',
        deployment: 'e/m',
        price: { price: { inputNanoUsd: 0n, cachedInputNanoUsd: 0n, outputNanoUsd: 0n }, version: 'config' },
        input: () => ({ tokensMax: tokens, unbounded: undefined }),
        outputTokensMax: 0,
        choices: 1,
      }),
    )
    await pass(2_000)
    const held = await asked
    if (!(held instanceof HeldCall)) return 'refused'
    held.settle({ ...NO_USAGE, inputTokens: tokens })
    await pass(1_000)
    return 'held'
  }
  return { accounting, call, clock, events, pass, rows, spend, warnings }
}

test('budgets and rate limits are listed as they are', async () => {
  const { call } = await open()
  const listed = (await call('GET', '/api/budgets')).json()
  assert.deepEqual(
    listed.budgets.map((one: { id: string; kind: string; unit: string; limit: number }) => [
      one.id,
      one.kind,
      one.unit,
      one.limit,
    ]),
    [
      ['day', 'budget', 'totalTokens', 1000],
      ['money', 'budget', 'nanoUsd', 2_000_000_000],
      ['pace', 'rate_limit', 'requests', 10],
    ],
  )
  assert.deepEqual(listed.overrides, [])
})

test('accounts: the most used first, those of the day that runs only', async () => {
  const { call, clock, spend, warnings } = await open()
  await spend('ann', 100)
  await spend('bob', 600)
  const accounts = async (query = '') => (await call('GET', `/api/budgets/day/accounts${query}`)).json().accounts
  assert.deepEqual(
    (await accounts()).map((one: { subject: string; posted: number; limit: number; endsAt: string }) => [
      one.subject,
      one.posted,
      one.limit,
      one.endsAt,
    ]),
    [
      ['bob', 600, 1000, '2026-01-02T00:00:00.000Z'],
      ['ann', 100, 1000, '2026-01-02T00:00:00.000Z'],
    ],
  )
  assert.deepEqual((await accounts('?subject=ann')).length, 1)
  assert.deepEqual((await accounts('?limit=1')).length, 1)
  assert.deepEqual(
    warnings.map(({ subject, share }) => [subject, share]),
    [['bob', 0.5]],
  )
  clock.advance(24 * 3_600_000)
  assert.deepEqual(await accounts(), [])
})

test('a limit is raised for a while: in force at once, on record, and over when it ends', async () => {
  const { call, clock, pass, spend } = await open()
  await spend('ann', 900)
  assert.equal(await spend('ann', 500), 'refused')
  const until = new Date(clock.wallMs() + 3_600_000).toISOString()
  const made = await call('POST', '/api/budgets/day/overrides', { subject: 'ann', limit: 2000, until, reason: 'demo' })
  assert.equal(made.status, 201)
  const { id } = made.json()
  assert.equal(await spend('ann', 500), 'held')
  assert.equal(await spend('bob', 1100), 'refused', 'it is for ann')
  const shown = (await call('GET', '/api/budgets/day/accounts?subject=ann')).json().accounts[0]
  assert.deepEqual([shown.posted, shown.limit], [1400, 2000])
  const [act] = (await call('GET', '/api/audit')).json().acts
  assert.deepEqual(
    [act.action, act.object, act.reason, act.by, act.outcome],
    ['budget.override', 'day', 'demo', 'local', 'done'],
  )
  clock.advance(3_600_000)
  await pass(1_000)
  assert.equal(await spend('ann', 100), 'refused')
  assert.equal((await call('DELETE', `/api/budgets/day/overrides/${id}`)).status, 200)
  assert.equal((await call('DELETE', `/api/budgets/day/overrides/${id}`)).status, 404)
})

test('an override of money is in dollars; one for every subject holds for each', async () => {
  const { call, clock, spend } = await open()
  const until = new Date(clock.wallMs() + 3_600_000).toISOString()
  const made = (await call('POST', '/api/budgets/money/overrides', { limit: '0.5', until, reason: 'less' })).json()
  assert.equal(made.limit, 500_000_000)
  await call('POST', '/api/budgets/day/overrides', { subject: '*', limit: 50, until, reason: 'less' })
  assert.equal(await spend('zoe', 60), 'refused')
  assert.equal(await spend('zoe', 40), 'held')
})

test('overrides that make no sense are refused by field, and none is made', async () => {
  const { call, clock, events } = await open()
  const good = { subject: 'ann', limit: 5, until: new Date(clock.wallMs() + 1000).toISOString(), reason: 'why' }
  for (const [change, field] of [
    [{ limit: -1 }, 'limit'],
    [{ limit: 1.5 }, 'limit'],
    [{ limit: '1e9' }, 'limit'],
    [{ limit: undefined }, 'limit'],
    [{ until: '2020-01-01T00:00:00Z' }, 'until'],
    [{ until: 'tomorrow' }, 'until'],
    [{ until: '2099-01-01T00:00:00Z' }, 'until'],
    [{ from: 'never' }, 'from'],
    [{ reason: '' }, 'reason'],
    [{ reason: 'x'.repeat(501) }, 'reason'],
    [{ subject: '' }, 'subject'],
    [{ budget: 'x' }, 'budget'],
  ] as const) {
    const refused = await call('POST', '/api/budgets/day/overrides', { ...good, ...change })
    assert.deepEqual([refused.status, refused.json().error.param], [400, field], JSON.stringify(change))
  }
  assert.equal((await call('POST', '/api/budgets/nope/overrides', good)).status, 404)
  assert.deepEqual((await call('GET', '/api/budgets')).json().overrides, [])
  assert.deepEqual((await events.recent({ limit: 10 })).entries, [])
})

test('a reset begins the period afresh, and says what was', async () => {
  const { call, spend } = await open()
  await spend('ann', 900)
  assert.equal((await call('POST', '/api/budgets/day/reset', { reason: 'x' })).json().error.param, 'subject')
  assert.equal((await call('POST', '/api/budgets/day/reset', { subject: 'ann' })).json().error.param, 'reason')
  assert.equal((await call('POST', '/api/budgets/day/reset', { subject: 'eve', reason: 'x' })).status, 404)
  const done = await call('POST', '/api/budgets/day/reset', { subject: 'ann', reason: 'tests' })
  assert.deepEqual(done.json(), { budget: 'day', subject: 'ann', unit: 'totalTokens', was: 900 })
  assert.equal(await spend('ann', 900), 'held')
  const [act] = (await call('GET', '/api/audit')).json().acts
  assert.deepEqual([act.action, act.subject, act.posted], ['budget.reset', 'ann', 900])
})

test('nothing is done that cannot be put on record', async () => {
  const { call, clock, events, spend } = await open()
  await spend('ann', 900)
  events.refuses = true
  const until = new Date(clock.wallMs() + 1000).toISOString()
  assert.equal(
    (await call('POST', '/api/budgets/day/overrides', { subject: 'ann', limit: 5, until, reason: 'x' })).status,
    503,
  )
  assert.equal((await call('POST', '/api/budgets/day/reset', { subject: 'ann', reason: 'x' })).status, 503)
  assert.deepEqual((await call('GET', '/api/budgets')).json().overrides, [])
  assert.equal((await call('GET', '/api/budgets/day/accounts')).json().accounts[0].posted, 900)
})
