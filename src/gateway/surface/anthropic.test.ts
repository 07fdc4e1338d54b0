import assert from 'node:assert/strict'
import { test } from 'node:test'
import { settled } from '../../../tests/kit/clock.ts'
import { chunk, completion } from '../../../tests/kit/engine.ts'
import type { RecordedReply } from '../../../tests/kit/exchange.ts'
import { closing, openGateway, USAGE } from '../../../tests/kit/gateway.ts'
import { fault } from '../../base/errors.ts'
import type { Json, JsonObject } from '../../base/json.ts'

const PATH = '/v1/messages'
const ASK = { model: 'chat', max_tokens: 20, messages: [{ role: 'user', content: 'Hello?' }] }

/** What the events of a stream say, `ping` aside. */
function eventsOf({ text }: RecordedReply): JsonObject[] {
  const blocks = text.split('\n\n').filter((block) => block !== '')
  return blocks.flatMap((block) => {
    const [, type = '', data = ''] = /^event: (\w+)\ndata: (.*)$/.exec(block) ?? assert.fail(block)
    const event = JSON.parse(data) as JsonObject
    assert.equal(event['type'], type)
    return type === 'ping' ? [] : [event]
  })
}

const USAGE_SAID = {
  input_tokens: 10,
  cache_creation_input_tokens: 0,
  cache_read_input_tokens: 2,
  cache_creation: { ephemeral_5m_input_tokens: 0, ephemeral_1h_input_tokens: 0 },
  output_tokens: 4,
  output_tokens_details: { thinking_tokens: 1 },
}

test('a whole answer is a message, journalled and priced as any other', async () => {
  const { first, ask, events } = openGateway()
  const reply = await ask(ASK, PATH)
  assert.equal(first.last.call.outputTokensMax, 20)
  first.last.sink.frame(completion('Hi.'))
  first.last.sink.end({ usage: USAGE })
  await settled()
  assert.equal(reply.status, 200)
  assert.deepEqual(reply.json(), {
    id: 'chatcmpl-1',
    type: 'message',
    role: 'assistant',
    model: 'weights',
    content: [{ type: 'text', text: 'Hi.' }],
    stop_reason: 'end_turn',
    stop_sequence: null,
    usage: USAGE_SAID,
  })
  assert.equal(reply.headers['request-id'], reply.headers['x-request-id'])
  assert.equal(reply.headers['x-headworks-cost-nanousd'], '4050')
  const event = await closing(events, reply)
  assert.deepEqual([event.outcome, event['costNanoUsd'], event['usage']], ['answered', '4050', USAGE])
})

test('a whole answer with thoughts and calls', async () => {
  const { first, ask } = openGateway()
  const reply = await ask(ASK, PATH)
  const message = {
    role: 'assistant',
    content: 'I look.',
    reasoning_content: 'Hm.',
    tool_calls: [
      { id: 't1', type: 'function', function: { name: 'look', arguments: '{"at":1}' } },
      { type: 'function', function: { name: 'wait', arguments: '' } },
    ],
  }
  first.last.sink.frame({ ...completion(''), choices: [{ index: 0, message, finish_reason: 'stop' }] })
  first.last.sink.end({ usage: USAGE })
  await settled()
  const { content, stop_reason: reason } = reply.json()
  assert.deepEqual(content.slice(0, 3), [
    { type: 'thinking', thinking: 'Hm.', signature: '' },
    { type: 'text', text: 'I look.' },
    { type: 'tool_use', id: 't1', name: 'look', input: { at: 1 } },
  ])
  assert.deepEqual([content[3].name, content[3].input, reason], ['wait', {}, 'tool_use'])
  assert.match(content[3].id, /^toolu_/)
})

test('arguments that are no JSON object fail the answer, unless the cap cut them off', async () => {
  for (const [finish, status] of [
    ['tool_calls', 502],
    ['length', 200],
  ] as const) {
    const { first, ask } = openGateway()
    const reply = await ask(ASK, PATH)
    const call = { id: 't1', type: 'function', function: { name: 'look', arguments: '{"at":' } }
    const message = { role: 'assistant', content: null, tool_calls: [call] }
    first.last.sink.frame({ ...completion(''), choices: [{ index: 0, message, finish_reason: finish }] })
    first.last.sink.end({ usage: USAGE })
    await settled()
    assert.equal(reply.status, status)
    if (status === 200) assert.deepEqual([reply.json().content, reply.json().stop_reason], [[], 'max_tokens'])
  }
})

