import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { JsonObject } from '../../src/base/json.ts'

/** A small server of Anthropic's API over real sockets. It counts words, at most as many as it is
 *  asked for; the word is a token. */

export const WORDS = 'one two three four five six seven eight nine ten eleven twelve'.split(' ')
export const FAILS = 'fail'
/** Asked this, it calls the first of its tools. */
export const CALLS = 'call'

export interface Asked extends JsonObject {
  readonly model: string
  readonly stream: boolean
  readonly max_tokens: number
  readonly messages: readonly { readonly role: string; readonly content: readonly { readonly text?: string }[] }[]
  readonly tools?: readonly { readonly name: string }[]
}

export interface AnthropicServer {
  /** With the version. */
  readonly url: string
  readonly asked: Asked[]
  /** Streams that their reader left. */
  left(): number
  close(): Promise<void>
}

interface Answer {
  readonly blocks: readonly JsonObject[]
  readonly reason: string
  readonly usage: { readonly output_tokens: number } & JsonObject
}

const INPUT = { input_tokens: 5, cache_read_input_tokens: 2, cache_creation_input_tokens: 3 }

function answerTo({ max_tokens: cap, messages, tools }: Asked): Answer {
  const tool = tools?.[0]
  if (tool !== undefined && messages.at(-1)?.content[0]?.text === CALLS) {
    const call = { type: 'tool_use', id: 'toolu_1', name: tool.name, input: { city: 'Kerrin', days: 2 } }
    return { blocks: [call], reason: 'tool_use', usage: { ...INPUT, output_tokens: 7 } }
  }
  const words = WORDS.slice(0, cap)
  const text = words.map((word) => `${word} `).join('')
  const reason = words.length < WORDS.length ? 'max_tokens' : 'end_turn'
  return { blocks: [{ type: 'text', text }], reason, usage: { ...INPUT, output_tokens: words.length } }
}

export const event = (type: string, fields: JsonObject = {}): string =>
  `event: ${type}\ndata: ${JSON.stringify({ type, ...fields })}\n\n`

function eventsOf({ blocks, reason, usage }: Answer, message: JsonObject): string[] {
  const said = blocks.flatMap((block, index) => {
    const isText = block['type'] === 'text'
    const deltas = isText
      ? String(block['text'])
          .split(/(?<= )/)
          .map((text) => ({ type: 'text_delta', text }))
      : [...(JSON.stringify(block['input']).match(/.{1,7}/g) ?? [])].map((json) => ({
          type: 'input_json_delta',
          partial_json: json,
        }))
    return [
      event('content_block_start', { index, content_block: isText ? { ...block, text: '' } : { ...block, input: {} } }),
      event('ping'),
      ...deltas.map((delta) => event('content_block_delta', { index, delta })),
      event('content_block_stop', { index }),
    ]
  })
  return [
    event('message_start', { message: { ...message, content: [], usage: { ...usage, output_tokens: 1 } } }),
    ...said,
    event('message_delta', {
      delta: { stop_reason: reason, stop_sequence: null },
      usage: { output_tokens: usage.output_tokens },
    }),
    event('message_stop'),
  ]
}

export async function startAnthropic(): Promise<AnthropicServer> {
  const asked: Asked[] = []
  let left = 0
  const server: Server = createServer((request, response) => {
    let body = ''
    request.on('data', (bytes: Buffer) => (body += bytes.toString()))
    request.on('end', () => {
      if (request.url?.startsWith('/v1/models')) return response.end('{"data":[{"type":"model","id":"weights"}]}')
      const one = JSON.parse(body) as Asked
      asked.push(one)
      if (one.messages[0]?.content[0]?.text === FAILS) {
        response.writeHead(529)
        return response.end('{"type":"error","error":{"type":"overloaded_error","message":"told to"}}')
      }
      const answer = answerTo(one)
      const message = { id: 'msg_1', type: 'message', role: 'assistant', model: one.model }
      if (!one.stream) {
        const { blocks: content, reason, usage } = answer
        response.writeHead(200, { 'content-type': 'application/json' })
        return response.end(JSON.stringify({ ...message, content, stop_reason: reason, stop_sequence: null, usage }))
      }
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      const events = eventsOf(answer, message)
      response.on('close', () => (left += Number(events.length > 0)))
      const next = (): void => {
        const one = events.shift()
        if (one === undefined) return void response.end()
        response.write(one)
        setTimeout(next, 1)
      }
      next()
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    asked,
    left: () => left,
    async close() {
      server.closeAllConnections()
      await new Promise<void>((resolve) => server.close(() => resolve()))
    },
  }
}
