import assert from 'node:assert/strict'
import { createHash, createHmac } from 'node:crypto'
import { test } from 'node:test'
import { callContext, deltasOf, finishOf, recordChat } from '../../../tests/kit/chat-recorder.ts'
import { ManualClock, settled } from '../../../tests/kit/clock.ts'
import { bedrockEvent, eventMessage } from '../../../tests/kit/event-stream.ts'
import { HandWire } from '../../../tests/kit/wire.ts'
import type { JsonObject } from '../../base/json.ts'
import { BedrockEngine, type BedrockOptions } from './engine.ts'
import { readUsage } from './usage.ts'

const secret = (text: string) => ({ reveal: () => text })
const ACCESS = { accessKeyId: secret('AKIA'), secretAccessKey: secret('shh'), sessionToken: secret('tok') }

function open(more: Partial<BedrockOptions> = ACCESS) {
  const wire = new HandWire()
  const clock = new ManualClock(Date.UTC(2026, 10, 23, 4, 5, 6, 789))
  const engine = new BedrockEngine({ name: 'bedrock', region: 'eu-west-1', clock, client: wire, ...more })
  return {
    wire,
    engine,
    async chat(stream: boolean, body: JsonObject = {}) {
      const recorded = recordChat(engine, stream, body)
      while (wire.requests.length === 0 && recorded.got.fault === undefined) await settled()
      return recorded
    },
  }
}

const TYPE = 'application/vnd.amazon.eventstream'
const START = bedrockEvent('messageStart', { role: 'assistant' })
const delta = (index: number, one: JsonObject): Buffer =>
  bedrockEvent('contentBlockDelta', { contentBlockIndex: index, delta: one })
const stop = (stopReason = 'end_turn'): Buffer => bedrockEvent('messageStop', { stopReason })
const thrown = (type: string): Buffer =>
  eventMessage({ ':message-type': 'exception', ':exception-type': type }, { message: 'boom' })

/** As the specification of Signature Version 4 has it, worked out here once more. */
function signatureOf(path: string, headers: { readonly [name: string]: string | undefined }, body: string): string {
  const hmac = (key: string | Buffer, text: string): Buffer => createHmac('sha256', key).update(text).digest()
  const sha = (text: string): string => createHash('sha256').update(text).digest('hex')
  const names = /SignedHeaders=([^,]+)/.exec(headers['authorization'] ?? '')?.[1] ?? ''
  const lines = names.split(';').map((name) => `${name}:${name === 'host' ? HOST : headers[name]}\n`)
  const canonical = ['POST', path.split('/').map(encodeURIComponent).join('/'), '', lines.join(''), names, sha(body)]
  const scope = '20261123/eu-west-1/bedrock/aws4_request'
  const text = ['AWS4-HMAC-SHA256', '20261123T040506Z', scope, sha(canonical.join('\n'))].join('\n')
  const key = scope.split('/').reduce<string | Buffer>((before, part) => hmac(before, part), 'AWS4shh')
  return hmac(key, text).toString('hex')
}

const HOST = 'bedrock-runtime.eu-west-1.amazonaws.com'

test('a request is signed for its region and its hour, whatever the name of the model', async () => {
  for (const model of ['maker.weights-v1:0', 'arn:aws:bedrock:eu-west-1:1:inference-profile/eu.weights(1)']) {
    const { wire, engine } = open()
    const sink = { frame() {}, end() {}, fail() {} }
    const body = { messages: [{ role: 'user', content: 'x' }] }
    engine.chat({ ...callContext(), model, stream: true, outputTokensMax: 5, body }, sink)
    while (wire.requests.length === 0) await settled()
    const [request] = wire.requests
    const { pathname, host } = new URL(request?.url ?? '')
    assert.deepEqual([host, pathname.endsWith('/converse-stream')], [HOST, true])
    const headers = request?.headers ?? {}
    assert.equal(headers['x-amz-security-token'], 'tok')
    assert.match(
      headers['authorization'] ?? '',
      /^AWS4-HMAC-SHA256 Credential=AKIA\/20261123\/eu-west-1\/bedrock\/aws4_request, /,
    )
    const signature = /Signature=([0-9a-f]{64})$/.exec(headers['authorization'] ?? '')?.[1]
    assert.equal(signature, signatureOf(pathname, headers, String(request?.body)))
  }
})

