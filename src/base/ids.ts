import type { Clock } from './clock.ts'
import type { Random } from './random.ts'

const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz'

/** One character of Crockford's base 32 for the low five bits of each byte. */
export function base32(bytes: Uint8Array): string {
  let text = ''
  for (const byte of bytes) text += ALPHABET.charAt(byte & 31)
  return text
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
