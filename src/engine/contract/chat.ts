import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, test } from 'node:test'
import { systemClock } from '../../base/clock.ts'
import { Fault } from '../../base/errors.ts'
import { isObject, type Json, type JsonObject } from '../../base/json.ts'
import { Spending } from '../../meter/spending.ts'
import { Trace } from '../../trace/trace.ts'
import { inputTokensOf, outputTokensOf, totalTokens } from '../../meter/usage.ts'
import type { Attempt, ChatCall, ChatEnd, ChatSink, Engine } from '../port.ts'

/** What every engine that serves `chat` must do. */

export interface ChatFixture {
  readonly engine: Engine
  /** The engine's own name of a model that it serves. */
  readonly model: string
  /** Messages that are answered with at least `ANSWER_FRAMES_MIN` frames of content. */
  readonly messages: readonly JsonObject[]
  /** Messages, or a setting of the server behind the engine, that make the call fail; absent where
   *  nothing can. */
  readonly failing?: () => readonly JsonObject[]
  /** Whether the engine reports usage by itself. */
  readonly reportsUsage: boolean
  close(): Promise<void>
}

const ANSWER_FRAMES_MIN = 5
const CAP = 3

/** Records what reaches a sink, and that nothing does which must not. */
class Recorder implements ChatSink {
  readonly frames: JsonObject[] = []
  end_: ChatEnd | undefined
  fault: Fault | undefined
  readonly over: Promise<void>
  onFrame: (count: number) => void = () => {}
  #settle: () => void = () => {}
  #late: string[] = []
  closed = false

  constructor() {
    this.over = new Promise((resolve) => {
      this.#settle = resolve
    })
  }

  frame(frame: JsonObject): void {
    if (this.closed) this.#late.push('frame')
    this.frames.push(structuredClone(frame))
    this.onFrame(this.frames.length)
  }

  end(end: ChatEnd): void {
    this.#close('end')
    this.end_ = end
  }

  fail(cause: Fault): void {
    this.#close('fail')
    this.fault = cause
  }

  /** Nothing came after the end. */
  assertQuiet(): void {
    assert.deepEqual(this.#late, [])
  }

  #close(what: string): void {
    if (this.closed) this.#late.push(what)
    this.closed = true
    this.#settle()
  }
}

export function chatContract(name: string, open: () => Promise<ChatFixture>): void {
  describe(`chat contract: ${name}`, () => {
    let fixture: ChatFixture
    beforeEach(async () => {
      fixture = await open()
    })
    afterEach(() => fixture.close())
    const use = (): ChatFixture => fixture
    shapes(use)
    bounds(use)
    flow(use)
    refusals(use)
  })
}

/** Nothing limits it; engines leave it alone. */
const unlimited = (): Spending => new Spending(systemClock, undefined, 'req_1', {})

function callOf({ model, messages }: ChatFixture, changes: Partial<ChatCall> = {}): ChatCall {
  const body = { model: 'as the caller named it', messages, ...changes.body }
  return {
    requestId: 'req_1',
    span: new Trace(systemClock).open('call'),
    connectTimeoutMs: 2000,
    spending: unlimited(),
    model,
    stream: true,
    outputTokensMax: 1000,
    ...changes,
    body,
  }
}

async function run(fixture: ChatFixture, changes: Partial<ChatCall> = {}): Promise<Recorder> {
  const recorder = new Recorder()
  fixture.engine.chat(callOf(fixture, changes), recorder)
  await recorder.over
  await pause()
  recorder.assertQuiet()
  return recorder
}

/** Long enough for what must not come to come: some turns of the loop. */
const pause = async (): Promise<void> => {
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setTimeout(resolve, 1))
}

function shapes(use: () => ChatFixture): void {
  test('a stream is chunks of one completion: role first, content, then one finish reason', async () => {
    const { frames, end_, fault } = await run(use())
    assert.equal(fault, undefined)
    assert.ok(end_ !== undefined)
    for (const name of ['id', 'created', 'model'] as const)
      assert.equal(new Set(frames.map((frame) => frame[name])).size, 1, name)
    for (const frame of frames) {
      assert.equal(frame['object'], 'chat.completion.chunk')
      assert.equal(typeof frame['id'], 'string')
      assert.ok(Number.isSafeInteger(frame['created']))
      assert.equal(frame['usage'] ?? null, null)
    }
    assert.equal(deltaOf(frames[0])['role'], 'assistant')
    const finishes = frames.map((frame) => choiceOf(frame)['finish_reason'] ?? null)
    assert.deepEqual(
      finishes.filter((reason) => reason !== null),
      ['stop'],
    )
    assert.equal(finishes.at(-1), 'stop')
    assert.ok(frames.filter((frame) => contentOf(frame) !== '').length >= ANSWER_FRAMES_MIN)
  })

  test('whole and streamed, the answer is the same', async () => {
    const fixture = use()
    const streamed = await run(fixture)
    const { frames, end_ } = await run(fixture, { stream: false })
    assert.equal(frames.length, 1)
    assert.equal(frames[0]?.['object'], 'chat.completion')
    const choice = choiceOf(frames[0])
    assert.ok(isObject(choice['message']))
    assert.equal(choice['message']['role'], 'assistant')
    assert.equal(choice['message']['content'], streamed.frames.map(contentOf).join(''))
    assert.equal(choice['finish_reason'], 'stop')
    assert.deepEqual(end_?.usage, streamed.end_?.usage)
  })

  test('usage sums, in whole tokens', async () => {
    const fixture = use()
    const { end_ } = await run(fixture)
    if (!fixture.reportsUsage) return assert.equal(end_?.usage, undefined)
    const usage = end_?.usage
    assert.ok(usage !== undefined)
    for (const count of [usage.inputTokens, usage.cachedInputTokens, usage.outputTokens, usage.reasoningTokens])
      assert.ok(Number.isSafeInteger(count) && count >= 0)
    assert.ok(inputTokensOf(usage) > 0 && usage.outputTokens > 0)
    const raw = end_?.rawUsage ?? {}
    assert.equal(raw['prompt_tokens'], inputTokensOf(usage))
    assert.equal(raw['completion_tokens'], outputTokensOf(usage))
    assert.equal(raw['total_tokens'], totalTokens(usage))
  })
}

