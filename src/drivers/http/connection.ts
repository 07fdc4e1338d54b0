import type { Duplex } from 'node:stream'
import { refuse, type Refusal, statusOf } from '../../base/errors.ts'
import type { Handler, Request } from '../../base/http.ts'
import { Incoming } from './incoming.ts'
import { type HeaderList, Outgoing } from './outgoing.ts'
import { type Llhttp, type ParsedHead, RequestParser } from './parser.ts'
import { ambiguity, refusalBytes, refusalText } from './refusal.ts'

/** One connection of a client: requests one after another, answered in their order. A request that comes
 *  before the answer to the one ahead of it waits unread. */

export interface ConnectionOptions {
  readonly llhttp: Llhttp
  readonly peer: Request['peer']
  readonly handler: Handler
  /** What another process answers in our stead. */
  readonly elsewhere?: Elsewhere
  readonly headersTimeoutMs: number
  readonly bodyTimeoutMs: number
  readonly keepAliveMs: number
  /** What comes of a body after its answer is read and forgotten, since the other side is one of us
   *  and would lose the answer otherwise. A stranger's connection is closed. */
  readonly isPatient: boolean
  readonly headers: HeaderList
  readonly nowMs: () => number
  readonly onClosed: (connection: Connection) => void
}

export interface Elsewhere {
  readonly isTheirs: (request: Request) => boolean
  readonly forwarder: { pass(incoming: Incoming, outgoing: Outgoing, onFailure: () => void): void }
}

/** Of a `net.Socket`, or one over TLS. */
export interface Socket extends Duplex {
  /** Once everything is written. */
  destroySoon(): void
}

/** A refusal is read only if the connection is not reset: so much is read after it, for so long. */
const LINGER_BYTES_MAX = 256 * 1024
const LINGER_MS = 1_000

export class Connection {
  /** By `nowMs`; what is to be there then: the rest of a head or body, or another request. */
  deadlineMs: number
  readonly #options: ConnectionOptions
  readonly #socket: Socket
  readonly #parser: RequestParser
  #incoming: Incoming | undefined
  #outgoing: Outgoing | undefined
  /** Read, and not parsed before the answer is over. */
  #rest: Buffer | undefined
  #parsing = false
  /** The client would send another request on it. */
  #keepsAlive = true
  /** Read after the last answer; -1: it was not given yet. */
  #lingerBytes = -1
  /** Of the request whose head has just arrived. */
  #refusal: Refusal | undefined
  #isNew = false
  #drains = false

