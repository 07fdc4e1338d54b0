import { tokensOf } from '../../store/attribute-tokens.ts'
import type { Attributes } from '../../store/filter.ts'
import { numbersOf } from './filter.ts'

/** Rows in the binary format of COPY (postgresql.org/docs/current/sql-copy.html, "Binary Format"):
 *  a text of a vector is four times as long, and both sides would spend their time on digits. */

export const COPY_HEAD: Uint8Array = Buffer.concat([Buffer.from('PGCOPY\n\xff\r\n\0', 'latin1'), Buffer.alloc(8)])
export const COPY_END: Uint8Array = Buffer.from([0xff, 0xff])

/** Object id of the type `text`. */
const TEXT = 25
const JSONB_VERSION = 1
const COLUMNS = 4

/** Rows (chunk, vector, tokens, numbers), numbered from `first`. */
export function copyRows(
  first: number,
  dimension: number,
  rows: Float32Array,
  attributes: readonly Attributes[],
): Buffer {
  const parts: Buffer[] = []
  const vectors = bigEndian(rows)
  const bytes = 4 * dimension
  for (const [at, one] of attributes.entries()) {
    const vector = vectors.subarray(at * bytes, (at + 1) * bytes)
    const head = Buffer.alloc(2 + 8 + 8)
    head.writeInt16BE(COLUMNS, 0)
    head.writeInt32BE(4, 2)
    head.writeInt32BE(first + at, 6)
    head.writeInt32BE(4 + bytes, 10)
    head.writeInt16BE(dimension, 14)
    const numbers = numbersOf(one)
    parts.push(head, vector, sized(textArray(tokensOf(one))))
    if (numbers === undefined) parts.push(int32s(-1))
    else parts.push(sized(Buffer.concat([Buffer.from([JSONB_VERSION]), Buffer.from(numbers)])))
  }
  return Buffer.concat(parts)
}

/** A vector as a parameter. */
export function vectorParameter(vector: Float32Array): Buffer {
  const head = Buffer.alloc(4)
  head.writeInt16BE(vector.length, 0)
  return Buffer.concat([head, bigEndian(vector)])
}

function textArray(texts: readonly string[]): Buffer {
  if (texts.length === 0) return int32s(0, 0, TEXT)
  return Buffer.concat([int32s(1, 0, TEXT, texts.length, 1), ...texts.map((text) => sized(Buffer.from(text)))])
}

const sized = (bytes: Buffer): Buffer => Buffer.concat([int32s(bytes.length), bytes])

function int32s(...numbers: readonly number[]): Buffer {
  const bytes = Buffer.alloc(4 * numbers.length)
  for (const [at, number] of numbers.entries()) bytes.writeInt32BE(number, 4 * at)
  return bytes
}

/** A copy, whatever the machine's own order. */
function bigEndian(numbers: Float32Array): Buffer {
  const bytes = Buffer.alloc(numbers.byteLength)
  bytes.set(new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength))
  return LITTLE_ENDIAN ? bytes.swap32() : bytes
}

const LITTLE_ENDIAN = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1
