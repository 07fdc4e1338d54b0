/** A block of a posting list: a byte that says what follows; the distance of its first chunk to the
 *  chunk before the block; the distances of the others, of one width, so that reading them is no
 *  guessing; what did not fit that width; and the counts that are not 1. Patched frames of
 *  reference (Zukowski and others 2006), in whole bytes. */

/** Postings of a term in one block of its list. A list of no more of them has no table of blocks. */
export const BLOCK_POSTINGS = 128

/** What is known of a block without reading it: its last chunk, where its bytes end, and its bound. */
export const BLOCK_WORDS = 3

const WIDTH = 3
const HAS_WIDE = 4
const HAS_COUNTS = 8

/** The flags, the first distance, and how many did not fit or are not 1. */
export const BLOCK_HEAD_BYTES_MAX = 7
/** The smallest of three widths takes no more than the widest, which holds every distance:
 *  `SEGMENT_CHUNKS_MAX` is two million. */
export const DISTANCE_BYTES_MAX = 3
/** Where it stands, and the count. */
export const COUNT_BYTES_MAX = 6

/** A block that was read. */
export interface PostingBuffer {
  readonly chunks: Int32Array
  readonly counts: Int32Array
}

export const postingBuffer = (): PostingBuffer => ({
  chunks: new Int32Array(BLOCK_POSTINGS),
  counts: new Int32Array(BLOCK_POSTINGS),
})

/** Writes the postings [from, to) of a list from `at` on; where they end. */
export function writeBlock(
  bytes: Uint8Array,
  at: number,
  former: number,
  chunks: Uint32Array,
  counts: Uint32Array,
  from: number,
  to: number,
): number {
  let [wide1, wide2, repeated] = [0, 0, 0]
  for (let i = from; i < to; i++) {
    if ((counts[i] ?? 0) > 1) repeated++
    if (i === from) continue
    const distance = (chunks[i] ?? 0) - (chunks[i - 1] ?? 0)
    if (distance > 0xff) wide1++
    if (distance > 0xffff) wide2++
  }
  const others = to - from - 1
  // One that does not fit takes its place, and where it stands and what is over besides.
  const sizes = [others + 3 * wide1, 2 * others + 3 * wide2, 3 * others]
  const width = 1 + sizes.indexOf(Math.min(...sizes))
  const wide = width === 1 ? wide1 : width === 2 ? wide2 : 0
  bytes[at] = width | (wide > 0 ? HAS_WIDE : 0) | (repeated > 0 ? HAS_COUNTS : 0)
  let end = writeNumber(bytes, at + 1, (chunks[from] ?? 0) - former)
  for (let i = from + 1; i < to; i++) {
    const distance = (chunks[i] ?? 0) - (chunks[i - 1] ?? 0)
    for (let byte = 0; byte < width; byte++) bytes[end++] = distance >>> (8 * byte)
  }
  if (wide > 0) {
    bytes[end++] = wide
    for (let i = from + 1; i < to; i++) {
      const over = ((chunks[i] ?? 0) - (chunks[i - 1] ?? 0)) >>> (8 * width)
      if (over === 0) continue
      bytes[end++] = i - from
      end = writeNumber(bytes, end, over)
    }
  }
  if (repeated > 0) {
    bytes[end++] = repeated
    for (let i = from; i < to; i++) {
      if (counts[i] === 1) continue
      bytes[end++] = i - from
      end = writeNumber(bytes, end, counts[i] ?? 0)
    }
  }
  return end
}

/** Reads the block of `size` postings that begins at `at`, after the chunk `former`. */
export function readBlock(bytes: Uint8Array, at: number, former: number, size: number, into: PostingBuffer): void {
  const { chunks, counts } = into
  const head = bytes[at] ?? 0
  let byte = numberEnd(bytes, at + 1)
  let chunk = (chunks[0] = former + readNumber(bytes, at + 1))
  // Nearly all blocks, in one go.
  if ((head & (WIDTH | HAS_WIDE)) === 1) {
    for (let i = 1; i < size; i++) chunks[i] = chunk += bytes[byte++] ?? 0
  } else {
    byte = readDistances(bytes, byte, head, size, chunks)
    for (let i = 1; i < size; i++) chunks[i] = chunk += chunks[i] ?? 0
  }
  counts.fill(1, 0, size)
  if ((head & HAS_COUNTS) === 0) return
  for (let left = bytes[byte++] ?? 0; left > 0; left--) {
    const i = bytes[byte++] ?? 0
    counts[i] = readNumber(bytes, byte)
    byte = numberEnd(bytes, byte)
  }
}

/** Returns where they end. */
function readDistances(bytes: Uint8Array, at: number, head: number, size: number, distances: Int32Array): number {
  const width = head & WIDTH
  let byte = at
  if (width === 1) {
    for (let i = 1; i < size; i++) distances[i] = bytes[byte++] ?? 0
  } else if (width === 2) {
    for (let i = 1; i < size; i++, byte += 2) distances[i] = (bytes[byte] ?? 0) | ((bytes[byte + 1] ?? 0) << 8)
  } else {
    for (let i = 1; i < size; i++, byte += 3)
      distances[i] = (bytes[byte] ?? 0) | ((bytes[byte + 1] ?? 0) << 8) | ((bytes[byte + 2] ?? 0) << 16)
  }
  if ((head & HAS_WIDE) === 0) return byte
  for (let left = bytes[byte++] ?? 0; left > 0; left--) {
    const i = bytes[byte++] ?? 0
    distances[i] = (distances[i] ?? 0) | (readNumber(bytes, byte) << (8 * width))
    byte = numberEnd(bytes, byte)
  }
  return byte
}

/** LEB128. */
export function writeNumber(bytes: Uint8Array, at: number, value: number): number {
  let rest = value
  let end = at
  while (rest > 0x7f) {
    bytes[end++] = (rest & 0x7f) | 0x80
    rest >>>= 7
  }
  bytes[end++] = rest
  return end
}

export function readNumber(bytes: Uint8Array, at: number): number {
  let byte = at
  let part = bytes[byte++] ?? 0
  let value = part & 0x7f
  for (let shift = 7; part > 0x7f; shift += 7) {
    part = bytes[byte++] ?? 0
    value |= (part & 0x7f) << shift
  }
  return value
}

export function numberEnd(bytes: Uint8Array, at: number): number {
  let byte = at
  while ((bytes[byte++] ?? 0) > 0x7f);
  return byte
}