test('a stream holds back its status, then opens and closes one block after another', async () => {
  const { first, ask, events } = openGateway()
  const reply = await ask({ ...ASK, stream: true }, PATH)
  const { sink } = first.last
  sink.frame(chunk({ role: 'assistant', content: '' }))
  await settled()
  assert.equal(reply.status, 0, 'a role is no content')
  sink.frame(chunk({ reasoning_content: 'Let me ' }))
  sink.frame(chunk({ reasoning_content: 'see.' }))
  sink.frame(chunk({ thinking_blocks: [{ type: 'thinking', thinking: 'Let me see.', signature: 'sig' }] }))
  sink.frame(chunk({ thinking_blocks: [{ type: 'redacted_thinking', data: 'x' }] }))
  sink.frame(chunk({ content: 'I ' }))
  sink.frame(chunk({ content: 'look.' }))
  const call = (index: number, fields: JsonObject, id?: string): JsonObject =>
    chunk({ tool_calls: [{ index, ...(id === undefined ? {} : { id, type: 'function' }), function: fields }] })
  sink.frame(call(0, { name: 'look', arguments: '' }, 't1'))
  sink.frame(call(0, { arguments: '{"at"' }))
  sink.frame(call(0, { arguments: ':1}' }))
  sink.frame(call(1, { name: 'wait', arguments: '{}' }, 't2'))
  sink.frame(chunk({}, 'tool_calls'))
  await settled()
  assert.equal(reply.ended, false)
  sink.end({ usage: USAGE })
  await settled()
  const start = (index: number, block: JsonObject): JsonObject => ({
    type: 'content_block_start',
    index,
    content_block: block,
  })
  const delta = (index: number, fields: JsonObject): JsonObject => ({
    type: 'content_block_delta',
    index,
    delta: fields,
  })
  const stop = (index: number): JsonObject => ({ type: 'content_block_stop', index })
  const [opening, ...rest] = eventsOf(reply)
  assert.deepEqual(opening, {
    type: 'message_start',
    message: {
      id: 'chatcmpl-1',
      type: 'message',
      role: 'assistant',
      model: 'weights',
      content: [],
      stop_reason: null,
      stop_sequence: null,
      usage: { input_tokens: 0, output_tokens: 0 },
    },
  })
  assert.deepEqual(rest, [
    start(0, { type: 'thinking', thinking: '', signature: '' }),
    delta(0, { type: 'thinking_delta', thinking: 'Let me ' }),
    delta(0, { type: 'thinking_delta', thinking: 'see.' }),
    delta(0, { type: 'signature_delta', signature: 'sig' }),
    stop(0),
    start(1, { type: 'redacted_thinking', data: 'x' }),
    stop(1),
    start(2, { type: 'text', text: '' }),
    delta(2, { type: 'text_delta', text: 'I ' }),
    delta(2, { type: 'text_delta', text: 'look.' }),
    stop(2),
    start(3, { type: 'tool_use', id: 't1', name: 'look', input: {} }),
    delta(3, { type: 'input_json_delta', partial_json: '{"at"' }),
    delta(3, { type: 'input_json_delta', partial_json: ':1}' }),
    stop(3),
    start(4, { type: 'tool_use', id: 't2', name: 'wait', input: {} }),
    delta(4, { type: 'input_json_delta', partial_json: '{}' }),
    stop(4),
    { type: 'message_delta', delta: { stop_reason: 'tool_use', stop_sequence: null }, usage: USAGE_SAID },
    { type: 'message_stop' },
  ])
  assert.equal(reply.headers['request-id'], reply.headers['x-request-id'])
  assert.equal((await closing(events, reply)).outcome, 'answered')
})

