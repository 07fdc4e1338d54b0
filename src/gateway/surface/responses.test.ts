import assert from 'node:assert/strict'
import { test } from 'node:test'
import { settled } from '../../../tests/kit/clock.ts'
import { chunk, completion } from '../../../tests/kit/engine.ts'
import type { RecordedReply } from '../../../tests/kit/exchange.ts'
import { openGateway, USAGE } from '../../../tests/kit/gateway.ts'
import type { JsonObject } from '../../base/json.ts'

const PATH = '/v1/responses'
const ASK = { model: 'chat', input: 'Hello?' }

/** The events of a stream, which are named as their data says and numbered without a gap. */
function eventsOf(reply: RecordedReply): (JsonObject & { readonly type: string })[] {
  const blocks = reply.text.split('\n\n').filter((block) => block !== '')
  return blocks.map((block, number) => {
    const [, name, data] = /^event: (.+)\ndata: (.+)$/.exec(block) ?? []
    const event = JSON.parse(data ?? '{}') as JsonObject & { type: string }
    assert.deepEqual([event.type, event['sequence_number']], [name, number])
    return event
  })
}

test('a conversation with a tool becomes the messages of a chat', async () => {
  const { first, ask } = openGateway()
  await ask(
    {
      model: 'chat',
      instructions: 'Be brief.',
      input: [
        {
          role: 'user',
          content: [
            { type: 'input_text', text: 'Weather?' },
            { type: 'input_image', image_url: 'data:x', detail: 'low' },
          ],
        },
        { type: 'reasoning', id: 'rs_1', summary: [] },
        { type: 'message', role: 'assistant', content: [{ type: 'output_text', text: 'I look.' }] },
        { type: 'function_call', call_id: 'c1', name: 'weather', arguments: '{"at":1}' },
        { type: 'function_call', call_id: 'c2', name: 'weather', arguments: '{"at":2}' },
        { type: 'function_call_output', call_id: 'c1', output: 'sun' },
        { type: 'function_call_output', call_id: 'c2', output: [{ type: 'input_text', text: 'rain' }] },
      ],
      tools: [{ type: 'function', name: 'weather', parameters: { type: 'object' }, strict: true }],
      tool_choice: { type: 'function', name: 'weather' },
      text: { format: { type: 'json_schema', name: 'out', schema: {} } },
      reasoning: { effort: 'low' },
      max_output_tokens: 7,
      temperature: 0,
      store: false,
      vendor_field: 1,
    },
    PATH,
  )
  const call = (id: string, at: number) => ({
    id,
    type: 'function',
    function: { name: 'weather', arguments: `{"at":${at}}` },
  })
  assert.deepEqual(first.last.call.body, {
    model: 'chat',
    temperature: 0,
    vendor_field: 1,
    messages: [
      { role: 'system', content: 'Be brief.' },
      {
        role: 'user',
        content: [
          { type: 'text', text: 'Weather?' },
          { type: 'image_url', image_url: { url: 'data:x', detail: 'low' } },
        ],
      },
      { role: 'assistant', content: [{ type: 'text', text: 'I look.' }], tool_calls: [call('c1', 1), call('c2', 2)] },
      { role: 'tool', tool_call_id: 'c1', content: 'sun' },
      { role: 'tool', tool_call_id: 'c2', content: [{ type: 'text', text: 'rain' }] },
    ],
    tools: [{ type: 'function', function: { name: 'weather', parameters: { type: 'object' }, strict: true } }],
    tool_choice: { type: 'function', function: { name: 'weather' } },
    reasoning_effort: 'low',
    response_format: { type: 'json_schema', json_schema: { name: 'out', schema: {} } },
  })
  assert.equal(first.last.call.outputTokensMax, 7)
})

test('a whole answer is a response with its items and usage', async () => {
  const { first, ask } = openGateway()
  const reply = await ask(ASK, PATH)
  const call = { id: 'c1', type: 'function', function: { name: 'weather', arguments: '{}' } }
  const message = { role: 'assistant', content: 'I look.', reasoning_content: 'Hm.', tool_calls: [call] }
  first.last.sink.frame({ ...completion(''), choices: [{ index: 0, message, finish_reason: 'tool_calls' }] })
  first.last.sink.end({ usage: USAGE, rawUsage: { prompt_tokens: 12 } })
  await settled()
  const response = reply.json()
  assert.deepEqual(
    [response.object, response.status, response.error, response.incomplete_details, response.store],
    ['response', 'completed', null, null, false],
  )
  assert.deepEqual(
    response.output.map((item: { type: string }) => item.type),
    ['reasoning', 'message', 'function_call'],
  )
  assert.equal(response.output[1].content[0].text, 'I look.')
  assert.deepEqual(response.usage, {
    input_tokens: 12,
    input_tokens_details: { cached_tokens: 2 },
    output_tokens: 4,
    output_tokens_details: { reasoning_tokens: 1 },
    total_tokens: 16,
  })
})