test('a Bedrock API key is sent as it is', async () => {
  const { wire, chat } = open({ key: secret('k-1'), url: 'http://engine.test/' })
  await chat(false)
  assert.deepEqual(
    [wire.requests[0]?.url, wire.requests[0]?.headers['authorization']],
    ['http://engine.test/model/weights/converse', 'Bearer k-1'],
  )
})

test('the engine is asked in its own dialect, with the cap', async () => {
  const { wire, chat } = open()
  await chat(true, {
    messages: [
      { role: 'system', content: [{ type: 'text', text: 'Be brief.', cache_control: { type: 'ephemeral' } }] },
      {
        role: 'user',
        content: [
          { type: 'text', text: 'What is this?' },
          { type: 'image_url', image_url: { url: 'data:image/png;base64,AAAA' } },
          { type: 'file', file: { file_data: 'data:application/pdf;base64,CCCC' } },
        ],
      },
      {
        role: 'assistant',
        content: '',
        thinking_blocks: [
          { type: 'thinking', thinking: 'Hm.', signature: 's' },
          { type: 'thinking', thinking: 'Unsigned.' },
          { type: 'redacted_thinking', data: 'r' },
        ],
        tool_calls: [{ id: 't1', type: 'function', function: { name: 'look', arguments: '{"at":1}' } }],
      },
      { role: 'tool', tool_call_id: 't1', content: 'A lighthouse.', is_error: true },
      { role: 'user', content: 'And?' },
    ],
    tools: [{ type: 'function', function: { name: 'look', description: 'Looks.' } }],
    tool_choice: 'required',
    temperature: 0.5,
    top_p: 0.9,
    stop: ['END'],
    seed: 7,
    bedrock: { guardrailConfig: { guardrailIdentifier: 'g' }, inferenceConfig: { maxTokens: 9_999 } },
  })
  assert.deepEqual(wire.sent, {
    system: [{ text: 'Be brief.' }, { cachePoint: { type: 'default' } }],
    messages: [
      {
        role: 'user',
        content: [
          { text: 'What is this?' },
          { image: { format: 'png', source: { bytes: 'AAAA' } } },
          { document: { format: 'pdf', name: 'file 2', source: { bytes: 'CCCC' } } },
        ],
      },
      {
        role: 'assistant',
        content: [
          { reasoningContent: { reasoningText: { text: 'Hm.', signature: 's' } } },
          { reasoningContent: { redactedContent: 'r' } },
          { toolUse: { toolUseId: 't1', name: 'look', input: { at: 1 } } },
        ],
      },
      {
        role: 'user',
        content: [
          { toolResult: { toolUseId: 't1', content: [{ text: 'A lighthouse.' }], status: 'error' } },
          { text: 'And?' },
        ],
      },
    ],
    toolConfig: {
      tools: [
        {
          toolSpec: { name: 'look', description: 'Looks.', inputSchema: { json: { type: 'object', properties: {} } } },
        },
      ],
      toolChoice: { any: {} },
    },
    guardrailConfig: { guardrailIdentifier: 'g' },
    inferenceConfig: { temperature: 0.5, topP: 0.9, stopSequences: ['END'], maxTokens: 50 },
  })
})

