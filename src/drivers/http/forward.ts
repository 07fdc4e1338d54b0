import { Agent, request as ask, type IncomingMessage, type ServerResponse } from 'node:http'

/** Passes a request on to another process of the house, as the client sent it, and its answer back:
 *  streaming both ways, at the pace of the slower side. */

/** Of one connection, not of the message (RFC 9110, 7.6.1). What `Connection` names besides stays:
 *  we are one server to the client, and nothing it says may take a credential or `Sec-Fetch-Site`
 *  out of its request. */
const HOP_BY_HOP = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'expect', // Answered here: the body is on its way already.
])

export const endToEnd = (raw: readonly string[]): string[] => {
  const kept: string[] = []
  for (let at = 0; at < raw.length; at += 2) {
    const name = raw[at] ?? ''
    if (!HOP_BY_HOP.has(name.toLowerCase())) kept.push(name, raw[at + 1] ?? '')
  }
  return kept
}

export interface Passed {
  readonly message: IncomingMessage
  readonly response: ServerResponse
  /** Path and query. */
  readonly target: string
  readonly hasBody: boolean
  /** The head of the answer is about to leave. */
  readonly onHead: () => void
  /** The other process does not answer, and nothing has left yet. */
  readonly onFailure: () => void
}

export class Forwarder {
  readonly #socketPath: string
  readonly #agent = new Agent({ keepAlive: true })

  /** @param socketPath Where the other process listens. */
  constructor(socketPath: string) {
    this.#socketPath = socketPath
  }

  pass({ message, response, target, hasBody, onHead, onFailure }: Passed): void {
    const headers = endToEnd(message.rawHeaders)
    if (message.headers.host === undefined) headers.push('host', '') // HTTP/1.0 may leave it out.
    if (hasBody && message.headers['content-length'] === undefined) headers.push('transfer-encoding', 'chunked')
    const asked = ask({
      socketPath: this.#socketPath,
      agent: this.#agent,
      method: message.method,
      path: target,
      headers,
      setHost: false,
    })
    let answer: IncomingMessage | undefined
    asked.on('response', (received) => {
      answer = received
      onHead()
      response.writeHead(received.statusCode ?? 502, endToEnd(received.rawHeaders))
      received.on('error', () => response.destroy()) // So that a truncation cannot be taken for an end.
      received.pipe(response)
    })
    asked.on('error', () => {
      message.unpipe(asked)
      message.resume()
      if (answer === undefined && !response.destroyed) onFailure()
      else if (answer?.complete !== true) response.destroy()
    })
    response.once('close', () => {
      if (!response.writableFinished || !asked.writableFinished) asked.destroy()
    })
    if (hasBody) message.pipe(asked)
    else asked.end()
  }

  close(): void {
    this.#agent.destroy()
  }
}
