import { crc32 } from 'node:zlib'

/** AWS's event stream encoding (`application/vnd.amazon.eventstream`), fed in pieces of any size: each message
 *  has a prelude of two lengths and their checksum, headers, a payload, and a checksum of it all. */

export interface EventMessage {
  readonly headers: { readonly [name: string]: string }
  readonly payload: Uint8Array
}

/** A server that announces more is not waited for. */
const MESSAGE_BYTES_MAX = 4 * 2 ** 20
const PRELUDE_BYTES = 12
const CHECKSUM_BYTES = 4

export class EventStreamParser {
  readonly #emit: (message: EventMessage) => void
  #rest: Buffer = Buffer.alloc(0)

  constructor(emit: (message: EventMessage) => void) {
    this.#emit = emit
  }

  /** What is wrong with the stream, which is then unusable. */
  push(bytes: Uint8Array): string | undefined {
    this.#rest = this.#rest.length === 0 ? Buffer.from(bytes) : Buffer.concat([this.#rest, bytes])
    while (this.#rest.length >= PRELUDE_BYTES) {
      const length = this.#rest.readUInt32BE(0)
      const headersLength = this.#rest.readUInt32BE(4)
      if (crc32(this.#rest.subarray(0, 8)) !== this.#rest.readUInt32BE(8)) return 'the checksum of a prelude is wrong'
      if (length > MESSAGE_BYTES_MAX) return 'an event is too large'
      if (headersLength + PRELUDE_BYTES + CHECKSUM_BYTES > length) return 'the lengths of an event do not fit'
      if (this.#rest.length < length) return undefined
      const message = this.#rest.subarray(0, length)
      this.#rest = this.#rest.subarray(length)
      const end = length - CHECKSUM_BYTES
      if (crc32(message.subarray(0, end)) !== message.readUInt32BE(end)) return 'the checksum of an event is wrong'
      const headers = readHeaders(message.subarray(PRELUDE_BYTES, PRELUDE_BYTES + headersLength))
      if (headers === undefined) return 'the headers of an event are malformed'
      this.#emit({ headers, payload: message.subarray(PRELUDE_BYTES + headersLength, end) })
    }
    return undefined
  }
}

const STRING = 7
const BYTES = 6
/** Bytes of the values of the other types: two booleans, byte, short, integer, long, time and UUID. */
const SIZES: { readonly [type: number]: number } = { 0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16 }

/** Those that are text. */
function readHeaders(bytes: Buffer): { readonly [name: string]: string } | undefined {
  const headers = Object.create(null) as Record<string, string>
  for (let at = 0; at < bytes.length;) {
    const nameEnd = at + 1 + (bytes[at] ?? 0)
    const name = bytes.toString('utf8', at + 1, nameEnd)
    const type = bytes[nameEnd]
    if (type === undefined) return undefined
    at = nameEnd + 1
    if (type !== STRING && type !== BYTES) {
      const size = SIZES[type]
      if (size === undefined) return undefined
      at += size
    } else {
      if (at + 2 > bytes.length) return undefined
      const end = at + 2 + bytes.readUInt16BE(at)
      if (type === STRING) headers[name] = bytes.toString('utf8', at + 2, end)
      at = end
    }
    if (at > bytes.length) return undefined
  }
  return headers
}
