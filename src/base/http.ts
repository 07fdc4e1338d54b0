/** HTTP as the rest of the house sees it, so that the server and the client underneath can be
 *  exchanged: `node:http` and undici today, a simulated network in `sim/`. */

/** Header names in lower case. A repeated header is joined with `, ` except `set-cookie`. */
export interface Headers {
  readonly [name: string]: string | undefined
}

// The side that answers

export interface Request {
  readonly method: string
  /** Path and query, as sent. */
  readonly target: string
  readonly headers: Headers
  /** Where the peer sits. `local` is the control socket: whoever can open that file owns the
   *  data folder, and needs no key. */
  readonly peer: 'network' | 'local'
  /** The whole body, refused past `bytesMax` without reading on. Rejects with a `Fault`
   *  (`body_too_large`, `body_timeout`, `request_refused`). */
  body(bytesMax: number): Promise<Uint8Array>
  /** The same, as it arrives and no faster than it is taken. Either this or `body`, once. Whoever stops
   *  early leaves the rest unread. */
  pieces(bytesMax: number): AsyncIterable<Uint8Array>
}

export interface Reply {
  /** Status and headers; once. */
  head(status: number, headers: Headers): void
  /** Returns false when the peer is not keeping up: stop until `onDrain`. */
  write(bytes: string | Uint8Array): boolean
  end(bytes?: string | Uint8Array): void
  /** Breaks the connection so that a truncation cannot be taken for an end. */
  abort(): void
  onDrain(listener: () => void): void
  /** The peer went away before `end` was through; told also to who asks after it did. */
  onGone(listener: () => void): void
  readonly headSent: boolean
}

export type Handler = (request: Request, reply: Reply) => void

export interface HttpServer {
  /** The address really bound, `host:port` or the socket's path. */
  readonly address: string
  /** Takes no new connection, lets replies in flight end, and cuts what is left after `graceMs`. */
  drain(graceMs: number): Promise<void>
}

export interface HttpListener {
  /** Rejects with a `Fault`: `port_in_use`, `address_invalid`. */
  listen(address: string, handler: Handler): Promise<HttpServer>
}

/** Where to call what listens on `address`: every interface is listened on, but one is called. */
export const reachable = (address: string): string => address.replace(/^(0\.0\.0\.0|\[::\])(?=:\d+$)/, '127.0.0.1')

// The side that asks

export interface ClientRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  readonly url: string
  readonly headers: Headers
  readonly body?: string | Uint8Array
  readonly connectTimeoutMs: number
}

/** Callbacks of one exchange, in order: `head`, any number of `data`, then `end` or `fail`,
 *  exactly one of the two. Nothing is called after `Exchange.abort`. */
export interface ClientHandler {
  head(status: number, headers: Headers): void
  data(bytes: Uint8Array): void
  end(): void
  /** The cause is a socket's error or a parser's: connect, reset, time-out, malformed. */
  fail(cause: Error): void
}

export interface Exchange {
  abort(): void
  pause(): void
  resume(): void
}

export interface HttpClient {
  start(request: ClientRequest, handler: ClientHandler): Exchange
  close(): Promise<void>
}
