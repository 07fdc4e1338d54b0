import type { Writable } from 'node:stream'
import { type Fault, fault, refuse, type Refusal } from '../../base/errors.ts'
import type { Headers, Request } from '../../base/http.ts'
import type { ParsedHead } from './parser.ts'
import { credentialIn, pathOf } from './refusal.ts'

/** A request as it arrives: its head is there, its body comes. */

/** Of a body that nobody has asked for yet; then no more is read. */
const AHEAD_BYTES_MAX = 64 * 1024

export interface IncomingOptions {
  readonly head: ParsedHead
  readonly peer: Request['peer']
  readonly bodyTimeoutMs: number
  /** Tells a client that waits for it to send its body. */
  readonly invite: () => void
  /** More of the body may be read, or no more for now. */
  readonly onFlow: (flows: boolean) => void
}

interface Sink {
  data(bytes: Buffer): void
  end(): void
  fail(cause: Fault): void
}

export class Incoming implements Request {
  readonly method: string
  readonly target: string
  readonly headers: Headers
  readonly peer: Request['peer']
  readonly rawHeaders: readonly string[]
  readonly hasBody: boolean
  readonly #options: IncomingOptions
  readonly #waitsForInvitation: boolean
  #sink: Sink | undefined
  #ahead: Buffer[] = []
  #aheadBytes = 0
  #complete = false
  #failed: Fault | undefined

  constructor(options: IncomingOptions) {
    const { head, peer } = options
    this.#options = options
    this.method = head.method
    this.target = pathOf(head.target)
    this.rawHeaders = head.rawHeaders
    this.headers = headersOf(head.rawHeaders)
    this.peer = peer
    this.hasBody = this.headers['transfer-encoding'] !== undefined || Number(this.headers['content-length'] ?? 0) > 0
    this.#waitsForInvitation = this.headers['expect'] !== undefined && !head.isHttp10
  }

  /** All of it has arrived. */
  get complete(): boolean {
    return this.#complete
  }

  /** The one expectation that is known is one of the body (RFC 9110, 10.1.1). */
  get refusal(): Refusal | undefined {
    const { expect } = this.headers
    if (expect === undefined || expect.toLowerCase() === '100-continue') return undefined
    return refuse('request_refused', { reason: 'it expects what this server does not know' })
  }

  body(bytesMax: number): Promise<Uint8Array> {
    const tooLarge = (): Fault => fault('body_too_large', { limitBytes: bytesMax })
    if (Number(this.headers['content-length'] ?? 0) > bytesMax) return Promise.reject(tooLarge())
    const [only] = this.#ahead
    if (this.#complete && this.#failed === undefined && this.#sink === undefined && this.#aheadBytes <= bytesMax) {
      this.#sink = FORGET
      return Promise.resolve(this.#ahead.length === 1 && only !== undefined ? only : Buffer.concat(this.#ahead))
    }
    return new Promise((resolve, reject) => {
      const pieces: Buffer[] = []
      let bytes = 0
      this.#into({
        data: (piece) => {
          bytes += piece.length
          if (bytes <= bytesMax) return void pieces.push(piece)
          pieces.length = 0 // The rest is read and forgotten, so that the refusal can be read.
          reject(tooLarge())
        },
        end: () => resolve(Buffer.concat(pieces)),
        fail: reject,
      })
    })
  }

  async *pieces(bytesMax: number): AsyncGenerator<Uint8Array> {
    const tooLarge = (): Fault => fault('body_too_large', { limitBytes: bytesMax })
    if (Number(this.headers['content-length'] ?? 0) > bytesMax) throw tooLarge()
    const { onFlow } = this.#options
    const waiting: Buffer[] = []
    let waitingBytes = 0
    let ended = false
    let failed: Fault | undefined
    let wake = (): void => {}
    this.#into({
      data: (piece) => {
        waiting.push(piece)
        waitingBytes += piece.length
        if (waitingBytes > AHEAD_BYTES_MAX) onFlow(false)
        wake()
      },
      end: () => {
        ended = true
        wake()
      },
      fail: (cause) => {
        failed = cause
        wake()
      },
    })
    try {
      for (let bytes = 0; ;) {
        const piece = waiting.shift()
        if (piece !== undefined) {
          bytes += piece.length
          waitingBytes -= piece.length
          if (bytes > bytesMax) throw tooLarge()
          if (waiting.length === 0) onFlow(true)
          yield piece
        } else if (failed !== undefined) throw failed
        else if (ended) return
        else await new Promise<void>((resolve) => (wake = resolve))
      }
    } finally {
      this.#sink = FORGET // The rest is read and forgotten, so that a refusal can be read.
      onFlow(true)
    }
  }

  /** The body as it comes, at the pace of `stream`, which is ended with it. */
  pipe(stream: Writable): void {
    stream.on('drain', () => this.#options.onFlow(true))
    this.#into({
      data: (piece) => {
        if (!stream.write(piece)) this.#options.onFlow(false)
      },
      end: () => void stream.end(),
      fail: (cause) => void stream.destroy(cause),
    })
  }

  /** Nobody wants the rest. */
  forget(): void {
    this.#into(FORGET)
  }

  push(bytes: Buffer): void {
    if (this.#sink !== undefined) return this.#sink.data(bytes)
    this.#ahead.push(bytes)
    this.#aheadBytes += bytes.length
    if (this.#aheadBytes > AHEAD_BYTES_MAX) this.#options.onFlow(false)
  }

  end(trailers: readonly string[]): void {
    this.#complete = true
    const smuggled = credentialIn((name) => trailers.some((one, at) => at % 2 === 0 && one.toLowerCase() === name))
    if (smuggled !== undefined) return this.fail(fault('request_refused', { reason: `a trailer carries ${smuggled}` }))
    this.#sink?.end()
  }

  /** No more will come. */
  fail(cause: Fault): void {
    this.#failed ??= cause
    this.#sink?.fail(cause)
  }

  /** It did not come in time. */
  expire(): void {
    this.fail(fault('body_timeout', { limitMs: this.#options.bodyTimeoutMs }))
  }

  #into(sink: Sink): void {
    this.#sink = sink
    for (const piece of this.#ahead) sink.data(piece)
    const isHeld = this.#aheadBytes > AHEAD_BYTES_MAX
    this.#ahead = []
    if (this.#failed !== undefined) return sink.fail(this.#failed)
    if (this.#complete) return sink.end()
    if (isHeld) this.#options.onFlow(true)
    if (this.#waitsForInvitation && this.#aheadBytes === 0) this.#options.invite()
  }
}

const FORGET: Sink = { data() {}, end() {}, fail() {} }

/** Those of which only the first counts, as `node:http` has it; all others are joined. */
const FIRST_COUNTS: ReadonlySet<string> = new Set([
  'age',
  'authorization',
  'content-length',
  'content-type',
  'etag',
  'expires',
  'from',
  'host',
  'if-modified-since',
  'if-unmodified-since',
  'last-modified',
  'location',
  'max-forwards',
  'proxy-authorization',
  'referer',
  'retry-after',
  'server',
  'user-agent',
])

function headersOf(raw: readonly string[]): Headers {
  const headers: { [name: string]: string } = {}
  for (let at = 0; at < raw.length; at += 2) {
    const name = (raw[at] ?? '').toLowerCase()
    const value = raw[at + 1] ?? ''
    const before = Object.hasOwn(headers, name) ? headers[name] : undefined
    if (before === undefined) headers[name] = value
    else if (!FIRST_COUNTS.has(name)) headers[name] = `${before}${name === 'cookie' ? '; ' : ', '}${value}`
  }
  return headers
}
