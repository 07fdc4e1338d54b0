import type { Attributes } from '../../src/store/filter.ts'

/** Vectors of any number, each made from its number alone, so that a build can go on where it was
 *  killed. They lie in clusters and spread within each along few directions out of those that all
 *  share, as embeddings of text do: the local dimension is `DIRECTIONS`, and clusters touch. */

const CLUSTERS = 2_000
const DIRECTIONS = 13
const SHARED_DIRECTIONS = 64
/** Against the spread along the directions. */
const CENTRE = 0.05
const NOISE = 0.0125

/** Numbers of questions lie beyond those of any vector. */
const QUESTIONS_FROM = 2 ** 31

export class Corpus {
  readonly dimension: number
  readonly #centres: Float32Array
  readonly #directions: Float32Array
  /** Of each cluster, where its directions begin. */
  readonly #own: Uint32Array

  constructor(dimension: number) {
    this.dimension = dimension
    const random = new Stream(1)
    this.#centres = Float32Array.from({ length: CLUSTERS * dimension }, () => random.normal() * CENTRE)
    this.#directions = Float32Array.from(
      { length: SHARED_DIRECTIONS * dimension },
      () => random.normal() / Math.sqrt(dimension),
    )
    this.#own = Uint32Array.from(
      { length: CLUSTERS * DIRECTIONS },
      () => Math.floor(random.uniform() * SHARED_DIRECTIONS) * dimension,
    )
  }

  /** Of unit length. */
  vector(number: number): Float32Array {
    const { dimension } = this
    const random = new Stream(number + 2)
    const cluster = Math.floor(random.uniform() * CLUSTERS)
    const vector = this.#centres.slice(cluster * dimension, (cluster + 1) * dimension)
    for (let direction = 0; direction < DIRECTIONS; direction++) {
      const reach = random.normal()
      const from = this.#own[cluster * DIRECTIONS + direction] ?? 0
      for (let at = 0; at < dimension; at++) vector[at] = (vector[at] ?? 0) + reach * (this.#directions[from + at] ?? 0)
    }
    let squares = 0
    for (let at = 0; at < dimension; at++) {
      const component = (vector[at] ?? 0) + (random.uniform() - 0.5) * NOISE * 3.46
      vector[at] = component
      squares += component * component
    }
    const length = Math.sqrt(squares)
    for (let at = 0; at < dimension; at++) vector[at] = (vector[at] ?? 0) / length
    return vector
  }

  /** Drawn as the vectors are, and none of them. */
  question(number: number): Float32Array {
    return this.vector(QUESTIONS_FROM + number)
  }
}

/** One chunk in ten has a given `tenth`, one in a hundred a given `hundredth`. */
export const attributesOf = (number: number): Attributes => ({ tenth: number % 10, hundredth: number % 100 })

/** Tommy Ettinger's mulberry32. */
class Stream {
  #state: number
  #spare: number | undefined

  constructor(seed: number) {
    this.#state = Math.imul(seed, 0x9e3779b1) >>> 0
  }

  uniform(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }

  /** Box and Muller's method gives two at a time. */
  normal(): number {
    const spare = this.#spare
    this.#spare = undefined
    if (spare !== undefined) return spare
    const reach = Math.sqrt(-2 * Math.log(1 - this.uniform()))
    const angle = 2 * Math.PI * this.uniform()
    this.#spare = reach * Math.sin(angle)
    return reach * Math.cos(angle)
  }
}
