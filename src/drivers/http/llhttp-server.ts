import { chmod, unlink } from 'node:fs/promises'
import { createServer, type Server, type Socket } from 'node:net'
import { createServer as createTlsServer, type Server as TlsServer } from 'node:tls'
import type { Handler, HttpServer, Request } from '../../base/http.ts'
import type { Log } from '../../base/log.ts'
import { addressText, listenFault, parseAddress, type Target } from './address.ts'
import { Certificate } from './certificate.ts'
import { Connection, type ConnectionOptions } from './connection.ts'
import { Deadlines } from './deadlines.ts'
import type { Listener, ListenerOptions } from './listener.ts'
import { Llhttp } from './parser.ts'
import { Passer } from './pass-on.ts'

/** The server side over `node:net` and llhttp: half the CPU of `node:http` for a request, because no
 *  streams and no header objects stand between the bytes and the handler. */

const HEADERS_MS_MAX = 10_000
const KEEP_ALIVE_MS = 65_000
/** How often slow senders are looked for. */
const CHECK_MS = 1000
const CONNECTIONS_MAX = 20_000
const HANDSHAKE_MS_MAX = 10_000
const SOCKET_MODE = 0o600

export class LlhttpListener implements Listener {
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
    const listening = this.#listening(handler, peer ?? (isFile ? 'local' : 'network'), isFile)
    if (target.path !== undefined) await unlink(target.path).catch(() => {}) // A socket file left by a killed process.
    await listening.open(target, address)
    if (target.path !== undefined) await chmod(target.path, this.#options.socketMode ?? SOCKET_MODE)
    return listening
  }

  /** Accepts on an address that another process has bound (`bindAddress`). */
  async listenOn(handle: unknown, handler: Handler): Promise<HttpServer> {
    const listening = this.#listening(handler, 'network', false)
    await listening.open(handle as object, 'of the main process')
    return listening
  }

  #listening(handler: Handler, peer: Request['peer'], isPatient: boolean): Listening {
    const bodyTimeoutMs = this.#bodyTimeoutMs
    const { headers = {}, elsewhere, tls, log } = this.#options
    const passer = elsewhere === undefined ? undefined : new Passer(elsewhere.socketPath)
    return new Listening(Math.min(CHECK_MS, bodyTimeoutMs), {
      llhttp: new Llhttp(),
      peer,
      handler,
      isPatient,
      bodyTimeoutMs,
      headersTimeoutMs: Math.min(HEADERS_MS_MAX, bodyTimeoutMs),
      keepAliveMs: KEEP_ALIVE_MS,
      headers: Object.entries(headers) as [string, string][],
      nowMs: () => performance.now(),
      ...(tls === undefined ? {} : { certificate: new Certificate(tls) }),
      log,
      onEnd: () => passer?.close(),
      ...(elsewhere === undefined || passer === undefined
        ? {}
        : { elsewhere: { isTheirs: elsewhere.isTheirs, forwarder: passer } }),
    })
  }
}

interface ListeningOptions extends Omit<ConnectionOptions, 'onClosed'> {
  readonly certificate?: Certificate
  readonly log: Log | undefined
  readonly onEnd: () => void
}

class Listening implements HttpServer {
  address = ''
  readonly #server: Server
  readonly #deadlines: Deadlines
  readonly #options: ListeningOptions
  /** Of TLS, before they can say anything. */
  readonly #greeting = new Set<Socket>()

  constructor(checkMs: number, options: ListeningOptions) {
    this.#options = options
    const deadlines = (this.#deadlines = new Deadlines(checkMs, options.nowMs))
    const all: ConnectionOptions = { ...options, onClosed: (connection) => deadlines.delete(connection) }
    const { certificate } = options
    this.#server =
      certificate === undefined
        ? createServer({ noDelay: true }, (socket) => deadlines.add(new Connection(socket, all)))
        : this.#overTls(certificate, (socket) => deadlines.add(new Connection(socket, all)))
    this.#server.maxConnections = CONNECTIONS_MAX
  }

  #overTls(certificate: Certificate, onSocket: (socket: Socket) => void): TlsServer {
    const server = createTlsServer({
      ...certificate.options,
      ALPNProtocols: ['http/1.1'],
      handshakeTimeout: HANDSHAKE_MS_MAX,
      noDelay: true,
    })
    server.on('connection', (socket: Socket) => {
      this.#greeting.add(socket)
      socket.once('close', () => this.#greeting.delete(socket))
    })
    server.on('secureConnection', onSocket)
    server.on('tlsClientError', (_, socket) => socket.destroy())
    certificate.follow(this.#options.log, (options) => server.setSecureContext(options))
    return server
  }

  async open(target: Target | object, asked: string): Promise<void> {
    const server = this.#server
    await new Promise<void>((resolve, reject) => {
      server.once('error', (error: NodeJS.ErrnoException) => {
        this.#end()
        reject(listenFault(asked, error))
      })
      server.once('listening', () => resolve())
      server.listen(target)
    })
    const bound = server.address()
    this.address = bound === null || typeof bound === 'string' ? (bound ?? asked) : addressText(bound)
  }

  async drain(graceMs: number): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()))
    for (const connection of this.#deadlines.connections) connection.drain()
    const cut = setTimeout(() => {
      for (const connection of this.#deadlines.connections) connection.destroy()
      for (const socket of this.#greeting) socket.destroy()
    }, graceMs)
    await closed
    clearTimeout(cut)
    this.#end()
  }

  #end(): void {
    this.#deadlines.stop()
    this.#options.certificate?.stop()
    this.#options.onEnd()
  }
}
