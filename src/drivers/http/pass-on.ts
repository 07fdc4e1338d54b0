import { Agent, request as ask, type IncomingMessage } from 'node:http'
import { endToEnd } from './forward.ts'
import type { Incoming } from './incoming.ts'
import type { Outgoing } from './outgoing.ts'

/** As `Forwarder`, for requests that the server over llhttp has read. */
export class Passer {
  readonly #socketPath: string
  readonly #agent = new Agent({ keepAlive: true })

  /** @param socketPath Where the other process listens. */
  constructor(socketPath: string) {
    this.#socketPath = socketPath
  }

  /** @param onFailure The other process does not answer, and nothing has left yet. */
  pass(incoming: Incoming, outgoing: Outgoing, onFailure: () => void): void {
    const headers = endToEnd(incoming.rawHeaders)
    if (incoming.headers['host'] === undefined) headers.push('host', '') // HTTP/1.0 may leave it out.
    if (incoming.hasBody && incoming.headers['content-length'] === undefined)
      headers.push('transfer-encoding', 'chunked')
    const asked = ask({
      socketPath: this.#socketPath,
      agent: this.#agent,
      method: incoming.method,
      path: incoming.target,
      headers,
      setHost: false,
    })
    let answer: IncomingMessage | undefined
    let isGone = false
    outgoing.onGone(() => {
      isGone = true
      asked.destroy()
    })
    asked.on('response', (received) => {
      answer = received
      outgoing.passHead(received.statusCode ?? 502, endToEnd(received.rawHeaders))
      outgoing.onDrain(() => received.resume())
      received.on('data', (bytes: Buffer) => {
        if (!outgoing.write(bytes)) received.pause()
      })
      received.on('end', () => outgoing.end())
      received.on('error', () => outgoing.abort()) // So that a truncation cannot be taken for an end.
    })
    asked.on('error', () => {
      incoming.forget()
      if (isGone) return
      if (answer === undefined) onFailure()
      else if (!answer.complete) outgoing.abort()
    })
    if (incoming.hasBody) incoming.pipe(asked)
    else asked.end()
  }

  close(): void {
    this.#agent.destroy()
  }
}
