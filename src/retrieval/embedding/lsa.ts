import { crc32 } from 'node:zlib'
import { fault } from '../../base/errors.ts'
import { isObject, type Json } from '../../base/json.ts'
import type { Random } from '../../base/random.ts'
import { type Analyzer, STOP_TERMS } from '../../base/words.ts'
import { factorise, type SparseRows } from './factorise.ts'
import { bytesOfVectors, floatsOf } from './floats.ts'

/** Latent semantic analysis (Deerwester and others 1990) fitted on the collection's own texts: a text
 *  is where its terms lead among the leading directions of the collection. It needs no weights and
 *  knows only which terms of this collection go together; it is no learned embedding and is never
 *  called one. */

/** Directions. On Cranfield 128 to 256 differ by less than half of the questions' spread. */
const LSA_RANK = 256
/** Directions of a small collection are fewer: as many as texts would keep every accident of theirs. */
const TEXTS_PER_DIRECTION = 5
/** Texts of one fit: beyond it a random sample of as many. */
export const LSA_TEXTS_MAX = 10_000
/** Below it there is nothing to learn from. */
export const LSA_TEXTS_MIN = 200
/** Terms of one fit, the commonest. With the rank it bounds a model at 21 MB. */
const TERMS_MAX = 20_000
/** A term of one text goes together with nothing. */
const TEXTS_WITH_MIN = 2
const MAGIC = 0x4853_4c31

interface Parts {
  readonly rank: number
  /** How many it was fitted on. */
  readonly texts: number
  readonly terms: readonly string[]
  /** What each term is worth. */
  readonly weights: Float32Array
  /** Where each term leads: `rank` numbers each. */
  readonly directions: Float32Array
}

export class Lsa {
  /** Of its vectors: one more than `LSA_RANK`, whatever the rank is. The last coordinate is 1 for a
   *  text without a known term, which is thus like no question. */
  static readonly dimension = LSA_RANK + 1
  readonly texts: number
  readonly #parts: Parts
  readonly #numbers: ReadonlyMap<string, number>
  readonly #analyzer: Analyzer

  private constructor(parts: Parts, analyzer: Analyzer) {
    this.texts = parts.texts
    this.#parts = parts
    this.#numbers = new Map(parts.terms.map((term, at) => [term, at]))
    this.#analyzer = analyzer
  }

  /** Undefined where the texts have nothing in common. At most `LSA_TEXTS_MAX` of them. */
  static fit(texts: readonly string[], analyzer: Analyzer, random: Random): Lsa | undefined {
    const counts = texts.slice(0, LSA_TEXTS_MAX).map((text) => termCounts(analyzer, text))
    const textsWith = new Map<string, number>()
    for (const text of counts) for (const term of text.keys()) textsWith.set(term, (textsWith.get(term) ?? 0) + 1)
    const common = [...textsWith]
      .filter(([, holding]) => holding >= TEXTS_WITH_MIN)
      .sort(([a, n], [b, m]) => m - n || (a < b ? -1 : 1))
      .slice(0, TERMS_MAX)
    const weights = Float32Array.from(common, ([, holding]) => Math.log((counts.length + 1) / holding))
    const numbers = new Map(common.map(([term], at) => [term, at]))
    const rankMax = Math.min(LSA_RANK, Math.ceil(counts.length / TEXTS_PER_DIRECTION))
    const { rank, directions } = factorise(matrixOf(counts, numbers, weights), rankMax, random)
    if (rank === 0) return undefined
    const terms = common.map(([term]) => term)
    return new Lsa({ rank, texts: counts.length, terms, weights, directions }, analyzer)
  }

  /** Rejects bytes that are not those of `bytes()` (`index_unavailable`). */
  static read(bytes: Uint8Array, analyzer: Analyzer): Lsa {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    if (bytes.length < 12 || view.getUint32(0) !== MAGIC || view.getUint32(4) !== crc32(bytes.subarray(8)))
      throw fault('index_unavailable', { reason: 'the fitted model of a collection is damaged' })
    const headBytes = view.getUint32(8)
    const head: Json = JSON.parse(new TextDecoder().decode(bytes.subarray(12, 12 + headBytes))) as Json
    const { rank, texts, terms } = isObject(head) ? head : {}
    if (typeof rank !== 'number' || typeof texts !== 'number' || !Array.isArray(terms))
      throw fault('index_unavailable', { reason: 'the fitted model of a collection makes no sense' })
    const floats = floatsOf(bytes.subarray(12 + headBytes))
    const weights = floats.subarray(0, terms.length)
    return new Lsa(
      { rank, texts, terms: terms as string[], weights, directions: floats.subarray(terms.length) },
      analyzer,
    )
  }