test('a stream is events in order: items open, go on and close, and the last event has it all', async () => {
  const { first, ask } = openGateway()
  const reply = await ask({ ...ASK, stream: true }, PATH)
  const { sink } = first.last
  sink.frame(chunk({ reasoning_content: 'Hm.' }))
  sink.frame(chunk({ content: 'Good ' }))
  sink.frame(chunk({ content: 'day.' }))
  sink.frame(chunk({ tool_calls: [{ index: 0, id: 'c1', function: { name: 'weather', arguments: '' } }] }))
  sink.frame(chunk({ tool_calls: [{ index: 0, function: { arguments: '{"a":' } }] }))
  sink.frame(chunk({ tool_calls: [{ index: 0, function: { arguments: '1}' } }] }, 'tool_calls'))
  sink.end({ usage: USAGE })
  await settled()
  await settled()
  const events = eventsOf(reply)
  assert.deepEqual(
    events.map(({ type }) => type.replace('response.', '')),
    [
      'created',
      'in_progress',
      'output_item.added',
      'reasoning_text.delta',
      'reasoning_text.done',
      'output_item.done',
      'output_item.added',
      'content_part.added',
      'output_text.delta',
      'output_text.delta',
      'output_text.done',
      'content_part.done',
      'output_item.done',
      'output_item.added',
      'function_call_arguments.delta',
      'function_call_arguments.delta',
      'function_call_arguments.done',
      'output_item.done',
      'completed',
    ],
  )
  const last = events.at(-1)?.['response'] as { output: JsonObject[]; usage: JsonObject; status: string }
  const items = events.filter(({ type }) => type === 'response.output_item.done').map(({ item }) => item)
  assert.deepEqual(last.output, items)
  assert.deepEqual(
    [last.status, last.usage['total_tokens'], last.output[2]?.['arguments'], last.output[2]?.['call_id']],
    ['completed', 16, '{"a":1}', 'c1'],
  )
  assert.ok(!reply.text.includes('[DONE]'))
})

test('an answer that was cut short is incomplete, and one that broke has failed', async () => {
  const { first, ask } = openGateway()
  const cut = await ask({ ...ASK, stream: true }, PATH)
  first.last.say('Well', 'length')
  first.last.sink.end({ usage: USAGE })
  await settled()
  await settled()
  const incomplete = eventsOf(cut).at(-1)
  assert.equal(incomplete?.type, 'response.incomplete')
  assert.deepEqual((incomplete['response'] as JsonObject)['incomplete_details'], { reason: 'max_output_tokens' })

  const broken = await ask({ ...ASK, stream: true }, PATH)
  first.last.say('Half')
  await settled()
  first.last.fail('stream_broken')
  await settled()
  const [failed, error] = eventsOf(broken).slice(-2)
  assert.deepEqual([failed?.type, error?.type, error?.['code']], ['response.failed', 'error', 'stream_broken'])
})

test('what cannot be served is refused before any engine is called', async () => {
  const { first, ask } = openGateway()
  const user = { role: 'user', content: 'x' }
  const cases: readonly [JsonObject, string][] = [
    [{}, 'input'],
    [{ input: [] }, 'input'],
    [{ input: [{ type: 'reasoning' }] }, 'input'],
    [{ input: 'x', model: 7 }, 'model'],
    [{ input: 'x', stream: 1 }, 'stream'],
    [{ input: 'x', max_output_tokens: 0 }, 'max_output_tokens'],
    [{ input: 'x', instructions: [] }, 'instructions'],
    [{ input: 'x', previous_response_id: 'resp_1' }, 'previous_response_id'],
    [{ input: 'x', background: true }, 'background'],
    [{ input: 'x', tools: [{ type: 'web_search' }] }, 'tools[0]'],
    [{ input: 'x', tools: {} }, 'tools'],
    [{ input: [user, 'x'] }, 'input[1]'],
    [{ input: [{ type: 'item_reference', id: 'x' }] }, 'input[0].type'],
    [{ input: [{ content: 'x' }] }, 'input[0].role'],
    [{ input: [{ role: 'user', content: 7 }] }, 'input[0].content'],
    [{ input: [{ role: 'user', content: [{ type: 'input_audio' }] }] }, 'input[0].content[0]'],
    [{ input: [{ type: 'function_call', name: 'x' }] }, 'input[0]'],
    [{ input: [{ type: 'function_call_output', output: 'x' }] }, 'input[0].call_id'],
  ]
  for (const [fields, field] of cases) {
    const refused = await ask({ model: 'chat', ...fields }, PATH)
    assert.deepEqual([refused.status, refused.json().error.param], [400, field])
  }
  assert.equal((await ask([], PATH)).status, 400)
  assert.equal(first.calls.length, 0)
})
