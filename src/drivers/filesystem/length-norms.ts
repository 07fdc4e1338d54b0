import { lengthNorm, saturation } from '../../base/bm25.ts'

/** Beyond it a length is not worth remembering, nor worth more bits in the bound of a block. */
export const KNOWN_LENGTH_MAX = 0xfff

/** What counts add in chunks of any length, under the mean length of a mount: looked up for all but
 *  the longest. */
export class LengthNorms {
  readonly #lengthMean: number
  readonly #norms: Float64Array
  /** By length, what a term adds that stands there once, as most do; not of the longest. */
  readonly once: Float64Array

  constructor(lengthMax: number, lengthMean: number) {
    this.#lengthMean = lengthMean
    const lengths = { length: Math.min(lengthMax, KNOWN_LENGTH_MAX) + 1 }
    this.#norms = Float64Array.from(lengths, (_, length) => lengthNorm(length, lengthMean))
    this.once = this.#norms.map((norm) => saturation(1, norm))
  }

  /** To be multiplied by the term's worth. */
  saturation(count: number, length: number): number {
    if (length >= this.#norms.length) return saturation(count, lengthNorm(length, this.#lengthMean))
    return count === 1 ? (this.once[length] ?? 0) : saturation(count, this.#norms[length] ?? 0)
  }
}
