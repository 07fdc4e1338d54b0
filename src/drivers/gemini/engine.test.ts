import assert from 'node:assert/strict'
import { test } from 'node:test'
import { callContext, deltasOf, finishOf, recordChat } from '../../../tests/kit/chat-recorder.ts'
import { ManualClock, settled } from '../../../tests/kit/clock.ts'
import { HandWire } from '../../../tests/kit/wire.ts'
import type { JsonObject } from '../../base/json.ts'
import { GeminiEngine } from './engine.ts'
import { readUsage } from './usage.ts'

function open() {
  const wire = new HandWire()
  const engine = new GeminiEngine({
    name: 'gemini',
    url: 'http://engine.test/v1beta/',
    key: { reveal: () => 'k-1' },
    clock: new ManualClock(),
    client: wire,
  })
  return { wire, engine, chat: (stream: boolean, body: JsonObject = {}) => recordChat(engine, stream, body) }
}

const SSE = 'text/event-stream'
const event = (fields: JsonObject): string => `data: ${JSON.stringify(fields)}\n\n`
const part = (parts: JsonObject[], more: JsonObject = {}): string =>
  event({ candidates: [{ content: { role: 'model', parts }, ...more }] })
const DONE = { finishReason: 'STOP' }

test('the engine is asked in its own dialect, with its key and the cap', () => {
  const { wire, chat } = open()
  chat(true, {
    messages: [
      { role: 'system', content: 'Be brief.' },
      { role: 'developer', content: [{ type: 'text', text: 'Be kind.' }] },
      {
        role: 'user',
        content: [
          { type: 'text', text: 'What is this?' },
          { type: 'image_url', image_url: { url: 'data:image/png;base64,AAAA' } },
          { type: 'image_url', image_url: { url: 'https://pictures.test/1.webp?x' } },
          { type: 'input_audio', input_audio: { format: 'mp3', data: 'BBBB' } },
          { type: 'file', file: { file_data: 'data:application/pdf;base64,CCCC' } },
        ],
      },
      {
        role: 'assistant',
        content: null,
        tool_calls: [
          {
            id: 't1',
            type: 'function',
            function: { name: 'look', arguments: '{"at":1}' },
            extra_content: { google: { thought_signature: 's' } },
          },
          { id: 't2', type: 'function', function: { name: 'wait', arguments: '' } },
        ],
      },
      { role: 'tool', tool_call_id: 't1', content: '{"seen":"a lighthouse"}' },
      { role: 'tool', tool_call_id: 't2', content: 'Late.' },
      { role: 'user', content: 'And?' },
    ],
    tools: [{ type: 'function', function: { name: 'look', description: 'Looks.', parameters: { type: 'object' } } }],
    tool_choice: { type: 'function', function: { name: 'look' } },
    temperature: 0.5,
    top_p: null,
    stop: 'END',
    n: 2,
    seed: 7,
    reasoning_effort: 'low',
    response_format: { type: 'json_schema', json_schema: { name: 'n', schema: { type: 'object' } } },
    max_tokens: 9_999,
    google: { safetySettings: [{ category: 'c' }], generationConfig: { maxOutputTokens: 9, topK: 3 } },
  })
  assert.equal(wire.requests[0]?.url, 'http://engine.test/v1beta/models/weights:streamGenerateContent?alt=sse')
  assert.equal(wire.requests[0]?.headers['x-goog-api-key'], 'k-1')
  assert.deepEqual(wire.sent, {
    systemInstruction: { parts: [{ text: 'Be brief.' }, { text: 'Be kind.' }] },
    contents: [
      {
        role: 'user',
        parts: [
          { text: 'What is this?' },
          { inlineData: { mimeType: 'image/png', data: 'AAAA' } },
          { fileData: { mimeType: 'image/webp', fileUri: 'https://pictures.test/1.webp?x' } },
          { inlineData: { mimeType: 'audio/mp3', data: 'BBBB' } },
          { inlineData: { mimeType: 'application/pdf', data: 'CCCC' } },
        ],
      },
      {
        role: 'model',
        parts: [
          { functionCall: { id: 't1', name: 'look', args: { at: 1 } }, thoughtSignature: 's' },
          { functionCall: { id: 't2', name: 'wait', args: {} } },
        ],
      },
      {
        role: 'user',
        parts: [
          { functionResponse: { id: 't1', name: 'look', response: { seen: 'a lighthouse' } } },
          { functionResponse: { id: 't2', name: 'wait', response: { result: 'Late.' } } },
          { text: 'And?' },
        ],
      },
    ],
    tools: [
      { functionDeclarations: [{ name: 'look', description: 'Looks.', parametersJsonSchema: { type: 'object' } }] },
    ],
    toolConfig: { functionCallingConfig: { mode: 'ANY', allowedFunctionNames: ['look'] } },
    safetySettings: [{ category: 'c' }],
    generationConfig: {
      temperature: 0.5,
      candidateCount: 2,
      seed: 7,
      stopSequences: ['END'],
      responseMimeType: 'application/json',
      responseJsonSchema: { type: 'object' },
      thinkingConfig: { thinkingBudget: 1_024, includeThoughts: true },
      topK: 3,
      maxOutputTokens: 50,
    },
  })
})

