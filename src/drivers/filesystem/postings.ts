import { lengthNorm, onGrid, saturation } from '../../base/bm25.ts'
import type { SegmentSections } from './segment-format.ts'

/** Postings of a term in one block of its list. A list of no more of them has no blocks: it is read
 *  faster than skipped. */
export const BLOCK_POSTINGS = 128

/** What is known of a block without reading it: its last chunk, where its bytes end, and its bound. */
export const BLOCK_WORDS = 3

/** The chunk of a cursor that has passed its last posting. */
const PASSED = 0x7fffffff

const BOUND_COUNT_MAX = 0xff
const BOUND_LENGTH_MAX = 0xfff

/** Bounds what the postings of a block add to a score, whatever the mean length of a mount: the
 *  least length of a chunk holding the term once, and of those holding it more often the largest
 *  count and the least length. 12, 8 and 12 bits; a count or a length beyond them is cut. */
export const packBound = (lengthMinOnce: number, countMax: number, lengthMin: number): number =>
  ((Math.min(lengthMinOnce, BOUND_LENGTH_MAX) << 20) |
    (Math.min(countMax, BOUND_COUNT_MAX) << 12) |
    Math.min(lengthMin, BOUND_LENGTH_MAX)) >>>
  0

/** What lengths cost in a mount, looked up for all but the longest. */
export class LengthNorms {
  readonly #lengthMean: number
  readonly #known: Float64Array

  constructor(lengthMax: number, lengthMean: number) {
    this.#lengthMean = lengthMean
    this.#known = Float64Array.from({ length: Math.min(lengthMax, BOUND_LENGTH_MAX) + 1 }, (_, length) =>
      lengthNorm(length, lengthMean),
    )
  }

  of(length: number): number {
    return length < this.#known.length ? (this.#known[length] ?? 0) : lengthNorm(length, this.#lengthMean)
  }
}

/** Where the scores of one stretch of a segment's chunks are summed up. */
export interface ScoreWindow {
  /** The chunk that `scores[0]` belongs to. */
  first: number
  readonly scores: Float64Array
  /** One bit per chunk that was added to. */
  readonly marks: Uint32Array
}

/** Chunks in rising order that may still be among the best, and what is known of their scores. */
export interface Candidates {
  count: number
  readonly chunks: Uint32Array
  readonly scores: Float64Array
}

/** What the postings of one term are worth in a query. */
export interface TermWorth {
  readonly worth: number
  /** See `sumCeiling`. */
  readonly ceiling: number
  readonly norms: LengthNorms
}

/** Reads the postings of one term of a segment, forwards, and skips blocks that are not asked for.
 *  Stands on a posting from the start, since every term has one. */
export class PostingCursor {
  /** How many chunks hold the term, removed ones included. */
  readonly found: number
  /** Of the present posting. */
  chunk = 0
  count = 0
  readonly #sections: SegmentSections
  readonly #blockEnd: number
  readonly #bytesEnd: number
  #block: number
  #boundBlock: number
  #byte: number
  /** What a posting adds at most, where the list has no blocks. */
  #wholeBound = -1

  constructor(sections: SegmentSections, rank: number) {
    this.#sections = sections
    this.#byte = rank === 0 ? 0 : (sections.postingEnds[rank - 1] ?? 0)
    this.#bytesEnd = sections.postingEnds[rank] ?? 0
    this.found = this.#number()
    const isBlocked = this.found > BLOCK_POSTINGS
    this.#block = isBlocked ? this.#number() : 0
    this.#boundBlock = this.#block
    this.#blockEnd = isBlocked ? this.#block + Math.ceil(this.found / BLOCK_POSTINGS) : this.#block
    this.#next()
  }

