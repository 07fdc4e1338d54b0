import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { openAssets } from '../../src/drivers/http/assets.ts'
import { DOCUMENTS, SOURCES, STAGES } from './material.ts'

/** A server that answers the console by script, for what a real one does only on a bad day: to
 *  break off, to stall, to be empty, to refuse. Its shapes are those of the control API. */
export interface ScriptedHouse {
  readonly url: string
  /** Whether the browser is known; a sign-in turns it on. */
  isSignedIn: boolean
  isEmpty: boolean
  readonly key: string
  /** What to do with each question; by default the answer is whole and at once. */
  answer: (reply: Answering, question: string) => Promise<void> | void
  /** The bodies of the questions asked, oldest first. */
  readonly asked: { readonly [name: string]: unknown }[]
  /** How many answers the browser broke off. */
  cancelled: number
  close(): Promise<void>
}

/** One streamed answer. */
export interface Answering {
  open(): void
  text(text: string): void
  /** Everything that closes a complete answer. */
  finish(): void
  send(frame: object): void
  end(): void
  reset(): void
  refuse(status: number, code: string, message: string): void
}

const ANSWER =
  'Put an OpenAI-compatible server behind Headworks with **five lines** in `headworks.yaml`: name the engine under `engines:` and give a logical model one deployment on it. [1]\n\n' +
  '```yaml\nengines:\n  local: { kind: openai, url: http://127.0.0.1:8000/v1 }\nmodels:\n  chat:\n    deployments: [{ engine: local, model: Qwen3-32B }]\n```\n\n' +
  '1. Save the file; the configuration is **reloaded** without a restart. [2]\n2. Run `npx headworks doctor`, which tries every engine and says what to do. [1][3]\n\nKeys are read from the environment, never from the file itself. [2]'

const REQUEST_ID = 'req_01k9p3v7c2e8x4m6n0q5r1t9wz'

export async function openScriptedHouse(dist: string): Promise<ScriptedHouse> {
  const assets = openAssets(dist)
  const house = {
    url: '',
    isSignedIn: true,
    isEmpty: false,
    key: 'hw_0123456789abcdefghjkmnpqrs_secret',
    answer: wholeAnswer,
    asked: [] as { readonly [name: string]: unknown }[],
    cancelled: 0,
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
  const server = createServer((request, response) => {
    route(house, assets, request, response).catch((error: unknown) => response.destroy(error as Error))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  house.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return house
}

export function wholeAnswer(reply: Answering): void {
  reply.open()
  for (const word of ANSWER.match(/\S+\s*/g) ?? []) reply.text(word)
  reply.finish()
}

async function route(
  house: ScriptedHouse,
  assets: ReturnType<typeof openAssets>,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { method = 'GET', url = '/' } = request
  response.setHeader('x-request-id', REQUEST_ID)
  if (!/^\/(api|v1)\//.test(url)) {
    const asset = assets(url, request.headers as { [name: string]: string })
    response.writeHead(asset?.status ?? 404, { ...asset?.headers })
    response.end(asset?.bytes)
    return
  }
  const json = (status: number, body: object) => {
    response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' })
    response.end(JSON.stringify(body))
  }
  const session = { key: { id: 'k1', name: 'first admin', role: 'admin' } }
  if (url === '/api/session' && method === 'POST') {
    const { key } = (await bodyOf(request)) as { key?: string }
    house.isSignedIn = key === house.key
    return house.isSignedIn
      ? json(200, session)
      : json(
          401,
          problem(
            'key_unknown',
            'The key is not known, has expired or was revoked. Check it for a typing error, or make a new one with `npx headworks keys create`.',
          ),
        )
  }
  if (!house.isSignedIn) return json(401, problem('key_missing', 'The request carries no key. Sign in.'))
  if (url === '/api/session' && method === 'DELETE') {
    house.isSignedIn = false
    return json(200, {})
  }
  if (url === '/v1/chat/completions')
    return converse(house, (await bodyOf(request)) as { [name: string]: unknown }, response)
  const document = /^\/api\/collections\/handbook\/documents\/(\w+)$/.exec(url)?.[1]
  if (document !== undefined) {
    const row = DOCUMENTS.find((one) => one.id === document)
    return row === undefined
      ? json(404, problem('not_found', `No document is called "${document}". Check the name.`))
      : json(200, row)
  }
  if (url === '/api/session') return json(200, session)
  if (url === '/api/collections') {
    const handbook = { name: 'handbook', documents: 23, chunks: 412, bytes: 184_220, updatedAtMs: 1_763_800_000_000 }
    return json(200, { collections: house.isEmpty ? [] : [handbook] })
  }
  if (url === '/v1/models') return json(200, { object: 'list', data: MODELS })
  return json(
    404,
    problem('path_unknown', `There is nothing at ${method} ${url}. See /api/openapi.json for what there is.`),
  )
}

const model = (id: string, kind: string, operations: string[], description: string) => ({
  id,
  object: 'model',
  created: 1_763_800_000,
  owned_by: 'headworks',
  headworks: { kind, operations, description },
})

const MODELS = [
  model('chat', 'model', ['chat'], 'Qwen3-32B on local-vllm'),
  model('docs', 'workflow', ['chat'], 'Answers from the collection handbook'),
  model('embed', 'model', ['embed'], 'bge-m3'),
  model('reader', 'model', ['chat'], 'The extractive engine'),
]

const problem = (code: string, message: string) => ({
  error: { message, type: 'invalid_request_error', param: null, code },
})

async function bodyOf(request: IncomingMessage): Promise<unknown> {
  const parts: Buffer[] = []
  for await (const part of request) parts.push(part as Buffer)
  return JSON.parse(Buffer.concat(parts).toString())
}

async function converse(
  house: ScriptedHouse,
  body: { [name: string]: unknown },
  response: ServerResponse,
): Promise<void> {
  house.asked.push(body)
  response.on('close', () => {
    if (!response.writableEnded) house.cancelled++
  })
  const common = { id: 'chatcmpl-1', object: 'chat.completion.chunk', created: 1_763_800_000, model: body['model'] }
  const own = { request_id: REQUEST_ID, sources: SOURCES }
  const send = (frame: object) => void response.write(`data: ${JSON.stringify(frame)}\n\n`)
  const chunk = (delta: object, more: object = {}, reason: string | null = null) =>
    send({ ...common, usage: null, choices: [{ index: 0, delta, finish_reason: reason }], ...more })
  const messages = body['messages'] as { content: string }[]
  await house.answer(
    {
      send,
      open: () => {
        response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-cache' })
        chunk({ role: 'assistant', content: '' }, { headworks: own })
      },
      text: (content) => chunk({ content }),
      finish: () => {
        const report = {
          ...own,
          model: body['model'],
          deployment: body['model'],
          stages: STAGES,
          cost_nanousd: '0',
          estimated: false,
          answered: true,
        }
        chunk({}, { headworks: report }, 'stop')
        send({ ...common, choices: [], usage: { prompt_tokens: 1874, completion_tokens: 126, total_tokens: 2000 } })
        response.end('data: [DONE]\n\n')
      },
      end: () => void response.end(),
      reset: () => void response.destroy(),
      refuse: (status, code, message) => {
        response.writeHead(status, { 'content-type': 'application/json' })
        response.end(JSON.stringify(problem(code, message)))
      },
    },
    messages[0]?.content ?? '',
  )
}