test('what cannot be put to it is said before it is asked', async (t) => {
  const cases: readonly [JsonObject, RegExp][] = [
    [{ messages: [{ role: 'tool', tool_call_id: 'x', content: 'y' }] }, /messages\[0\]`: answers no call/],
    [{ messages: [{ role: 'user', content: [{ type: 'video' }] }] }, /content\[0\]` is no part/],
    [{ messages: [{ role: 'function', content: 'x' }] }, /send `tool`/],
    [
      { messages: [{ role: 'assistant', tool_calls: [{ function: { name: 'a', arguments: '[' } }] }] },
      /tool_calls\[0\]/,
    ],
    [{ messages: [null] }, /is no object/],
    [{ tools: [{ type: 'retrieval' }] }, /tools\[0\]/],
    [{ tools: 'x' }, /must be an array/],
    [{ logprobs: true }, /logprobs/],
    [{ functions: [] }, /functions/],
    [{ audio: {} }, /audio/],
  ]
  for (const [body, reason] of cases)
    await t.test(reason.source, async () => {
      const { wire, chat } = open()
      const { got } = chat(true, body)
      await settled()
      assert.equal(got.fault?.code, 'engine_rejected')
      assert.match(String(got.fault?.details['reason']), reason)
      assert.equal(wire.requests.length, 0)
    })
})

test('thoughts, words and calls come as deltas, and calls are the reason of the end', () => {
  const { wire, chat } = open()
  const { got } = chat(true)
  wire.answer(
    200,
    SSE,
    part([{ text: 'Hm.', thought: true }]),
    part([{ text: 'I look.' }]),
    part([{ functionCall: { name: 'look', args: { at: 1 } }, thoughtSignature: 's' }]),
    part([{ functionCall: { id: 'c2', name: 'wait' } }], DONE),
    event({ candidates: [], usageMetadata: { promptTokenCount: 10, candidatesTokenCount: 4, thoughtsTokenCount: 3 } }),
  )
  const [role, thought, words, look, wait] = deltasOf(got.frames)
  assert.deepEqual(
    [role, thought, words],
    [{ role: 'assistant', content: '' }, { reasoning_content: 'Hm.' }, { content: 'I look.' }],
  )
  assert.deepEqual(look, {
    tool_calls: [
      {
        index: 0,
        id: 'call_req_1_0_1',
        type: 'function',
        function: { name: 'look', arguments: '{"at":1}' },
        extra_content: { google: { thought_signature: 's' } },
      },
    ],
  })
  assert.deepEqual(((wait?.['tool_calls'] ?? []) as JsonObject[])[0], {
    index: 1,
    id: 'c2',
    type: 'function',
    function: { name: 'wait', arguments: '{}' },
  })
  assert.equal(finishOf(got.frames), 'tool_calls')
  assert.deepEqual(
    [got.end?.usage?.outputTokens, got.end?.usage?.reasoningTokens, got.end?.rawUsage?.['total_tokens']],
    [4, 3, 17],
  )
})

test('a whole answer is a completion, several candidates several choices', () => {
  const { wire, chat } = open()
  const { got } = chat(false)
  const say = (index: number, parts: JsonObject[]) => ({ index, content: { parts }, ...DONE })
  wire.answer(
    200,
    'application/json',
    JSON.stringify({
      candidates: [
        say(0, [{ text: 'Hm.', thought: true }, { text: 'One' }]),
        say(1, [{ functionCall: { name: 'look', args: {} } }]),
      ],
      modelVersion: 'w-1',
    }),
  )
  const [first, second] = (got.frames[0]?.['choices'] ?? []) as readonly {
    readonly message: JsonObject
    readonly finish_reason: string
  }[]
  assert.deepEqual(first?.message, { role: 'assistant', content: 'One', reasoning_content: 'Hm.' })
  assert.deepEqual(
    [second?.message['content'], second?.finish_reason, got.frames[0]?.['model']],
    [null, 'tool_calls', 'w-1'],
  )
  assert.deepEqual(got.end, {})
})

test('a prompt that is blocked is a refusal, whole and streamed', () => {
  const blocked = { promptFeedback: { blockReason: 'SAFETY' } }
  const streamed = open()
  const { got } = streamed.chat(true)
  streamed.wire.answer(200, SSE, event(blocked))
  assert.deepEqual(
    [deltasOf(got.frames)[0]?.['refusal'], finishOf(got.frames)],
    ['The prompt was blocked: SAFETY.', 'content_filter'],
  )
  assert.ok(got.end)
  const whole = open()
  const { got: other } = whole.chat(false)
  whole.wire.answer(200, 'application/json', JSON.stringify(blocked))
  assert.equal(finishOf(other.frames), 'content_filter')
})

