/** A model server that keeps account of what it really did: the truth that budgets are held
 *  against. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { JsonObject } from '../../src/base/json.ts'
import { seededRandom, uniform } from '../../src/base/random.ts'

export interface Truth {
  /** Input and output tokens, by user. */
  readonly tokens: ReadonlyMap<string, number>
  readonly requests: number
  /** Requests that ran at the same time, at most. */
  readonly concurrentMax: number
}

export interface MeteredEngine {
  readonly url: string
  readonly truth: Truth
  stop(): Promise<void>
}

const TOKEN_MS = 4
/** Of the requests that are read: some are refused afterwards, some never answered. */
const FAILS = 0.03
const HANGS = 0.02

export async function startMeteredEngine(seed: number): Promise<MeteredEngine> {
  const random = seededRandom(seed)
  const tokens = new Map<string, number>()
  const truth = { tokens, requests: 0, concurrentMax: 0 }
  let running = 0
  const server = createServer((request, response) => {
    running++
    truth.concurrentMax = Math.max(truth.concurrentMax, running)
    response.on('close', () => running--)
    answer(request, response).catch(() => response.destroy())
  })

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = JSON.parse(await textOf(request)) as JsonObject
    const user = String(body['user'])
    const use = (count: number): void => void tokens.set(user, (tokens.get(user) ?? 0) + count)
    const prompt = promptTokens(body['messages'] as { content: string }[])
    const cap = Number(body['max_tokens'])
    truth.requests++
    use(prompt)
    const fate = uniform(random)
    if (fate < HANGS) return
    if (fate < HANGS + FAILS) {
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      return void response.destroy()
    }
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    const wanted = 1 + Math.floor(uniform(random) * cap * 1.5)
    const length = Math.min(cap, wanted)
    const chunk = (more: JsonObject): void =>
      void response.write(
        `data: ${JSON.stringify({ id: 'c', object: 'chat.completion.chunk', created: 1, model: 'weights', ...more })}\n\n`,
      )
    for (let written = 0; written < length && !response.destroyed; written++) {
      use(1)
      chunk({ choices: [{ index: 0, delta: { content: 'a ' }, finish_reason: null }] })
      if (written % 4 === 3) await sleep(4 * TOKEN_MS)
    }
    if (response.destroyed) return
    chunk({ choices: [{ index: 0, delta: {}, finish_reason: wanted > cap ? 'length' : 'stop' }] })
    chunk({ choices: [], usage: { prompt_tokens: prompt, completion_tokens: length, total_tokens: prompt + length } })
    response.end('data: [DONE]\n\n')
  }

  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', 4096, resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    truth,
    async stop() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** A token for four bytes, and four around each message: what Headworks counts for itself, where the
 *  tokenizer is not known and an answer breaks off. So the books can be held against it exactly. */
const promptTokens = (messages: readonly { readonly content: string }[]): number =>
  messages.reduce((sum, { content }) => sum + 4 + Math.ceil(Buffer.byteLength(content) / 4), 0)

async function textOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString()
}
