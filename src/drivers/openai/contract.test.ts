/** The engine contract over real sockets: undici on one end, a small model server on the other. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { JsonObject } from '../../base/json.ts'
import { chatContract } from '../../engine/contract/chat.ts'
import { UndiciClient } from '../undici/client.ts'
import { OpenAiEngine } from './engine.ts'

const WORDS = 'one two three four five six seven eight nine ten eleven twelve'.split(' ')
const FAILS = 'fail'

interface Asked {
  readonly stream: boolean
  readonly max_tokens: number
  readonly messages: readonly { readonly content: string }[]
}

/** A word is a token. */
function answer(asked: Asked): { readonly words: string[]; readonly finish: string; readonly usage: JsonObject } {
  const words = WORDS.slice(0, asked.max_tokens)
  const finish = words.length < WORDS.length ? 'length' : 'stop'
  return { words, finish, usage: { prompt_tokens: 5, completion_tokens: words.length, total_tokens: 5 + words.length } }
}

const common = { id: 'chatcmpl-1', created: 1, model: 'weights' }

async function open() {
  const server = createServer((request, response) => {
    let body = ''
    request.on('data', (bytes: Buffer) => (body += bytes.toString()))
    request.on('end', () => {
      const asked = JSON.parse(body === '' ? '{}' : body) as Asked
      if (request.url === '/v1/models') return response.end(JSON.stringify({ data: [{ id: 'weights' }] }))
      if (asked.messages[0]?.content === FAILS) {
        response.writeHead(500)
        return response.end('{"error":{"message":"told to"}}')
      }
      const { words, finish, usage } = answer(asked)
      if (!asked.stream) {
        const message = { role: 'assistant', content: words.map((word) => `${word} `).join('') }
        response.writeHead(200, { 'content-type': 'application/json' })
        return response.end(
          JSON.stringify({
            ...common,
            object: 'chat.completion',
            choices: [{ index: 0, message, finish_reason: finish }],
            usage,
          }),
        )
      }
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      const chunk = (delta: object, reason: string | null): string =>
        `data: ${JSON.stringify({ ...common, object: 'chat.completion.chunk', choices: [{ index: 0, delta, finish_reason: reason }] })}\n\n`
      const events = [
        chunk({ role: 'assistant', content: '' }, null),
        ...words.map((word) => chunk({ content: `${word} ` }, null)),
        chunk({}, finish),
      ]
      events.push(
        `data: ${JSON.stringify({ ...common, object: 'chat.completion.chunk', choices: [], usage })}\n\n`,
        'data: [DONE]\n\n',
      )
      const next = (): void => {
        const event = events.shift()
        if (event === undefined) return void response.end()
        response.write(event)
        setTimeout(next, 1)
      }
      next()
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const client = new UndiciClient()
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`
  return {
    engine: new OpenAiEngine({ name: 'local', url, capField: 'max_tokens', client }),
    model: 'weights',
    messages: [{ role: 'user', content: 'Count.' }],
    failing: () => [{ role: 'user', content: FAILS }],
    reportsUsage: true,
    async close() {
      await client.close()
      server.closeAllConnections()
      await new Promise<void>((resolve) => server.close(() => resolve()))
    },
  }
}

chatContract('openai over undici', open)
