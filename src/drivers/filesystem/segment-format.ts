import { crc32 } from 'node:zlib'
import { isObject } from '../../base/json.ts'
import type { AttributeValue } from '../../store/filter.ts'

/** The file of one segment: a header, a table with the length and checksum of each section, then
 *  the sections, each at a multiple of eight bytes so that it can be viewed as a typed array
 *  where it lies. All numbers are little-endian, as on every machine that Node ships for. */

const MAGIC = 0x47535748 // "HWSG"
const VERSION = 2
const HEADER_BYTES = 16
const ENTRY_BYTES = 16

export interface SegmentSections {
  readonly meta: SegmentMeta
  /** Where each term's bytes end; terms are sorted by their UTF-8 bytes. */
  readonly termEnds: Uint32Array
  readonly termBytes: Uint8Array
  /** Where each term's postings end. */
  readonly postingEnds: Uint32Array
  /** Per term how many chunks hold it, where it has a table of blocks the number of the first, both
   *  as LEB128, and then its blocks. */
  readonly postings: Uint8Array
  /** Of each block of the longer lists: its last chunk, where its bytes end, and its bound. */
  readonly blocks: Uint32Array
  /** Terms per chunk. */
  readonly lengths: Uint32Array
  /** One row per attribute name: for every chunk 0, or the number of its value, from 1. */
  readonly attributeValues: Uint32Array
  /** One row per chunk, of unit length. */
  readonly vectors: Float32Array
}

export interface SegmentMeta {
  readonly chunks: number
  readonly terms: number
  /** 0 where the segment has no vectors. */
  readonly dimension: number
  /** The vectors are not in this file: they are searched elsewhere, by the segment's name. */
  readonly vectorsApart?: boolean
  readonly attributes: readonly { readonly name: string; readonly values: readonly AttributeValue[] }[]
}

const SECTIONS = 9
const padded = (bytes: number): number => Math.ceil(bytes / 8) * 8

/** The file's bytes. */
export function encodeSegment(sections: SegmentSections): Uint8Array {
  const parts = [
    new TextEncoder().encode(JSON.stringify(sections.meta)),
    bytesOf(sections.termEnds),
    sections.termBytes,
    bytesOf(sections.postingEnds),
    sections.postings,
    bytesOf(sections.blocks),
    bytesOf(sections.lengths),
    bytesOf(sections.attributeValues),
    bytesOf(sections.vectors),
  ]
  const tableBytes = SECTIONS * ENTRY_BYTES
  const total = parts.reduce((sum, part) => sum + padded(part.length), HEADER_BYTES + tableBytes)
  const file = new Uint8Array(total)
  const view = new DataView(file.buffer)
  let at = HEADER_BYTES + tableBytes
  for (const [number, part] of parts.entries()) {
    const entry = HEADER_BYTES + number * ENTRY_BYTES
    view.setFloat64(entry, part.length, true)
    view.setUint32(entry + 8, crc32(part), true)
    file.set(part, at)
    at += padded(part.length)
  }
  view.setUint32(0, MAGIC, true)
  view.setUint32(4, VERSION, true)
  view.setUint32(8, SECTIONS, true)
  view.setUint32(12, crc32(file.subarray(HEADER_BYTES, HEADER_BYTES + tableBytes)), true)
  return file
}

/** Views into a file read whole, at offset 0 of its buffer. A text where it is damaged: what is
 *  wrong. */
export function decodeSegment(file: Uint8Array<ArrayBuffer>): SegmentSections | string {
  const parts = cut(file)
  if (typeof parts === 'string') return parts
  const [meta, termEnds, termBytes, postingEnds, postings, blocks, lengths, attributeValues, vectors] = parts
  if (!meta || !termEnds || !termBytes || !postingEnds || !postings) return 'sections are missing'
  if (!blocks || !lengths || !attributeValues || !vectors) return 'sections are missing'
  const parsed: unknown = JSON.parse(new TextDecoder().decode(meta))
  if (!isMeta(parsed)) return 'its description is malformed'
  const sections = {
    meta: parsed,
    termEnds: words(termEnds),
    termBytes,
    postingEnds: words(postingEnds),
    postings,
    blocks: words(blocks),
    lengths: words(lengths),
    attributeValues: words(attributeValues),
    vectors: new Float32Array(vectors.buffer, vectors.byteOffset, vectors.length / 4),
  }
  return fits(sections) ? sections : 'its sections do not fit together'
}

function cut(file: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer>[] | string {
  const tableEnd = HEADER_BYTES + SECTIONS * ENTRY_BYTES
  if (file.length < tableEnd) return 'it is too short'
  const view = new DataView(file.buffer)
  if (view.getUint32(0, true) !== MAGIC) return 'it is no segment'
  if (view.getUint32(4, true) !== VERSION) return `it has format ${view.getUint32(4, true)}, not ${VERSION}`
  if (view.getUint32(8, true) !== SECTIONS) return 'its header is damaged'
  if (view.getUint32(12, true) !== crc32(file.subarray(HEADER_BYTES, tableEnd))) return 'its header is damaged'
  const parts: Uint8Array<ArrayBuffer>[] = []
  let at = tableEnd
  for (let number = 0; number < SECTIONS; number++) {
    const entry = HEADER_BYTES + number * ENTRY_BYTES
    const bytes = view.getFloat64(entry, true)
    if (!Number.isInteger(bytes) || bytes < 0 || at + bytes > file.length) return 'it is cut short'
    const part = file.subarray(at, at + bytes)
    if (view.getUint32(entry + 8, true) !== crc32(part)) return `section ${number} is damaged`
    parts.push(part)
    at += padded(bytes)
  }
  return at === file.length ? parts : 'it is cut short'
}

function isMeta(value: unknown): value is SegmentMeta {
  return (
    isObject(value) &&
    [value['chunks'], value['terms'], value['dimension']].every(
      (count) => Number.isSafeInteger(count) && Number(count) >= 0,
    ) &&
    Array.isArray(value['attributes'])
  )
}

const fits = ({ meta, ...sections }: SegmentSections): boolean =>
  sections.termEnds.length === meta.terms &&
  sections.postingEnds.length === meta.terms &&
  (sections.termEnds.at(-1) ?? 0) === sections.termBytes.length &&
  (sections.postingEnds.at(-1) ?? 0) === sections.postings.length &&
  sections.lengths.length === meta.chunks &&
  sections.attributeValues.length === meta.chunks * meta.attributes.length &&
  sections.vectors.length === (meta.vectorsApart === true ? 0 : meta.chunks * meta.dimension)

const bytesOf = (array: Uint32Array | Float32Array): Uint8Array =>
  new Uint8Array(array.buffer, array.byteOffset, array.byteLength)
const words = (bytes: Uint8Array<ArrayBuffer>): Uint32Array =>
  new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4)
