/** A model server on a real socket that behaves as a test tells it to. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface Upstream {
  /** Up to and including the version. */
  readonly url: string
  /** How it answers from now on. */
  behave(how: Behaviour): void
  /** Requests whose connection the other side closed before the answer was through. */
  readonly abandoned: number
  readonly asked: number
  stop(): Promise<void>
}

export type Behaviour = (response: ServerResponse, body: { readonly stream?: boolean }) => void

/** `port`: one that it had before. */
export async function startUpstream(port = 0): Promise<Upstream> {
  let how: Behaviour = answers
  let abandoned = 0
  let asked = 0
  const server = createServer((request, response) => {
    asked++
    response.on('close', () => {
      if (!response.writableFinished) abandoned++
    })
    void bodyOf(request).then((body) => how(response, body))
  })
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    behave: (next) => void (how = next),
    get abandoned() {
      return abandoned
    },
    get asked() {
      return asked
    },
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

async function bodyOf(request: IncomingMessage): Promise<{ readonly stream?: boolean }> {
  let text = ''
  for await (const bytes of request) text += String(bytes)
  return text === '' ? {} : (JSON.parse(text) as { readonly stream?: boolean })
}

const STREAM = { 'content-type': 'text/event-stream' }
const usage = { prompt_tokens: 7, completion_tokens: 3, total_tokens: 10 }
const chunk = (content: string, finish: string | null = null): string =>
  `data: ${JSON.stringify({ id: 'c', object: 'chat.completion.chunk', created: 1, model: 'weights', choices: [{ index: 0, delta: { content }, finish_reason: finish }] })}\n\n`

/** As a model server should. */
export const answers: Behaviour = (response, { stream }) => {
  if (stream === true) {
    response.writeHead(200, STREAM)
    response.write(chunk('All '))
    response.write(chunk('is well.', 'stop'))
    response.write(`data: ${JSON.stringify({ id: 'c', choices: [], usage })}\n\n`)
    response.end('data: [DONE]\n\n')
    return
  }
  response.writeHead(200, { 'content-type': 'application/json' })
  const message = { role: 'assistant', content: 'All is well.' }
  response.end(
    JSON.stringify({
      id: 'c',
      object: 'chat.completion',
      created: 1,
      model: 'weights',
      choices: [{ index: 0, message, finish_reason: 'stop' }],
      usage,
    }),
  )
}

export const hangs: Behaviour = () => {}

/** Says one word and then nothing more. */
export const stalls: Behaviour = (response) => {
  response.writeHead(200, STREAM)
  response.write(chunk('Well'))
}

export const breaksOff: Behaviour = (response) => {
  response.writeHead(200, STREAM)
  response.write(chunk('Well'), () => response.destroy())
}

export const endsEarly: Behaviour = (response) => {
  response.writeHead(200, STREAM)
  response.end(chunk('Well'))
}

export const rubbish: Behaviour = (response) => {
  response.writeHead(200, { 'content-type': 'text/html' })
  response.end('<html>It works!</html>')
}

export const resets: Behaviour = (response) => void response.destroy()

export const overloaded: Behaviour = (response) => {
  response.writeHead(429, { 'content-type': 'application/json' })
  response.end('{"error":{"message":"slow down"}}')
}

/** As it should, but so many milliseconds later. */
export const after =
  (delayMs: number): Behaviour =>
  (response, body) => {
    const timer = setTimeout(() => answers(response, body), delayMs)
    response.on('close', () => clearTimeout(timer))
  }

/** Words without end. */
export const talks: Behaviour = (response) => {
  response.writeHead(200, STREAM)
  const timer = setInterval(() => response.write(chunk('word ')), 5)
  response.on('close', () => clearInterval(timer))
}
