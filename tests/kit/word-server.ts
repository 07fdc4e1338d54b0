import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { JsonObject } from '../../src/base/json.ts'

/** A small model server over real sockets, whatever its dialect: it counts words, at most as many as it is
 *  asked for; the word is a token. */

const WORDS = 'one two three four five six seven eight nine ten eleven twelve'.split(' ')
/** Text that makes it fail. */
export const FAILS = 'fail'

export interface WordDialect {
  readonly streamType: string
  /** The cap of a request, and whether it wants a stream. */
  read(asked: JsonObject, path: string): { readonly cap: number; readonly stream: boolean }
  whole(words: readonly string[], isCapped: boolean): JsonObject
  /** What is written one after another. */
  stream(words: readonly string[], isCapped: boolean): readonly (string | Uint8Array)[]
  readonly failure: { readonly status: number; readonly body: JsonObject }
  /** To a GET. */
  readonly models: JsonObject
}

export interface WordServer {
  readonly url: string
  readonly requests: readonly { readonly path: string; readonly headers: IncomingMessage['headers'] }[]
  close(): Promise<void>
}

export async function startWords(dialect: WordDialect): Promise<WordServer> {
  const requests: { path: string; headers: IncomingMessage['headers'] }[] = []
  const server = createServer((request, response) => {
    let body = ''
    request.on('data', (bytes: Buffer) => (body += bytes.toString()))
    request.on('end', () => {
      const path = request.url ?? ''
      requests.push({ path, headers: request.headers })
      if (request.method === 'GET') return response.end(JSON.stringify(dialect.models))
      if (body.includes(`"${FAILS}"`)) {
        response.writeHead(dialect.failure.status, { 'content-type': 'application/json' })
        return response.end(JSON.stringify(dialect.failure.body))
      }
      const { cap, stream } = dialect.read(JSON.parse(body) as JsonObject, path)
      const words = WORDS.slice(0, cap).map((word) => `${word} `)
      const isCapped = words.length < WORDS.length
      if (!stream) {
        response.writeHead(200, { 'content-type': 'application/json' })
        return response.end(JSON.stringify(dialect.whole(words, isCapped)))
      }
      response.writeHead(200, { 'content-type': dialect.streamType })
      const events = [...dialect.stream(words, isCapped)]
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
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    async close() {
      server.closeAllConnections()
      await new Promise<void>((resolve) => server.close(() => resolve()))
    },
  }
}
