import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { someSpending } from '../../../tests/kit/spending.ts'
import { recordChat } from '../../../tests/kit/chat-recorder.ts'
import { HandWire } from '../../../tests/kit/wire.ts'
import { settled } from '../../../tests/kit/clock.ts'
import type { Fault } from '../../base/errors.ts'
import type { JsonObject } from '../../base/json.ts'
import type { Attempt, ChatEnd } from '../../engine/port.ts'
import { Trace } from '../../trace/trace.ts'
import { ManualClock } from '../../../tests/kit/clock.ts'
import { inputTokensOf, NO_USAGE, outputTokensOf, type Usage } from '../../meter/usage.ts'
import { OpenAiEngine } from './engine.ts'
import { readUsage } from './usage.ts'

function open(capField: 'max_tokens' | 'max_completion_tokens' = 'max_tokens') {
  const wire = new HandWire()
  const engine = new OpenAiEngine({
    name: 'local',
    url: 'http://engine.test/v1/',
    key: { reveal: () => 'sk-1' },
    headers: { 'x-org': 'o' },
    capField,
    client: wire,
  })
  const got: { frames: JsonObject[]; end?: ChatEnd; fault?: Fault } = { frames: [] }
  const span = new Trace(new ManualClock()).open('call')
  function chat(stream: boolean, body: JsonObject = {}): Attempt {
    return engine.chat(
      {
        requestId: 'req_1',
        span,
        connectTimeoutMs: 10,
        spending: someSpending(),
        model: 'weights',
        stream,
        outputTokensMax: 50,
        body: { messages: [{ role: 'user', content: 'x' }], ...body },
      },
      {
        frame: (frame) => void got.frames.push(frame),
        end: (end) => {
          assert.ok(got.end === undefined && got.fault === undefined, 'exactly one end')
          got.end = end
        },
        fail: (cause) => {
          assert.ok(got.end === undefined && got.fault === undefined, 'exactly one end')
          got.fault = cause
        },
      },
    )
  }
  const answer = wire.answer.bind(wire)
  return { wire, engine, got, chat, answer, span }
}

const SSE = 'text/event-stream'
const JSON_TYPE = 'application/json'
const part = (content: string, finish: string | null = null): string =>
  `data: ${JSON.stringify({ id: 'c', choices: [{ index: 0, delta: { content }, finish_reason: finish }] })}\n\n`
const USAGE =
  'data: {"id":"c","choices":[],"usage":{"prompt_tokens":9,"completion_tokens":4,"prompt_tokens_details":{"cached_tokens":2}}}\n\n'
const DONE = 'data: [DONE]\n\n'
const textOf = (frames: JsonObject[]): string =>
  frames.map((frame) => (frame['choices'] as { delta: { content: string } }[])[0]?.delta.content).join('')

test('the engine is asked by its own model name, with the cap it knows, its key, and for usage', () => {
  const { wire, chat } = open('max_completion_tokens')
  chat(true, {
    max_tokens: 9999,
    temperature: 0.5,
    vendor_field: { a: 1 },
    stream_options: { chunk_include_usage: true },
  })
  const [request] = wire.requests
  assert.equal(request?.url, 'http://engine.test/v1/chat/completions')
  assert.deepEqual([request?.headers['authorization'], request?.headers['x-org']], ['Bearer sk-1', 'o'])
  const { messages: _, ...sent } = wire.sent
  assert.deepEqual(sent, {
    temperature: 0.5,
    vendor_field: { a: 1 },
    model: 'weights',
    stream: true,
    max_completion_tokens: 50,
    stream_options: { chunk_include_usage: true, include_usage: true },
  })
})

test('a provider may want its key in another header, and not want some fields', () => {
  const wire = new HandWire()
  const engine = new OpenAiEngine({
    name: 'a',
    url: 'http://engine.test/v1',
    key: { reveal: () => 'k-1' },
    keyHeader: 'api-key',
    without: ['logprobs', 'stream_options'],
    capField: 'max_tokens',
    client: wire,
  })
  recordChat(engine, true, { logprobs: true, seed: 7 })
  assert.deepEqual(
    [wire.requests[0]?.headers['api-key'], wire.requests[0]?.headers['authorization']],
    ['k-1', undefined],
  )
  const { messages: _, ...sent } = wire.sent
  assert.deepEqual(sent, { seed: 7, model: 'weights', stream: true, max_tokens: 50 })
})

