import { createCipheriv, createDecipheriv, createHmac, hkdfSync } from 'node:crypto'
import type { Random } from '../../base/random.ts'

/** Authenticated encryption (AES-256-GCM, NIST SP 800-38D) of texts under the key of their subject, and of
 *  these keys under keys derived from the master key (HKDF, RFC 5869). */

/** Of the master key and of every key of a subject. */
export const CONTENT_KEY_BYTES = 32
const IV_BYTES = 12
const TAG_BYTES = 16
const NAME_HEX = 32

/** Nonce, ciphertext and tag, joined. `about` is authenticated and not kept: what is sealed for one place opens
 *  at no other. */
export function seal(key: Uint8Array, plain: Uint8Array, about: string, random: Random): Buffer {
  const iv = random.bytes(IV_BYTES)
  const cipher = createCipheriv('aes-256-gcm', key, iv)
  cipher.setAAD(Buffer.from(about))
  return Buffer.concat([iv, cipher.update(plain), cipher.final(), cipher.getAuthTag()])
}

/** Undefined where the key is another, or anything was changed. */
export function unseal(key: Uint8Array, sealed: Uint8Array, about: string): Buffer | undefined {
  if (sealed.length < IV_BYTES + TAG_BYTES) return undefined
  const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(0, IV_BYTES), { authTagLength: TAG_BYTES })
  decipher.setAAD(Buffer.from(about))
  decipher.setAuthTag(sealed.subarray(-TAG_BYTES))
  try {
    return Buffer.concat([decipher.update(sealed.subarray(IV_BYTES, -TAG_BYTES)), decipher.final()])
  } catch {
    return undefined
  }
}

/** What is made from the master key. */
export class MasterKey {
  readonly #wrapping: Uint8Array
  readonly #naming: Uint8Array

  constructor(master: Uint8Array) {
    const derive = (use: string): Uint8Array =>
      new Uint8Array(hkdfSync('sha256', master, '', `headworks content ${use}`, CONTENT_KEY_BYTES))
    this.#wrapping = derive('wrap')
    this.#naming = derive('name')
  }

  /** Under which a subject, or a tenant, is filed: who has the files alone cannot try names. */
  nameOf(what: string): string {
    return createHmac('sha256', this.#naming).update(what).digest('hex').slice(0, NAME_HEX)
  }

  wrap(key: Uint8Array, name: string, random: Random): Buffer {
    return seal(this.#wrapping, key, name, random)
  }

  unwrap(wrapped: Uint8Array, name: string): Buffer | undefined {
    return unseal(this.#wrapping, wrapped, name)
  }
}
