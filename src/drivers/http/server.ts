import { chmod, unlink } from 'node:fs/promises'
import { createServer, type ServerOptions, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createServer as createTlsServer, type Server as TlsServer } from 'node:https'
import type { Duplex } from 'node:stream'
import { Fault, fault, refuse, type Refusal, statusOf } from '../../base/errors.ts'
import type { Handler, Headers, HttpServer, Reply, Request } from '../../base/http.ts'
import type { Log } from '../../base/log.ts'
import { addressText, listenFault, parseAddress, type Target } from './address.ts'
import { Certificate } from './certificate.ts'
import { Forwarder } from './forward.ts'
import type { Listener, ListenerOptions } from './listener.ts'
import { ambiguity, credentialIn, type Head, pathOf, refusalBytes, refusalText, requestId } from './refusal.ts'

/** The server side over `node:http`. What Node's parser lets through and must not reach anyone is
 *  refused (`refusal.ts`). */

const HEADER_BYTES_MAX = 16 * 1024
const HEADERS_MS_MAX = 10_000
/** How often slow senders are looked for. */
const CHECK_MS = 1000
const KEEP_ALIVE_MS = 65_000
const CONNECTIONS_MAX = 20_000
const SOCKET_MODE = 0o600

export class NodeHttpListener implements Listener {
  readonly #bodyTimeoutMs: number
  readonly #options: ListenerOptions

  /** @param bodyTimeoutMs For headers and body to arrive; a slow sender holds a connection no longer. */
  constructor(bodyTimeoutMs: number, options: ListenerOptions = {}) {
    this.#bodyTimeoutMs = bodyTimeoutMs
    this.#options = options
  }

  /** @param peer Who is at the other end: of a socket file, its owner, unless others speak through
   *  it. */
  async listen(address: string, handler: Handler, peer?: Request['peer']): Promise<HttpServer> {
    const target = parseAddress(address)
    const isFile = target.path !== undefined
    const { server, listening } = this.#server(handler, peer ?? (isFile ? 'local' : 'network'), isFile)
    if (target.path !== undefined) await unlink(target.path).catch(() => {}) // A socket file left by a killed process.
    await opened(server, target, address)
    if (target.path !== undefined) await chmod(target.path, this.#options.socketMode ?? SOCKET_MODE)
    return listening(boundAddress(server, address))
  }

  /** Accepts on an address that another process has bound (`bindAddress`). */
  async listenOn(handle: unknown, handler: Handler): Promise<HttpServer> {
    const { server, listening } = this.#server(handler, 'network', false)
    await opened(server, handle as object, 'of the main process')
    return listening(boundAddress(server, ''))
  }

  #server(
    handler: Handler,
    peer: Request['peer'],
    isPatient: boolean,
  ): { server: Server; listening: (address: string) => HttpServer } {
    const options = {
      maxHeaderSize: HEADER_BYTES_MAX,
      headersTimeout: Math.min(HEADERS_MS_MAX, this.#bodyTimeoutMs),
      requestTimeout: this.#bodyTimeoutMs,
      keepAliveTimeout: KEEP_ALIVE_MS,
      connectionsCheckingInterval: Math.min(CHECK_MS, this.#bodyTimeoutMs),
      requireHostHeader: false, // Refused below, in our own words.
      noDelay: true,
    }
    const { headers = {}, elsewhere, tls, log } = this.#options
    const certificate = tls === undefined ? undefined : new Certificate(tls)
    const server = certificate === undefined ? createServer(options) : overTls(options, certificate, log)
    server.maxConnections = CONNECTIONS_MAX
    const line: Line = {
      peer,
      handler,
      bodyTimeoutMs: this.#bodyTimeoutMs,
      isPatient,
      answering: new WeakSet(),
      headers: Object.entries(headers) as [string, string][],
      ...(elsewhere === undefined
        ? {}
        : { elsewhere: { isTheirs: elsewhere.isTheirs, forwarder: new Forwarder(elsewhere.socketPath) } }),
    }
    server.on('request', (message, response) => serve(message, response, line, undefined))
    server.on('checkContinue', (message, response) => serve(message, response, line, () => response.writeContinue()))
    server.on('checkExpectation', (_, response) =>
      turnAway(response, refuse('request_refused', { reason: 'it expects what this server does not know' })),
    )
    server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
      // Into an answer that has begun, no other may be written.
      if (socket.writable && !line.answering.has(socket)) socket.end(unparsed(error, this.#bodyTimeoutMs))
      else socket.destroy()
    })
    return {
      server,
      listening: (address) =>
        new Listening(server, address, () => {
          certificate?.stop()
          line.elsewhere?.forwarder.close()
        }),
    }
  }
}

function overTls(options: ServerOptions, certificate: Certificate, log: Log | undefined): TlsServer {
  const server = createTlsServer({ ...options, ...certificate.options })
  certificate.follow(log, (changed) => server.setSecureContext(changed))
  return server
}

/** What every request of one listener shares. */
interface Line {
  readonly peer: Request['peer']
  readonly handler: Handler
  readonly bodyTimeoutMs: number
  /** What comes of a body after its answer is read and forgotten, since the other side is one of us
   *  and would lose the answer otherwise. A stranger's connection is closed. */
  readonly isPatient: boolean
  /** Connections on which the head of an answer is out and its end is not. */
  readonly answering: WeakSet<Duplex>
  readonly headers: readonly (readonly [name: string, value: string])[]
  readonly elsewhere?: { readonly isTheirs: (request: Request) => boolean; readonly forwarder: Forwarder }
}

class Listening implements HttpServer {
  readonly address: string
  readonly #server: Server
  readonly #onClosed: () => void

  constructor(server: Server, address: string, onClosed: () => void) {
    this.#server = server
    this.address = address
    this.#onClosed = onClosed
  }

  async drain(graceMs: number): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()))
    this.#server.closeIdleConnections()
    const cut = setTimeout(() => this.#server.closeAllConnections(), graceMs)
    await closed
    clearTimeout(cut)
    this.#onClosed()
  }
}

