import type { Clock } from './clock.ts'
import type { Random } from './random.ts'

const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz'

/** One character of Crockford's base 32 for the low five bits of each byte. */
export function base32(bytes: Uint8Array): string {
  let text = ''
  for (const byte of bytes) text += ALPHABET.charAt(byte & 31)
  return text
}

/** An id of `newId` as 32 hexadecimal digits, 48 bits of time and 80 of chance: what a trace is called
 *  elsewhere. Undefined for another id. */
export function idDigits(id: string): string | undefined {
  const text = id.slice(id.indexOf('_') + 1)
  if (text.length !== 26) return undefined
  let bits = 0n
  for (const letter of text) {
    const five = ALPHABET.indexOf(letter)
    if (five < 0) return undefined
    bits = bits * 32n + BigInt(five)
  }
  return bits < 2n ** 128n ? bits.toString(16).padStart(32, '0') : undefined
}

/** `prefix_` and 26 characters in the manner of a ULID: 48 bits of wall time, then 80 random
 *  bits, in Crockford's base 32. Ids made later sort later (to the millisecond), which keeps
 *  index pages warm. */
export function newId(prefix: string, clock: Clock, random: Random): string {
  let time = clock.wallMs()
  let head = ''
  for (let i = 0; i < 10; i++) {
    head = ALPHABET.charAt(time % 32) + head
    time = Math.floor(time / 32)
  }
  return `${prefix}_${head}${base32(random.bytes(16))}`
}
