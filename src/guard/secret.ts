import { createHmac } from 'node:crypto'
import type { Random } from '../base/random.ts'

/** The secret part of keys. What is stored of a text is its HMAC-SHA-256 (RFC 2104) under a pepper
 *  that is kept apart from the rows: a copy of the rows alone tests no guess, not even at a key
 *  that somebody chose badly. 160 random bits need no slow hash besides. */

export const PEPPER_BYTES = 32

const TEXT_PREFIX = 'hw_'
/** How much of a text is shown to recognise it by; never more than a third of it. */
const HINT_LENGTH = 9
const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz'

export class Pepper {
  readonly #bytes: Uint8Array
  /** Says which pepper a row was made under, and nothing about the pepper. */
  readonly id: string

  constructor(bytes: Uint8Array) {
    if (bytes.length !== PEPPER_BYTES) throw new RangeError(`a pepper has ${PEPPER_BYTES} bytes, not ${bytes.length}`)
    this.#bytes = bytes
    this.id = this.macOf('').slice(0, 16)
  }

  /** Hexadecimal. */
  macOf(text: string): string {
    return createHmac('sha256', this.#bytes).update(text).digest('hex')
  }
}

export function newKeyText(random: Random): string {
  let text = TEXT_PREFIX
  for (const byte of random.bytes(32)) text += ALPHABET.charAt(byte & 31)
  return text
}

export const hintOf = (text: string): string => text.slice(0, Math.min(HINT_LENGTH, Math.floor(text.length / 3)))