test('what an engine can do wrong, and what it is called', async (t) => {
  const cases: readonly [string, boolean, number, string, string[], string][] = [
    ['ends in mid-sentence', true, 200, SSE, [part([{ text: 'Half' }])], 'stream_broken'],
    ['nothing at all', true, 200, SSE, [], 'stream_broken'],
    ['rubbish', true, 200, SSE, ['data: <html>\n\n'], 'engine_garbled'],
    ['an error in the stream', true, 200, SSE, [event({ error: { message: 'boom' } })], 'stream_broken'],
    ['a list instead of events', true, 200, 'application/json', ['[]'], 'engine_garbled'],
    [
      'one of two candidates alone ends',
      true,
      200,
      SSE,
      [part([{ text: 'a' }], { index: 1 }), part([], { index: 0, ...DONE })],
      'stream_broken',
    ],
    ['no candidates', false, 200, 'application/json', ['{}'], 'engine_garbled'],
    ['a wrong key', false, 403, 'application/json', ['{"error":{"message":"bad key"}}'], 'engine_refused'],
    ['a wrong request', false, 400, 'application/json', ['{"error":{"message":"bad"}}'], 'engine_rejected'],
    ['too much to do', true, 429, 'application/json', ['{"error":{"message":"quota"}}'], 'engine_busy'],
  ]
  for (const [name, stream, status, type, pieces, code] of cases)
    await t.test(name, () => {
      const { wire, chat } = open()
      const { got } = chat(stream)
      wire.answer(status, type, ...pieces)
      assert.equal(got.fault?.code, code)
    })
})

test('shapes that are none do no harm, and what comes after an end is not said', () => {
  const { wire, chat } = open()
  const { got } = chat(true)
  wire.answer(
    200,
    SSE,
    event({
      candidates: [null, 3, { content: 7 }, { content: { parts: [null, { text: 9 }, { functionCall: 'x' }] } }],
    }),
    part([{ text: 'Well.' }], DONE),
    part([{ text: 'More.' }]),
  )
  assert.deepEqual(
    deltasOf(got.frames).map(({ content }) => content ?? ''),
    ['', 'Well.', ''],
  )
  assert.ok(got.end)
})

test('sound, pictures and what was cached are buckets of their own; what makes no sense is not believed', () => {
  const details = [
    { modality: 'AUDIO', tokenCount: 10 },
    { modality: 'IMAGE', tokenCount: 20 },
    { modality: 'TEXT', tokenCount: 70 },
  ]
  assert.deepEqual(
    readUsage({
      promptTokenCount: 100,
      cachedContentTokenCount: 30,
      toolUsePromptTokenCount: 5,
      candidatesTokenCount: 4,
      promptTokensDetails: details,
    }),
    {
      inputTokens: 45,
      cachedInputTokens: 30,
      audioInputTokens: 10,
      imageInputTokens: 20,
      outputTokens: 4,
      reasoningTokens: 0,
      estimated: false,
    },
  )
  for (const raw of [
    {},
    { promptTokenCount: -1 },
    { promptTokenCount: 1.5 },
    { promptTokenCount: 5, cachedContentTokenCount: 6 },
    { promptTokenCount: 5, candidatesTokenCount: '7' },
    { promptTokenCount: 5, promptTokensDetails: [{ modality: 'IMAGE', tokenCount: 6 }] },
  ])
    assert.equal(readUsage(raw), undefined)
})

test('embeddings come as a batch, models without their folder', async () => {
  const { wire, engine } = open()
  const call = { ...callContext(), model: 'e', inputs: ['a', 'b'], signal: new AbortController().signal }
  const vectors = engine.embed(call)
  assert.deepEqual(wire.sent, {
    requests: ['a', 'b'].map((text) => ({ model: 'models/e', content: { parts: [{ text }] } })),
  })
  wire.answer(200, 'application/json', '{"embeddings":[{"values":[1,2]},{"values":[3,4]}]}')
  assert.deepEqual((await vectors).vectors, [Float32Array.of(1, 2), Float32Array.of(3, 4)])
  const short = engine.embed(call)
  wire.answer(200, 'application/json', '{"embeddings":[{"values":[1,2]}]}')
  await assert.rejects(short, { code: 'engine_garbled' })
  const listed = engine.models(1_000)
  wire.answer(200, 'application/json', '{"models":[{"name":"models/a"},{"name":"tunedModels/b"},{}]}')
  assert.deepEqual(await listed, ['a', 'tunedModels/b'])
  const wrong = engine.models(1_000)
  wire.answer(200, 'application/json', '{}')
  await assert.rejects(wrong, { code: 'engine_garbled' })
})
