import { chmod, unlink } from 'node:fs/promises'
import { createServer, type Server, type Socket } from 'node:net'
import type { Handler, HttpServer, Request } from '../../base/http.ts'
import { addressText, listenFault, parseAddress, type Target } from './address.ts'
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
    if (target.path !== undefined) await chmod(target.path, 0o600)
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
    const { headers = {}, elsewhere } = this.#options
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
      onEnd: () => passer?.close(),
      ...(elsewhere === undefined || passer === undefined
        ? {}
        : { elsewhere: { isTheirs: elsewhere.isTheirs, forwarder: passer } }),
    })
  }
}

class Listening implements HttpServer {
  address = ''
  readonly #server: Server
  readonly #deadlines: Deadlines
  readonly #onEnd: () => void

  constructor(checkMs: number, options: Omit<ConnectionOptions, 'onClosed'> & { readonly onEnd: () => void }) {
    this.#onEnd = options.onEnd
    const deadlines = (this.#deadlines = new Deadlines(checkMs, options.nowMs))
    const all: ConnectionOptions = { ...options, onClosed: (connection) => deadlines.delete(connection) }
    this.#server = createServer({ noDelay: true }, (socket: Socket) => deadlines.add(new Connection(socket, all)))
    this.#server.maxConnections = CONNECTIONS_MAX
  }

  async open(target: Target | object, asked: string): Promise<void> {
    const server = this.#server
    await new Promise<void>((resolve, reject) => {
      server.once('error', (error: NodeJS.ErrnoException) => {
        this.#deadlines.stop()
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
    }, graceMs)
    await closed
    clearTimeout(cut)
    this.#deadlines.stop()
    this.#onEnd()
  }
}
