import assert from 'node:assert/strict'
import { test } from 'node:test'
import { accountingOf } from '../../tests/kit/accounting.ts'
import { ManualClock, settled } from '../../tests/kit/clock.ts'
import { HandEngine } from '../../tests/kit/engine.ts'
import { unlimited } from '../../tests/kit/spending.ts'
import { fault, type Problem } from '../base/errors.ts'
import { seededRandom } from '../base/random.ts'
import { Health } from '../engine/health.ts'
import type { Spending } from '../meter/spending.ts'
import { NO_USAGE } from '../meter/usage.ts'
import { Trace } from '../trace/trace.ts'
import { callModel } from './call.ts'
import type { LogicalModel } from './catalogue.ts'

/** Streams that a second deployment is asked for as well, when the first is late. */

const AFTER_MS = 200

interface Options {
  readonly hedge?: LogicalModel['hedge']
  readonly engines?: number
  readonly stream?: boolean
  readonly spendingOf?: (clock: ManualClock) => (requestId: string) => Spending
}

function open({ hedge = { afterMs: AFTER_MS }, engines: count = 2, stream = true, spendingOf }: Options = {}) {
  const clock = new ManualClock()
  const health = new Health({ clock })
  const engines = Array.from({ length: count }, (_, at) => new HandEngine(`e${at}`))
  const model: LogicalModel = {
    name: 'chat',
    kind: 'model',
    description: '',
    operations: ['chat'],
    deployments: engines.map((engine) => ({ engine, model: 'm', weight: 1, health: health.of(engine.name, '') })),
    routing: 'priority',
    hedge,
    retries: health.retriesOf('chat'),
    fallback: [],
    outputTokensMax: 100,
    timeouts: { connectMs: 100, firstTokenMs: 5_000, betweenTokensMs: 500, totalMs: 60_000 },
  }
  const account = spendingOf?.(clock) ?? ((requestId) => unlimited(clock).spending(requestId, {}))
  let asked = 0
  function ask() {
    const spending = account(`req_${++asked}`)
    const seen: { by?: string; text: string; ended: number; problem?: Problem } = { text: '', ended: 0 }
    const attempt = callModel(
      { clock, random: seededRandom(1), catalogue: () => new Map([['chat', model]]) },
      {
        requestId: `req_${asked}`,
        model,
        body: { messages: [{ role: 'user', content: 'x'.repeat(400) }] },
        stream,
        outputTokensMax: 100,
        span: new Trace(clock).open('call'),
        spending,
      },
      {
        commit: ({ engine }) => {
          assert.equal(seen.by, undefined, 'one answer')
          seen.by = engine.name
        },
        frame: ({ choices }) => void (seen.text += (choices as { delta: { content: string } }[])[0]?.delta.content),
        end: () => void seen.ended++,
        fail: (problem) => void (seen.problem = problem),
      },
    )
    return { attempt, seen, spending }
  }
  const [first = new HandEngine('none'), second = new HandEngine('none'), third = new HandEngine('none')] = engines
  return { clock, health, model, ask, first, second, third }
}

const USAGE = { ...NO_USAGE, inputTokens: 100, outputTokens: 2, estimated: false }

test('a second is asked when the first is late, the first to speak answers, and the other is stopped at once', () => {
  const { clock, ask, first, second, health } = open()
  const { seen, spending } = ask()
  clock.advance(AFTER_MS - 1)
  assert.equal(second.calls.length, 0)
  clock.advance(1)
  assert.equal(second.calls.length, 1)
  second.last.say('Hi')
  assert.deepEqual([first.last.cancelled, second.last.cancelled], [true, false])
  first.last.say('Too late')
  second.last.say('.', 'stop')
  second.last.sink.end({ usage: USAGE })
  assert.deepEqual([seen.by, seen.text, seen.ended], ['e1', 'Hi.', 1])
  // The one that lost read the prompt; what it had not said is not charged.
  const charged = spending.charges.map(({ deployment, usage }) => [
    deployment,
    usage.inputTokens > 0,
    usage.outputTokens,
  ])
  assert.deepEqual(charged, [
    ['e0/m', true, 0],
    ['e1/m', true, 2],
  ])
  assert.deepEqual(
    health.status().map(({ callsInFlight, circuit }) => [callsInFlight, circuit]),
    [
      [0, 'closed'],
      [0, 'closed'],
    ],
  )
})

test('the first may still win, and whoever is stopped has its words charged', () => {
  const { clock, ask, first, second } = open()
  const { seen, spending } = ask()
  clock.advance(AFTER_MS)
  first.last.say('Well')
  assert.ok(second.last.cancelled)
  first.last.say('', 'stop')
  first.last.sink.end({ usage: USAGE })
  assert.deepEqual([seen.by, seen.text, spending.charges.length], ['e0', 'Well', 2])
})

