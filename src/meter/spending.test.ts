import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { accountingOf } from '../../tests/kit/accounting.ts'
import { ManualClock, settled } from '../../tests/kit/clock.ts'
import { Refusal, remedyOf, sentenceOf, statusOf } from '../base/errors.ts'
import { readKeyBudgets } from '../control/key-budgets.ts'
import { holdLogIn } from './ledger/hold-log.ts'
import { costBound, costOf, type Price } from './prices.ts'
import { type CallPlan, Degrade, HeldCall, type Spending } from './spending.ts'
import { inputTokensOf, NO_USAGE, outputTokensOf, TOKEN_BUCKETS, type Usage } from './usage.ts'

const PRICE: Price = { inputNanoUsd: 1_000_000_000n, cachedInputNanoUsd: 500_000_000n, outputNanoUsd: 4_000_000_000n }
const PLAN: CallPlan = {
  model: 'large',
  deployment: 'local/large',
  price: { price: PRICE, version: 'config' },
  input: () => ({ tokensMax: 100, unbounded: undefined }),
  outputTokensMax: 50,
  choices: 1,
}
const MODELS = `
engines: { local: { kind: openai, url: 'http://h/v1' } }
models:
  large: { deployments: [{ engine: local, model: large }] }
  small: { deployments: [{ engine: local, model: small }] }
`
const SCOPES = { key: 'key_1', user: 'ann', model: 'large', tags: [] }

const used = (inputTokens: number, outputTokens: number): Usage => ({ ...NO_USAGE, inputTokens, outputTokens })

/** Time goes by, and the store answers meanwhile. */
async function pass(clock: ManualClock, ms: number): Promise<void> {
  for (let passedMs = 0; passedMs < ms; passedMs += 250) {
    await settled()
    clock.advance(250)
  }
  await settled()
}

async function open(yaml: string) {
  const clock = new ManualClock()
  const { accounting, declare, rows, warnings } = await accountingOf(clock, MODELS + yaml)
  let number = 0
  const request = (scopes = SCOPES): Spending => accounting.spending(`req_${++number}`, scopes)
  const hold = async (spending: Spending, change: Partial<CallPlan> = {}) => spending.hold({ ...PLAN, ...change })
  async function mustHold(spending: Spending, change: Partial<CallPlan> = {}): Promise<HeldCall> {
    const held = await hold(spending, change)
    if (held instanceof HeldCall) return held
    return assert.fail(held instanceof Refusal ? sentenceOf(held) : `degrades to ${held.to}`)
  }
  async function mustRefuse(spending: Spending, change: Partial<CallPlan> = {}): Promise<Refusal> {
    const pending = hold(spending, change)
    await pass(clock, 5_000)
    const held = await pending
    return held instanceof Refusal ? held : assert.fail('it was held')
  }
  return { clock, accounting, declare, rows, warnings, request, hold, mustHold, mustRefuse }
}

test('what is held is not there for others, and what was not used comes back', async () => {
  const { request, mustHold, mustRefuse } = await open(
    'budgets: [{ id: day, scope: user, limit: { tokens: 400 }, window: day }]',
  )
  const [one, two, three] = [request(), request(), request()]
  const first = await mustHold(one)
  await mustHold(two)
  const refusal = await mustRefuse(three)
  assert.equal(refusal.code, 'budget_spent')
  assert.equal(statusOf(refusal), 429)
  assert.match(
    sentenceOf(refusal),
    /budget "day" of the user "ann" has 100 tokens of 400 tokens left; this request may need 150 tokens\. It resets at .*Z\.$/,
  )
  assert.match(remedyOf(refusal), /headworks budgets/)
  first.settle(used(10, 5))
  const held = await mustHold(three)
  assert.equal(held.outputTokensMax, 50)
  assert.deepEqual(one.total, {
    deployment: 'local/large',
    usage: used(10, 5),
    costNanoUsd: 30_000n,
    priceVersion: 'config',
  })
  assert.deepEqual(
    one.remaining().map(({ budget, remaining, limit }) => [budget, remaining, limit]),
    [['day', 400 - 15 - 300, 400]],
  )
})

test('a retry holds anew, and the request costs the sum', async () => {
  const { request, mustHold } = await open('budgets: [{ scope: user, limit: { usd: 1 }, window: day }]')
  const one = request()
  ;(await mustHold(one)).settle({ ...used(100, 0), estimated: true })
  const second = await mustHold(one)
  second.cancel()
  second.settle(used(1, 1))
  ;(await mustHold(one)).settle(used(90, 7))
  assert.deepEqual(one.total.usage, { ...used(190, 7), estimated: true })
  assert.equal(one.total.costNanoUsd, 100_000n + 90_000n + 28_000n)
  assert.equal(one.charges.length, 2)
})

