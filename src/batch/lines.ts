import { type Clock, sleep } from '../base/clock.ts'

/** A line of a file, without its end. */
export interface Line {
  /** From 1, blank ones counted. */
  readonly number: number
  /** Undefined where it is longer than it may be. */
  readonly bytes: Uint8Array | undefined
}

const NEWLINE = 0x0a
const CARRIAGE_RETURN = 0x0d
const BYTE_ORDER_MARK = [0xef, 0xbb, 0xbf]
/** After so many bytes others have their turn: what reads lines holds up everything else. */
const TURN_BYTES = 256 * 1024

/** The lines of JSON Lines that are not blank, whatever pieces they come in. In memory is never more
 *  than a piece and one line. */
export async function* linesOf(
  pieces: AsyncIterable<Uint8Array>,
  { clock, lineBytesMax }: { readonly clock: Clock; readonly lineBytesMax: number },
): AsyncGenerator<Line> {
  let held: Uint8Array[] = []
  let heldBytes = 0
  let number = 1
  let sinceTurn = 0
  const take = (last: Uint8Array): Line | undefined => {
    const isLong = heldBytes + last.length > lineBytesMax
    const bytes = isLong ? undefined : trimmed(held.length === 0 ? last : Buffer.concat([...held, last]), number)
    held = []
    heldBytes = 0
    const line = { number: number++, bytes }
    return isLong || line.bytes?.some((byte) => byte > 0x20) === true ? line : undefined
  }
  for await (const piece of pieces) {
    let start = 0
    for (;;) {
      const end = piece.indexOf(NEWLINE, start)
      if (end < 0) break
      const line = take(piece.subarray(start, end))
      sinceTurn += end - start
      start = end + 1
      if (sinceTurn >= TURN_BYTES) {
        sinceTurn = 0
        await sleep(clock, 0)
      }
      if (line !== undefined) yield line
    }
    const rest = piece.subarray(start)
    heldBytes += rest.length
    // Of a line that is too long nothing is kept but that it is.
    if (heldBytes <= lineBytesMax) held.push(rest)
    else held = []
  }
  const line = take(new Uint8Array())
  if (line !== undefined) yield line
}

function trimmed(bytes: Uint8Array, number: number): Uint8Array {
  const isMarked = number === 1 && BYTE_ORDER_MARK.every((byte, at) => bytes[at] === byte)
  const from = isMarked ? BYTE_ORDER_MARK.length : 0
  return bytes.subarray(from, bytes.at(-1) === CARRIAGE_RETURN ? -1 : undefined)
}
