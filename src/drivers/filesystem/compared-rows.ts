import { type Kernel, openKernel } from './compared-kernel.ts'
import type { Top } from './top.ts'

/** Vectors that are compared one by one, in eight bits, so that one that cannot be among the nearest is
 *  told from its bounds at a fraction of the cost; and a question in sixteen.
 *
 *  With a row `v = s·v̂ + r` and a question `q = t·q̂ + e`, where the hats are whole numbers, `q·v = s·t·q̂·v̂ +
 *  t·q̂·r + e·v`, and by Cauchy and Schwarz the two last together are at most `(1 + |e|)·|r| + |e|` for vectors
 *  of unit length. The first is exact, so the bounds are certain. */

/** Of a row's numbers: symmetric, so that no product is larger than the rest. */
const ROW_MAX = 127
/** Of a question's, where its dimension leaves room. */
const QUESTION_MAX = 32_767
const SUM_MAX = 2 ** 31 - 1
/** Bytes that are multiplied at once. */
const PIECE = 16
/** Products that are computed at once: they stay in the nearest cache. */
const BLOCK_ROWS = 1_024
/** Above what the rounding of 32-bit numbers does to a vector of unit length. */
const ROUNDING = 1e-6

/** A vector of unit length, made ready to be compared. */
export class ComparedQuestion {
  readonly vector: Float32Array
  readonly numbers: Int16Array
  readonly scale: number
  /** The length of what the numbers leave out. */
  readonly rest: number

  constructor(vector: Float32Array) {
    const width = widthOf(vector.length)
    const most = Math.min(QUESTION_MAX, Math.floor(SUM_MAX / (ROW_MAX * width)))
    this.vector = vector
    this.numbers = new Int16Array(width)
    this.scale = largest(vector, 0, vector.length) / most
    this.rest = quantise(vector, 0, vector.length, this.scale, this.numbers, 0)
  }
}

export class ComparedRows {
  readonly #vectors: Float32Array
  readonly #dimension: number
  readonly #width: number
  readonly #scales: Float64Array
  /** The length of what each row's numbers leave out. */
  readonly #rests: Float64Array
  readonly #multiply: Kernel['multiply']
  readonly #question: Int16Array
  readonly #products: Int32Array
  readonly #places: { readonly rows: number; readonly products: number }
  #asked: ComparedQuestion | undefined

  /** `vectors`: rows of unit length, one after the other. */
  constructor(vectors: Float32Array, dimension: number) {
    const count = vectors.length / dimension
    const width = widthOf(dimension)
    const rowsAt = 2 * width
    const productsAt = rowsAt + count * width
    const { memory, multiply } = openKernel(productsAt + 4 * Math.min(count, BLOCK_ROWS))
    this.#vectors = vectors
    this.#dimension = dimension
    this.#width = width
    this.#places = { rows: rowsAt, products: productsAt }
    this.#question = new Int16Array(memory, 0, width)
    this.#products = new Int32Array(memory, productsAt, Math.min(count, BLOCK_ROWS))
    this.#scales = new Float64Array(count)
    this.#rests = new Float64Array(count)
    this.#multiply = multiply
    const numbers = new Int8Array(memory, rowsAt, count * width)
    for (let row = 0; row < count; row++) {
      const scale = largest(vectors, row * dimension, dimension) / ROW_MAX
      this.#scales[row] = scale
      this.#rests[row] = quantise(vectors, row * dimension, dimension, scale, numbers, row * width)
    }
  }

  get count(): number {
    return this.#scales.length
  }

  /** The rows that may be among the nearest, in order: each is at most no less than what `nearest` holds at
   *  least. Offers `nearest` what they are at least. */
  collect(question: ComparedQuestion, { live, fits }: Answering, nearest: Top): Candidates {
    const found: { rows: number[]; most: number[] } = { rows: [], most: [] }
    if (this.#asked !== question) this.#question.set(question.numbers)
    this.#asked = question
    const { rest, scale } = question
    let { worst } = nearest
    for (let first = 0; first < this.count; first += BLOCK_ROWS) {
      const count = Math.min(BLOCK_ROWS, this.count - first)
      this.#multiply(0, this.#places.rows + first * this.#width, this.#width, count, this.#places.products)
      for (let at = 0; at < count; at++) {
        const row = first + at
        const cosine = scale * (this.#scales[row] ?? 0) * (this.#products[at] ?? 0)
        const doubt = (1 + rest) * (this.#rests[row] ?? 0) + rest + ROUNDING
        if (cosine + doubt < worst || live?.[row] === 0 || fits?.[row] === 0) continue
        found.rows.push(row)
        found.most.push(cosine + doubt)
        nearest.offer(row, cosine - doubt)
        worst = nearest.worst
      }
    }
    return found
  }

  /** The cosine itself. */
  cosine({ vector }: ComparedQuestion, row: number): number {
    return dot(vector, this.#vectors, row * this.#dimension)
  }
}

/** One byte for each row, 0 where it does not answer. */
export interface Answering {
  readonly live: Uint8Array | undefined
  readonly fits: Uint8Array | undefined
}

export interface Candidates {
  readonly rows: readonly number[]
  /** What the cosine of each is at most. */
  readonly most: readonly number[]
}

const widthOf = (dimension: number): number => Math.ceil(dimension / PIECE) * PIECE

function largest(vector: Float32Array, from: number, count: number): number {
  let most = 0
  for (let at = from; at < from + count; at++) {
    const size = Math.abs(vector[at] ?? 0)
    if (size > most) most = size
  }
  return most
}

/** The nearest whole numbers of `scale`, from `to` on. Returns the length of what they leave out. */
function quantise(
  vector: Float32Array,
  from: number,
  count: number,
  scale: number,
  numbers: Int8Array | Int16Array,
  to: number,
): number {
  let squares = 0
  for (let at = 0; at < count; at++) {
    const value = vector[from + at] ?? 0
    const number = Math.round(value / scale)
    numbers[to + at] = number
    const left = value - number * scale
    squares += left * left
  }
  return Math.sqrt(squares)
}

/** Four sums at a time: a single one would wait for its own last addition. */
function dot(a: Float32Array, rows: Float32Array, from: number): number {
  const even = a.length - (a.length % 4)
  let [s0, s1, s2, s3] = [0, 0, 0, 0]
  for (let i = 0; i < even; i += 4) {
    s0 += (a[i] ?? 0) * (rows[from + i] ?? 0)
    s1 += (a[i + 1] ?? 0) * (rows[from + i + 1] ?? 0)
    s2 += (a[i + 2] ?? 0) * (rows[from + i + 2] ?? 0)
    s3 += (a[i + 3] ?? 0) * (rows[from + i + 3] ?? 0)
  }
  for (let i = even; i < a.length; i++) s0 += (a[i] ?? 0) * (rows[from + i] ?? 0)
  return s0 + s1 + s2 + s3
}
