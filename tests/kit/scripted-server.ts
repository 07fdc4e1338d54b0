import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Json, JsonObject } from '../../src/base/json.ts'

export interface Asked {
  readonly method: string
  readonly path: string
  readonly headers: IncomingHttpHeaders
  readonly body: JsonObject
}

export interface Scripted {
  readonly url: string
  readonly asked: Asked[]
  close(): Promise<void>
}

/** A server on a real socket that answers as a test says. Text is sent as it is. */
export async function scriptedServer(
  script: (asked: Asked) => { readonly status?: number; readonly body: Json | string },
): Promise<Scripted> {
  const asked: Asked[] = []
  const server = createServer((request, response) => {
    const pieces: Buffer[] = []
    request.on('data', (bytes: Buffer) => pieces.push(bytes))
    request.on('end', () => {
      const text = Buffer.concat(pieces).toString()
      const { method = '', url: path = '', headers } = request
      const one = { method, path, headers, body: JSON.parse(text === '' ? '{}' : text) as JsonObject }
      asked.push(one)
      const { status = 200, body } = script(one)
      response.writeHead(status, { 'content-type': 'application/json' })
      response.end(typeof body === 'string' ? body : JSON.stringify(body))
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    async close() {
      server.closeAllConnections()
      await new Promise<void>((resolve) => server.close(() => resolve()))
    },
  }
}
