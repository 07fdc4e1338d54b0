import type { Analyzer } from '../../base/words.ts'
import type { Attributes, AttributeValue } from '../../store/filter.ts'
import type { IndexChunk } from '../../store/index.ts'
import {
  BLOCK_HEAD_BYTES_MAX,
  BLOCK_POSTINGS,
  BLOCK_WORDS,
  COUNT_BYTES_MAX,
  DISTANCE_BYTES_MAX,
  writeBlock,
  writeNumber,
} from './posting-block.ts'
import { packBound } from './postings.ts'
import type { SegmentMeta, SegmentSections } from './segment-format.ts'

/** Turns chunks into the sections of a segment, part by part. Occurrences are collected into flat
 *  arrays and brought into term order once at the end: no object per posting, no list per term. */
export class SegmentBuilder {
  readonly #analyzer: Analyzer
  readonly #columns = new Columns()
  readonly #numbers = new Map<string, number>()
  #chunks = 0
  #lengths = new Uint32Array(1 << 10)
  #ends = new Uint32Array(1 << 10)
  #term = new Uint32Array(1 << 14)
  #count = new Uint32Array(1 << 14)
  /** Of each term, the place of its occurrence in the present chunk; older places lie below `begin`. */
  #place = new Int32Array(1 << 12).fill(-1)
  #end = 0

  constructor(analyzer: Analyzer) {
    this.#analyzer = analyzer
  }

  add(chunks: readonly IndexChunk[]): void {
    for (const { text, attributes = {} } of chunks) {
      const chunk = this.#chunks++
      if (chunk >= this.#ends.length) {
        this.#ends = grown(this.#ends, chunk + 1)
        this.#lengths = grown(this.#lengths, chunk + 1)
      }
      this.#columns.add(chunk, attributes)
      this.#lengths[chunk] = this.#read(text)
      this.#ends[chunk] = this.#end
    }
  }

  /** `vectors` holds one row per chunk, or nothing where there are none or they are kept apart. */
  finish(dimension: number, vectors: Float32Array): SegmentSections {
    const chunks = this.#chunks
    const terms = [...this.#numbers.keys()]
    const ranks = rankTerms(terms)
    const isApart = dimension > 0 && chunks > 0 && vectors.length === 0
    const occurrences = {
      term: this.#term.subarray(0, this.#end),
      count: this.#count.subarray(0, this.#end),
      ends: this.#ends.subarray(0, chunks),
      lengths: this.#lengths.subarray(0, chunks),
    }
    const { attributes, attributeValues } = this.#columns.finish(chunks)
    return {
      meta: { chunks, terms: terms.length, dimension, attributes, ...(isApart ? { vectorsApart: true } : {}) },
      ...encodeTerms(terms, ranks),
      ...encodePostings(occurrences, ranks),
      lengths: this.#lengths.slice(0, chunks),
      attributeValues,
      vectors,
    }
  }

  /** Takes the terms of the next chunk in; how many there are. */
  #read(text: string): number {
    const begin = this.#end
    const words = this.#analyzer.terms(text)
    if (begin + words.length > this.#term.length) {
      this.#term = grown(this.#term, begin + words.length)
      this.#count = grown(this.#count, begin + words.length)
    }
    for (const word of words) {
      let number = this.#numbers.get(word)
      if (number === undefined) {
        number = this.#numbers.size
        this.#numbers.set(word, number)
        if (number >= this.#place.length) this.#place = grown(this.#place, number + 1).fill(-1, number)
      }
      const seen = this.#place[number] ?? -1
      if (seen >= begin) {
        this.#count[seen] = (this.#count[seen] ?? 0) + 1
      } else {
        this.#place[number] = this.#end
        this.#term[this.#end] = number
        this.#count[this.#end++] = 1
      }
    }
    return words.length
  }
}

/** Per attribute name, for every chunk the number of its value. */
class Columns {
  readonly #columns = new Map<string, { numbers: Map<AttributeValue, number>; values: Uint32Array<ArrayBuffer> }>()

  add(chunk: number, attributes: Attributes): void {
    for (const name of Object.keys(attributes)) {
      const value = attributes[name]
      if (value === undefined) continue
      let column = this.#columns.get(name)
      if (column === undefined) {
        column = { numbers: new Map(), values: new Uint32Array(1 << 10) }
        this.#columns.set(name, column)
      }
      if (chunk >= column.values.length) column.values = grown(column.values, chunk + 1)
      const number = column.numbers.get(value) ?? column.numbers.size + 1
      column.numbers.set(value, number)
      column.values[chunk] = number
    }
  }

