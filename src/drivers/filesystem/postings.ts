import { onGrid } from '../../base/bm25.ts'
import { KNOWN_LENGTH_MAX, type LengthNorms } from './length-norms.ts'
import { BLOCK_POSTINGS, BLOCK_WORDS, numberEnd, type PostingBuffer, readBlock, readNumber } from './posting-block.ts'
import type { SegmentSections } from './segment-format.ts'

const BOUND_COUNT_MAX = 0xff

/** A list with fewer postings among so many chunks is read on eagerly: that one of its blocks
 *  touches a stretch of chunks says little. */
const SPARSE_CHUNKS = 256

/** Bounds what the postings of a block add to a score, whatever the mean length of a mount: the
 *  least length of a chunk holding the term once, and of those holding it more often the largest
 *  count and the least length. 12, 8 and 12 bits; a count or a length beyond them is cut. */
export const packBound = (lengthMinOnce: number, countMax: number, lengthMin: number): number =>
  ((Math.min(lengthMinOnce, KNOWN_LENGTH_MAX) << 20) |
    (Math.min(countMax, BOUND_COUNT_MAX) << 12) |
    Math.min(lengthMin, KNOWN_LENGTH_MAX)) >>>
  0

function unpackBound(bound: number, norms: LengthNorms): number {
  const countMax = (bound >>> 12) & BOUND_COUNT_MAX
  return Math.max(
    norms.saturation(1, bound >>> 20),
    countMax === BOUND_COUNT_MAX ? 1 : norms.saturation(countMax, bound & KNOWN_LENGTH_MAX),
  )
}

/** Where the scores of one stretch of a segment's chunks are summed up. */
export interface ScoreWindow {
  /** The chunk that `scores[0]` belongs to. */
  first: number
  readonly scores: Float64Array
  /** One bit per chunk that was added to. */
  readonly marks: Int32Array
  /** In rising order, the chunks that may still be among the best: so many of them. */
  readonly candidates: Int32Array
  count: number
}

/** What the postings of one term are worth in a query. */
export interface TermWorth {
  readonly worth: number
  /** See `sumCeiling`. */
  readonly ceiling: number
  readonly norms: LengthNorms
}

/** Where the postings of one term lie in a segment. */
export interface PostingList {
  readonly sections: SegmentSections
  /** How many chunks hold the term, removed ones included. */
  readonly found: number
  /** Of its blocks; the same where it has no table of them. */
  readonly firstBlock: number
  readonly blockEnd: number
  /** Where the first block's bytes begin. */
  readonly byte: number
}

export function listOf(sections: SegmentSections, rank: number): PostingList {
  const { postings, postingEnds } = sections
  const head = rank === 0 ? 0 : (postingEnds[rank - 1] ?? 0)
  const found = readNumber(postings, head)
  const byte = numberEnd(postings, head)
  if (found <= BLOCK_POSTINGS) return { sections, found, firstBlock: 0, blockEnd: 0, byte }
  const firstBlock = readNumber(postings, byte)
  const blockEnd = firstBlock + Math.ceil(found / BLOCK_POSTINGS)
  return { sections, found, firstBlock, blockEnd, byte: numberEnd(postings, byte) }
}

/** Goes through the postings of one term, forwards, and reads only the blocks that it must. A list
 *  without a table of blocks is one block, read from the start. */
export class PostingCursor {
  readonly #list: PostingList
  readonly #buffer: PostingBuffer
  readonly #isBlocked: boolean
  readonly #blockEnd: number
  /** The block it stands in, by its number among all of the segment; the end where it has passed all. */
  #block: number
  /** The block in the buffer, how much it holds, and where in it the cursor stands. */
  #read = -1
  #size = 0
  #at = 0
  #boundBlock: number
  /** What a posting of a list without blocks adds at most. */
  #wholeBound = -1

