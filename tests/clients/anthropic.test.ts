/** Anthropic's client for Node, as it comes from npm: over an engine of its own dialect, over one of
 *  OpenAI's, and over a workflow. */
import assert from 'node:assert/strict'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, suite, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import Anthropic, { AuthenticationError, BadRequestError, InternalServerError, NotFoundError } from '@anthropic-ai/sdk'
import { type AnthropicServer, CALLS, FAILS, startAnthropic, WORDS } from '../kit/anthropic.ts'
import { ADMIN_KEY, type RunningHouse, startHouse } from '../kit/house.ts'
import { DOCUMENTS, QUESTION } from './material.ts'

const TEXT = WORDS.map((word) => `${word} `).join('')

/** A server of OpenAI's dialect that says two words, or calls the first tool it is given. */
async function startOpenAi(): Promise<Server> {
  const server = createServer((request, response) => {
    let body = ''
    request.on('data', (bytes: Buffer) => (body += bytes.toString()))
    request.on('end', () => {
      const asked = JSON.parse(body) as { readonly tools?: readonly { readonly function: { readonly name: string } }[] }
      const name = asked.tools?.[0]?.function.name
      const common = { id: 'chatcmpl-1', object: 'chat.completion.chunk', created: 1, model: 'weights' }
      const call = (fields: object) => ({ tool_calls: [{ index: 0, ...fields }] })
      const deltas =
        name === undefined
          ? [{ content: 'Good ' }, { content: 'day.' }]
          : [
              call({ id: 'call_1', type: 'function', function: { name, arguments: '' } }),
              call({ function: { arguments: '{"city":' } }),
              call({ function: { arguments: '"Kerrin"}' } }),
            ]
      const finish = name === undefined ? 'stop' : 'tool_calls'
      const choices = [
        ...deltas.map((delta) => ({ index: 0, delta, finish_reason: null })),
        { index: 0, delta: {}, finish_reason: finish },
      ]
      const usage = { prompt_tokens: 9, completion_tokens: 3, prompt_tokens_details: { cached_tokens: 4 } }
      const events = [...choices.map((choice) => ({ ...common, choices: [choice] })), { ...common, choices: [], usage }]
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      response.end(`${events.map((event) => `data: ${JSON.stringify(event)}\n\n`).join('')}data: [DONE]\n\n`)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return server
}

suite('Anthropic for Node', () => {
  let claude: AnthropicServer
  let openai: Server
  let house: RunningHouse
  let client: Anthropic
  before(async () => {
    claude = await startAnthropic()
    openai = await startOpenAi()
    const deployed = (engine: string) => ({ deployments: [{ engine, model: 'weights' }] })
    house = await startHouse({
      documents: DOCUMENTS,
      config: {
        engines: {
          claude: { kind: 'anthropic', url: claude.url },
          local: { kind: 'openai', url: `http://127.0.0.1:${(openai.address() as AddressInfo).port}/v1` },
          reader: { kind: 'reader' },
        },
        models: { chat: deployed('claude'), other: deployed('local'), quote: deployed('reader') },
        workflows: { docs: { collection: 'handbook', model: 'quote' } },
      },
    })
    client = new Anthropic({ baseURL: house.url, apiKey: ADMIN_KEY, maxRetries: 0 })
  })
  after(async () => {
    await house.stop()
    await claude.close()
    openai.closeAllConnections()
    openai.close()
  })

  const user = (content: string): Anthropic.MessageParam => ({ role: 'user', content })
  const count = { model: 'chat', max_tokens: 100, messages: [user('Count.')] }
  const weather: Anthropic.Tool = { name: 'weather', input_schema: { type: 'object', properties: {} } }

  test('gets a message, with its usage', async () => {
    const { data: message, response, request_id: requestId } = await client.messages.create(count).withResponse()
    assert.deepEqual(message.content, [{ type: 'text', text: TEXT }])
    assert.deepEqual([message.type, message.role, message.stop_reason], ['message', 'assistant', 'end_turn'])
    const { input_tokens: input, cache_read_input_tokens: read, cache_creation_input_tokens: written } = message.usage
    assert.deepEqual([input, read, written, message.usage.output_tokens], [5, 2, 3, WORDS.length])
    assert.equal(requestId, response.headers.get('x-request-id'))
    assert.equal(response.headers.get('x-headworks-model'), 'claude/weights')
  })

  test('gets the same streamed, and the cap as the reason where it is met', async () => {
    const whole = await client.messages.create(count)
    const texts: string[] = []
    const streamed = await client.messages
      .stream(count)
      .on('text', (text) => void texts.push(text))
      .finalMessage()
    assert.deepEqual(streamed.content, whole.content)
    assert.deepEqual([streamed.stop_reason, texts.length > 3], ['end_turn', true])
    assert.deepEqual(streamed.usage.output_tokens, whole.usage.output_tokens)
    assert.deepEqual(streamed.usage.input_tokens, whole.usage.input_tokens)
    const capped = await client.messages.stream({ ...count, max_tokens: 3 }).finalMessage()
    assert.deepEqual([capped.stop_reason, capped.usage.output_tokens], ['max_tokens', 3])
  })

  for (const [model, id, input] of [
    ['chat', 'toolu_1', { city: 'Kerrin', days: 2 }],
    ['other', 'call_1', { city: 'Kerrin' }],
  ] as const) {
    test(`has a tool called by ${model}`, async () => {
      const asked = { model, max_tokens: 100, messages: [user(CALLS)], tools: [weather] }
      const message = await client.messages.stream(asked).finalMessage()
      assert.equal(message.stop_reason, 'tool_use')
      assert.deepEqual(message.content, [{ type: 'tool_use', id, name: 'weather', input }])
    })
  }

  test('gives back what a tool said, and an engine of its dialect is told as it was said', async () => {
    const messages: Anthropic.MessageParam[] = [
      user(CALLS),
      { role: 'assistant', content: [{ type: 'tool_use', id: 'toolu_1', name: 'weather', input: { city: 'Kerrin' } }] },
      { role: 'user', content: [{ type: 'tool_result', tool_use_id: 'toolu_1', content: 'Rain.', is_error: false }] },
    ]
    const system: Anthropic.TextBlockParam[] = [{ type: 'text', text: 'Brief.', cache_control: { type: 'ephemeral' } }]
    const message = await client.messages.create({ ...count, system, messages, tools: [weather], service_tier: 'auto' })
    assert.equal(message.stop_reason, 'end_turn')
    const asked = claude.asked.at(-1)
    assert.deepEqual(asked?.messages, [
      { role: 'user', content: [{ type: 'text', text: CALLS }] },
      ...messages.slice(1),
    ])
    assert.deepEqual([asked['system'], asked.tools, asked['service_tier']], [system, [weather], 'auto'])
  })

  test('is served by an engine of the other dialect', async () => {
    const message = await client.messages.stream({ ...count, model: 'other', service_tier: 'auto' }).finalMessage()
    assert.deepEqual(message.content, [{ type: 'text', text: 'Good day.' }])
    const { input_tokens: input, cache_read_input_tokens: read, output_tokens: output } = message.usage
    assert.deepEqual([message.stop_reason, input, read, output], ['end_turn', 5, 4, 3])
  })

  test('is served by a workflow, whole and streamed', async () => {
    const asked = { ...count, model: 'docs', messages: [user(QUESTION)] }
    const whole = await client.messages.create(asked)
    const streamed = await client.messages.stream(asked).finalMessage()
    assert.equal(whole.content[0]?.type, 'text')
    assert.match(whole.content[0].text, /Maren Holt.*\[1\]/s)
    const citations = whole.content[0].citations ?? []
    assert.match(citations.map(({ cited_text: cited }) => cited).join(' '), /Maren Holt/)
    for (const citation of citations) {
      assert.equal(citation.type, 'char_location')
      assert.equal(citation.end_char_index - citation.start_char_index, citation.cited_text.length)
    }
    assert.deepEqual(streamed.content, whole.content)
  })

  test('may leave a stream: the engine is stopped', async () => {
    const before = claude.left()
    const stream = await client.messages.create({ ...count, stream: true })
    for await (const event of stream) if (event.type === 'content_block_delta') break
    while (claude.left() === before) await sleep(5)
    assert.equal(claude.left(), before + 1)
  })

  test('counts tokens', async () => {
    const { input_tokens: tokens } = await client.messages.countTokens({ model: 'chat', messages: [user('Count.')] })
    assert.ok(tokens > 0)
  })

  test('raises its own error for a wrong key, an unknown model, a bad request', async () => {
    const stranger = new Anthropic({ baseURL: house.url, apiKey: 'hw_wrong', maxRetries: 0 })
    await assert.rejects(stranger.messages.create(count), AuthenticationError)
    await assert.rejects(
      client.messages.create({ ...count, model: 'nowhere' }),
      (error) => error instanceof NotFoundError && error.type === 'not_found_error' && error.requestID !== null,
    )
    await assert.rejects(
      client.messages.create({ ...count, messages: [] }),
      (error) => error instanceof BadRequestError && error.type === 'invalid_request_error',
    )
    await assert.rejects(
      client.messages.create({ ...count, messages: [user(FAILS)], stream: true }),
      (error) => error instanceof InternalServerError && error.type === 'overloaded_error',
    )
  })
})