test('a stream that breaks ends with an error event and without message_stop', async () => {
  const { first, second, ask, events } = openGateway()
  const reply = await ask({ ...ASK, stream: true }, PATH)
  first.last.say('Half')
  await settled()
  first.last.fail('stream_broken')
  await settled()
  assert.equal(second.calls.length, 0)
  const { type, error, request_id: id } = eventsOf(reply).at(-1) ?? {}
  assert.deepEqual([type, (error as JsonObject)['type'], id], ['error', 'api_error', reply.headers['x-request-id']])
  assert.ok(reply.ended)
  assert.equal((await closing(events, reply)).outcome, 'failed')
})

test('an engine that goes back to an earlier call is told of, and stopped', async () => {
  const { first, ask } = openGateway()
  const reply = await ask({ ...ASK, stream: true }, PATH)
  for (const index of [0, 1, 0])
    first.last.sink.frame(chunk({ tool_calls: [{ index, id: `t${index}`, function: { name: 'f', arguments: '{' } }] }))
  await settled()
  const { error } = eventsOf(reply).at(-1) ?? {}
  assert.equal((error as JsonObject)['code'], 'engine_garbled')
  assert.ok(first.last.cancelled)
})

test('a caller that leaves stops the engine, and what was produced is on record', async () => {
  const { first, ask, events } = openGateway()
  const reply = await ask({ ...ASK, stream: true }, PATH)
  first.last.say('Half')
  await settled()
  reply.leave()
  await settled()
  assert.ok(first.last.cancelled)
  assert.equal((await closing(events, reply)).outcome, 'cancelled')
})

test('every end of an answer has its reason', async () => {
  for (const [choice, reason, sequence] of [
    [{ finish_reason: 'stop' }, 'end_turn', null],
    [{ finish_reason: 'stop', stop_reason: 'END' }, 'stop_sequence', 'END'],
    [{ finish_reason: 'stop', stop_reason: 2 }, 'end_turn', null],
    [{ finish_reason: 'length' }, 'max_tokens', null],
    [{ finish_reason: 'content_filter' }, 'refusal', null],
  ] as const) {
    const { first, ask } = openGateway()
    const reply = await ask(ASK, PATH)
    const message = { role: 'assistant', content: 'x' }
    first.last.sink.frame({ ...completion(''), choices: [{ index: 0, message, ...choice }] })
    first.last.sink.end({ usage: USAGE })
    await settled()
    assert.deepEqual([reply.json().stop_reason, reply.json().stop_sequence], [reason, sequence])
  }
})

test('each kind of bad input is refused by its field, in the shape of the dialect', async (t) => {
  const turn = (content: Json, role = 'user'): JsonObject => ({ messages: [{ role, content }] })
  const cases: readonly [string, JsonObject | string, string][] = [
    ['no model', { model: 1 }, '`model`'],
    ['no messages', { messages: [] }, '`messages`'],
    ['a message that is none', { messages: [1] }, '`messages[0]`'],
    ['an unknown role', turn('x', 'tool'), '`messages[0].role`'],
    ['content that is a number', turn(1), '`messages[0].content`'],
    ['a block without a type', turn([{}]), '`messages[0].content[0]`'],
    ['a block of an unknown type', turn([{ type: 'dance' }]), '`messages[0].content[0]`'],
    ['a picture without a source', turn([{ type: 'image' }]), '`messages[0].content[0].source`'],
    ['a picture by its id', turn([{ type: 'image', source: { type: 'file', file_id: 'f' } }]), 'source`'],
    ['a document by its URL', turn([{ type: 'document', source: { type: 'url', url: 'u' } }]), 'source`'],
    ['a result of no call', turn([{ type: 'tool_result' }]), '`messages[0].content[0].tool_use_id`'],
    [
      'a result with a strange block',
      turn([{ type: 'tool_result', tool_use_id: 't', content: [{ type: 'dance' }] }]),
      '`messages[0].content[0].content[0]`',
    ],
    ['a call without input', turn([{ type: 'tool_use', id: 't', name: 'f' }], 'assistant'), 'content[0]`'],
    ['an answer with a picture', turn([{ type: 'image' }], 'assistant'), '`messages[0].content[0]`'],
    ['instructions that are a number', { system: 1 }, '`system`'],
    ['instructions with a picture', { system: [{ type: 'image' }] }, '`system[0]`'],
    ['no tokens at all', { max_tokens: 0 }, '`max_tokens`'],
    ['half a token', { max_tokens: 0.5 }, '`max_tokens`'],
    ['a stream that is a word', { stream: 'yes' }, '`stream`'],
    ['stop sequences that are none', { stop_sequences: 'END' }, '`stop_sequences`'],
    ['tools that are no list', { tools: {} }, '`tools`'],
    ['a tool that is none', { tools: [1] }, '`tools[0]`'],
    ['a tool without a schema', { tools: [{ name: 'f' }] }, '`tools[0]`'],
    ['a tool of the provider', { tools: [{ type: 'web_search_20260318', name: 'web_search' }] }, '`tools[0].type`'],
    ['a choice of no kind', { tool_choice: { type: 'some' } }, '`tool_choice`'],
    ['a choice of a tool without its name', { tool_choice: { type: 'tool' } }, '`tool_choice`'],
    ['a body that is a list', '[]', '`body`'],
    ['a body that is no JSON', '{', 'not valid JSON'],
  ]
  for (const [name, fields, told] of cases) {
    await t.test(name, async () => {
      const { first, ask } = openGateway()
      const reply = await ask(typeof fields === 'string' ? fields : { ...ASK, ...fields }, PATH)
      assert.equal(reply.status, 400)
      const { type, error, request_id: id } = reply.json()
      assert.deepEqual([type, error.type, id], ['error', 'invalid_request_error', reply.headers['request-id']])
      assert.ok(error.message.includes(told), error.message)
      assert.equal(first.calls.length, 0)
    })
  }
})