test('what each request may use counts all its calls, and clamps what is left', async () => {
  const { request, mustHold, mustRefuse } = await open(
    'budgets: [{ id: each, scope: request, limit: { outputTokens: 70 } }]',
  )
  const one = request()
  const first = await mustHold(one)
  assert.equal(first.outputTokensMax, 50)
  const second = await mustHold(one)
  assert.equal(second.outputTokensMax, 20, 'a workflow calls a second model meanwhile')
  assert.equal((await mustRefuse(one)).code, 'budget_too_small')
  first.settle(used(1, 30))
  assert.equal((await mustHold(one)).outputTokensMax, 20)
  assert.equal((await mustHold(request())).outputTokensMax, 50)
})

test('a clamp lowers the cap to what can be afforded, in the unit of the budget, and not below its minimum', async () => {
  const { request, mustHold, mustRefuse } = await open(
    'budgets: [{ scope: user, limit: { usd: "0.00045" }, window: day, onLimit: { clamp: { outputTokensMin: 10 } } }]',
  )
  const one = await mustHold(request())
  assert.equal(one.outputTokensMax, 50, '100 + 200 of 450 thousand nano-USD')
  const two = await mustHold(request())
  assert.equal(two.outputTokensMax, 12, 'the input takes 100 of the 150 left; 12 tokens at 4 fit into 50')
  assert.equal((await mustRefuse(request())).code, 'budget_spent')
  one.settle(used(1, 1))
  assert.equal((await mustHold(request(), { choices: 2 })).outputTokensMax, 24, 'of each of two choices')
})

test('a budget that degrades names the cheaper model, as long as there is one', async () => {
  const { request, hold, mustHold, mustRefuse, clock } = await open(
    'budgets: [{ scope: user, limit: { usd: "0.0004" }, window: day, onLimit: { degradeTo: small } }]',
  )
  await mustHold(request())
  const pending = hold(request())
  await pass(clock, 5_000)
  const held = await pending
  assert.ok(held instanceof Degrade)
  assert.deepEqual([held.to, held.otherwise.code], ['small', 'budget_spent'])
  assert.equal((await mustRefuse(request(), { model: 'small' })).code, 'budget_spent')
  const cheap = { price: { ...PRICE, outputNanoUsd: 1n, inputNanoUsd: 1n, cachedInputNanoUsd: 1n }, version: 'config' }
  await mustHold(request(), { model: 'small', price: cheap })
})

test('a model without a price is refused where money is limited, and passes where it is only watched', async () => {
  const hard = await open('budgets: [{ id: money, scope: user, limit: { usd: 1 }, window: day }]')
  const refusal = await hard.mustRefuse(hard.request(), { price: undefined })
  assert.equal(refusal.code, 'price_unknown')
  assert.match(sentenceOf(refusal), /local\/large has no price, and the budget "money" counts money/)
  const soft = await open('budgets: [{ scope: user, limit: { usd: 1 }, window: day, onLimit: warn }]')
  const one = soft.request()
  ;(await soft.mustHold(one, { price: undefined })).settle(used(1, 1))
  assert.equal(one.total.costNanoUsd, undefined)
})

test('a budget that warns lets pass and says so; one that is tried out says nothing', async () => {
  const { request, mustHold } = await open(`budgets:
  - { id: soft, scope: user, limit: { tokens: 100 }, window: day, onLimit: warn }
  - { id: trial, scope: user, limit: { tokens: 100 }, window: hour, onLimit: dryRun }`)
  const one = request()
  await mustHold(one)
  assert.deepEqual(one.warnings(), ['soft'])
  assert.deepEqual(one.remaining(), [])
})

test('requests count when they are let in, and not when a budget lets nothing of them pass', async () => {
  const { request, mustHold, mustRefuse, clock } = await open(`budgets:
  - { id: few, scope: user, limit: { requests: 2 }, window: day }
  - { id: tiny, scope: user, limit: { tokens: 160 }, window: day }`)
  const [one, two, three] = [request(), request(), request()]
  assert.equal(await one.enter(), undefined)
  const held = await mustHold(one)
  assert.equal(await two.enter(), undefined)
  assert.equal((await mustRefuse(two)).details['budget'], 'tiny')
  two.leave()
  held.settle(used(1, 1))
  one.leave()
  assert.equal(await three.enter(), undefined, 'the second did not count')
  three.leave()
  const last = request().enter()
  await pass(clock, 5_000)
  const refusal = await last
  assert.deepEqual([refusal?.code, refusal?.details['budget']], ['budget_spent', 'few'])
})

