import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ManualClock, settled } from '../../../tests/kit/clock.ts'
import { completion, HandEngine } from '../../../tests/kit/engine.ts'
import { unlimited } from '../../../tests/kit/spending.ts'
import { fault, type Problem } from '../../base/errors.ts'
import { seededRandom } from '../../base/random.ts'
import { Health } from '../../engine/health.ts'
import { Trace } from '../../trace/trace.ts'
import { callModel } from '../call.ts'
import type { LogicalModel, Routing } from '../catalogue.ts'
import { askInTurn } from '../in-turn.ts'

/** Calls over deployments that are moved by hand, in the order of the list. */
function setUp(engines: readonly HandEngine[], { routing = 'priority', totalMs = 60_000 }: Options = {}) {
  const clock = new ManualClock()
  const health = new Health({ clock })
  const model: LogicalModel = {
    name: 'chat',
    kind: 'model',
    description: '',
    operations: ['chat'],
    deployments: engines.map((engine) => ({
      engine,
      model: 'm',
      weight: 1,
      health: health.of(`${engine.name}/m`, ''),
    })),
    routing,
    retries: health.retriesOf('chat'),
    fallback: [],
    outputTokensMax: 100,
    timeouts: { connectMs: 100, firstTokenMs: 1_000, betweenTokensMs: 500, totalMs },
  }
  const dependencies = { clock, random: seededRandom(5), catalogue: () => new Map([['chat', model]]) }
  const spending = unlimited(clock)
  let calls = 0
  function ask() {
    const seen: { problem?: Problem; ended: boolean } = { ended: false }
    const requestId = `req_${++calls}`
    const attempt = callModel(
      dependencies,
      {
        requestId,
        model,
        body: { messages: [{ role: 'user', content: 'x'.repeat(400) }] },
        stream: false,
        outputTokensMax: 100,
        span: new Trace(clock).open('call'),
        spending: spending.spending(requestId, {}),
      },
      {
        commit() {},
        frame() {},
        end: () => void (seen.ended = true),
        fail: (problem) => void (seen.problem = problem),
      },
    )
    return { attempt, seen }
  }
  const failed = (times: number, engine: HandEngine, cause = down): void => {
    for (let i = 0; i < times; i++) {
      ask()
      engine.last.sink.fail(cause)
    }
  }
  return { clock, health, model, dependencies, spending, ask, failed }
}

interface Options {
  readonly routing?: Routing
  readonly totalMs?: number
}

const down = fault('engine_unreachable', { engine: 'a', reason: 'off' })
const busy = (retryAfterMs: number) => fault('engine_busy', { engine: 'a', retryAfterMs })
const answer = (engine: HandEngine): void => {
  engine.last.sink.frame(completion('Hi.'))
  engine.last.sink.end({})
}

test('an open circuit takes no first attempts until its pause is over, then one', () => {
  const [a, b] = [new HandEngine('a'), new HandEngine('b')]
  const { clock, ask, failed } = setUp([a, b])
  for (let i = 0; i < 5; i++) {
    failed(1, a)
    answer(b)
  }
  ask()
  assert.deepEqual([a.calls.length, b.calls.length], [5, 6])
  clock.advance(5_000)
  ask()
  ask()
  assert.deepEqual([a.calls.length, b.calls.length], [6, 7], 'one tries, the other goes where it is safe')
  answer(a)
  ask()
  assert.equal(a.calls.length, 7)
})

test('when all circuits are open callers are told at once, and when to come back', () => {
  const a = new HandEngine('a')
  const { clock, ask, failed } = setUp([a], { totalMs: 100 })
  failed(5, a)
  const made = a.calls.length
  clock.advance(1_000)
  const { seen } = ask()
  assert.deepEqual([a.calls.length, seen.problem?.code], [made, 'engine_unreachable'])
  assert.match(String(seen.problem?.details['reason']), /failed again and again: .*off/)
  assert.equal(seen.problem?.details['retryAfterMs'], 4_000)
})

test('an overloaded pool says so', () => {
  const [a, b] = [new HandEngine('a'), new HandEngine('b')]
  const { ask } = setUp([a, b])
  ask()
  a.last.sink.fail(busy(30_000))
  b.last.sink.fail(busy(20_000))
  const { seen } = ask()
  assert.deepEqual([seen.problem?.code, seen.problem?.details['retryAfterMs']], ['engine_busy', 20_000])
  assert.equal(seen.problem?.details['engine'], 'b')
})

test('another deployment is tried at once; the same one only where it is alone, after a pause', () => {
  const [a, b] = [new HandEngine('a'), new HandEngine('b')]
  const two = setUp([a, b])
  const { seen } = two.ask()
  a.last.sink.fail(down)
  assert.equal(b.calls.length, 1)
  b.last.sink.fail(down)
  assert.deepEqual([seen.problem?.code, two.clock.pending], ['engine_unreachable', 0])

  const c = new HandEngine('c')
  const one = setUp([c])
  const again = one.ask()
  c.last.sink.fail(down)
  assert.equal(c.calls.length, 1, 'not at once')
  one.clock.advance(200)
  assert.equal(c.calls.length, 2)
  answer(c)
  assert.deepEqual([again.seen.ended, one.clock.pending], [true, 0])
})