function opened(server: Server, target: Target | object, address: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => reject(listenFault(address, error)))
    server.once('listening', () => resolve())
    server.listen(target)
  })
}

function boundAddress(server: Server, asked: string): string {
  const bound = server.address()
  if (bound === null || typeof bound === 'string') return bound ?? asked
  return addressText(bound)
}

/** What a client is told whose bytes are no request, or came too slowly to be one. */
function unparsed(error: NodeJS.ErrnoException, bodyTimeoutMs: number): string {
  if (error.code === 'ERR_HTTP_REQUEST_TIMEOUT') return refusalBytes(refuse('body_timeout', { limitMs: bodyTimeoutMs }))
  const reason = error.code === 'HPE_HEADER_OVERFLOW' ? 'its headers are too large' : 'it is not valid HTTP'
  return refusalBytes(refuse('request_refused', { reason }))
}

/** @param invite Tells a client that waits for it (`Expect: 100-continue`) to send its body. */
function serve(message: IncomingMessage, response: ServerResponse, line: Line, invite: (() => void) | undefined): void {
  for (const [name, value] of line.headers) response.setHeader(name, value)
  const refusal = ambiguity(headOf(message), line.peer)
  if (refusal !== undefined) return turnAway(response, refusal)
  const request = new NodeRequest(message, line, invite)
  if (line.elsewhere?.isTheirs(request) !== true) return line.handler(request, new NodeReply(response, line))
  invite?.()
  response.on('error', () => {}) // A peer that went away is told by `close`.
  line.elsewhere.forwarder.pass({
    message,
    response,
    target: request.target,
    hasBody: hasBody(message),
    onHead: () => beginAnswer(response, line),
    onFailure: () => turnAway(response, refuse('stopping', {})),
  })
}

/** To be called as the head of an answer is about to leave. */
function beginAnswer(response: ServerResponse, { answering, isPatient }: Line): void {
  const { socket } = response.req
  // A body that was not read to its end cannot be followed by another request.
  if (!isPatient && !response.req.complete && hasBody(response.req)) response.setHeader('connection', 'close')
  answering.add(socket)
  response.once('close', () => answering.delete(socket))
}

function turnAway(response: ServerResponse, refusal: Refusal): void {
  response.writeHead(statusOf(refusal), {
    'content-type': 'application/json; charset=utf-8',
    'x-request-id': requestId(),
    connection: 'close',
  })
  response.end(refusalText(refusal))
}

const headOf = ({ rawHeaders, httpVersion, url = '/' }: IncomingMessage): Head => ({
  rawHeaders,
  isHttp10: httpVersion === '1.0',
  target: url,
})

