import type { Held } from './index.ts'

/** From a chunk of a segment that was made of others to the chunk it stands for. */
export class Origins {
  readonly #held: readonly Held[]
  /** Where each run ends, in the segment's own numbers. */
  readonly #ends: Float64Array

  constructor(held: readonly Held[]) {
    this.#held = held
    this.#ends = new Float64Array(held.length)
    let end = 0
    for (const [at, { count }] of held.entries()) this.#ends[at] = end += count
  }

  get chunks(): number {
    return this.#ends.at(-1) ?? 0
  }

  of(chunk: number): { readonly segment: string; readonly chunk: number } {
    let [low, high] = [0, this.#ends.length - 1]
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#ends[middle] ?? 0) <= chunk) low = middle + 1
      else high = middle
    }
    const run = this.#held[low]
    if (run === undefined || chunk >= this.chunks || chunk < 0) throw new RangeError(`it holds no chunk ${chunk}`)
    return { segment: run.segment, chunk: run.first + chunk - ((this.#ends[low] ?? 0) - run.count) }
  }
}
