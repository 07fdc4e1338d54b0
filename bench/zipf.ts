import { seededRandom, uniform, uniforms, type Random } from '../src/base/random.ts'
import { STOP_TERMS } from '../src/base/words.ts'

const WORDS = 60_000
/** The commonest are words that no question is searched by. */
const STOP_WORDS = 30

/** Text whose words are as frequent as in English: the n-th commonest about 1/n as often as the
 *  commonest. A text of a number is always the same, so that a million need not be kept. */
export class Corpus {
  readonly #random: Random
  readonly #seed: number
  readonly #words: readonly string[]
  readonly #bounds = new Float64Array(WORDS)

  constructor(seed: number) {
    this.#seed = seed
    this.#random = seededRandom(seed)
    const stops = [...STOP_TERMS]
    this.#words = Array.from({ length: WORDS }, (_, rank) =>
      rank < STOP_WORDS ? (stops[rank] ?? '') : this.#word(rank),
    )
    let sum = 0
    for (const rank of this.#bounds.keys()) this.#bounds[rank] = sum += 1 / (rank + 2.7)
  }

  text(number: number, words: number): string {
    const random = seededRandom(Math.imul(number + 1, 0x9e3779b1) ^ this.#seed)
    return Array.from(uniforms(random, words), (at) => this.#words[this.#rank(at)]).join(' ')
  }

  question(words: number): string[] {
    return Array.from({ length: words }, () => {
      let rank = this.#rank(uniform(this.#random))
      while (rank < STOP_WORDS) rank = this.#rank(uniform(this.#random))
      return this.#words[rank] ?? ''
    })
  }

  #rank(share: number): number {
    const at = share * (this.#bounds.at(-1) ?? 0)
    let [low, high] = [0, WORDS - 1]
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#bounds[middle] ?? 0) < at) low = middle + 1
      else high = middle
    }
    return low
  }

  /** Common words are short. */
  #word(rank: number): string {
    const length = 2 + Math.floor(Math.log2(rank + 2) / 2) + Math.floor(uniform(this.#random) * 3)
    return (
      Array.from(this.#random.bytes(length), (byte) => String.fromCharCode(97 + (byte % 26))).join('') + (rank % 10)
    )
  }
}