test('what is said to Anthropic alone stays away from other engines', () => {
  const { wire, chat } = open()
  const cache = { cache_control: { type: 'ephemeral' } }
  const tool = { type: 'function', function: { name: 'look' } }
  const call = { id: 't1', type: 'function', function: { name: 'look', arguments: '{}' } }
  const messages = [
    { role: 'user', content: [{ type: 'text', text: 'Hello?', ...cache }] },
    { role: 'assistant', content: 'Hm.', reasoning_content: 'x', thinking_blocks: [], tool_calls: [call] },
    { role: 'tool', tool_call_id: 't1', content: 'Late.', is_error: true },
  ]
  chat(false, { messages, tools: [{ ...tool, ...cache }], anthropic: { thinking: { type: 'adaptive' } } })
  assert.deepEqual(wire.sent, {
    messages: [
      { role: 'user', content: [{ type: 'text', text: 'Hello?' }] },
      { role: 'assistant', content: 'Hm.', tool_calls: [call] },
      { role: 'tool', tool_call_id: 't1', content: 'Late.' },
    ],
    tools: [tool],
    model: 'weights',
    stream: false,
    max_tokens: 50,
  })
  chat(false, { messages })
  assert.deepEqual(wire.sent['messages'], messages, 'fields that nobody knows pass through')
})

test('a stream is the same however its bytes are split', () => {
  const whole = Buffer.from(`: hello\r\n\r\n${part('Grüße, ')}${part('🌊', 'stop')}${USAGE}${DONE}`)
  for (let at = 0; at <= whole.length; at++) {
    const { chat, answer, got } = open()
    chat(true)
    answer(200, SSE, whole.subarray(0, at), whole.subarray(at))
    assert.equal(textOf(got.frames), 'Grüße, 🌊')
    assert.deepEqual(got.end?.usage, {
      inputTokens: 7,
      cachedInputTokens: 2,
      outputTokens: 4,
      reasoningTokens: 0,
      estimated: false,
    })
  }
})

test('a whole answer, with usage taken out', () => {
  const { chat, answer, got } = open()
  chat(false)
  answer(
    200,
    JSON_TYPE,
    '{"id":"c","choices":[{"message":{"content":"Hi"}}],"usage":{"prompt_tokens":1,"completion_tokens":2},"extra":1}',
  )
  assert.deepEqual(got.frames, [{ id: 'c', choices: [{ message: { content: 'Hi' } }], extra: 1 }])
  assert.deepEqual([got.end?.usage?.outputTokens, got.end?.rawUsage], [2, { prompt_tokens: 1, completion_tokens: 2 }])
})

test('what an engine can do wrong in a stream, and what it is called', async (t) => {
  const cases: readonly [string, string, string[], string][] = [
    ['ends without [DONE] in mid-sentence', SSE, [part('Half')], 'stream_broken'],
    ['[DONE] without a finish reason', SSE, [part('Half'), DONE], 'stream_broken'],
    ['[DONE] at once', SSE, [DONE], 'engine_garbled'],
    ['nothing at all', SSE, [], 'stream_broken'],
    ['rubbish', SSE, ['data: <html>\n\n'], 'engine_garbled'],
    ['no choices', SSE, ['data: {"hello":1}\n\n'], 'engine_garbled'],
    ['an error event', SSE, [part('Half'), 'event: error\ndata: {"message":"out of memory"}\n\n'], 'stream_broken'],
    ['an error object', SSE, [part('Half'), 'data: {"error":{"message":"out of memory"}}\n\n'], 'stream_broken'],
    ['HTML instead', 'text/html', ['<html>'], 'engine_garbled'],
    ['nesting of 100,000 levels', SSE, [`data: ${'['.repeat(100_000)}\n\n`], 'engine_garbled'],
  ]
  for (const [name, type, pieces, code] of cases) {
    await t.test(name, () => {
      const { chat, answer, got } = open()
      chat(true)
      answer(200, type, ...pieces)
      assert.equal(got.fault?.code, code)
    })
  }
})

test('a finish reason ends a stream whose server leaves out [DONE]; what comes after an end is ignored', () => {
  const first = open()
  first.chat(true)
  first.answer(200, SSE, part('All.', 'stop'))
  assert.ok(first.got.end)
  const second = open()
  second.chat(true)
  second.answer(200, SSE, part('All.', 'stop'), DONE, part('more'), DONE, 'rubbish\n\n')
  assert.equal(textOf(second.got.frames), 'All.')
})

