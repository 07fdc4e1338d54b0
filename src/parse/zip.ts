import { isUtf8 } from 'node:buffer'
import { inflateRawSync } from 'node:zlib'
import { refuse, type Refusal } from '../base/errors.ts'
import { latin1 } from './sniff.ts'
import { unreadable } from './limits.ts'

/** Reading single entries of a zip archive (APPNOTE 6.3.10). Only what is asked for is inflated,
 *  and never past the limits: a bomb costs its first bytes. */

const ZIP_ENTRIES_MAX = 10_000
/** Of all entries read of one archive, inflated. */
const INFLATED_BYTES_MAX = 64 * 2 ** 20
/** Inflated to compressed size. Word's XML reaches about 30; DEFLATE cannot exceed 1,032. */
const INFLATED_RATIO_MAX = 200
/** Below this size the ratio says nothing. */
const RATIO_FROM_BYTES = 2 ** 20

interface Entry {
  readonly method: number
  readonly compressed: number
  readonly headerAt: number
}

const END_BYTES = 22
const COMMENT_BYTES_MAX = 65_535
const LOCAL_BYTES = 30
const CENTRAL_BYTES = 46

export class Zip {
  readonly #bytes: Uint8Array
  readonly #view: DataView
  readonly #entries: ReadonlyMap<string, Entry>
  #inflated = 0

  private constructor(bytes: Uint8Array, view: DataView, entries: ReadonlyMap<string, Entry>) {
    this.#bytes = bytes
    this.#view = view
    this.#entries = entries
  }

  /** Reads the directory at the archive's end. */
  static open(bytes: Uint8Array): Zip | Refusal {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    const end = findEnd(bytes, view)
    if (end === undefined) return unreadable('the zip archive is cut off')
    const count = view.getUint16(end + 10, true)
    if (count > ZIP_ENTRIES_MAX) return unreadable(`the zip archive has more than ${ZIP_ENTRIES_MAX} entries`)
    const entries = new Map<string, Entry>()
    let at = view.getUint32(end + 16, true)
    for (let i = 0; i < count; i++) {
      if (at + CENTRAL_BYTES > bytes.length || view.getUint32(at, true) !== 0x02014b50)
        return unreadable('the directory of the zip archive is damaged')
      const nameLength = view.getUint16(at + 28, true)
      const name = nameOf(bytes.subarray(at + CENTRAL_BYTES, at + CENTRAL_BYTES + nameLength))
      if (view.getUint16(at + 8, true) & 1) return unreadable('it is encrypted')
      entries.set(name, {
        method: view.getUint16(at + 10, true),
        compressed: view.getUint32(at + 20, true),
        headerAt: view.getUint32(at + 42, true),
      })
      at += CENTRAL_BYTES + nameLength + view.getUint16(at + 30, true) + view.getUint16(at + 32, true)
    }
    return new Zip(bytes, view, entries)
  }

  has(name: string): boolean {
    return this.#entries.has(name)
  }

  /** One entry as text. */
  text(name: string): string | Refusal | undefined {
    const bytes = this.read(name)
    return bytes instanceof Uint8Array ? new TextDecoder().decode(bytes) : bytes
  }

  /** One entry, inflated; undefined where there is none of that name. */
  read(name: string): Uint8Array | Refusal | undefined {
    const entry = this.#entries.get(name)
    if (entry === undefined) return undefined
    const { headerAt, compressed, method } = entry
    if (headerAt + LOCAL_BYTES > this.#bytes.length || this.#view.getUint32(headerAt, true) !== 0x04034b50) {
      return unreadable(`the zip archive is damaged at ${name}`)
    }
    const dataAt =
      headerAt + LOCAL_BYTES + this.#view.getUint16(headerAt + 26, true) + this.#view.getUint16(headerAt + 28, true)
    if (dataAt + compressed > this.#bytes.length) return unreadable('the zip archive is cut off')
    const data = this.#bytes.subarray(dataAt, dataAt + compressed)
    if (method === 0) return this.#stored(name, data)
    if (method !== 8) return unreadable(`the zip archive uses the compression method ${method}`)
    return this.#inflate(name, data)
  }

  /** Entries may overlap: many of them can be the same bytes. */
  #stored(name: string, data: Uint8Array): Uint8Array | Refusal {
    if (this.#inflated + data.length > INFLATED_BYTES_MAX) return bomb(name, INFLATED_BYTES_MAX - this.#inflated)
    this.#inflated += data.length
    return data
  }

  /** What the directory claims of the size is not believed: the output is what is limited. */
  #inflate(name: string, data: Uint8Array): Uint8Array | Refusal {
    const byRatio = Math.max(RATIO_FROM_BYTES, data.length * INFLATED_RATIO_MAX)
    const limit = Math.max(1, Math.min(byRatio, INFLATED_BYTES_MAX - this.#inflated))
    try {
      const inflated = inflateRawSync(data, { maxOutputLength: limit })
      this.#inflated += inflated.length
      return inflated
    } catch (error) {
      if (error instanceof RangeError) return bomb(name, limit)
      return unreadable(`the zip archive is damaged at ${name}`)
    }
  }
}

const bomb = (name: string, limitBytes: number): Refusal =>
  refuse('document_too_large', {
    limitBytes,
    detail: `, unpacked (${name} grows to more than that: this looks like a zip bomb)`,
  })

/** Writers set the mark for UTF-8 as they please. */
const nameOf = (bytes: Uint8Array): string => (isUtf8(bytes) ? new TextDecoder().decode(bytes) : latin1(bytes))

function findEnd(bytes: Uint8Array, view: DataView): number | undefined {
  const least = Math.max(0, bytes.length - END_BYTES - COMMENT_BYTES_MAX)
  for (let at = bytes.length - END_BYTES; at >= least; at--) {
    if (bytes[at] === 0x50 && view.getUint32(at, true) === 0x06054b50) return at
  }
  return undefined
}