  /** The buffer is the cursor's own while it is used. */
  constructor(list: PostingList, buffer: PostingBuffer) {
    this.#list = list
    this.#buffer = buffer
    this.#isBlocked = list.blockEnd > list.firstBlock
    this.#blockEnd = this.#isBlocked ? list.blockEnd : list.firstBlock + 1
    this.#block = list.firstBlock
    this.#boundBlock = list.firstBlock
    if (!this.#isBlocked) this.#load()
  }

  /** The most that one posting of [first, end) adds to a score. Asked in rising order. */
  bound(first: number, end: number, term: TermWorth): number {
    const { sections, found } = this.#list
    if (!this.#isBlocked || found * SPARSE_CHUNKS < sections.meta.chunks) this.#advance(first)
    if (this.#block === this.#blockEnd) return 0
    if (this.#read === this.#block && (this.#buffer.chunks[this.#at] ?? 0) >= end) return 0
    if (!this.#isBlocked) {
      if (this.#wholeBound < 0) this.#wholeBound = this.#readBound(term)
      return this.#wholeBound
    }
    const { blocks } = sections
    let block = this.#boundBlock
    while (block < this.#blockEnd && (blocks[block * BLOCK_WORDS] ?? 0) < first) block++
    this.#boundBlock = block
    let most = 0
    for (; block < this.#blockEnd; block++) {
      most = Math.max(most, unpackBound(blocks[block * BLOCK_WORDS + 2] ?? 0, term.norms))
      if ((blocks[block * BLOCK_WORDS] ?? 0) >= end - 1) break
    }
    return onGrid(term.worth * most, term.ceiling)
  }

  /** Adds what the postings of [first, end) are worth to the window. */
  sum(first: number, end: number, { worth, ceiling, norms }: TermWorth, window: ScoreWindow): void {
    const { scores, marks, first: base } = window
    const { lengths } = this.#list.sections
    const { chunks, counts } = this.#buffer
    const { once } = norms
    this.#advance(first)
    while (this.#block < this.#blockEnd) {
      const size = this.#size
      let at = this.#at
      for (; at < size; at++) {
        const chunk = chunks[at] ?? 0
        if (chunk >= end) break
        const place = chunk - base
        const count = counts[at] ?? 0
        const length = lengths[chunk] ?? 0
        const share = count === 1 && length < once.length ? (once[length] ?? 0) : norms.saturation(count, length)
        scores[place] = (scores[place] ?? 0) + onGrid(worth * share, ceiling)
        marks[place >>> 5] = (marks[place >>> 5] ?? 0) | (1 << (place & 31))
      }
      this.#at = at
      if (at < size) return
      this.#block++
      this.#load()
    }
  }

  /** Adds what the term is worth to the candidates that hold it and can reach more than `least` with
   *  the term and `rest`, the most that is still to come. */
  lookUp(window: ScoreWindow, rest: number, least: number, term: TermWorth): void {
    const { worth, ceiling, norms } = term
    const { candidates, count, scores, first } = window
    const { lengths } = this.#list.sections
    const { chunks, counts } = this.#buffer
    let last = this.#read === this.#block ? (chunks[this.#size - 1] ?? 0) : -1
    let at = this.#at
    let bounded = -1
    let most = 0
    for (let i = 0; i < count; i++) {
      const chunk = candidates[i] ?? 0
      if (chunk > last) {
        this.#seek(chunk)
        if (this.#block === this.#blockEnd) break
        if (this.#block !== bounded) {
          bounded = this.#block
          most = this.#blockBound(term)
        }
        // No block is read for chunks that it cannot lift enough.
        if ((scores[chunk - first] ?? 0) + most + rest <= least) continue
        this.#load()
        last = chunks[this.#size - 1] ?? 0
        at = 0
      }
      while ((chunks[at] ?? 0) < chunk) at++
      if (chunks[at] !== chunk) continue
      const place = chunk - first
      const added = onGrid(worth * norms.saturation(counts[at] ?? 0, lengths[chunk] ?? 0), ceiling)
      scores[place] = (scores[place] ?? 0) + added
    }
    this.#at = at
  }

  /** How many postings are of chunks of [first, end). Asked in rising order. */
  countWithin(first: number, end: number): number {
    const { chunks } = this.#buffer
    let within = 0
    this.#advance(first)
    while (this.#block < this.#blockEnd) {
      for (; this.#at < this.#size; this.#at++) {
        if ((chunks[this.#at] ?? 0) >= end) return within
        within++
      }
      this.#block++
      this.#load()
    }
    return within
  }

  /** To the first posting of a chunk that is `target` or later. */
  #advance(target: number): void {
    this.#seek(target)
    this.#load()
    if (this.#block === this.#blockEnd) return
    const { chunks } = this.#buffer
    let at = this.#at
    while ((chunks[at] ?? 0) < target) at++
    this.#at = at
  }

  /** To the first block that ends at `target` or later, without reading it. */
  #seek(target: number): void {
    if (!this.#isBlocked) {
      if (this.#block < this.#blockEnd && (this.#buffer.chunks[this.#size - 1] ?? 0) < target) this.#block++
      return
    }
    const { blocks } = this.#list.sections
    let block = this.#block
    while (block < this.#blockEnd && (blocks[block * BLOCK_WORDS] ?? 0) < target) block++
    this.#block = block
  }

  #load(): void {
    const block = this.#block
    if (this.#read === block || block === this.#blockEnd) return
    const { sections, firstBlock, byte, found } = this.#list
    const former = (block - 1) * BLOCK_WORDS
    const isFirst = block === firstBlock
    this.#size = Math.min(BLOCK_POSTINGS, found - (block - firstBlock) * BLOCK_POSTINGS)
    readBlock(
      sections.postings,
      isFirst ? byte : (sections.blocks[former + 1] ?? 0),
      isFirst ? 0 : (sections.blocks[former] ?? 0),
      this.#size,
      this.#buffer,
    )
    this.#read = block
    this.#at = 0
  }

  #blockBound({ worth, ceiling, norms }: TermWorth): number {
    if (this.#block === this.#blockEnd) return 0
    return onGrid(worth * unpackBound(this.#list.sections.blocks[this.#block * BLOCK_WORDS + 2] ?? 0, norms), ceiling)
  }

  #readBound({ worth, ceiling, norms }: TermWorth): number {
    const { lengths } = this.#list.sections
    const { chunks, counts } = this.#buffer
    let most = 0
    for (let at = 0; at < this.#size; at++)
      most = Math.max(most, norms.saturation(counts[at] ?? 0, lengths[chunks[at] ?? 0] ?? 0))
    return onGrid(worth * most, ceiling)
  }
}