test('sound, pictures and what is written to a cache are buckets of their own, and none counts twice', () => {
  const details = (prompt: number, parts: JsonObject, completion = 0, said: JsonObject = {}): Usage | undefined =>
    readUsage({
      prompt_tokens: prompt,
      completion_tokens: completion,
      prompt_tokens_details: parts,
      completion_tokens_details: said,
    })
  const parts = { cached_tokens: 10, cache_write_tokens: 20, audio_tokens: 30, image_tokens: 5 }
  assert.deepEqual(details(100, parts, 50, { reasoning_tokens: 7, audio_tokens: 3 }), {
    inputTokens: 35,
    cachedInputTokens: 10,
    cacheWrite5mTokens: 20,
    audioInputTokens: 30,
    imageInputTokens: 5,
    outputTokens: 40,
    reasoningTokens: 7,
    audioOutputTokens: 3,
    estimated: false,
  })
  // Sound that was cached is in both counts.
  assert.deepEqual(details(40, { cached_tokens: 30, audio_tokens: 30 }), {
    ...NO_USAGE,
    inputTokens: 0,
    cachedInputTokens: 10,
    audioInputTokens: 30,
  })
  fc.assert(
    fc.property(fc.array(fc.nat(50), { minLength: 7, maxLength: 7 }), ([a, b, c, d, e, f, g]) => {
      const counted = details(
        a ?? 0,
        { cached_tokens: b, cache_write_tokens: c, audio_tokens: d, image_tokens: e },
        50,
        { reasoning_tokens: f, audio_tokens: g },
      )
      if (counted !== undefined) assert.deepEqual([inputTokensOf(counted), outputTokensOf(counted)], [a, 50])
    }),
  )
})

test('a usage that makes no sense is not believed', () => {
  for (const usage of [
    '{"prompt_tokens":-1,"completion_tokens":1}',
    '{"prompt_tokens":1.5}',
    '{"prompt_tokens":1,"completion_tokens":1,"prompt_tokens_details":{"cached_tokens":5}}',
    '{"prompt_tokens":9,"prompt_tokens_details":{"audio_tokens":6,"image_tokens":4}}',
    '{"prompt_tokens":9,"completion_tokens":2,"completion_tokens_details":{"audio_tokens":2,"reasoning_tokens":1}}',
    '{"prompt_tokens":9,"prompt_tokens_details":{"cache_write_tokens":10}}',
    '"much"',
  ]) {
    const { chat, answer, got } = open()
    chat(true)
    answer(200, SSE, part('All.', 'stop'), `data: {"choices":[],"usage":${usage}}\n\n`, DONE)
    assert.deepEqual([got.end?.usage, got.end?.rawUsage], [undefined, undefined])
  }
})

test('an error status becomes the fault that says whether another engine may do better', async (t) => {
  const cases: readonly [number, string, string, string][] = [
    [400, '{"error":{"message":"bad temperature"}}', 'engine_rejected', 'bad temperature'],
    [422, '{"detail":"field required"}', 'engine_rejected', 'field required'],
    [401, '{"error":"no key"}', 'engine_refused', 'no key'],
    [404, '{"message":"model not found"}', 'engine_refused', 'model not found'],
    [429, 'slow down', 'engine_busy', 'slow down'],
    [503, '', 'engine_busy', 'no reason given'],
    [500, '<html>\n\n boom</html>', 'engine_refused', '<html> boom</html>'],
    [301, '', 'engine_refused', 'no reason given'],
  ]
  for (const [status, body, code, reason] of cases) {
    await t.test(`${status} ${body}`, () => {
      const { chat, answer, got } = open()
      chat(true)
      answer(status, JSON_TYPE, body)
      assert.deepEqual([got.fault?.code, got.fault?.details['reason']], [code, reason])
    })
  }
})

test('a socket that fails is unreachable before the head and broken after it', () => {
  const before = open()
  before.chat(true)
  before.wire.handler?.fail(new Error('ECONNREFUSED'))
  assert.equal(before.got.fault?.code, 'engine_unreachable')
  const after = open()
  after.chat(true)
  after.wire.handler?.head(200, { 'content-type': SSE })
  after.wire.handler?.fail(new Error('reset'))
  assert.equal(after.got.fault?.code, 'stream_broken')
})

test('cancelling aborts the exchange and silences the sink', () => {
  const { wire, chat, got } = open()
  const attempt = chat(true)
  attempt.cancel()
  assert.ok(wire.aborted)
  wire.handler?.fail(new Error('aborted'))
  assert.deepEqual(got, { frames: [] })
})

