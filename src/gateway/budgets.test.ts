import assert from 'node:assert/strict'
import { test } from 'node:test'
import { accountingOf } from '../../tests/kit/accounting.ts'
import { ManualClock, settled } from '../../tests/kit/clock.ts'
import { completion } from '../../tests/kit/engine.ts'
import type { RecordedReply } from '../../tests/kit/exchange.ts'
import { ASK, closing, type GatewayOptions, openGateway, USAGE } from '../../tests/kit/gateway.ts'
import { fault } from '../base/errors.ts'
import type { JsonObject } from '../base/json.ts'
import { MemoryRows } from '../drivers/memory/rows.ts'
import { ACCOUNTS } from '../meter/ledger/account-row.ts'

/** A gateway whose callers are limited. */

const MODELS = `
engines: { local: { kind: openai, url: 'http://h/v1' } }
models:
  chat: { deployments: [{ engine: local, model: weights }] }
  second: { deployments: [{ engine: local, model: small }] }
`

async function open(budgets: string, options: GatewayOptions = {}) {
  const clock = new ManualClock()
  const books = await accountingOf(clock, MODELS + budgets)
  const gateway = openGateway({ ...options, clock, accounting: books.accounting })
  /** Until whoever waits for a lease, or for the store, is through. */
  async function pass(ms: number): Promise<void> {
    for (let passedMs = 0; passedMs < ms; passedMs += 250) {
      await settled()
      clock.advance(250)
    }
    await settled()
  }
  /** A whole answer that took `USAGE`. */
  async function answered(body: unknown = ASK): Promise<RecordedReply> {
    const reply = await gateway.ask(body)
    gateway.first.last.sink.frame(completion('Hi.'))
    gateway.first.last.sink.end({ usage: USAGE })
    await settled()
    return reply
  }
  return { ...gateway, ...books, pass, answered }
}

test('what a budget cannot afford reaches no engine, and its caller learns which, how much and until when', async () => {
  const { first, ask, pass, events, gateway } = await open(
    'budgets: [{ id: day, scope: global, limit: { tokens: 800 }, window: day }]',
  )
  await ask(ASK)
  const reply = await ask(ASK)
  await pass(2_000)
  assert.equal(first.calls.length, 1)
  assert.equal(reply.status, 429)
  assert.equal(reply.headers['x-should-retry'], 'false')
  const { error } = reply.json()
  assert.deepEqual([error.type, error.code, error.param], ['insufficient_quota', 'budget_spent', null])
  assert.match(error.message, /The budget "day" of all requests together has \d+ tokens of 800 tokens left/)
  assert.deepEqual(
    { ...error.budget, needed: 0, available: 0, spent: 0 },
    {
      id: 'day',
      scope: 'global',
      subject: '',
      unit: 'totalTokens',
      limit: 800,
      spent: 0,
      available: 0,
      needed: 0,
      resetsAt: '2026-01-02T00:00:00.000Z',
    },
  )
  const event = await closing(events, reply)
  assert.deepEqual([event.outcome, event['status'], event['costNanoUsd']], ['refused', 429, '0'])
  assert.deepEqual(event['budget'], { id: 'day', subject: '' })
  assert.equal(gateway.inFlight, 1)
})

test('402 is sent where the configuration asks for it', async () => {
  const { ask, pass } = await open(
    'limits: { budgetStatus: 402 }\nbudgets: [{ scope: global, limit: { tokens: 20 }, window: day }]',
  )
  const reply = await ask(ASK)
  await pass(2_000)
  assert.deepEqual([reply.status, reply.json().error.type], [402, 'insufficient_quota'])
})

test('an answer says what was put aside for it, what it cost and what is left', async () => {
  const { answered } = await open('budgets: [{ id: "day", scope: global, limit: { usd: 1 }, window: day }]')
  const { headers } = await answered()
  assert.match(String(headers['x-headworks-reserved']), /^tokens=\d+, nanousd=\d+$/)
  assert.equal(headers['x-headworks-cost-nanousd'], '4050')
  assert.equal(headers['x-headworks-budget-remaining'], `"day";r=${1_000_000_000 - 4050};q=1000000000;u=nanoUsd`)
})

test('a stream is told what is left before it is charged', async () => {
  const { ask, first } = await open('budgets: [{ id: "day", scope: global, limit: { tokens: 1000 }, window: day }]')
  const reply = await ask({ ...ASK, stream: true })
  first.last.say('Hi', 'stop')
  await settled()
  const reserved = /tokens=(\d+)/.exec(String(reply.headers['x-headworks-reserved']))?.[1]
  assert.equal(reply.headers['x-headworks-budget-remaining'], `"day";r=${1000 - Number(reserved)};q=1000;u=totalTokens`)
})

test('a clamp is sent to the engine', async () => {
  const { ask, first } = await open('budgets: [{ scope: request, limit: { outputTokens: 7 } }]')
  await ask(ASK)
  assert.equal(first.last.call.outputTokensMax, 7)
})

test('a spent budget that degrades calls the cheaper model, which pays for itself', async () => {
  const { ask, pass, first, second, events } = await open(`budgets:
  - { id: rich, scope: model, match: chat, limit: { tokens: 800 }, window: day, onLimit: { degradeTo: second } }`)
  await ask(ASK)
  const reply = await ask(ASK)
  await pass(2_000)
  assert.deepEqual([first.calls.length, second.calls.length], [1, 1])
  second.last.sink.frame(completion('cheap'))
  second.last.sink.end({ usage: USAGE })
  await settled()
  assert.equal(reply.status, 200)
  assert.equal((await closing(events, reply))['deployment'], 'second/small')
})