test('a rate limit says when to come back', async () => {
  const { request, clock } = await open('rateLimits: [{ id: pace, scope: key, limit: { requests: 2 } }]')
  for (let at = 0; at < 2; at++) {
    const one = request()
    assert.equal(await one.enter(), undefined)
    one.leave()
  }
  const pending = request().enter()
  await pass(clock, 5_000)
  const refusal = await pending
  assert.equal(refusal?.code, 'rate_limited')
  const waitMs = Number(refusal?.details['retryAfterMs'])
  assert.ok(waitMs > 50_000 && waitMs < 70_000, String(waitMs))
  await pass(clock, waitMs + 250)
  assert.equal(await request().enter(), undefined)
})

test('budgets change while they are used: what was used counts on', async () => {
  const { request, mustHold, mustRefuse, declare } = await open(
    'budgets: [{ id: day, scope: user, limit: { tokens: 200 }, window: day }]',
  )
  const one = await mustHold(request())
  await mustRefuse(request())
  await declare(`${MODELS}budgets: [{ id: day, scope: user, limit: { tokens: 320 }, window: day }]`)
  await mustHold(request())
  await mustRefuse(request())
  one.settle(used(1, 1))
  await declare(MODELS)
  await mustHold(request())
})

test('a request for more than can be counted is refused like any other that is too large', async () => {
  const { request, mustRefuse } = await open('budgets: [{ scope: user, limit: { tokens: 400 }, window: day }]')
  assert.equal((await mustRefuse(request(), { choices: 1e300 })).code, 'budget_too_small')
})

test('a request that only counts as one is on record before its call, too', async () => {
  const { request, mustHold, rows } = await open('budgets: [{ scope: user, limit: { requests: 5 }, window: day }]')
  const one = request()
  assert.equal(await one.enter(), undefined)
  await mustHold(one)
  const entries = [...((await holdLogIn(rows)('gateway-0', 1)) ?? [])]
  assert.deepEqual(
    entries.map((entry) => (entry.kind === 'hold' ? [entry.kind, entry.request, entry.parts[0]?.amount] : entry.kind)),
    ['begin', ['hold', 'req_1', 1]],
  )
})

test('a key carries budgets of its own, which bind nobody else', async () => {
  const { accounting, clock, mustHold, mustRefuse } = await open('')
  const own = readKeyBudgets([{ limit: { tokens: 200 }, window: 'month' }])
  if (own instanceof Refusal) return assert.fail(sentenceOf(own))
  const carrier = (): Spending => accounting.spending(`req_${Math.floor(clock.monotonicMs())}_${n++}`, SCOPES, own)
  let n = 0
  await mustHold(carrier())
  const refusal = await mustRefuse(carrier())
  assert.deepEqual([refusal.code, refusal.details['budget']], ['budget_spent', 'own-month'])
  await mustHold(accounting.spending('req_other', SCOPES))
})

test('the bound of a call is never below what the call can cost', () => {
  const rate = fc.bigInt({ min: 0n, max: 10n ** 12n })
  const rates = fc.record(
    {
      inputNanoUsd: rate,
      cachedInputNanoUsd: rate,
      cacheWrite5mNanoUsd: rate,
      cacheWrite1hNanoUsd: rate,
      audioInputNanoUsd: rate,
      imageInputNanoUsd: rate,
      outputNanoUsd: rate,
      audioOutputNanoUsd: rate,
    },
    { requiredKeys: ['inputNanoUsd', 'cachedInputNanoUsd', 'outputNanoUsd'] },
  )
  const price = fc
    .tuple(rates, fc.option(fc.record({ overInputTokens: fc.nat(1000), rates }), { nil: undefined }))
    .map(([base, long]): Price => ({ ...base, ...(long === undefined ? {} : { long }) }))
  const tokens = fc.tuple(...TOKEN_BUCKETS.map(() => fc.nat(2000)))
  fc.assert(
    fc.property(price, tokens, fc.nat(2000), (of, counts, spare) => {
      const usage: Usage = {
        ...NO_USAGE,
        ...Object.fromEntries(TOKEN_BUCKETS.map((name, at) => [name, counts[at] ?? 0])),
      }
      assert.ok(costOf(usage, of) <= costBound(of, inputTokensOf(usage) + spare, outputTokensOf(usage)))
    }),
  )
})
