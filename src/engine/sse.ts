/** Server-sent events, as model servers send them (WHATWG HTML, section 9.2), fed in pieces of
 *  any size. */

export interface SseEvent {
  /** `message` unless the stream names another. */
  readonly event: string
  readonly data: string
}

/** One event may not grow past this: a server that never ends its line must not fill memory. */
export const SSE_EVENT_UNITS_MAX = 4 * 1024 * 1024

export class SseParser {
  readonly #emit: (event: SseEvent) => void
  readonly #decoder = new TextDecoder()
  #rest = ''
  #scanned = 0
  #event = ''
  #data: string[] = []
  #dataUnits = 0

  /** `emit` is called for each event that carries data, in order. */
  constructor(emit: (event: SseEvent) => void) {
    this.#emit = emit
  }

  /** False when an event is larger than `SSE_EVENT_UNITS_MAX`; the stream is then unusable. */
  push(bytes: Uint8Array): boolean {
    this.#rest += this.#decoder.decode(bytes, { stream: true })
    const hasReturns = this.#rest.includes('\r')
    let from = 0
    for (;;) {
      const end = lineEnd(this.#rest, Math.max(from, this.#scanned), hasReturns)
      if (end < 0) break
      const crlf = this.#rest.charCodeAt(end) === CR && this.#rest.charCodeAt(end + 1) === LF
      this.#line(this.#rest.slice(from, end))
      from = end + (crlf ? 2 : 1)
      this.#scanned = from
    }
    this.#rest = this.#rest.slice(from)
    // A CR at the very end may be half of a CRLF: look at it again when more has come.
    this.#scanned = this.#rest.endsWith('\r') ? this.#rest.length - 1 : this.#rest.length
    return this.#rest.length + this.#dataUnits <= SSE_EVENT_UNITS_MAX
  }

  #line(line: string): void {
    if (line === '') return this.#dispatch()
    const colon = line.indexOf(':')
    const field = colon < 0 ? line : line.slice(0, colon)
    const value = colon < 0 ? '' : line.slice(line.charCodeAt(colon + 1) === SPACE ? colon + 2 : colon + 1)
    if (field === 'data') {
      this.#data.push(value)
      this.#dataUnits += value.length
    } else if (field === 'event') {
      this.#event = value
    }
  }

  #dispatch(): void {
    const data = this.#data.join('\n')
    const event = this.#event === '' ? 'message' : this.#event
    this.#data = []
    this.#dataUnits = 0
    this.#event = ''
    if (data !== '') this.#emit({ event, data })
  }
}

const CR = 0x0d
const LF = 0x0a
const SPACE = 0x20

/** The next line end at or after `from`; a CR that ends the text is not one yet. */
function lineEnd(text: string, from: number, hasReturns: boolean): number {
  if (!hasReturns) return text.indexOf('\n', from)
  for (let i = from; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    if (unit === LF) return i
    if (unit === CR) return i + 1 < text.length ? i : -1
  }
  return -1
}