test('the only deployment is tried four times at most, and only where it had not begun', () => {
  const a = new HandEngine('a')
  const { clock, ask } = setUp([a])
  const { seen } = ask()
  for (let i = 0; i < 4; i++) {
    a.last.sink.fail(down)
    clock.advance(2_000)
  }
  assert.deepEqual([a.calls.length, seen.problem?.code, clock.pending], [4, 'engine_unreachable', 0])
  const other = ask()
  a.last.sink.fail(fault('engine_garbled', { engine: 'a', reason: 'html' }))
  assert.deepEqual([a.calls.length, other.seen.problem?.code, clock.pending], [5, 'engine_garbled', 0])
})

test('an engine that asks for a short pause gets it; for a long one the caller is told instead', () => {
  const a = new HandEngine('a')
  const { clock, ask } = setUp([a])
  const patient = ask()
  a.last.sink.fail(busy(1_000))
  clock.advance(999)
  assert.equal(a.calls.length, 1)
  clock.advance(201)
  assert.equal(a.calls.length, 2)
  a.last.sink.fail(busy(3_000))
  assert.deepEqual([patient.seen.problem?.code, clock.pending], ['engine_busy', 0])
})

test('no attempt is waited for beyond the deadline, and none after the caller left', () => {
  const a = new HandEngine('a')
  const short = setUp([a], { totalMs: 1_000 })
  const { seen } = short.ask()
  a.last.sink.fail(busy(1_500))
  assert.deepEqual([seen.problem?.code, short.clock.pending], ['engine_busy', 0])
  const b = new HandEngine('b')
  const left = setUp([b])
  const { attempt } = left.ask()
  b.last.sink.fail(down)
  attempt.cancel()
  left.clock.advance(60_000)
  assert.deepEqual([b.calls.length, left.clock.pending], [1, 0])
})

test('when every engine fails, calls stay within 1.1 of the requests', () => {
  const engines = Array.from({ length: 4 }, (_, at) => new HandEngine(`e${at}`))
  const { clock, ask } = setUp(engines, { routing: 'weighted' })
  for (const engine of engines) {
    engine.chat = (call, sink) => {
      HandEngine.prototype.chat.call(engine, call, sink)
      sink.fail(fault('engine_refused', { engine: engine.name, status: 500, reason: 'no' }))
      return { cancel() {}, pause() {}, resume() {} }
    }
  }
  const requests = 2_000
  for (let i = 0; i < requests; i++) {
    clock.advance(100)
    ask()
  }
  const calls = engines.reduce((sum, { calls: made }) => sum + made.length, 0)
  assert.ok(calls <= 1.1 * requests, `${calls} calls for ${requests} requests`)
})

test('once the retry budget is spent a request ends with its first failure', () => {
  const [a, b] = [new HandEngine('a'), new HandEngine('b')]
  const { model, ask } = setUp([a, b])
  while (model.retries?.spend() === true);
  const { seen } = ask()
  a.last.sink.fail(down)
  assert.deepEqual([b.calls.length, seen.problem?.code], [0, 'engine_unreachable'])
})

test('the books are empty whatever became of the calls', () => {
  const a = new HandEngine('a')
  const { health, ask, clock } = setUp([a], { totalMs: 3_000 })
  const [one, two] = [ask(), ask()]
  assert.equal(health.status()[0]?.tokensInFlight, 2 * (100 + 100))
  answer(a)
  one.attempt.cancel()
  ask()
  a.last.sink.fail(fault('stream_broken', { engine: 'a', reason: 'reset' }))
  ask()
  clock.advance(3_000)
  two.attempt.cancel()
  assert.deepEqual([health.status()[0]?.callsInFlight, health.status()[0]?.tokensInFlight], [0, 0])
})

test('an engine is not blamed for a caller who leaves, nor for an answer that is long', () => {
  const a = new HandEngine('a')
  const { health, ask, clock } = setUp([a], { totalMs: 400 })
  for (let i = 0; i < 30; i++) ask().attempt.cancel()
  for (let i = 0; i < 6; i++) {
    ask()
    a.last.say('And so on')
    clock.advance(400)
  }
  assert.equal(health.status()[0]?.circuit, 'closed')
})

test('embeddings and reranking take the same turns', async () => {
  const [a, b] = [new HandEngine('a'), new HandEngine('b')]
  const { model, dependencies, spending, clock, health } = setUp([a, b])
  const asked: string[] = []
  const turn = () =>
    askInTurn(
      dependencies,
      {
        requestId: 'req_1',
        operation: 'embed',
        model,
        texts: ['x'.repeat(40)],
        spending: spending.spending('req_1', {}),
        span: new Trace(clock).open('call'),
        signal: new AbortController().signal,
      },
      ({ engine }) => {
        asked.push(engine.name)
        return engine.name === 'a' ? Promise.reject(down) : Promise.resolve({ usage: undefined })
      },
    )
  for (let i = 0; i < 6; i++) await turn()
  assert.deepEqual(asked, [...Array.from({ length: 5 }, () => ['a', 'b']).flat(), 'b'])
  assert.deepEqual(
    health.status().map(({ circuit, tokensInFlight }) => [circuit, tokensInFlight]),
    [
      ['open', 0],
      ['closed', 0],
    ],
  )
  await settled()
})
