/** What was sent to a deployment lately, as the hashes of its prompts' blocks: what its prefix cache may
 *  still hold. A guess, and a wrong one costs a prefill. */

/** Some 8 million tokens, and 2 MB of memory: as much as the cache of a large server. */
const BLOCKS_MAX = 32_768

export class PrefixBook {
  /** The latest used last. */
  readonly #blocks = new Map<number, true>()

  /** How many of the blocks, from the first, it was sent. Each hash stands for all before it, and those are
   *  never forgotten sooner than it is: halving finds the last one known. */
  warm(blocks: readonly number[]): number {
    let least = 0
    let most = blocks.length
    while (least < most) {
      const middle = (least + most + 1) >> 1
      if (this.#blocks.has(blocks[middle - 1] ?? 0)) least = middle
      else most = middle - 1
    }
    return least
  }

  add(blocks: readonly number[]): void {
    // The deepest first, so that it is forgotten first.
    for (let at = blocks.length - 1; at >= 0; at--) {
      const block = blocks[at] ?? 0
      this.#blocks.delete(block)
      this.#blocks.set(block, true)
    }
    for (const oldest of this.#blocks.keys()) {
      if (this.#blocks.size <= BLOCKS_MAX) break
      this.#blocks.delete(oldest)
    }
  }

  /** It has failed, and may have come back with nothing. */
  forget(): void {
    this.#blocks.clear()
  }
}