test('what cannot be put to it is said before it is asked', async (t) => {
  const user = (part: JsonObject): JsonObject => ({ messages: [{ role: 'user', content: [part] }] })
  const cases: readonly [JsonObject, RegExp][] = [
    [user({ type: 'image_url', image_url: { url: 'https://pictures.test/1.png' } }), /content\[0\]` is no PNG/],
    [user({ type: 'input_audio' }), /is no part/],
    [
      { messages: [{ role: 'assistant', tool_calls: [{ function: { name: 'a', arguments: '[' } }] }] },
      /tool_calls\[0\]/,
    ],
    [{ messages: [{ role: 'function' }] }, /send `tool`/],
    [{ tools: [{}] }, /tools\[0\]/],
    [{ n: 2 }, /one answer/],
    [{ logprobs: true }, /logprobs/],
    [{ response_format: { type: 'json_object' } }, /response_format/],
  ]
  for (const [body, reason] of cases)
    await t.test(reason.source, async () => {
      const { wire, chat } = open()
      const { got } = await chat(true, body)
      assert.equal(got.fault?.code, 'engine_rejected')
      assert.match(String(got.fault?.details['reason']), reason)
      assert.equal(wire.requests.length, 0)
    })
})

const CALL = [
  START,
  delta(0, { reasoningContent: { text: 'Hm.' } }),
  delta(0, { reasoningContent: { signature: 's' } }),
  bedrockEvent('contentBlockStop', { contentBlockIndex: 0 }),
  delta(1, { text: 'I look.' }),
  bedrockEvent('contentBlockStart', { contentBlockIndex: 2, start: { toolUse: { toolUseId: 't1', name: 'look' } } }),
  delta(2, { toolUse: { input: '{"at"' } }),
  delta(2, { toolUse: { input: ':1}' } }),
  bedrockEvent('contentBlockStop', { contentBlockIndex: 2 }),
  bedrockEvent('contentBlockStart', { contentBlockIndex: 3, start: { toolUse: { toolUseId: 't2', name: 'wait' } } }),
  bedrockEvent('contentBlockStop', { contentBlockIndex: 3 }),
  bedrockEvent('somethingNew', { any: 1 }),
  stop('tool_use'),
  bedrockEvent('metadata', { usage: { inputTokens: 5, cacheReadInputTokens: 2, outputTokens: 4 } }),
]

test('thoughts, words and calls come as deltas, however the bytes are split', async () => {
  const whole = Buffer.concat(CALL)
  for (const size of [1, 7, 100, whole.length]) {
    const { wire, chat } = open()
    const { got } = await chat(true)
    const pieces: Buffer[] = []
    for (let at = 0; at < whole.length; at += size) pieces.push(whole.subarray(at, at + size))
    wire.answer(200, TYPE, ...pieces)
    assert.deepEqual(deltasOf(got.frames), [
      { role: 'assistant', content: '' },
      { reasoning_content: 'Hm.' },
      { thinking_blocks: [{ type: 'thinking', thinking: 'Hm.', signature: 's' }] },
      { content: 'I look.' },
      { tool_calls: [{ index: 0, id: 't1', type: 'function', function: { name: 'look', arguments: '' } }] },
      { tool_calls: [{ index: 0, function: { arguments: '{"at"' } }] },
      { tool_calls: [{ index: 0, function: { arguments: ':1}' } }] },
      { tool_calls: [{ index: 1, id: 't2', type: 'function', function: { name: 'wait', arguments: '' } }] },
      { tool_calls: [{ index: 1, function: { arguments: '{}' } }] },
      {},
    ])
    assert.equal(finishOf(got.frames), 'tool_calls')
    assert.deepEqual([got.end?.usage?.cachedInputTokens, got.end?.rawUsage?.['prompt_tokens']], [2, 7])
  }
})

test('a whole answer is a completion', async () => {
  const { wire, chat } = open()
  const { got } = await chat(false)
  const content = [
    { reasoningContent: { reasoningText: { text: 'Hm.', signature: 's' } } },
    { toolUse: { toolUseId: 't1', name: 'look', input: { at: 1 } } },
  ]
  wire.answer(
    200,
    'application/json',
    JSON.stringify({ output: { message: { content } }, stopReason: 'tool_use', usage: { inputTokens: -1 } }),
  )
  const [choice] = (got.frames[0]?.['choices'] ?? []) as JsonObject[]
  assert.deepEqual(choice, {
    index: 0,
    message: {
      role: 'assistant',
      content: null,
      reasoning_content: 'Hm.',
      thinking_blocks: [{ type: 'thinking', thinking: 'Hm.', signature: 's' }],
      tool_calls: [{ id: 't1', type: 'function', function: { name: 'look', arguments: '{"at":1}' } }],
    },
    finish_reason: 'tool_calls',
  })
  assert.deepEqual(got.end, {})
})

test('what an engine can do wrong in a stream, and what it is called', async (t) => {
  const broken = Buffer.from(START)
  broken[broken.length - 1] = (broken.at(-1) ?? 0) ^ 1
  const prelude = Buffer.from(START)
  prelude[0] = 0x7f
  const said = [START, delta(0, { text: 'Half' })]
  const cases: readonly [string, string, Buffer[], string][] = [
    ['ends in mid-sentence', TYPE, said, 'stream_broken'],
    ['nothing at all', TYPE, [], 'stream_broken'],
    ['half a message', TYPE, [START.subarray(0, 20)], 'stream_broken'],
    ['a wrong checksum', TYPE, [broken], 'engine_garbled'],
    ['a wrong length', TYPE, [prelude], 'engine_garbled'],
    ['rubbish', TYPE, [Buffer.from('<html>'.repeat(20))], 'engine_garbled'],
    [
      'no JSON',
      TYPE,
      [eventMessage({ ':message-type': 'event', ':event-type': 'messageStart' }, 'x')],
      'engine_garbled',
    ],
    ['a delta first', TYPE, [delta(0, { text: 'x' })], 'engine_garbled'],
    ['a start twice', TYPE, [START, START], 'engine_garbled'],
    ['a delta of no call', TYPE, [START, delta(0, { toolUse: { input: 'x' } })], 'engine_garbled'],
    ['server-sent events', 'text/event-stream', [], 'engine_garbled'],
    ['an event of 10 MB', TYPE, [eventMessage({}, 'x'.repeat(10_000_000)).subarray(0, 100)], 'engine_garbled'],
    ['throttled at once', TYPE, [thrown('throttlingException')], 'engine_busy'],
    ['refused at once', TYPE, [thrown('validationException')], 'engine_rejected'],
    ['failed later', TYPE, [...said, thrown('modelStreamErrorException')], 'stream_broken'],
    ['throttled later', TYPE, [...said, thrown('throttlingException')], 'stream_broken'],
  ]
  for (const [name, type, pieces, code] of cases)
    await t.test(name, async () => {
      const { wire, chat } = open()
      const { got } = await chat(true)
      wire.answer(200, type, ...pieces)
      assert.equal(got.fault?.code, code)
    })
})

test('who leaves before the request is signed has sent nothing', async () => {
  const { wire, engine } = open()
  const { attempt, got } = recordChat(engine, true)
  attempt.cancel()
  for (let turn = 0; turn < 20; turn++) await settled()
  assert.deepEqual([wire.requests.length, got.frames, got.fault], [0, [], undefined])
})

test('a usage that makes no sense is not believed', () => {
  assert.deepEqual(readUsage({ inputTokens: 5, outputTokens: 2, cacheReadInputTokens: 3, cacheWriteInputTokens: 4 }), {
    inputTokens: 5,
    cachedInputTokens: 3,
    cacheWrite5mTokens: 4,
    outputTokens: 2,
    reasoningTokens: 0,
    estimated: false,
  })
  for (const raw of [
    {},
    { inputTokens: 1 },
    { inputTokens: -1, outputTokens: 1 },
    { inputTokens: 1, outputTokens: 1, cacheReadInputTokens: 0.5 },
  ])
    assert.equal(readUsage(raw), undefined)
})

test('models are those of the region', async () => {
  const { wire, engine } = open()
  const listed = engine.models(1_000)
  while (wire.requests.length === 0) await settled()
  assert.equal(wire.requests[0]?.url, 'https://bedrock.eu-west-1.amazonaws.com/foundation-models')
  wire.answer(200, 'application/json', '{"modelSummaries":[{"modelId":"a"},{}]}')
  assert.deepEqual(await listed, ['a'])
})