test('errors have the types that its clients know', async () => {
  const errorOf = (reply: RecordedReply) => [reply.status, reply.json().type, reply.json().error.type]
  const stranger = openGateway({ allow: false })
  assert.deepEqual(errorOf(await stranger.ask(ASK, PATH)), [401, 'error', 'authentication_error'])
  const { ask, first, second } = openGateway()
  assert.deepEqual(errorOf(await ask({ ...ASK, model: 'nowhere' }, PATH)), [404, 'error', 'not_found_error'])
  assert.deepEqual(errorOf(await ask(ASK, '/v1/messages/batches')), [404, 'error', 'not_found_error'])
  assert.deepEqual(errorOf(await ask(ASK, PATH, 'GET')), [405, 'error', 'invalid_request_error'])
  const failing = await ask(ASK, PATH)
  first.last.fail()
  second.last.sink.fail(fault('engine_busy', { engine: 'second', status: 529, reason: 'told to' }))
  await settled()
  assert.deepEqual(errorOf(failing), [503, 'error', 'overloaded_error'])
  assert.ok(failing.headers['retry-after-ms'])
  const bound = openGateway({ key: { models: ['second'] } })
  assert.deepEqual(errorOf(await bound.ask(ASK, PATH)), [403, 'error', 'permission_error'])
  const crowded = openGateway({ inFlightMax: 0 })
  assert.deepEqual(errorOf(await crowded.ask(ASK, PATH)), [503, 'error', 'overloaded_error'])
  const all = await openGateway().ask(ASK, '/v1/messagesx')
  assert.equal(all.json().type, undefined, 'elsewhere errors are OpenAI’s')
})

test('tokens are counted without a call, instructions and tools with them', async () => {
  const { ask, first } = openGateway()
  const count = async (fields: JsonObject): Promise<number> => {
    const reply = await ask({ ...ASK, ...fields }, '/v1/messages/count_tokens')
    assert.equal(reply.status, 200)
    return reply.json().input_tokens
  }
  const plain = await count({})
  assert.ok(plain > 0)
  assert.ok((await count({ system: 'Be brief.' })) > plain)
  assert.ok((await count({ tools: [{ name: 'f', input_schema: { type: 'object' } }] })) > plain)
  assert.equal(first.calls.length, 0)
  assert.equal((await ask({ ...ASK, model: 'nowhere' }, '/v1/messages/count_tokens')).status, 404)
  assert.equal((await ask({ model: 'chat' }, '/v1/messages/count_tokens')).status, 400)
})