  constructor(socket: Socket, options: ConnectionOptions) {
    this.#socket = socket
    this.#options = options
    this.deadlineMs = options.nowMs() + options.keepAliveMs
    this.#parser = new RequestParser(options.llhttp, {
      head: (head) => this.#begin(head),
      body: (bytes) => this.#incoming?.push(bytes),
      end: (trailers) => this.#incoming?.end(trailers),
    })
    socket.on('data', (bytes: Buffer) => this.#arrived(bytes))
    socket.on('drain', () => this.#outgoing?.drained())
    socket.on('error', () => {}) // Told by `close`.
    socket.on('close', () => this.#closed())
  }

  /** A request is being answered, or on its way. */
  get isBusy(): boolean {
    return this.#outgoing !== undefined || !this.#parser.isFresh
  }

  /** No further request is taken; the one under way is answered. */
  drain(): void {
    this.#drains = true
    if (!this.isBusy) this.destroy()
  }

  destroy(): void {
    this.#socket.destroy()
  }

  /** Its deadline has passed. */
  expire(): void {
    if (this.#lingerBytes >= 0 || !this.isBusy) return this.destroy()
    const { bodyTimeoutMs } = this.#options
    this.deadlineMs = Infinity
    if (this.#incoming !== undefined && !this.#incoming.complete) return this.#incoming.expire()
    if (this.#outgoing === undefined) this.#refuse(refuse('body_timeout', { limitMs: bodyTimeoutMs }))
  }

  #arrived(bytes: Buffer): void {
    if (this.#lingerBytes >= 0) {
      this.#lingerBytes += bytes.length
      if (this.#lingerBytes > LINGER_BYTES_MAX) this.destroy()
    } else if (this.#outgoing !== undefined && this.#incoming?.complete === true) {
      this.#rest = this.#rest === undefined ? bytes : Buffer.concat([this.#rest, bytes])
      this.#socket.pause()
    } else this.#parse(bytes)
  }

  #parse(first: Buffer): void {
    const { nowMs, headersTimeoutMs } = this.#options
    this.#parsing = true
    for (let bytes: Buffer | undefined = first; bytes !== undefined && this.#lingerBytes < 0;) {
      if (this.#parser.isFresh) this.deadlineMs = nowMs() + headersTimeoutMs
      const parsed = this.#parser.parse(bytes)
      if (parsed.state === 'refused') {
        this.#refuse(refuse('request_refused', { reason: parsed.reason }))
        break
      }
      const rest: Buffer | undefined =
        parsed.state === 'ended' && parsed.consumed < bytes.length ? bytes.subarray(parsed.consumed) : undefined
      if (parsed.state === 'ended')
        this.deadlineMs = this.#outgoing === undefined ? nowMs() + this.#options.keepAliveMs : Infinity
      this.#dispatch()
      if (this.#outgoing !== undefined) {
        this.#rest = rest
        if (rest !== undefined) this.#socket.pause()
        break
      }
      bytes = rest
    }
    this.#parsing = false
  }

  #begin(head: ParsedHead): void {
    const { peer, nowMs, bodyTimeoutMs, headers, keepAliveMs } = this.#options
    const socket = this.#socket
    this.#keepsAlive = head.keepsAlive
    this.#refusal = ambiguity(head, peer)
    if (this.#refusal !== undefined) return
    this.deadlineMs = nowMs() + bodyTimeoutMs
    const incoming = new Incoming({
      head,
      peer,
      bodyTimeoutMs,
      invite: () => void socket.write('HTTP/1.1 100 Continue\r\n\r\n', 'latin1'),
      onFlow: (flows) => void (flows ? socket.resume() : socket.pause()),
    })
    this.#incoming = incoming
    this.#outgoing = new Outgoing({
      socket,
      isHead: head.method === 'HEAD',
      isHttp10: head.isHttp10,
      headers,
      isLast: () => this.#isLast(incoming),
      onEnd: () => this.#answered(),
      keepAliveSeconds: Math.floor(keepAliveMs / 1000),
    })
    this.#isNew = true
  }

  /** Hands over a request whose head has just arrived, with as much of its body as came along. */
  #dispatch(): void {
    if (this.#refusal !== undefined) return this.#refuse(this.#refusal)
    const incoming = this.#incoming
    const outgoing = this.#outgoing
    if (!this.#isNew || incoming === undefined || outgoing === undefined) return
    this.#isNew = false
    const { refusal } = incoming
    if (refusal !== undefined) return this.#turnAway(refusal)
    const { handler, elsewhere } = this.#options
    if (elsewhere?.isTheirs(incoming) !== true) return handler(incoming, outgoing)
    elsewhere.forwarder.pass(incoming, outgoing, () => this.#turnAway(refuse('stopping', {})))
  }

  /** A body that was not read to its end cannot be followed by another request. */
  #isLast(incoming: Incoming): boolean {
    return !this.#keepsAlive || this.#drains || (!incoming.complete && !this.#options.isPatient)
  }

  #answered(): void {
    const incoming = this.#incoming
    if (this.#outgoing?.isLast !== false || incoming === undefined) return this.#end()
    this.#outgoing = undefined
    if (!incoming.complete) {
      incoming.forget()
      this.#socket.resume()
    }
    const { nowMs, keepAliveMs } = this.#options
    if (incoming.complete) this.deadlineMs = nowMs() + keepAliveMs
    if (this.#drains && this.#rest === undefined) return this.#end()
    if (this.#parsing || !incoming.complete) return
    const rest = this.#rest
    this.#rest = undefined
    this.#socket.resume()
    if (rest !== undefined) this.#parse(rest)
  }

  /** After the last answer: what is still on its way is read, or it would take the answer with it. */
  #end(): void {
    const isRead = this.#incoming?.complete === true && this.#rest === undefined
    this.#outgoing = undefined
    this.#rest = undefined
    this.#lingerBytes = 0
    this.deadlineMs = this.#options.nowMs() + LINGER_MS
    this.#socket.resume()
    this.#socket.end()
    if (isRead) this.#socket.destroySoon()
  }

  /** Of a request that is none, or that nobody may read. Into an answer that has begun, no other may
   *  be written. */
  #refuse(refusal: Refusal): void {
    if (this.#lingerBytes >= 0) return
    const { headers } = this.#options
    if (this.#outgoing?.headSent === true) return this.destroy()
    this.#outgoing?.leave()
    this.#socket.write(withHeaders(refusalBytes(refusal), headers), 'utf8')
    this.#end()
  }

  #turnAway(refusal: Refusal): void {
    const outgoing = this.#outgoing
    outgoing?.head(statusOf(refusal), { 'content-type': 'application/json; charset=utf-8', connection: 'close' })
    outgoing?.end(refusalText(refusal))
  }

  #closed(): void {
    this.#parser.free()
    this.#outgoing?.leave()
    this.#incoming?.expire()
    this.#options.onClosed(this)
  }
}

const withHeaders = (answer: string, headers: HeaderList): string =>
  answer.replace('\r\n', `\r\n${headers.map(([name, value]) => `${name}: ${value}\r\n`).join('')}`)
