import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { event } from '../../../tests/kit/anthropic.ts'
import { ManualClock, settled } from '../../../tests/kit/clock.ts'
import { someSpending } from '../../../tests/kit/spending.ts'
import { HandWire } from '../../../tests/kit/wire.ts'
import type { Fault } from '../../base/errors.ts'
import type { Json, JsonObject } from '../../base/json.ts'
import type { Attempt, ChatEnd } from '../../engine/port.ts'
import { inputTokensOf, outputTokensOf } from '../../meter/usage.ts'
import { Trace } from '../../trace/trace.ts'
import { AnthropicEngine } from './engine.ts'
import { readUsage } from './usage.ts'

function open() {
  const wire = new HandWire()
  const clock = new ManualClock()
  const engine = new AnthropicEngine({
    name: 'claude',
    url: 'http://engine.test/v1/',
    key: { reveal: () => 'sk-1' },
    headers: { 'anthropic-beta': 'b' },
    clock,
    client: wire,
  })
  const got: { frames: JsonObject[]; end?: ChatEnd; fault?: Fault } = { frames: [] }
  function chat(stream: boolean, body: JsonObject = {}): Attempt {
    const span = new Trace(clock).open('call')
    const context = { requestId: 'req_1', span, connectTimeoutMs: 10, spending: someSpending() }
    return engine.chat(
      {
        ...context,
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
  return { wire, engine, got, chat }
}

const SSE = 'text/event-stream'
const JSON_TYPE = 'application/json'

const START = event('message_start', {
  message: { id: 'msg_1', model: 'weights', usage: { input_tokens: 9, cache_read_input_tokens: 2, output_tokens: 1 } },
})
const block = (index: number, content: JsonObject, ...deltas: JsonObject[]): string =>
  [
    event('content_block_start', { index, content_block: content }),
    ...deltas.map((delta) => event('content_block_delta', { index, delta })),
    event('content_block_stop', { index }),
  ].join('')
const text = (index: number, ...texts: string[]): string =>
  block(index, { type: 'text', text: '' }, ...texts.map((one) => ({ type: 'text_delta', text: one })))
const stop = (reason = 'end_turn', usage: JsonObject = { output_tokens: 4 }, sequence: string | null = null): string =>
  event('message_delta', { delta: { stop_reason: reason, stop_sequence: sequence }, usage })
const END = event('message_stop')

const deltas = (frames: JsonObject[]): JsonObject[] =>
  frames.map((frame) => (frame['choices'] as { delta: JsonObject }[])[0]?.delta ?? {})
const textOf = (frames: JsonObject[]): string =>
  deltas(frames)
    .map(({ content }) => content ?? '')
    .join('')
const finishOf = (frames: JsonObject[]): Json =>
  (frames.at(-1) as { choices: { finish_reason: string }[] } | undefined)?.choices[0]?.finish_reason ?? null

test('the engine is asked in its own dialect, by its own names, with its key and the cap', () => {
  const { wire, chat } = open()
  chat(true, {
    messages: [
      { role: 'system', content: 'Be brief.' },
      { role: 'developer', content: [{ type: 'text', text: 'Be kind.', cache_control: { type: 'ephemeral' } }] },
      {
        role: 'user',
        content: [
          { type: 'text', text: 'What is this?' },
          { type: 'image_url', image_url: { url: 'data:image/png;base64,AAAA' } },
          { type: 'image_url', image_url: { url: 'https://pictures.test/1.png' } },
          { type: 'file', file: { filename: 'a.pdf', file_data: 'data:application/pdf;base64,BBBB' } },
        ],
      },
      {
        role: 'assistant',
        content: null,
        thinking_blocks: [
          { type: 'thinking', thinking: 'Hm.', signature: 's' },
          { type: 'thinking', thinking: 'Unsigned.', signature: '' },
        ],
        tool_calls: [
          { id: 't1', type: 'function', function: { name: 'look', arguments: '{"at":1}' } },
          { id: 't2', type: 'function', function: { name: 'wait', arguments: '' } },
        ],
      },
      { role: 'tool', tool_call_id: 't1', content: 'A lighthouse.' },
      { role: 'tool', tool_call_id: 't2', content: 'Late.', is_error: true },
      { role: 'user', content: 'And?' },
      { role: 'user', content: '' },
    ],
    max_tokens: 9999,
    stop: 'END',
    temperature: 0.5,
    top_p: null,
    seed: 7,
    user: 'ada',
    parallel_tool_calls: false,
    tool_choice: 'required',
    reasoning_effort: 'minimal',
    response_format: { type: 'json_schema', json_schema: { name: 'n', schema: { type: 'object' } } },
    tools: [
      { type: 'function', function: { name: 'look', description: 'Looks.', parameters: { type: 'object' } } },
      { type: 'function', function: { name: 'wait' }, cache_control: { type: 'ephemeral' } },
    ],
    vendor_field: { a: 1 },
    anthropic: { thinking: { type: 'adaptive' }, model: 'another', max_tokens: 1 },
  })
  const [request] = wire.requests
  assert.equal(request?.url, 'http://engine.test/v1/messages')
  const { headers } = request
  assert.deepEqual(
    [headers['x-api-key'], headers['anthropic-version'], headers['anthropic-beta'], headers['authorization']],
    ['sk-1', '2023-06-01', 'b', undefined],
  )
  assert.deepEqual(wire.sent, {
    system: [
      { type: 'text', text: 'Be brief.' },
      { type: 'text', text: 'Be kind.', cache_control: { type: 'ephemeral' } },
    ],
    messages: [
      {
        role: 'user',
        content: [
          { type: 'text', text: 'What is this?' },
          { type: 'image', source: { type: 'base64', media_type: 'image/png', data: 'AAAA' } },
          { type: 'image', source: { type: 'url', url: 'https://pictures.test/1.png' } },
          {
            type: 'document',
            source: { type: 'base64', media_type: 'application/pdf', data: 'BBBB' },
            title: 'a.pdf',
          },
        ],
      },
      {
        role: 'assistant',
        content: [
          { type: 'thinking', thinking: 'Hm.', signature: 's' },
          { type: 'tool_use', id: 't1', name: 'look', input: { at: 1 } },
          { type: 'tool_use', id: 't2', name: 'wait', input: {} },
        ],
      },
      {
        role: 'user',
        content: [
          { type: 'tool_result', tool_use_id: 't1', content: 'A lighthouse.' },
          { type: 'tool_result', tool_use_id: 't2', content: 'Late.', is_error: true },
          { type: 'text', text: 'And?' },
        ],
      },
    ],
    model: 'weights',
    max_tokens: 50,
    stream: true,
    stop_sequences: ['END'],
    temperature: 0.5,
    metadata: { user_id: 'ada' },
    tool_choice: { type: 'any', disable_parallel_tool_use: true },
    output_config: { format: { type: 'json_schema', schema: { type: 'object' } }, effort: 'low' },
    tools: [
      { name: 'look', description: 'Looks.', input_schema: { type: 'object' } },
      { name: 'wait', input_schema: { type: 'object', properties: {} }, cache_control: { type: 'ephemeral' } },
    ],
    thinking: { type: 'adaptive' },
    vendor_field: { a: 1 },
  })
})

test('what cannot be said in its dialect is rejected with the field, and nothing is sent', async (t) => {
  const call = (fields: JsonObject): JsonObject => ({
    messages: [{ role: 'assistant', tool_calls: [{ id: 't', type: 'function', function: fields }] }],
  })
  const parts = (part: Json): JsonObject => ({ messages: [{ role: 'user', content: [part] }] })
  const cases: readonly [string, JsonObject, RegExp][] = [
    ['several answers', { n: 2 }, /`n`/],
    ['probabilities', { logprobs: true }, /`logprobs`/],
    ['functions of old', { functions: [] }, /`functions`/],
    ['spoken answers', { audio: { voice: 'v' } }, /`audio`/],
    ['JSON without a schema', { response_format: { type: 'json_object' } }, /`response_format`/],
    ['tools that are no list', { tools: 'look' }, /`tools`/],
    ['tools that are no functions', { tools: [{ type: 'custom', custom: {} }] }, /`tools\[0\]`/],
    ['arguments that break off', call({ name: 'f', arguments: '{"a":' }), /`messages\[0\]`: `tool_calls\[0\]`/],
    ['arguments that are a list', call({ name: 'f', arguments: '[1]' }), /no JSON object/],
    ['arguments that are no text', call({ name: 'f', arguments: {} }), /no JSON object/],
    ['calls of no function', { messages: [{ role: 'assistant', tool_calls: ['f'] }] }, /no call of a function/],
    ['a message that is none', { messages: ['x'] }, /`messages\[0\]`: is no object/],
    ['the role `function`', { messages: [{ role: 'function', content: 'x' }] }, /send `tool`/],
    ['sound', parts({ type: 'input_audio', input_audio: {} }), /`content\[0\]` is sound/],
    ['a picture without a URL', parts({ type: 'image_url' }), /without a URL/],
    ['a file by its id', parts({ type: 'file', file: { file_id: 'f' } }), /without its content/],
    ['a part that is none', parts(1), /`content\[0\]` is no object/],
  ]
  for (const [name, body, reason] of cases) {
    await t.test(name, async () => {
      const { wire, chat, got } = open()
      chat(true, body)
      assert.deepEqual(Object.keys(got), ['frames'], 'not before the attempt is in the hands of the caller')
      await settled()
      assert.equal(got.fault?.code, 'engine_rejected')
      assert.match(String(got.fault.details['reason']), reason)
      assert.equal(wire.requests.length, 0)
    })
  }
})

test('a stream is the same however its bytes are split', () => {
  const whole = Buffer.from(`${START}${event('ping')}${text(0, 'Grüße, ', '🌊')}${stop()}${END}`)
  for (let at = 0; at <= whole.length; at++) {
    const { chat, wire, got } = open()
    chat(true)
    wire.answer(200, SSE, whole.subarray(0, at), whole.subarray(at))
    assert.equal(textOf(got.frames), 'Grüße, 🌊')
    assert.equal(finishOf(got.frames), 'stop')
    assert.deepEqual(got.end?.usage, {
      inputTokens: 9,
      cachedInputTokens: 2,
      outputTokens: 4,
      reasoningTokens: 0,
      estimated: false,
    })
  }
})

test('thoughts, texts and calls of a stream become frames, in order', () => {
  const { chat, wire, got } = open()
  chat(true)
  const thinking = { type: 'thinking', thinking: 'Let me ', signature: '' }
  const redacted = { type: 'redacted_thinking', data: 'x' }
  const json = (part: string): JsonObject => ({ type: 'input_json_delta', partial_json: part })
  wire.answer(
    200,
    SSE,
    START,
    block(0, thinking, { type: 'thinking_delta', thinking: 'see.' }, { type: 'signature_delta', signature: 'sig' }),
    block(1, redacted),
    text(2, 'I look.'),
    block(3, { type: 'tool_use', id: 't1', name: 'look', input: {} }, json(''), json('{"at"'), json(':1}')),
    block(4, { type: 'tool_use', id: 't2', name: 'wait', input: {} }, json('')),
    block(5, { type: 'tool_use', id: 't3', name: 'go', input: { to: 'x' } }),
    event('something_new', { index: 6 }),
    stop('tool_use'),
    END,
  )
  assert.deepEqual(deltas(got.frames), [
    { role: 'assistant', content: '' },
    { reasoning_content: 'Let me ' },
    { reasoning_content: 'see.' },
    { thinking_blocks: [{ type: 'thinking', thinking: 'Let me see.', signature: 'sig' }] },
    { thinking_blocks: [redacted] },
    { content: 'I look.' },
    { tool_calls: [{ index: 0, id: 't1', type: 'function', function: { name: 'look', arguments: '' } }] },
    { tool_calls: [{ index: 0, function: { arguments: '{"at"' } }] },
    { tool_calls: [{ index: 0, function: { arguments: ':1}' } }] },
    { tool_calls: [{ index: 1, id: 't2', type: 'function', function: { name: 'wait', arguments: '' } }] },
    { tool_calls: [{ index: 1, function: { arguments: '{}' } }] },
    { tool_calls: [{ index: 2, id: 't3', type: 'function', function: { name: 'go', arguments: '{"to":"x"}' } }] },
    {},
  ])
  assert.equal(finishOf(got.frames), 'tool_calls')
})

test('a whole answer: thoughts, text, calls, its stop sequence, its usage in both names', () => {
  const { chat, wire, got } = open()
  chat(false)
  const thought = { type: 'thinking', thinking: 'Hm.', signature: 's' }
  const usage = {
    input_tokens: 5,
    cache_read_input_tokens: 20,
    cache_creation_input_tokens: 40,
    cache_creation: { ephemeral_5m_input_tokens: 10, ephemeral_1h_input_tokens: 30 },
    output_tokens: 9,
    output_tokens_details: { thinking_tokens: 4 },
    service_tier: 'standard',
  }
  const content = [
    thought,
    { type: 'text', text: 'I ' },
    { type: 'text', text: 'look.' },
    { type: 'tool_use', id: 't1', name: 'look', input: { at: 1 } },
  ]
  const answer = { id: 'msg_1', type: 'message', model: 'weights', content, usage }
  wire.answer(200, JSON_TYPE, JSON.stringify({ ...answer, stop_reason: 'stop_sequence', stop_sequence: 'END' }))
  const call = { id: 't1', type: 'function', function: { name: 'look', arguments: '{"at":1}' } }
  const message = {
    role: 'assistant',
    content: 'I look.',
    reasoning_content: 'Hm.',
    thinking_blocks: [thought],
    tool_calls: [call],
  }
  assert.deepEqual(got.frames[0]?.['choices'], [{ index: 0, message, finish_reason: 'stop', stop_reason: 'END' }])
  assert.deepEqual(got.end?.usage, {
    inputTokens: 5,
    cachedInputTokens: 20,
    cacheWrite5mTokens: 10,
    cacheWrite1hTokens: 30,
    outputTokens: 5,
    reasoningTokens: 4,
    estimated: false,
  })
  assert.deepEqual(got.end.rawUsage, {
    ...usage,
    prompt_tokens: 65,
    completion_tokens: 9,
    total_tokens: 74,
    prompt_tokens_details: { cached_tokens: 20, cache_write_tokens: 40 },
    completion_tokens_details: { reasoning_tokens: 4 },
  })
})

test('every reason to stop has its name', () => {
  for (const [reason, finish] of [
    ['end_turn', 'stop'],
    ['stop_sequence', 'stop'],
    ['pause_turn', 'stop'],
    ['max_tokens', 'length'],
    ['model_context_window_exceeded', 'length'],
    ['tool_use', 'tool_calls'],
    ['refusal', 'content_filter'],
  ] as const) {
    const { chat, wire, got } = open()
    chat(true)
    wire.answer(200, SSE, START, text(0, 'x'), stop(reason), END)
    assert.equal(finishOf(got.frames), finish)
  }
})

test('what an engine can do wrong in a stream, and what it is called', async (t) => {
  const error = (type: string): string => event('error', { error: { type, message: 'told to' } })
  const cases: readonly [string, string, string[], string][] = [
    ['ends in mid-sentence', SSE, [START, text(0, 'Half')], 'stream_broken'],
    ['message_stop without a stop reason', SSE, [START, text(0, 'Half'), END], 'stream_broken'],
    ['nothing at all', SSE, [], 'stream_broken'],
    ['the end at once', SSE, [END], 'engine_garbled'],
    ['content before its start', SSE, [text(0, 'x')], 'engine_garbled'],
    ['two starts', SSE, [START, START], 'engine_garbled'],
    ['a start without a message', SSE, [event('message_start')], 'engine_garbled'],
    ['a block without content', SSE, [START, event('content_block_start', { index: 0 })], 'engine_garbled'],
    ['a delta of no block', SSE, [START, event('content_block_delta', { index: 3, delta: {} })], 'engine_garbled'],
    ['rubbish', SSE, ['data: <html>\n\n'], 'engine_garbled'],
    ['nesting of 100,000 levels', SSE, [`data: ${'['.repeat(100_000)}\n\n`], 'engine_garbled'],
    ["OpenAI's chunks", SSE, ['data: {"choices":[]}\n\n', 'data: [DONE]\n\n'], 'engine_garbled'],
    ['HTML instead', 'text/html', ['<html>'], 'engine_garbled'],
    ['an error after content', SSE, [START, text(0, 'Half'), error('overloaded_error')], 'stream_broken'],
    ['overload before content', SSE, [START, error('overloaded_error')], 'engine_busy'],
    ['a rate limit before content', SSE, [error('rate_limit_error')], 'engine_busy'],
    ['another error before content', SSE, [START, error('api_error')], 'stream_broken'],
  ]
  for (const [name, type, pieces, code] of cases) {
    await t.test(name, () => {
      const { chat, wire, got } = open()
      chat(true)
      wire.answer(200, type, ...pieces)
      assert.equal(got.fault?.code, code)
    })
  }
})

test('a stop reason ends a stream without message_stop; what comes after an end is ignored', () => {
  const first = open()
  first.chat(true)
  first.wire.answer(200, SSE, START, text(0, 'All.'), stop())
  assert.ok(first.got.end)
  const second = open()
  second.chat(true)
  second.wire.answer(200, SSE, START, text(0, 'All.'), stop(), END, text(1, 'more'), END, 'data: rubbish\n\n')
  assert.equal(textOf(second.got.frames), 'All.')
})

test('a whole answer that is no message is refused', () => {
  for (const answer of ['[]', '{"choices":[]}', '{"type":"message"}', '<html>']) {
    const { chat, wire, got } = open()
    chat(false)
    wire.answer(200, JSON_TYPE, answer)
    assert.equal(got.fault?.code, 'engine_garbled', answer)
  }
})

test('an error status becomes the fault that says whether another engine may do better', () => {
  for (const [status, code] of [
    [400, 'engine_rejected'],
    [401, 'engine_refused'],
    [404, 'engine_refused'],
    [413, 'engine_rejected'],
    [429, 'engine_busy'],
    [500, 'engine_refused'],
    [503, 'engine_busy'],
    [529, 'engine_busy'],
  ] as const) {
    const { chat, wire, got } = open()
    chat(true)
    wire.answer(status, JSON_TYPE, '{"type":"error","error":{"type":"t","message":"told to"}}')
    assert.deepEqual([got.fault?.code, got.fault?.details['reason']], [code, 'told to'])
  }
})

test('no bucket of a usage counts twice, and one that makes no sense is not believed', () => {
  const counts = fc.record({
    input_tokens: fc.nat(100),
    cache_read_input_tokens: fc.option(fc.nat(100)),
    cache_creation_input_tokens: fc.option(fc.nat(100)),
    cache_creation: fc.option(
      fc.record({ ephemeral_5m_input_tokens: fc.nat(50), ephemeral_1h_input_tokens: fc.nat(50) }),
    ),
    output_tokens: fc.nat(100),
    output_tokens_details: fc.option(fc.record({ thinking_tokens: fc.nat(100) })),
  })
  fc.assert(
    fc.property(counts, (raw) => {
      const { ephemeral_5m_input_tokens: kept5m = 0, ephemeral_1h_input_tokens: kept1h = 0 } = raw.cache_creation ?? {}
      const written = raw.cache_creation_input_tokens ?? kept5m + kept1h
      const usage = readUsage(raw)
      const isSound =
        kept5m + kept1h <= written && (raw.output_tokens_details?.thinking_tokens ?? 0) <= raw.output_tokens
      if (!isSound) return assert.equal(usage, undefined)
      assert.equal(inputTokensOf(usage ?? {}), raw.input_tokens + (raw.cache_read_input_tokens ?? 0) + written)
      assert.equal(outputTokensOf(usage ?? {}), raw.output_tokens)
      assert.equal(usage?.cacheWrite1hTokens ?? 0, kept1h)
    }),
  )
  for (const wrong of [
    { input_tokens: -1, output_tokens: 1 },
    { input_tokens: 1.5, output_tokens: 1 },
    { input_tokens: '1', output_tokens: 1 },
    { output_tokens: 1 },
    { input_tokens: 1 },
    { input_tokens: 1, output_tokens: 1, cache_creation: 'much' },
    { input_tokens: 1, output_tokens: 1, cache_read_input_tokens: -1 },
  ] as JsonObject[])
    assert.equal(readUsage(wrong), undefined, JSON.stringify(wrong))
})

test('models lists names and refuses what is no list', async () => {
  const { engine, wire } = open()
  const listed = engine.models(1000)
  assert.equal(wire.requests[0]?.url, 'http://engine.test/v1/models?limit=1000')
  wire.answer(200, JSON_TYPE, '{"data":[{"id":"a"},{"id":"b"},{}]}')
  assert.deepEqual(await listed, ['a', 'b'])
  const wrong = engine.models(1000)
  wire.answer(200, JSON_TYPE, '{}')
  await assert.rejects(wrong, { code: 'engine_garbled' })
})
