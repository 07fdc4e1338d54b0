import type { Headers, Reply, Request } from '../../src/base/http.ts'

const PIECE_BYTES = 1000

/** A request as a handler gets it, and a reply that remembers. */
export function request(
  method: string,
  target: string,
  body: unknown = '',
  headers: Headers = {},
  peer: Request['peer'] = 'network',
): Request {
  const bytes = body instanceof Uint8Array ? body : Buffer.from(typeof body === 'string' ? body : JSON.stringify(body))
  const pieces = async function* (): AsyncGenerator<Uint8Array> {
    // In small ones, as a network would cut them.
    for (let at = 0; at < bytes.length; at += PIECE_BYTES) yield bytes.subarray(at, at + PIECE_BYTES)
  }
  return { method, target, headers, peer, body: () => Promise.resolve(bytes), pieces }
}

export class RecordedReply implements Reply {
  status = 0
  headers: Headers = {}
  text = ''
  bytes = Buffer.alloc(0)
  ended = false
  aborted = false
  /** What `write` answers. */
  keepsUp = true
  #drain: (() => void)[] = []
  #gone: (() => void)[] = []

  get headSent(): boolean {
    return this.status !== 0
  }

  head(status: number, headers: Headers): void {
    if (this.headSent) throw new Error('head was sent twice')
    this.status = status
    this.headers = headers
  }

  write(bytes: string | Uint8Array): boolean {
    if (!this.headSent || this.ended) throw new Error('write out of order')
    this.bytes = Buffer.concat([this.bytes, Buffer.from(bytes)])
    this.text += Buffer.from(bytes).toString()
    return this.keepsUp
  }

  end(bytes?: string | Uint8Array): void {
    if (this.ended) throw new Error('ended twice')
    if (bytes !== undefined) this.write(bytes)
    this.ended = true
  }

  abort(): void {
    this.aborted = true
  }

  onDrain(listener: () => void): void {
    this.#drain.push(listener)
  }

  onGone(listener: () => void): void {
    this.#gone.push(listener)
  }

  drain(): void {
    for (const listener of this.#drain) listener()
  }

  leave(): void {
    for (const listener of this.#gone) listener()
  }

  // oxlint-disable-next-line typescript/no-explicit-any -- A test reads whatever shape it expects.
  json(): any {
    return JSON.parse(this.text)
  }

  /** The payloads of an event stream, parsed; `[DONE]` as it is. */
  // oxlint-disable-next-line typescript/no-explicit-any -- As above.
  events(): any[] {
    return this.text
      .split('\n\n')
      .filter((block) => block !== '')
      .map((block) => block.replace(/^data: /, ''))
      .map((data) => (data === '[DONE]' ? data : JSON.parse(data)))
  }
}