test('embeddings and rerank: answers that do not fit what was asked are refused', async () => {
  const { engine, answer, span } = open()
  const { signal } = new AbortController()
  const context = { requestId: 'req_1', span, connectTimeoutMs: 10, spending: someSpending(), model: 'm', signal }
  const vectors = engine.embed({ ...context, inputs: ['a', 'b'] })
  answer(
    200,
    JSON_TYPE,
    '{"data":[{"index":1,"embedding":[3,4]},{"index":0,"embedding":[1,2]}],"usage":{"prompt_tokens":2}}',
  )
  assert.deepEqual((await vectors).vectors, [Float32Array.of(1, 2), Float32Array.of(3, 4)])
  const short = engine.embed({ ...context, inputs: ['a', 'b'] })
  answer(200, JSON_TYPE, '{"data":[{"index":0,"embedding":[1,2]}]}')
  await assert.rejects(short, { code: 'engine_garbled' })
  const ranked = engine.rerank({ ...context, query: 'q', documents: ['x', 'y'], topN: 1 })
  answer(200, JSON_TYPE, '{"results":[{"index":0,"relevance_score":0.1},{"index":1,"relevance_score":0.9}]}')
  assert.deepEqual((await ranked).results, [{ index: 1, score: 0.9 }])
  const wrong = engine.rerank({ ...context, query: 'q', documents: ['x'], topN: 1 })
  answer(200, JSON_TYPE, '{"results":[{"index":7,"relevance_score":0.1}]}')
  await assert.rejects(wrong, { code: 'engine_garbled' })
})

test('embeddings come in base 64 where the engine knows it, and half a number is refused', async () => {
  const { engine, answer, span } = open()
  const { signal } = new AbortController()
  const context = { requestId: 'req_1', span, connectTimeoutMs: 10, spending: someSpending(), model: 'm', signal }
  const told = (embedding: string): void => answer(200, JSON_TYPE, JSON.stringify({ data: [{ index: 0, embedding }] }))
  const vectors = engine.embed({ ...context, inputs: ['a'] })
  told(Buffer.from(Float32Array.of(1.5, -2, 1e-7).buffer).toString('base64'))
  assert.deepEqual((await vectors).vectors, [Float32Array.of(1.5, -2, 1e-7)])
  for (const broken of ['', 'AAAA', 'no base 64']) {
    const asked = engine.embed({ ...context, inputs: ['a'] })
    told(broken)
    await assert.rejects(asked, { code: 'engine_garbled' }, broken)
  }
})

test('a whole exchange stops when its signal says so', async () => {
  const { engine, wire, span } = open()
  const stop = new AbortController()
  const asked = engine.embed({
    requestId: 'r',
    span,
    connectTimeoutMs: 10,
    spending: someSpending(),
    model: 'm',
    inputs: ['a'],
    signal: stop.signal,
  })
  stop.abort(new Error('left'))
  await assert.rejects(asked, /left/)
  await settled()
  assert.ok(wire.aborted)
})

test('models lists names and refuses what is no list', async () => {
  const { engine, answer } = open()
  const listed = engine.models(1000)
  answer(200, JSON_TYPE, '{"data":[{"id":"a"},{"id":"b"},{}]}')
  assert.deepEqual(await listed, ['a', 'b'])
  const wrong = engine.models(1000)
  answer(200, JSON_TYPE, '[]')
  await assert.rejects(wrong, { code: 'engine_garbled' })
})

test('an overloaded engine may say when to come back, in seconds or milliseconds', async (t) => {
  const cases: readonly [{ readonly [name: string]: string }, number | undefined][] = [
    [{ 'retry-after': '3' }, 3_000],
    [{ 'retry-after': '3', 'retry-after-ms': '250.5' }, 251],
    [{ 'retry-after': 'Wed, 21 Oct 2026 07:28:00 GMT' }, undefined],
    [{ 'retry-after': '-1' }, undefined],
    [{ 'retry-after': '1e9' }, undefined],
    [{}, undefined],
  ]
  for (const [headers, retryAfterMs] of cases) {
    await t.test(JSON.stringify(headers), () => {
      const { wire, chat, got } = open()
      chat(true)
      wire.handler?.head(429, headers)
      wire.handler?.end()
      assert.deepEqual([got.fault?.code, got.fault?.details['retryAfterMs']], ['engine_busy', retryAfterMs])
    })
  }
})