  /** To be kept, with a checksum. */
  bytes(): Uint8Array {
    const { rank, texts, terms, weights, directions } = this.#parts
    const head = new TextEncoder().encode(JSON.stringify({ rank, texts, terms }))
    const floats = bytesOfVectors([weights, directions])
    const bytes = new Uint8Array(12 + head.length + floats.length)
    const view = new DataView(bytes.buffer)
    view.setUint32(0, MAGIC)
    view.setUint32(8, head.length)
    bytes.set(head, 12)
    bytes.set(floats, 12 + head.length)
    view.setUint32(4, crc32(bytes.subarray(8)))
    return bytes
  }

  get terms(): readonly string[] {
    return this.#parts.terms
  }

  /** The same without knowing these terms any more; vectors of other texts stay what they are. */
  without(terms: ReadonlySet<string>): Lsa {
    const parts = { ...this.#parts, terms: this.#parts.terms.map((term) => (terms.has(term) ? '' : term)) }
    return new Lsa(parts, this.#analyzer)
  }

  /** Of unit length; undefined where no term of the text is known. */
  fold(text: string): Float32Array | undefined {
    const { rank, weights, directions } = this.#parts
    const vector = new Float32Array(Lsa.dimension)
    for (const [number, weight] of weighed(termCounts(this.#analyzer, text), this.#numbers, weights)) {
      const from = number * rank
      for (let i = 0; i < rank; i++) vector[i] = (vector[i] ?? 0) + weight * (directions[from + i] ?? 0)
    }
    const length = Math.sqrt(vector.reduce((sum, value) => sum + value * value, 0))
    return length === 0 ? undefined : vector.map((value) => value / length)
  }

  /** How much of the text lies along the directions, 0 to 1: by length, what is not known weighing as much
   *  as the rarest term that is. */
  explained(text: string): number {
    const { rank, weights, directions } = this.#parts
    const counts = termCounts(this.#analyzer, text)
    const known = weighed(counts, this.#numbers, weights)
    const rarest = weights.reduce((most, weight) => Math.max(most, weight), 0)
    let [knownSquares, squares] = [0, 0]
    for (const [term, count] of counts) {
      const number = this.#numbers.get(term)
      const weight = (1 + Math.log(count)) * (number === undefined ? rarest : (weights[number] ?? 0))
      squares += weight * weight
      if (number !== undefined) knownSquares += weight * weight
    }
    if (knownSquares === 0) return 0
    let along = 0
    for (let i = 0; i < rank; i++) {
      const part = known.reduce((sum, [number, weight]) => sum + weight * (directions[number * rank + i] ?? 0), 0)
      along += part * part
    }
    return Math.min(1, Math.sqrt((along * knownSquares) / squares))
  }

  /** As `fold`, with a vector for every text. */
  place(text: string): Float32Array {
    const folded = this.fold(text)
    if (folded !== undefined) return folded
    const nowhere = new Float32Array(Lsa.dimension)
    nowhere[LSA_RANK] = 1
    return nowhere
  }
}

function termCounts(analyzer: Analyzer, text: string): Map<string, number> {
  const counts = new Map<string, number>()
  for (const term of analyzer.terms(text)) if (!STOP_TERMS.has(term)) counts.set(term, (counts.get(term) ?? 0) + 1)
  return counts
}

/** The known terms of a text by (1 + log count) times worth, together of unit length. */
function weighed(
  counts: ReadonlyMap<string, number>,
  numbers: ReadonlyMap<string, number>,
  weights: Float32Array,
): (readonly [number: number, weight: number])[] {
  const found: [number, number][] = []
  let squares = 0
  for (const [term, count] of counts) {
    const number = numbers.get(term)
    if (number === undefined) continue
    const weight = (1 + Math.log(count)) * (weights[number] ?? 0)
    squares += weight * weight
    found.push([number, weight])
  }
  const length = Math.sqrt(squares)
  return length === 0 ? [] : found.map(([number, weight]) => [number, weight / length])
}

function matrixOf(
  counts: readonly ReadonlyMap<string, number>[],
  numbers: ReadonlyMap<string, number>,
  weights: Float32Array,
): SparseRows {
  const at: number[] = []
  const values: number[] = []
  const rowEnds = Uint32Array.from(counts, (text) => {
    for (const [number, weight] of weighed(text, numbers, weights)) {
      at.push(number)
      values.push(weight)
    }
    return at.length
  })
  return { columns: weights.length, rowEnds, at: Uint32Array.from(at), values: Float32Array.from(values) }
}
