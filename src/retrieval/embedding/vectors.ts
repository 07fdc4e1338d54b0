import { crc32 } from 'node:zlib'
import { fault } from '../../base/errors.ts'
import type { Blobs } from '../../store/blobs.ts'
import type { SegmentName } from '../../store/index.ts'
import { bytesOfVectors, floatsOf } from './floats.ts'

/** The vectors of a segment, kept beside its chunks: truth like them, since to make them again may
 *  cost money. In parts, so that a range is read without the whole. */

/** Vectors of one part: at 4,096 dimensions 16 MiB. */
const PART_VECTORS = 1_024
/** Magic, CRC-32 of what follows it, dimension, count; four bytes each. */
const HEAD_BYTES = 16
const MAGIC = 0x4857_5631
const ROOT = 'vectors'
/** Parts held after they were read: documents, and runs between removed ones, are read one by one, and
 *  a part must not be read and checked for each. At 4,096 dimensions 64 MiB. */
const PARTS_HELD_MAX = 4

export class Vectors {
  readonly #blobs: Blobs
  /** By name, the one read last at the end. A part is written once. */
  readonly #held = new Map<string, readonly Float32Array[]>()

  constructor(blobs: Blobs) {
    this.#blobs = blobs
  }

  /** Durable when resolved. */
  async keep(segment: SegmentName, vectors: readonly Float32Array[]): Promise<void> {
    for (let at = 0; at < vectors.length; at += PART_VECTORS) {
      const part = vectors.slice(at, at + PART_VECTORS)
      await this.#blobs.put(partName(segment, at / PART_VECTORS), partBytes(part))
    }
  }

  /** Those of the chunks [first, first + count). Undefined where they are not kept. Rejects with a
   *  `Fault` (`index_unavailable`) where they are damaged. */
  async read(segment: SegmentName, first: number, count: number): Promise<Float32Array[] | undefined> {
    const found: Float32Array[] = []
    for (let at = first; at < first + count;) {
      const number = Math.floor(at / PART_VECTORS)
      const part = await this.#part(segment, number)
      if (part === undefined) return undefined
      const within = part.slice(at - number * PART_VECTORS, first + count - number * PART_VECTORS)
      if (within.length === 0) return undefined
      found.push(...within)
      at += within.length
    }
    return found
  }

  async drop(segment: SegmentName): Promise<void> {
    for (const { name } of await this.#blobs.list(`${ROOT}/${segment}/`)) {
      this.#held.delete(name)
      await this.#blobs.remove(name)
    }
  }

  /** Every segment of which something is kept. */
  async segments(): Promise<SegmentName[]> {
    const names = (await this.#blobs.list(`${ROOT}/`)).map(({ name }) =>
      name.slice(ROOT.length + 1, name.lastIndexOf('/')),
    )
    return [...new Set(names)]
  }

  async #part(segment: SegmentName, number: number): Promise<readonly Float32Array[] | undefined> {
    const name = partName(segment, number)
    const held = this.#held.get(name)
    this.#held.delete(name)
    const bytes = held === undefined ? await this.#blobs.get(name) : undefined
    const part = held ?? (bytes === undefined ? undefined : vectorsOf(segment, bytes))
    if (part === undefined) return undefined
    this.#held.set(name, part)
    const [oldest = ''] = this.#held.keys()
    if (this.#held.size > PARTS_HELD_MAX) this.#held.delete(oldest)
    return part
  }
}

const partName = (segment: SegmentName, part: number): string => `${ROOT}/${segment}/${String(part).padStart(6, '0')}`

function partBytes(vectors: readonly Float32Array[]): Uint8Array {
  const floats = bytesOfVectors(vectors)
  const bytes = new Uint8Array(HEAD_BYTES + floats.length)
  const view = new DataView(bytes.buffer)
  bytes.set(floats, HEAD_BYTES)
  view.setUint32(0, MAGIC)
  view.setUint32(8, vectors[0]?.length ?? 0)
  view.setUint32(12, vectors.length)
  view.setUint32(4, crc32(bytes.subarray(8)))
  return bytes
}

function vectorsOf(segment: SegmentName, bytes: Uint8Array): Float32Array[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const [dimension, count] = bytes.length < HEAD_BYTES ? [0, 0] : [view.getUint32(8), view.getUint32(12)]
  if (
    bytes.length !== HEAD_BYTES + 4 * dimension * count ||
    view.getUint32(0) !== MAGIC ||
    view.getUint32(4) !== crc32(bytes.subarray(8))
  )
    throw fault('index_unavailable', { reason: `the vectors of the segment ${segment} are damaged` })
  const floats = floatsOf(bytes.subarray(HEAD_BYTES))
  return Array.from({ length: count }, (_, at) => floats.subarray(at * dimension, (at + 1) * dimension))
}
