/** Server-sent events over `fetch`: WHATWG HTML, 9.2.6. */

/** One event may carry every source of an answer; more than this is no event of ours. */
const EVENT_CHARS_MAX = 16_777_216

/** Turns bytes, split anywhere, into the `data` of events. */
export class EventReader {
  readonly #decoder = new TextDecoder()
  #rest = ''
  #data: string[] = []
  #chars = 0

  /** The events these bytes complete. Throws a `RangeError` when one grows beyond reason. */
  push(bytes: Uint8Array): string[] {
    const events: string[] = []
    const text = this.#rest + this.#decoder.decode(bytes, { stream: true })
    let start = 0
    for (const end of text.matchAll(/\r\n|\n|\r/g)) {
      // A CR at the very end may be the first half of CRLF: wait for what follows.
      if (end[0] === '\r' && end.index === text.length - 1) break
      this.#line(text.slice(start, end.index), events)
      start = end.index + end[0].length
    }
    this.#rest = text.slice(start)
    if (this.#rest.length + this.#chars > EVENT_CHARS_MAX) throw new RangeError('an event is larger than 16 MiB')
    return events
  }

  #line(line: string, events: string[]): void {
    if (line === '') {
      if (this.#data.length > 0) events.push(this.#data.join('\n'))
      this.#data = []
      this.#chars = 0
      return
    }
    const colon = line.indexOf(':')
    const field = colon < 0 ? line : line.slice(0, colon)
    if (field !== 'data') return
    const value = colon < 0 ? '' : line.slice(line[colon + 1] === ' ' ? colon + 2 : colon + 1)
    this.#data.push(value)
    this.#chars += value.length
  }
}
