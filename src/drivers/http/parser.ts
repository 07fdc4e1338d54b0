import { createRequire } from 'node:module'

/** llhttp, the parser of Node itself (nodejs/llhttp), as undici carries it in WebAssembly. It is strict:
 *  no bare line feeds, no folded headers, no length beside chunks. One instance serves all
 *  connections of a listener, as nothing of it outlasts a call. */

/** Of one head: request line, names and values, and the blanks between them. */
const HEADER_BYTES_MAX = 16 * 1024
const HEADERS_MAX = 128
/** What is no body in a message, chunk sizes and their extensions: so much, and so much for each byte
 *  of the body, since a body may come in chunks of one byte. */
const FRAMING_BYTES_MAX = 64 * 1024
const FRAMING_PER_BODY_BYTE = 8

const OK = 0
const PAUSED = 21
const PAUSED_UPGRADE = 22
const REFUSED = -1
const REQUEST = 1
const CONNECT = 5
const METHODS_KNOWN = 46

export interface ParsedHead {
  readonly method: string
  readonly target: string
  /** Name, value, name, value ... */
  readonly rawHeaders: readonly string[]
  readonly isHttp10: boolean
  /** The client would send another request after this one. */
  readonly keepsAlive: boolean
}

/** What one piece of bytes came to, in order: a head, pieces of a body, the end of the message. Nothing
 *  is told twice. Parsing stops at the end of a message. */
export interface ParserEvents {
  head(head: ParsedHead): void
  /** A view of what was parsed: to be copied by whoever keeps it while more is read into it. */
  body(bytes: Buffer): void
  end(trailers: readonly string[]): void
}

/** Of `RequestParser.parse`. */
export type Parsed =
  | { readonly state: 'more' }
  /** The message ended with so many bytes; the rest is of the next. */
  | { readonly state: 'ended'; readonly consumed: number }
  | { readonly state: 'refused'; readonly reason: string }

interface Exports {
  readonly memory: { readonly buffer: ArrayBuffer }
  _initialize?(): void
  llhttp_alloc(type: number): number
  llhttp_free(parser: number): void
  llhttp_reset(parser: number): void
  llhttp_resume(parser: number): void
  llhttp_execute(parser: number, at: number, length: number): number
  llhttp_get_error_pos(parser: number): number
  llhttp_get_http_major(parser: number): number
  llhttp_get_http_minor(parser: number): number
  llhttp_get_method(parser: number): number
  llhttp_method_name(method: number): number
  malloc(bytes: number): number
  free(at: number): void
}

/** What is run is typed by hand: this project has no types of WebAssembly, and needs none elsewhere. */
interface WebAssemblyApi {
  readonly Module: new (bytes: Uint8Array) => object
  readonly Instance: new (module: object, imports: object) => { readonly exports: unknown }
}

const MORE: Parsed = { state: 'more' }

export class Llhttp {
  readonly exports: Exports
  readonly methods: readonly string[]
  #at = 0
  #bytesMax = 0
  #current: RequestParser | undefined
  #chunk: Buffer = Buffer.alloc(0)

