import type { ClientHandler, ClientRequest, Exchange, HttpClient } from '../../src/base/http.ts'
import type { JsonObject } from '../../src/base/json.ts'

/** A wire whose bytes a test sends by hand. */
export class HandWire implements HttpClient, Exchange {
  requests: ClientRequest[] = []
  handler: ClientHandler | undefined
  aborted = false

  start(request: ClientRequest, handler: ClientHandler): Exchange {
    this.requests.push(request)
    this.handler = handler
    return this
  }

  abort(): void {
    this.aborted = true
  }

  pause(): void {}

  resume(): void {}

  async close(): Promise<void> {}

  /** Answers with a status, a type and a body in the pieces given. */
  answer(status: number, type: string, ...pieces: (string | Uint8Array)[]): void {
    this.handler?.head(status, { 'content-type': type })
    for (const piece of pieces) this.handler?.data(Buffer.from(piece))
    this.handler?.end()
  }

  get sent(): JsonObject {
    return JSON.parse(String(this.requests.at(-1)?.body)) as JsonObject
  }
}