  finish(chunks: number): { attributes: SegmentMeta['attributes']; attributeValues: Uint32Array } {
    const attributeValues = new Uint32Array(this.#columns.size * chunks)
    let row = 0
    for (const { values } of this.#columns.values()) attributeValues.set(values.subarray(0, chunks), row++ * chunks)
    const attributes = [...this.#columns].map(([name, { numbers }]) => ({ name, values: [...numbers.keys()] }))
    return { attributes, attributeValues }
  }
}

/** For every term of every chunk, in chunk order: the term's number and how often it stands there. */
interface Occurrences {
  readonly term: Uint32Array
  readonly count: Uint32Array
  /** Where each chunk's occurrences end. */
  readonly ends: Uint32Array
  /** Terms per chunk. */
  readonly lengths: Uint32Array
}

/** The numbers of the terms in the order of their UTF-8 bytes. */
function rankTerms(terms: readonly string[]): Uint32Array {
  const sorted = [...terms].sort()
  // Code units sort like UTF-8 bytes unless a character needs two of them.
  if (terms.some((term) => /[\ud800-\udfff]/.test(term)))
    sorted.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
  const numbers = new Map(terms.map((term, number) => [term, number]))
  return Uint32Array.from(sorted, (term) => numbers.get(term) ?? 0)
}

function encodeTerms(terms: readonly string[], ranks: Uint32Array): Pick<SegmentSections, 'termEnds' | 'termBytes'> {
  const termBytes = Buffer.from(Array.from(ranks, (number) => terms[number]).join(''))
  const termEnds = new Uint32Array(terms.length)
  let end = 0
  for (const [rank, number] of ranks.entries()) {
    end += Buffer.byteLength(terms[number] ?? '')
    termEnds[rank] = end
  }
  return { termEnds, termBytes }
}

/** How many chunks hold a term, and the number of its first block. */
const HEAD_BYTES_MAX = 8

function encodePostings(
  occurrences: Occurrences,
  ranks: Uint32Array,
): Pick<SegmentSections, 'postingEnds' | 'postings' | 'blocks'> {
  const { begins, chunkOf, countOf } = byTerm(occurrences, ranks.length)
  const repeated = countOf.reduce((sum, times) => sum + (times === 1 ? 0 : 1), 0)
  const blocksMax = ranks.length + Math.ceil(chunkOf.length / BLOCK_POSTINGS)
  const bytesMax =
    ranks.length * HEAD_BYTES_MAX +
    blocksMax * BLOCK_HEAD_BYTES_MAX +
    chunkOf.length * DISTANCE_BYTES_MAX +
    repeated * COUNT_BYTES_MAX
  const postings = new Uint8Array(bytesMax)
  const postingEnds = new Uint32Array(ranks.length)
  const blocks = new Uint32Array(countBlocks(begins) * BLOCK_WORDS)
  let [end, block] = [0, 0]
  for (const [rank, number] of ranks.entries()) {
    const [begin, finish] = [begins[number] ?? 0, begins[number + 1] ?? 0]
    const isBlocked = finish - begin > BLOCK_POSTINGS
    end = writeNumber(postings, end, finish - begin)
    if (isBlocked) end = writeNumber(postings, end, block)
    let former = 0
    for (let from = begin; from < finish; from += BLOCK_POSTINGS) {
      const to = Math.min(from + BLOCK_POSTINGS, finish)
      end = writeBlock(postings, end, former, chunkOf, countOf, from, to)
      former = chunkOf[to - 1] ?? 0
      if (!isBlocked) continue
      blocks[block * BLOCK_WORDS] = former
      blocks[block * BLOCK_WORDS + 1] = end
      blocks[block * BLOCK_WORDS + 2] = boundOf(chunkOf, countOf, occurrences.lengths, from, to)
      block++
    }
    postingEnds[rank] = end
  }
  return { postingEnds, postings: postings.slice(0, end), blocks }
}

/** A counting sort: where each term's postings begin, then every occurrence to its place. */
function byTerm(
  { term, count, ends }: Occurrences,
  terms: number,
): { readonly begins: Uint32Array; readonly chunkOf: Uint32Array; readonly countOf: Uint32Array } {
  const next = new Uint32Array(terms + 1)
  for (const number of term) next[number + 1] = (next[number + 1] ?? 0) + 1
  for (let number = 1; number < next.length; number++) next[number] = (next[number] ?? 0) + (next[number - 1] ?? 0)
  const begins = next.slice()
  const chunkOf = new Uint32Array(term.length)
  const countOf = new Uint32Array(term.length)
  for (let at = 0, chunk = 0; at < term.length; at++) {
    while (at >= (ends[chunk] ?? 0)) chunk++
    const number = term[at] ?? 0
    const place = next[number] ?? 0
    next[number] = place + 1
    chunkOf[place] = chunk
    countOf[place] = count[at] ?? 0
  }
  return { begins, chunkOf, countOf }
}

function countBlocks(begins: Uint32Array): number {
  let blocks = 0
  for (let number = 0; number + 1 < begins.length; number++) {
    const found = (begins[number + 1] ?? 0) - (begins[number] ?? 0)
    if (found > BLOCK_POSTINGS) blocks += Math.ceil(found / BLOCK_POSTINGS)
  }
  return blocks
}

function boundOf(chunkOf: Uint32Array, countOf: Uint32Array, lengths: Uint32Array, from: number, to: number): number {
  let [lengthMinOnce, countMax, lengthMin] = [Infinity, 0, Infinity]
  for (let at = from; at < to; at++) {
    const length = lengths[chunkOf[at] ?? 0] ?? 0
    const times = countOf[at] ?? 0
    if (times === 1) {
      if (length < lengthMinOnce) lengthMinOnce = length
    } else {
      if (length < lengthMin) lengthMin = length
      if (times > countMax) countMax = times
    }
  }
  return packBound(lengthMinOnce, countMax, lengthMin)
}

/** The vector at unit length, from `at` on. */
export function writeUnit(vector: Float32Array, rows: Float32Array, at: number): void {
  let squares = 0
  for (const component of vector) squares += component * component
  const length = Math.sqrt(squares)
  for (let i = 0; i < vector.length; i++) rows[at + i] = (vector[i] ?? 0) / length
}

function grown<Numbers extends Uint32Array<ArrayBuffer> | Int32Array<ArrayBuffer>>(
  numbers: Numbers,
  least: number,
): Numbers {
  const larger = new (numbers.constructor as new (length: number) => Numbers)(Math.max(numbers.length * 2, least))
  larger.set(numbers)
  return larger
}
