import type { Filter } from '../../store/filter.ts'
import { type PostingBuffer, postingBuffer } from './posting-block.ts'
import { type Candidates, PostingCursor, type PostingList, type ScoreWindow, type TermWorth } from './postings.ts'
import { SegmentFilter } from './segment-filter.ts'
import type { Segment } from './segment.ts'
import type { Top } from './top.ts'

/** Chunks whose scores are summed up at a time: what is worked in stays within the nearest caches,
 *  and so few blocks lie in it that their bounds mean something. */
const WINDOW_CHUNKS = 8_192

/** Where a filter leaves no more chunks of a window, all terms are looked up for them. */
const LOOKED_UP_MAX = 128

/** The chunks of one segment. */
export interface SearchedPart {
  readonly segment: Segment
  /** The number of its first chunk within the mount. */
  readonly base: number
  /** One byte per chunk, 0 where it was removed; undefined where all answer. */
  readonly live: Uint8Array | undefined
}

/** A term of a query that the segment holds. */
export interface AskedTerm {
  readonly list: PostingList
  readonly worth: TermWorth
}

/** Finds the best chunks by their words without reading all postings, and exactly: MaxScore (Turtle
 *  and Flood 1995) in windows, as Lucene does it, with the bounds of blocks (Ding and Suel 2011).
 *  In every window the terms that together cannot lift a chunk among the best are set aside; the
 *  others are summed up chunk by chunk, and those set aside are looked up only for chunks that can
 *  still get there. Holds what it works in; a search is synchronous, so one set is enough. */
export class WordMatch {
  readonly #window: ScoreWindow
  readonly #candidates: Candidates
  readonly #fits: Uint8Array
  /** One for each term of the longest query so far. */
  readonly #buffers: PostingBuffer[] = []

  /** `chunksMax`: of the largest segment that is searched. */
  constructor(chunksMax: number) {
    const size = Math.min(WINDOW_CHUNKS, chunksMax)
    this.#window = { first: 0, scores: new Float64Array(size), marks: new Int32Array(Math.ceil(size / 32)) }
    this.#candidates = { count: 0, chunks: new Int32Array(size), scores: new Float64Array(size) }
    this.#fits = new Uint8Array(size)
  }

  /** Offers what may be better than the worst that `top` holds. */
  search({ segment, base, live }: SearchedPart, asked: readonly AskedTerm[], filter: Filter | undefined, top: Top): void {
    const filtered = filter === undefined ? undefined : new SegmentFilter(segment.sections, filter)
    while (this.#buffers.length < asked.length) this.#buffers.push(postingBuffer())
    const terms = asked.map((term, at) => new WindowTerm(term, this.#buffers[at] ?? postingBuffer()))
    for (let first = 0; first < segment.chunks; first += WINDOW_CHUNKS) {
      const end = Math.min(first + WINDOW_CHUNKS, segment.chunks)
      const { least } = top
      let rest = 0
      for (const term of terms) rest += term.look(first, end)
      if (rest <= least) continue
      sortByBenefit(terms)
      const fitting = filtered?.fill(first, end, this.#fits) ?? end - first
      if (fitting <= LOOKED_UP_MAX) this.#takeAll(first, end, live, filtered !== undefined)
      else rest = this.#sum(terms, first, end, live, filtered !== undefined, least)
      this.#sift(terms, rest, least)
      this.#offer(base, top)
    }
  }

  /** Sums up what is not set aside and takes the chunks that can get there with the rest. Returns
   *  the rest: what those set aside add at most. */
  #sum(
    terms: readonly WindowTerm[],
    first: number,
    end: number,
    live: Uint8Array | undefined,
    isFiltered: boolean,
    least: number,
  ): number {
    this.#window.first = first
    const from = isFiltered ? first + this.#fits.indexOf(1) : first
    const to = isFiltered ? first + this.#fits.lastIndexOf(1, end - first - 1) + 1 : end
    let rest = 0
    for (const term of terms) {
      if (term.most === 0) continue
      term.isAside = rest + term.most <= least
      if (term.isAside) rest += term.most
      else term.postings.sum(from, to, term.worth, this.#window)
    }
    const { scores, marks } = this.#window
    const { chunks, scores: kept } = this.#candidates
    const words = Math.ceil((end - first) / 32)
    let count = 0
    for (let word = 0; word < words; word++) {
      let bits = marks[word] ?? 0
      marks[word] = 0
      while (bits !== 0) {
        const at = word * 32 + 31 - Math.clz32(bits & -bits)
        bits &= bits - 1
        const score = scores[at] ?? 0
        scores[at] = 0
        if (score + rest <= least || (isFiltered && this.#fits[at] === 0) || live?.[first + at] === 0) continue
        chunks[count] = first + at
        kept[count++] = score
      }
    }
    this.#candidates.count = count
    return rest
  }

  /** Takes what fits, with nothing known of it. */
  #takeAll(first: number, end: number, live: Uint8Array | undefined, isFiltered: boolean): void {
    const { chunks, scores } = this.#candidates
    let count = 0
    for (let chunk = first; chunk < end; chunk++) {
      if ((isFiltered && this.#fits[chunk - first] === 0) || live?.[chunk] === 0) continue
      chunks[count] = chunk
      scores[count++] = 0
    }
    this.#candidates.count = count
  }

  #sift(terms: readonly WindowTerm[], most: number, least: number): void {
    let rest = most
    // What adds much for few postings first: it decides most cheaply.
    for (let at = terms.length - 1; at >= 0 && this.#candidates.count > 0; at--) {
      const term = terms[at]
      if (term?.isAside !== true) continue
      rest -= term.most
      term.postings.sift(this.#candidates, rest, least, term.worth)
    }
  }

  #offer(base: number, top: Top): void {
    const { chunks, scores, count } = this.#candidates
    for (let i = 0; i < count; i++) {
      const score = scores[i] ?? 0
      if (score > top.least) top.offer(base + (chunks[i] ?? 0), score)
    }
  }
}

/** A term in the present window. */
class WindowTerm {
  readonly postings: PostingCursor
  readonly worth: TermWorth
  /** The most it adds to a score. */
  most = 0
  /** That for each chunk that holds it. */
  benefit = 0
  isAside = true
  readonly #found: number

  constructor({ list, worth }: AskedTerm, buffer: PostingBuffer) {
    this.postings = new PostingCursor(list, buffer)
    this.worth = worth
    this.#found = list.found
  }

  look(first: number, end: number): number {
    this.most = this.postings.bound(first, end, this.worth)
    this.benefit = this.most / this.#found
    this.isAside = this.most > 0
    return this.most
  }
}

/** By insertion: they come nearly in order, from the window before. */
function sortByBenefit(terms: WindowTerm[]): void {
  for (let at = 1; at < terms.length; at++) {
    const term = terms[at]
    if (term === undefined) return
    let place = at
    for (; place > 0; place--) {
      const former = terms[place - 1]
      if (former === undefined || former.benefit <= term.benefit) break
      terms[place] = former
    }
    terms[place] = term
  }
}
