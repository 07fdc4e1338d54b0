import { STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'
import { fault } from '../../base/errors.ts'
import type { Headers, Reply } from '../../base/http.ts'
import { requestId } from './refusal.ts'

/** An answer as it leaves: head and body of a whole one in one write, and what is said in one turn of
 *  the event loop likewise. */

export type HeaderList = readonly (readonly [name: string, value: string])[]

export interface OutgoingOptions {
  readonly socket: Duplex
  readonly isHead: boolean
  readonly isHttp10: boolean
  /** On every answer. */
  readonly headers: HeaderList
  /** Whether the connection ends with this answer; asked once, as the head is made. */
  readonly isLast: () => boolean
  readonly onEnd: () => void
  readonly keepAliveSeconds: number
}

/** Not yet taken by the system; beyond it the writer is asked to wait. */
const WAITING_BYTES_MAX = 64 * 1024

/** What a header may hold (RFC 9110, 5.5), beyond ASCII apart. */
const VALUE = /^[\t\x20-\x7e]*$/
const NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/

const BODILESS: ReadonlySet<number> = new Set([204, 304])

type Framing = 'none' | 'length' | 'chunks' | 'close'

export class Outgoing implements Reply {
  readonly #options: OutgoingOptions
  #head: string | undefined
  #status = 0
  /** What leaves at the end of this turn. */
  #text = ''
  #pendingHead = ''
  #flushes = false
  #framing: Framing = 'chunks'
  #length: string | undefined
  #isLast = false
  #ended = false
  #gone = false
  #waits = false
  #drainListeners: (() => void)[] = []
  #goneListeners: (() => void)[] = []

  constructor(options: OutgoingOptions) {
    this.#options = options
  }

  get headSent(): boolean {
    return this.#status !== 0
  }

  /** The connection ends with it. */
  get isLast(): boolean {
    return this.#isLast
  }

  head(status: number, headers: Headers): void {
    let text = this.#begun(status)
    for (const [name, value] of this.#options.headers) if (headers[name] === undefined) text += line(name, value)
    for (const name in headers) {
      const value = headers[name]
      if (value !== undefined) text += this.#field(name, value)
    }
    if (headers['x-request-id'] === undefined) text += line('x-request-id', requestId())
    this.#finish(text)
  }

  /** The head of another server's answer, as it came: name, value, name, value ... */
  passHead(status: number, raw: readonly string[]): void {
    let text = this.#begun(status)
    const names = new Set(raw.filter((_, at) => at % 2 === 0).map((name) => name.toLowerCase()))
    for (const [name, value] of this.#options.headers) if (!names.has(name)) text += line(name, value)
    for (let at = 0; at < raw.length; at += 2) text += this.#field((raw[at] ?? '').toLowerCase(), raw[at + 1] ?? '')
    this.#finish(text)
  }

  #begun(status: number): string {
    if (this.#status !== 0) throw fault('internal', { reason: 'the head of an answer was said twice' })
    this.#status = status
    return `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n`
  }

  /** Those of the connection are ours to say. */
  #field(name: string, value: string): string {
    if (name === 'connection') this.#isLast ||= value.toLowerCase() === 'close'
    else if (name === 'content-length') this.#length = value
    else if (name !== 'transfer-encoding' && name !== 'keep-alive' && name !== 'date') return line(name, value)
    return ''
  }

  #finish(text: string): void {
    this.#head = text + line('date', new Date().toUTCString())
    if (BODILESS.has(this.#status)) this.#framing = 'none'
    else if (this.#length !== undefined) this.#framing = 'length'
    else this.#framing = this.#options.isHttp10 ? 'close' : 'chunks'
  }

  write(bytes: string | Uint8Array): boolean {
    if (this.#ended || this.#gone || bytes.length === 0) return !this.#waits
    this.#begin()
    if (typeof bytes === 'string') this.#text += bytes
    else {
      this.#flush()
      this.#send(bytes)
    }
    if (!this.#flushes) {
      this.#flushes = true
      process.nextTick(() => {
        this.#flushes = false
        if (!this.#ended && !this.#gone) this.#flush()
      })
    }
    this.#waits = this.#text.length + this.#options.socket.writableLength > WAITING_BYTES_MAX
    return !this.#waits
  }

  end(bytes: string | Uint8Array = ''): void {
    if (this.#ended || this.#gone) return
    if (this.#head !== undefined) this.#whole(bytes)
    else {
      if (typeof bytes === 'string') this.#text += bytes
      this.#flush()
      if (typeof bytes !== 'string' && bytes.length > 0) this.#send(bytes)
      if (this.#framing === 'chunks' && !this.#options.isHead) this.#options.socket.write('0\r\n\r\n', 'latin1')
    }
    this.#ended = true
    this.#options.onEnd()
  }

  abort(): void {
    this.#options.socket.destroy()
  }

  onDrain(listener: () => void): void {
    this.#drainListeners.push(listener)
  }

  onGone(listener: () => void): void {
    if (this.#gone) queueMicrotask(listener)
    else if (!this.#ended) this.#goneListeners.push(listener)
  }

  /** The system has taken what was written. */
  drained(): void {
    if (!this.#waits) return
    this.#waits = false
    for (const listener of this.#drainListeners) listener()
  }

  /** The connection is no more. */
  leave(): void {
    if (this.#ended || this.#gone) return
    this.#gone = true
    for (const listener of this.#goneListeners) listener()
  }

  /** All at once: the length is known. */
  #whole(bytes: string | Uint8Array): void {
    const { socket, isHead } = this.#options
    const length = this.#length ?? String(Buffer.byteLength(bytes))
    const hasBody = this.#framing !== 'none'
    const head = this.#closed(hasBody ? `content-length: ${length}\r\n` : '')
    if (!hasBody || isHead || bytes.length === 0) socket.write(head, 'latin1')
    else if (typeof bytes === 'string') socket.write(head + bytes, 'utf8')
    else {
      socket.cork()
      socket.write(head, 'latin1')
      socket.write(bytes)
      socket.uncork()
    }
  }

  /** The head leaves with what is written first. */
  #begin(): void {
    if (this.#head === undefined) {
      if (this.#status === 0) throw fault('internal', { reason: 'a body before its head' })
      return
    }
    const framing = this.#framing
    if (framing === 'close') this.#isLast = true
    this.#text = ''
    const line =
      framing === 'chunks'
        ? 'transfer-encoding: chunked\r\n'
        : framing === 'length'
          ? `content-length: ${this.#length}\r\n`
          : ''
    this.#pendingHead = this.#closed(line)
  }

  #closed(framing: string): string {
    const { isLast, keepAliveSeconds } = this.#options
    this.#isLast ||= isLast()
    const connection = this.#isLast
      ? 'connection: close\r\n'
      : `connection: keep-alive\r\nkeep-alive: timeout=${keepAliveSeconds}\r\n`
    const head = `${this.#head ?? ''}${framing}${connection}\r\n`
    this.#head = undefined
    return head
  }

  #flush(): void {
    const text = this.#text
    const head = this.#pendingHead
    this.#text = this.#pendingHead = ''
    if (head === '' && text === '') return
    const { socket, isHead } = this.#options
    const body = text === '' || isHead || this.#framing === 'none' ? '' : this.#framed(text)
    const taken = socket.write(head + body, 'utf8')
    if (taken && this.#waits) process.nextTick(() => this.drained())
  }

  #framed(text: string): string {
    return this.#framing === 'chunks' ? `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n` : text
  }

  #send(bytes: Uint8Array): void {
    const { socket, isHead } = this.#options
    if (isHead || this.#framing === 'none') return
    if (this.#framing !== 'chunks') return void socket.write(bytes)
    socket.cork()
    socket.write(`${bytes.length.toString(16)}\r\n`, 'latin1')
    socket.write(bytes)
    socket.write('\r\n', 'latin1')
    socket.uncork()
  }
}

function line(name: string, value: string): string {
  if (!NAME.test(name) || !VALUE.test(value)) throw fault('internal', { reason: `no header can hold ${name}` })
  return `${name}: ${value}\r\n`
}