test('an attempt that failed after it was taken is charged, one that was not taken is not', async () => {
  for (const [code, charges] of [
    ['engine_unreachable', 1],
    ['stream_broken', 2],
  ] as const) {
    const { ask, first, second, events } = await open('')
    const reply = await ask(ASK)
    first.last.sink.fail(fault(code, { engine: 'first', reason: 'told to' }))
    second.last.sink.frame(completion('Hi.'))
    second.last.sink.end({ usage: USAGE })
    await settled()
    const event = await closing(events, reply)
    const listed = event['charges'] as JsonObject[] | undefined
    assert.equal(listed?.length ?? 1, charges, code)
    if (charges === 2)
      assert.deepEqual(
        listed?.map(({ deployment }) => deployment),
        ['first/weights', 'second/small'],
      )
  }
})

test('a caller that leaves pays for what was read and written until then', async () => {
  const { ask, first, events, pass } = await open(
    'budgets: [{ id: day, scope: global, limit: { tokens: 1000 }, window: day }]',
  )
  const reply = await ask({ ...ASK, stream: true })
  first.last.say('Hello there')
  await settled()
  reply.leave()
  await settled()
  assert.ok(first.last.cancelled)
  const event = await closing(events, reply)
  assert.equal(event.outcome, 'cancelled')
  const usage = event['usage'] as { inputTokens: number; outputTokens: number; estimated: boolean }
  assert.deepEqual([usage.outputTokens, usage.estimated], [3, true])
  assert.ok(usage.inputTokens > 0)
  await pass(1_000)
  const next = await ask({ ...ASK, stream: true })
  first.last.say('Hi', 'stop')
  await settled()
  const remaining = Number(/r=(\d+)/.exec(String(next.headers['x-headworks-budget-remaining']))?.[1])
  const held = Number(/tokens=(\d+)/.exec(String(next.headers['x-headworks-reserved']))?.[1])
  assert.equal(remaining, 1000 - usage.inputTokens - usage.outputTokens - held)
})

test('one caller at its rate limit does not hold up another, and a refusal uses up nothing', async () => {
  const { ask, pass, answered, events } = await open('rateLimits: [{ id: pace, scope: user, limit: { requests: 1 } }]')
  assert.equal((await answered({ ...ASK, user: 'ann' })).status, 200)
  const reply = await ask({ ...ASK, user: 'ann' })
  await pass(2_000)
  assert.equal(reply.status, 429)
  const { error } = reply.json()
  assert.deepEqual([error.type, error.code, error.budget.id], ['rate_limit_error', 'rate_limit_exceeded', 'pace'])
  assert.ok(Number(reply.headers['retry-after']) > 30 && Number(reply.headers['retry-after-ms']) > 30_000)
  assert.equal((await closing(events, reply)).outcome, 'refused')
  assert.equal((await answered({ ...ASK, user: 'bob' })).status, 200)
})

test('rate limits are told as clients of OpenAI look for them, before they are reached', async () => {
  const { answered } = await open(
    'rateLimits: [{ id: pace, scope: global, limit: { requests: 2, tokens: 5000 }, per: minute }, { id: slow, scope: global, limit: { requests: 3 }, per: hour }]',
  )
  const { headers } = await answered()
  assert.deepEqual(
    ['limit', 'remaining'].flatMap((what) => [
      headers[`x-ratelimit-${what}-requests`],
      headers[`x-ratelimit-${what}-tokens`],
    ]),
    ['2', '5000', '1', String(5000 - 16)],
  )
  assert.match(String(headers['x-ratelimit-reset-requests']), /^(?:\d+ms|\d+(?:\.\d)?s|\d+m\d+s)$/)
})

test('whoever would have to wait for long is told not to try again', async () => {
  const { answered, ask, pass } = await open('rateLimits: [{ scope: global, limit: { requests: 1 }, per: hour }]')
  await answered()
  const late = await ask(ASK)
  await pass(2_000)
  assert.deepEqual([late.status, late.headers['x-should-retry']], [429, 'false'])
  assert.ok(Number(late.headers['retry-after']) > 60)
})

test('a store that is down: what is leased is served, then 503 with a reason, and nothing is lost', async () => {
  let down = false
  const rows = new MemoryRows()
  const failing = new Proxy(rows, {
    get: (target, name: keyof MemoryRows) =>
      typeof target[name] === 'function'
        ? (...given: unknown[]) =>
            down
              ? Promise.reject(fault('store_unavailable', { reason: 'told to' }))
              : (target[name] as (...all: unknown[]) => unknown).apply(target, given)
        : target[name],
  })
  const clock = new ManualClock()
  const { accounting } = await accountingOf(
    clock,
    `${MODELS}budgets: [{ id: day, scope: global, limit: { tokens: 10000000 }, window: day }]`,
    failing,
  )
  const { ask, first } = openGateway({ clock, accounting, inFlightMax: 1000 })
  await ask(ASK)
  down = true
  const replies: RecordedReply[] = []
  for (let at = 0; at < 100; at++) replies.push(await ask(ASK))
  for (let at = 0; at < 8; at++) {
    clock.advance(250)
    await settled()
  }
  const served = first.calls.length
  assert.ok(served > 1 && served < 100, String(served))
  const refused = replies.find(({ status }) => status !== 0)
  assert.equal(refused?.status, 503)
  assert.match(refused?.json().error.message, /budgets cannot be kept at the moment: .* the store does not answer/)
  for (const call of first.calls) {
    call.sink.frame(completion('Hi.'))
    call.sink.end({ usage: USAGE })
  }
  down = false
  for (let at = 0; at < 8; at++) {
    await settled()
    clock.advance(250)
  }
  await accounting.close()
  const page = await rows.scan(ACCOUNTS, { limit: 10 })
  const posted = page.map(({ row }) => row.posted)
  assert.deepEqual(posted, [[[0, served * 16]]])
})
