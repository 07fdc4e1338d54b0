import { readFileSync } from 'node:fs'
import { createSecureContext } from 'node:tls'
import { Agent, type Dispatcher } from 'undici'
import { fault, reasonOf } from '../../base/errors.ts'
import type { ClientHandler, ClientRequest, Exchange, Headers, HttpClient } from '../../base/http.ts'

/** The client side over undici's `dispatch`: callbacks instead of async iteration, which costs
 *  half as much per chunk. Pools one set of keep-alive connections per origin. */

/** Connections per origin; more requests wait for a free one. */
const CONNECTIONS_MAX = 16_384
const KEEP_ALIVE_MS = 30_000

/** The gateway's own deadlines rule while an answer is wanted. This one reclaims a connection
 *  whose server said all there was to say and never closed the response. */
const SILENCE_MS_MAX = 600_000

/** URLs whose parts are remembered. */
const PLACES_MAX = 1_000

interface Place {
  readonly origin: string
  readonly path: string
}

/** How servers are reached, where that is not by what their URLs say. */
export interface Way {
  /** Of a Unix socket, whatever host a URL names. */
  readonly socket?: string | undefined
  /** PEM files. */
  readonly tls?:
    | {
        /** Who vouches for the server, instead of those that Node knows. */
        readonly authority?: string | undefined
        /** Ours, where the server wants to know who calls. */
        readonly certificate?: string | undefined
        readonly key?: string | undefined
      }
    | undefined
}

export class UndiciClient implements HttpClient {
  /** One agent per connect time-out: undici sets it per agent. */
  readonly #agents = new Map<number, Agent>()
  readonly #places = new Map<string, Place>()
  readonly #connect: { readonly [option: string]: string | Buffer }

  /** Reads the files of `way` now. Throws a `Fault` (`certificate_unusable`). */
  constructor(way: Way = {}) {
    const { socket, tls } = way
    const options = { ca: pem(tls?.authority), cert: pem(tls?.certificate), key: pem(tls?.key), socketPath: socket }
    const given = Object.entries(options).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, value] as const],
    )
    this.#connect = Object.fromEntries(given)
    if (tls !== undefined) check(this.#connect, tls.certificate ?? tls.authority ?? '')
  }

  start(request: ClientRequest, handler: ClientHandler): Exchange {
    const { origin, path } = this.#placeOf(request.url)
    const state = new Running(handler)
    const options: Dispatcher.DispatchOptions = {
      origin,
      path,
      method: request.method,
      headers: definite(request.headers),
      ...(request.body === undefined ? {} : { body: request.body }),
      headersTimeout: 0,
      bodyTimeout: SILENCE_MS_MAX,
    }
    this.#agent(request.connectTimeoutMs).dispatch(options, state)
    return state
  }

  /** Engines are called by few URLs, again and again. */
  #placeOf(url: string): Place {
    const known = this.#places.get(url)
    if (known !== undefined) return known
    const { origin, pathname, search } = new URL(url)
    const place = { origin, path: pathname + search }
    if (this.#places.size < PLACES_MAX) this.#places.set(url, place)
    return place
  }

  async close(): Promise<void> {
    await Promise.all([...this.#agents.values()].map((agent) => agent.destroy()))
  }

  #agent(connectTimeoutMs: number): Agent {
    let agent = this.#agents.get(connectTimeoutMs)
    if (agent === undefined) {
      agent = new Agent({
        connections: CONNECTIONS_MAX,
        keepAliveTimeout: KEEP_ALIVE_MS,
        connect: { timeout: connectTimeoutMs, ...this.#connect },
        pipelining: 1,
      })
      this.#agents.set(connectTimeoutMs, agent)
    }
    return agent
  }
}

function pem(path: string | undefined): Buffer | undefined {
  try {
    return path === undefined ? undefined : readFileSync(path)
  } catch (thrown) {
    throw fault('certificate_unusable', { path: path ?? '', reason: reasonOf(thrown) }, thrown)
  }
}

function check(options: { readonly [option: string]: string | Buffer }, path: string): void {
  try {
    createSecureContext(options)
  } catch (thrown) {
    throw fault('certificate_unusable', { path, reason: reasonOf(thrown) }, thrown)
  }
}

class Running implements Exchange, Dispatcher.DispatchHandler {
  readonly #handler: ClientHandler
  #controller: Dispatcher.DispatchController | undefined
  #over = false
  #paused = false

  constructor(handler: ClientHandler) {
    this.#handler = handler
  }

  abort(): void {
    this.#over = true
    this.#controller?.abort(new Error('aborted'))
  }

  pause(): void {
    this.#paused = true
    this.#controller?.pause()
  }

  resume(): void {
    this.#paused = false
    this.#controller?.resume()
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller
    if (this.#over) controller.abort(new Error('aborted'))
  }

  onResponseStart(
    _: Dispatcher.DispatchController,
    status: number,
    headers: Record<string, string | string[] | undefined>,
  ): void {
    if (this.#over || status < 200) return
    if (this.#paused) this.#controller?.pause()
    this.#handler.head(status, joined(headers))
  }

  onResponseData(_: Dispatcher.DispatchController, bytes: Buffer): void {
    if (!this.#over) this.#handler.data(bytes)
  }

  onResponseEnd(): void {
    if (this.#over) return
    this.#over = true
    this.#handler.end()
  }

  onResponseError(_: Dispatcher.DispatchController, cause: Error): void {
    if (this.#over) return
    this.#over = true
    this.#handler.fail(cause)
  }
}

function definite(headers: Headers): Record<string, string> {
  const out: Record<string, string> = {}
  for (const [name, value] of Object.entries(headers)) if (value !== undefined) out[name] = value
  return out
}

/** As undici parsed them, unless one came more than once. */
function joined(headers: Record<string, string | string[] | undefined>): Headers {
  for (const name in headers)
    if (typeof headers[name] !== 'string')
      return Object.fromEntries(Object.entries(headers).map(([one, value]) => [one, text(value)]))
  return headers as Headers
}

const text = (value: string | string[] | undefined): string | undefined =>
  Array.isArray(value) ? value.join(', ') : value