  constructor() {
    const { Module, Instance } = (globalThis as unknown as { readonly WebAssembly: WebAssemblyApi }).WebAssembly
    const wasm = createRequire(import.meta.url)('undici/lib/llhttp/llhttp_simd-wasm.js') as Buffer
    const text = (at: number, length: number): string =>
      this.#chunk.toString('latin1', at - this.#at, at - this.#at + length)
    const env = {
      wasm_on_message_begin: () => OK,
      wasm_on_status: () => OK,
      wasm_on_url: (_: number, at: number, length: number) => this.#current?.onTarget(text(at, length)),
      wasm_on_header_field: (_: number, at: number, length: number) => this.#current?.onName(text(at, length)),
      wasm_on_header_value: (_: number, at: number, length: number) => this.#current?.onValue(text(at, length)),
      wasm_on_headers_complete: (_: number, __: number, ___: number, keepsAlive: number) =>
        this.#current?.onHead(keepsAlive === 1),
      wasm_on_body: (_: number, at: number, length: number) =>
        this.#current?.onBody(this.#chunk.subarray(at - this.#at, at - this.#at + length), at - this.#at),
      wasm_on_message_complete: () => this.#current?.onEnd(),
    }
    this.exports = new Instance(new Module(wasm), { env }).exports as Exports
    this.exports._initialize?.()
    this.methods = Array.from({ length: METHODS_KNOWN }, (_, at) => this.#nameAt(this.exports.llhttp_method_name(at)))
  }

  /** Returns llhttp's verdict and how many bytes it took. */
  execute(parser: RequestParser, pointer: number, chunk: Buffer): { readonly verdict: number; readonly taken: number } {
    const { exports } = this
    if (chunk.length > this.#bytesMax) {
      if (this.#bytesMax > 0) exports.free(this.#at)
      this.#bytesMax = Math.max(PIECE_BYTES, chunk.length)
      this.#at = exports.malloc(this.#bytesMax)
    }
    new Uint8Array(exports.memory.buffer, this.#at, chunk.length).set(chunk)
    this.#current = parser
    this.#chunk = chunk
    const verdict = exports.llhttp_execute(pointer, this.#at, chunk.length)
    this.#current = undefined
    const taken = verdict === OK ? chunk.length : exports.llhttp_get_error_pos(pointer) - this.#at
    return { verdict, taken }
  }

  #nameAt(at: number): string {
    const bytes = new Uint8Array(this.exports.memory.buffer)
    return Buffer.from(bytes.subarray(at, bytes.indexOf(0, at))).toString('latin1')
  }
}

const PIECE_BYTES = 64 * 1024

/** The requests of one connection, one after another. */
export class RequestParser {
  readonly #llhttp: Llhttp
  readonly #events: ParserEvents
  readonly #pointer: number
  #target = ''
  #name = ''
  #value = ''
  #isInValue = false
  #rawHeaders: string[] = []
  /** Of names, values and target so far. */
  #headBytes = 0
  #inBody = false
  #messageBytes = 0
  #bodyBytes = 0
  #refused: string | undefined

  constructor(llhttp: Llhttp, events: ParserEvents) {
    this.#llhttp = llhttp
    this.#events = events
    this.#pointer = llhttp.exports.llhttp_alloc(REQUEST)
  }

  /** Nothing of a request has arrived. */
  get isFresh(): boolean {
    return this.#messageBytes === 0
  }

  /** Once; nothing may be parsed after it. */
  free(): void {
    this.#llhttp.exports.llhttp_free(this.#pointer)
  }

  parse(chunk: Buffer): Parsed {
    const { exports } = this.#llhttp
    let from = 0
    for (;;) {
      const { verdict, taken } = this.#llhttp.execute(this, this.#pointer, from === 0 ? chunk : chunk.subarray(from))
      from += taken
      this.#messageBytes += taken
      if (verdict === PAUSED) {
        exports.llhttp_resume(this.#pointer)
        this.#begin()
        return { state: 'ended', consumed: from }
      }
      if (verdict === PAUSED_UPGRADE) {
        // An offer of another protocol may be passed over (RFC 9110, 7.8).
        exports.llhttp_reset(this.#pointer)
        continue
      }
      if (verdict !== OK) return { state: 'refused', reason: this.#refused ?? 'it is not valid HTTP' }
      const reason = this.#excess()
      return reason === undefined ? MORE : { state: 'refused', reason }
    }
  }

  #begin(): void {
    this.#target = this.#name = this.#value = ''
    this.#isInValue = false
    this.#rawHeaders = []
    this.#headBytes = this.#messageBytes = this.#bodyBytes = 0
    this.#inBody = false
  }

  #excess(): string | undefined {
    if (!this.#inBody) return this.#messageBytes > HEADER_BYTES_MAX ? TOO_LARGE : undefined
    const framing = this.#messageBytes - this.#bodyBytes
    return framing > FRAMING_BYTES_MAX + FRAMING_PER_BODY_BYTE * this.#bodyBytes ? FRAMED : undefined
  }

  onTarget(text: string): number {
    this.#target += text
    return this.#count(text)
  }

  onName(text: string): number {
    if (this.#isInValue) this.#pair()
    this.#name += text
    return this.#count(text)
  }

  onValue(text: string): number {
    this.#isInValue = true
    this.#value += text
    return this.#count(text)
  }

  /** A name without a value has an empty one. */
  #pair(): void {
    this.#rawHeaders.push(this.#name, withoutBlanks(this.#value))
    this.#name = this.#value = ''
    this.#isInValue = false
  }

  #count(text: string): number {
    this.#headBytes += text.length
    if (this.#headBytes > HEADER_BYTES_MAX) return this.#refuse(TOO_LARGE)
    return this.#rawHeaders.length > 2 * HEADERS_MAX ? this.#refuse('it has too many headers') : OK
  }

  #refuse(reason: string): number {
    this.#refused = reason
    return REFUSED
  }

  onHead(keepsAlive: boolean): number {
    const { exports, methods } = this.#llhttp
    if (this.#name !== '' || this.#isInValue) this.#pair()
    const method = exports.llhttp_get_method(this.#pointer)
    if (method === CONNECT) return this.#refuse('it asks for a tunnel')
    const isHttp10 = exports.llhttp_get_http_minor(this.#pointer) === 0
    if (exports.llhttp_get_http_major(this.#pointer) !== 1) return this.#refuse('its version is neither 1.0 nor 1.1')
    const rawHeaders = this.#rawHeaders
    this.#rawHeaders = []
    this.#headBytes = 0
    this.#inBody = true
    this.#events.head({ method: methods[method] ?? '', target: this.#target, rawHeaders, isHttp10, keepsAlive })
    return OK
  }

  /** @param before Bytes of the same piece that came before. */
  onBody(bytes: Buffer, before: number): number {
    const framing = this.#messageBytes + before - this.#bodyBytes
    if (framing > FRAMING_BYTES_MAX + FRAMING_PER_BODY_BYTE * this.#bodyBytes) return this.#refuse(FRAMED)
    this.#bodyBytes += bytes.length
    this.#events.body(bytes)
    return OK
  }

  onEnd(): number {
    if (this.#name !== '' || this.#isInValue) this.#pair()
    this.#events.end(this.#rawHeaders)
    return PAUSED
  }
}

/** Blanks behind a value that was split are told as its part. */
function withoutBlanks(value: string): string {
  let end = value.length
  while (end > 0 && (value.charCodeAt(end - 1) === SPACE || value.charCodeAt(end - 1) === TAB)) end--
  return end === value.length ? value : value.slice(0, end)
}

const SPACE = 0x20
const TAB = 0x09

const FRAMED = 'its chunks are mostly framing'
const TOO_LARGE = 'its headers are too large'