class NodeRequest implements Request {
  readonly method: string
  readonly target: string
  readonly headers: Headers
  readonly peer: Request['peer']
  readonly #message: IncomingMessage
  readonly #bodyTimeoutMs: number
  readonly #invite: (() => void) | undefined

  constructor(message: IncomingMessage, { peer, bodyTimeoutMs }: Line, invite: (() => void) | undefined) {
    this.method = message.method ?? 'GET'
    this.target = pathOf(message.url ?? '/')
    this.headers = message.headers as Headers
    this.peer = peer
    this.#bodyTimeoutMs = bodyTimeoutMs
    this.#message = message
    this.#invite = invite
  }

  body(bytesMax: number): Promise<Uint8Array> {
    const message = this.#message
    const tooLarge = (): Fault => fault('body_too_large', { limitBytes: bytesMax })
    return new Promise((resolve, reject) => {
      if (Number(message.headers['content-length'] ?? 0) > bytesMax) return reject(tooLarge())
      this.#invite?.()
      const chunks: Buffer[] = []
      let bytes = 0
      message.on('data', (chunk: Buffer) => {
        bytes += chunk.length
        if (bytes > bytesMax) {
          chunks.length = 0 // The rest is read and forgotten, so that the refusal can be read.
          return reject(tooLarge())
        }
        chunks.push(chunk)
      })
      message.on('end', () => {
        const smuggled = smuggledIn(message)
        if (smuggled !== undefined) return reject(smuggled)
        resolve(chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks))
      })
      message.on('error', () => reject(fault('body_timeout', { limitMs: this.#bodyTimeoutMs })))
    })
  }

  async *pieces(bytesMax: number): AsyncGenerator<Uint8Array> {
    const message = this.#message
    const tooLarge = (): Fault => fault('body_too_large', { limitBytes: bytesMax })
    if (Number(message.headers['content-length'] ?? 0) > bytesMax) throw tooLarge()
    this.#invite?.()
    let bytes = 0
    try {
      // The connection outlives whoever stops reading: it has an answer to carry.
      for await (const piece of message.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
        bytes += piece.length
        if (bytes > bytesMax) throw tooLarge()
        yield piece
      }
    } catch (thrown) {
      throw thrown instanceof Fault ? thrown : fault('body_timeout', { limitMs: this.#bodyTimeoutMs }, thrown)
    } finally {
      message.resume() // The rest is read and forgotten, so that a refusal can be read.
    }
    const smuggled = smuggledIn(message)
    if (smuggled !== undefined) throw smuggled
  }
}

/** A credential that came behind the body. */
function smuggledIn({ trailers }: IncomingMessage): Fault | undefined {
  const smuggled = credentialIn((name) => trailers[name] !== undefined)
  return smuggled === undefined ? undefined : fault('request_refused', { reason: `a trailer carries ${smuggled}` })
}

/** A request without a body is reported before the parser has marked it complete. */
const hasBody = ({ headers }: IncomingMessage): boolean =>
  headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0

class NodeReply implements Reply {
  readonly #response: ServerResponse
  readonly #line: Line
  #corked = false

  constructor(response: ServerResponse, line: Line) {
    this.#response = response
    this.#line = line
    response.on('error', () => {}) // A peer that went away is told by `close`.
  }

  get headSent(): boolean {
    return this.#response.headersSent
  }

  head(status: number, headers: Headers): void {
    const response = this.#response
    beginAnswer(response, this.#line)
    if (headers['x-request-id'] === undefined) response.setHeader('x-request-id', requestId())
    response.writeHead(status, headers as Record<string, string>)
  }

  /** What is written in one turn leaves in one system call. */
  write(bytes: string | Uint8Array): boolean {
    if (!this.#corked) {
      this.#corked = true
      this.#response.cork()
      process.nextTick(() => {
        this.#corked = false
        this.#response.uncork()
      })
    }
    return this.#response.write(bytes)
  }

  end(bytes?: string | Uint8Array): void {
    this.#response.end(bytes)
  }

  abort(): void {
    this.#response.destroy()
  }

  onDrain(listener: () => void): void {
    this.#response.on('drain', listener)
  }

  onGone(listener: () => void): void {
    const response = this.#response
    const check = (): void => {
      if (!response.writableFinished) listener()
    }
    if (response.destroyed) queueMicrotask(check)
    else response.once('close', check)
  }
}