  /** To the first posting of a chunk that is `target` or later. */
  advance(target: number): void {
    if (this.chunk >= target) return
    if (this.#block < this.#blockEnd) {
      const { blocks } = this.#sections
      let block = this.#block
      while (block < this.#blockEnd && (blocks[block * BLOCK_WORDS] ?? 0) < target) block++
      if (block === this.#blockEnd) {
        this.#pass()
        return
      }
      if (block > this.#block) {
        this.#block = block
        const former = (block - 1) * BLOCK_WORDS
        const chunk = blocks[former] ?? 0
        // It may have read on into the block already.
        if (chunk > this.chunk) {
          this.chunk = chunk
          this.#byte = blocks[former + 1] ?? 0
        }
      }
    }
    while (this.chunk < target) this.#next()
  }

  /** The most that one posting of [first, end) adds to a score. Asked in rising order. */
  bound(first: number, end: number, term: TermWorth): number {
    if (this.#block === this.#blockEnd) {
      this.advance(first)
      if (this.chunk >= end) return 0
      if (this.#wholeBound < 0) this.#wholeBound = this.#readBound(term.norms)
      return onGrid(term.worth * this.#wholeBound, term.ceiling)
    }
    if (this.chunk >= end) return 0
    const { blocks } = this.#sections
    while (this.#boundBlock < this.#blockEnd && (blocks[this.#boundBlock * BLOCK_WORDS] ?? 0) < first)
      this.#boundBlock++
    let most = 0
    for (let block = this.#boundBlock; block < this.#blockEnd; block++) {
      most = Math.max(most, unpackBound(blocks[block * BLOCK_WORDS + 2] ?? 0, term.norms))
      if ((blocks[block * BLOCK_WORDS] ?? 0) >= end - 1) break
    }
    return onGrid(term.worth * most, term.ceiling)
  }

  /** Adds what the postings of [first, end) are worth to the window. */
  sum(first: number, end: number, { worth, ceiling, norms }: TermWorth, window: ScoreWindow): void {
    this.advance(first)
    const { postings, lengths } = this.#sections
    const { scores, marks, first: base } = window
    const bytesEnd = this.#bytesEnd
    let { chunk, count } = this
    let byte = this.#byte
    while (chunk < end) {
      const at = chunk - base
      scores[at] = (scores[at] ?? 0) + onGrid(worth * saturation(count, norms.of(lengths[chunk] ?? 0)), ceiling)
      marks[at >>> 5] = (marks[at >>> 5] ?? 0) | (1 << (at & 31))
      if (byte === bytesEnd) {
        this.#pass()
        return
      }
      let part = postings[byte++] ?? 0
      let value = part & 0x7f
      for (let shift = 7; part > 0x7f; shift += 7) {
        part = postings[byte++] ?? 0
        value |= (part & 0x7f) << shift
      }
      chunk += value >>> 1
      count = 1
      if ((value & 1) === 0) {
        part = postings[byte++] ?? 0
        count = part & 0x7f
        for (let shift = 7; part > 0x7f; shift += 7) {
          part = postings[byte++] ?? 0
          count |= (part & 0x7f) << shift
        }
      }
    }
    this.chunk = chunk
    this.count = count
    this.#byte = byte
  }

  /** Adds what the term is worth to the candidates that hold it, and keeps those that can reach more
   *  than `least` with `rest`, the most that is still to come. */
  sift(candidates: Candidates, rest: number, least: number, { worth, ceiling, norms }: TermWorth): void {
    const { chunks, scores, count } = candidates
    const { lengths } = this.#sections
    let kept = 0
    for (let i = 0; i < count; i++) {
      const chunk = chunks[i] ?? 0
      let score = scores[i] ?? 0
      if (this.chunk < chunk) this.advance(chunk)
      if (this.chunk === chunk)
        score += onGrid(worth * saturation(this.count, norms.of(lengths[chunk] ?? 0)), ceiling)
      if (score + rest <= least) continue
      chunks[kept] = chunk
      scores[kept++] = score
    }
    candidates.count = kept
  }

  /** How many postings are of chunks of [first, end). Asked in rising order. */
  countWithin(first: number, end: number): number {
    let within = 0
    for (this.advance(first); this.chunk < end; this.#next()) within++
    return within
  }

  #next(): void {
    if (this.#byte === this.#bytesEnd) {
      this.#pass()
      return
    }
    const value = this.#number()
    this.chunk += value >>> 1
    this.count = (value & 1) === 1 ? 1 : this.#number()
  }

  #pass(): void {
    this.#byte = this.#bytesEnd
    this.chunk = PASSED
  }

  #number(): number {
    const { postings } = this.#sections
    let part = postings[this.#byte++] ?? 0
    let value = part & 0x7f
    for (let shift = 7; part > 0x7f; shift += 7) {
      part = postings[this.#byte++] ?? 0
      value |= (part & 0x7f) << shift
    }
    return value
  }

  /** Of what is left of a list without blocks. */
  #readBound(norms: LengthNorms): number {
    const { lengths } = this.#sections
    const [chunk, count, byte] = [this.chunk, this.count, this.#byte]
    let most = 0
    for (; this.chunk < PASSED; this.#next())
      most = Math.max(most, saturation(this.count, norms.of(lengths[this.chunk] ?? 0)))
    this.chunk = chunk
    this.count = count
    this.#byte = byte
    return most
  }
}

function unpackBound(bound: number, norms: LengthNorms): number {
  const countMax = (bound >>> 12) & BOUND_COUNT_MAX
  return Math.max(
    saturation(1, norms.of(bound >>> 20)),
    countMax === BOUND_COUNT_MAX ? 1 : saturation(countMax, norms.of(bound & BOUND_LENGTH_MAX)),
  )
}
