import { randomBytes } from 'node:crypto'

/** Randomness as an argument: the operating system's in production, a seeded stream in
 *  simulation. */
export interface Random {
  /** `count` uniformly random bytes. */
  bytes(count: number): Uint8Array
}

/** Drawn from the operating system at once; a call of it costs as much as the bytes of a thousand ids. */
const POOL_BYTES = 16 * 1024
/** More is drawn by itself. */
const POOLED_BYTES_MAX = 64

class SystemRandom implements Random {
  #pool = Buffer.alloc(0)
  #used = 0

  bytes(count: number): Uint8Array {
    if (count > POOLED_BYTES_MAX) return randomBytes(count)
    if (this.#used + count > this.#pool.length) {
      this.#pool = randomBytes(POOL_BYTES)
      this.#used = 0
    }
    const taken = Uint8Array.prototype.slice.call(this.#pool, this.#used, this.#used + count)
    // What was handed out may be a secret, and is nobody else's to read.
    this.#pool.fill(0, this.#used, this.#used + count)
    this.#used += count
    return taken
  }
}

export const systemRandom: Random = new SystemRandom()

/** Uniform in [0, 1) with 32 bits: enough for jitter and weights, not for secrets. */
export function uniform(random: Random): number {
  const [a = 0, b = 0, c = 0, d = 0] = random.bytes(4)
  return (((a << 24) | (b << 16) | (c << 8) | d) >>> 0) / 2 ** 32
}

/** So many of them, for the price of one call of the operating system. */
export function uniforms(random: Random, count: number): Float64Array {
  const bytes = random.bytes(4 * count)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return Float64Array.from({ length: count }, (_, at) => view.getUint32(4 * at) / 2 ** 32)
}

/** SplitMix32 (Steele, Lea, Flood 2014): a small reproducible stream for simulation,
 *  sampling and tests. Not for secrets. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0
  const next = (): number => {
    state = (state + 0x9e3779b9) >>> 0
    let z = state
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad)
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97)
    return (z ^ (z >>> 15)) >>> 0
  }
  return {
    bytes(count) {
      const out = new Uint8Array(count)
      for (let i = 0; i < count; i += 4) {
        const word = next()
        for (let j = i; j < i + 4 && j < count; j++) out[j] = word >>> ((j - i) * 8)
      }
      return out
    },
  }
}