test('one that begins in time is never doubled, nor one that is not streamed', () => {
  const early = open()
  early.ask()
  early.first.last.say('Hi')
  early.clock.advance(400)
  assert.equal(early.second.calls.length, 0)
  const whole = open({ stream: false })
  whole.ask()
  whole.clock.advance(4_000)
  assert.equal(whole.second.calls.length, 0)
})

test('when one of the two fails the other goes on; when both do, the next is asked', () => {
  const { clock, ask, first, second, third } = open({ engines: 3 })
  const { seen } = ask()
  clock.advance(AFTER_MS)
  first.last.fail()
  assert.equal(third.calls.length, 0)
  second.last.fail()
  third.last.say('At last', 'stop')
  third.last.sink.end({})
  assert.deepEqual([seen.by, seen.ended, seen.problem], ['e2', 1, undefined])
  const again = open({ engines: 3 })
  const { seen: other } = again.ask()
  again.clock.advance(AFTER_MS)
  again.second.last.fail()
  assert.equal(again.third.calls.length, 0)
  again.first.last.say('Here', 'stop')
  again.first.last.sink.end({})
  assert.deepEqual([other.by, other.ended], ['e0', 1])
})

test('what the first rejects is over for both', () => {
  const { clock, ask, first, second } = open()
  const { seen } = ask()
  clock.advance(AFTER_MS)
  first.last.sink.fail(fault('engine_rejected', { engine: 'e0', reason: 'bad' }))
  assert.deepEqual([seen.problem?.code, second.last.cancelled, clock.pending], ['engine_rejected', true, 0])
})

test('a caller that leaves stops both', () => {
  const { clock, ask, first, second, health } = open()
  const { attempt } = ask()
  clock.advance(AFTER_MS)
  attempt.cancel()
  assert.ok(first.last.cancelled && second.last.cancelled)
  assert.equal(clock.pending, 0)
  assert.deepEqual(
    health.status().map(({ callsInFlight }) => callsInFlight),
    [0, 0],
  )
})

test('without a time of its own, a call is late after the 95th percentile of the fastest', () => {
  const { clock, ask, first, second, health } = open({ hedge: {} })
  ask()
  clock.advance(4_000)
  assert.equal(second.calls.length, 0, 'too little is known')
  const { pace } = health.of('e1', '')
  for (let ms = 101; ms <= 200; ms++) pace.record(ms)
  const { seen } = ask()
  clock.advance(194)
  assert.equal(second.calls.length, 0)
  clock.advance(1)
  second.last.say('Hi', 'stop')
  second.last.sink.end({})
  assert.equal(seen.by, 'e1')
  // It took that long at least.
  assert.ok(first.last.cancelled && health.of('e0', '').pace.expectedMs >= 190)
})

test('hedges are paid from the retry budget, and a call that finds it empty waits as ever', () => {
  const { clock, ask, first, second } = open()
  for (let n = 0; n < 50; n++) {
    const { attempt } = ask()
    clock.advance(AFTER_MS)
    attempt.cancel()
  }
  // Five of the ten saved, and what 50 requests in ten seconds earn.
  assert.ok(second.calls.length <= 10, String(second.calls.length))
  const hedged = second.calls.length
  const { seen } = ask()
  clock.advance(AFTER_MS)
  assert.equal(second.calls.length, hedged)
  // What is left is for those who fail.
  first.last.fail()
  second.last.say('Here', 'stop')
  second.last.sink.end({})
  assert.equal(seen.by, 'e1')
})

test('what both may use is held, and where a budget holds one only, one is asked', async () => {
  const clock = new ManualClock()
  const budget = (tokens: number) => `
engines: { e0: { kind: openai, url: 'http://h/v1' }, e1: { kind: openai, url: 'http://h/v1' } }
models: { chat: { deployments: [{ engine: e0, model: m }, { engine: e1, model: m }] } }
budgets: [{ id: each, scope: request, limit: { outputTokens: ${tokens} }, onLimit: refuse }]
`
  for (const [tokens, calls] of [
    [199, 0],
    [200, 1],
  ] as const) {
    const books = await accountingOf(clock, budget(tokens))
    const {
      ask,
      second,
      clock: own,
    } = open({
      spendingOf: () => (requestId) => books.accounting.spending(requestId, { model: 'chat' }),
    })
    const { seen } = ask()
    await settled()
    own.advance(AFTER_MS)
    await settled()
    assert.equal(second.calls.length, calls, `${tokens} tokens`)
    assert.equal(seen.problem, undefined)
  }
})