function bounds(use: () => ChatFixture): void {
  for (const stream of [true, false]) {
    test(`the cap on output is kept and said to be the reason (${stream ? 'streamed' : 'whole'})`, async () => {
      const fixture = use()
      const whole = await run(fixture, { stream: false })
      const { frames, end_ } = await run(fixture, { stream, outputTokensMax: CAP })
      assert.equal(choiceOf(frames.at(-1))['finish_reason'], 'length')
      const text = frames.map(contentOf).join('')
      assert.ok(text.length > 0 && contentOf(whole.frames[0]).startsWith(text) && text !== contentOf(whole.frames[0]))
      if (fixture.reportsUsage) assert.equal(end_?.usage?.outputTokens, CAP)
    })
  }
}

function flow(use: () => ChatFixture): void {
  test('nothing reaches the sink before the attempt is in the hands of the caller', async () => {
    const fixture = use()
    const recorder = new Recorder()
    const attempt = fixture.engine.chat(callOf(fixture), recorder)
    assert.equal(recorder.frames.length, 0)
    assert.equal(recorder.closed, false)
    attempt.cancel()
  })

  for (const at of [0, 1, 3]) {
    test(`after a cancel ${at === 0 ? 'before the first frame' : `at frame ${at}`} nothing more comes`, async () => {
      const fixture = use()
      const recorder = new Recorder()
      const attempt = fixture.engine.chat(callOf(fixture), recorder)
      if (at === 0) attempt.cancel()
      else {
        await new Promise<void>((resolve) => {
          recorder.onFrame = (count) => {
            if (count !== at) return
            attempt.cancel()
            resolve()
          }
        })
      }
      await pause()
      assert.equal(recorder.frames.length, at)
      assert.equal(recorder.closed, false)
      attempt.cancel()
      attempt.resume()
      await pause()
      assert.equal(recorder.frames.length, at)
    })
  }

  test('a pause holds the frames back, and none is lost or said twice', async () => {
    const fixture = use()
    const whole = await run(fixture, { stream: false })
    const recorder = new Recorder()
    const attempt: Attempt = fixture.engine.chat(callOf(fixture), recorder)
    recorder.onFrame = () => attempt.pause()
    let most = 0
    while (!recorder.closed) {
      const before = recorder.frames.length
      await pause()
      if (!recorder.closed) most = Math.max(most, recorder.frames.length - before)
      attempt.resume()
    }
    recorder.assertQuiet()
    assert.equal(recorder.frames.map(contentOf).join(''), contentOf(whole.frames[0]))
    // What was on its way already may still arrive; an engine that ignores the pause sends all at once.
    assert.ok(most < recorder.frames.length, 'the pause was ignored')
  })

  test('a cancel while paused is an end too', async () => {
    const fixture = use()
    const recorder = new Recorder()
    const attempt = fixture.engine.chat(callOf(fixture), recorder)
    attempt.pause()
    await pause()
    const held = recorder.frames.length
    attempt.cancel()
    await pause()
    assert.equal(recorder.frames.length, held)
    assert.equal(recorder.closed, false)
  })

  test('calls beside one another do not mix', async () => {
    const fixture = use()
    const expected = contentOf((await run(fixture, { stream: false })).frames[0])
    const all = await Promise.all(Array.from({ length: 5 }, () => run(fixture)))
    for (const { frames } of all) assert.equal(frames.map(contentOf).join(''), expected)
  })
}

function refusals(use: () => ChatFixture): void {
  test('what an engine does not serve is refused as such', async () => {
    const { engine, model } = use()
    const context = {
      requestId: 'req_1',
      span: new Trace(systemClock).open('call'),
      connectTimeoutMs: 2000,
      spending: unlimited(),
      model,
      signal: new AbortController().signal,
    }
    if (!engine.operations.has('rerank')) {
      await assert.rejects(engine.rerank({ ...context, query: 'q', documents: ['d'], topN: 1 }), {
        code: 'operation_unsupported',
      })
    }
    if (!engine.operations.has('embed'))
      await assert.rejects(engine.embed({ ...context, inputs: ['x'] }), { code: 'operation_unsupported' })
    assert.ok(engine.operations.has('chat'))
  })

  test('a failure is one fault, and no end', async () => {
    const fixture = use()
    if (fixture.failing === undefined) return
    const { fault, end_ } = await run(fixture, { body: { messages: fixture.failing() } })
    assert.ok(fault instanceof Fault)
    assert.equal(end_, undefined)
  })
}

function choiceOf(frame: JsonObject | undefined): JsonObject {
  const choices = frame?.['choices']
  const first = Array.isArray(choices) ? (choices as readonly Json[])[0] : undefined
  return isObject(first) ? first : {}
}

function deltaOf(frame: JsonObject | undefined): JsonObject {
  const delta = choiceOf(frame)['delta']
  return isObject(delta) ? delta : {}
}

function contentOf(frame: JsonObject | undefined): string {
  const { delta, message } = choiceOf(frame)
  const part = isObject(delta) ? delta : isObject(message) ? message : {}
  return typeof part['content'] === 'string' ? part['content'] : ''
}
