import type { Filter } from '../../store/filter.ts'
import { type PostingBuffer, postingBuffer } from './posting-block.ts'
import { PostingCursor, type PostingList, type ScoreWindow, type TermWorth } from './postings.ts'
import { SegmentFilter } from './segment-filter.ts'
import type { Segment } from './segment.ts'
import type { Top } from './top.ts'

/** Chunks whose scores are summed up at a time: what is worked in stays within the nearest caches,
 *  and so few blocks lie in it that their bounds mean something. */
const WINDOW_CHUNKS = 4_096

/** Where a filter leaves no more chunks of a window, all terms are looked up for them. */
const LOOKED_UP_MAX = 128

/** So many postings are added up in the time in which one chunk is looked up. */
const LOOK_UP_POSTINGS = 2

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
  readonly #fits: Uint8Array
  /** One for each term of the longest query so far. */
  readonly #buffers: PostingBuffer[] = []

  /** `chunksMax`: of the largest segment that is searched. */
  constructor(chunksMax: number) {
    const size = Math.min(WINDOW_CHUNKS, chunksMax)
    this.#window = {
      first: 0,
      scores: new Float64Array(size),
      marks: new Int32Array(Math.ceil(size / 32)),
      candidates: new Int32Array(size),
      count: 0,
    }
    this.#fits = new Uint8Array(size)
  }

  /** Offers what may be better than the worst that `top` holds. */
  search(part: SearchedPart, asked: readonly AskedTerm[], filter: Filter | undefined, top: Top): void {
    const { segment, base } = part
    const filtered = filter === undefined ? undefined : new SegmentFilter(segment.sections, filter)
    while (this.#buffers.length < asked.length) this.#buffers.push(postingBuffer())
    const terms = asked.map((term, at) => new WindowTerm(term, this.#buffers[at] ?? postingBuffer()))
    for (let first = 0; first < segment.chunks; first += WINDOW_CHUNKS) {
      const end = Math.min(first + WINDOW_CHUNKS, segment.chunks)
      const { least } = top
      let rest = 0
      for (const term of terms) rest += term.look(first, end)
      if (rest <= least) continue
      const fitting = filtered?.fill(first, end, this.#fits) ?? end - first
      if (fitting === 0) continue
      sortByBenefit(terms)
      this.#window.first = first
      const accepts: Accepts = { live: part.live, fits: filtered && this.#fits }
      if (fitting <= LOOKED_UP_MAX) this.#takeAll(end, accepts)
      else rest = this.#sum(terms, end, accepts, least)
      this.#decide(terms, rest, least)
      this.#offer(base, top)
      this.#clear()
    }
  }

  /** Sums up what is not set aside and takes the chunks that can get there with the rest. Returns
   *  the rest: what those set aside add at most. */
  #sum(terms: readonly WindowTerm[], end: number, { live, fits }: Accepts, least: number): number {
    const { first, scores, marks, candidates } = this.#window
    const from = fits === undefined ? first : first + fits.indexOf(1)
    const to = fits === undefined ? end : first + fits.lastIndexOf(1, end - first - 1) + 1
    let rest = 0
    for (const term of terms) {
      if (term.most === 0) continue
      term.isAside = rest + term.most <= least
      if (term.isAside) rest += term.most
      else term.postings.sum(from, to, term.worth, this.#window)
    }
    let count = 0
    for (let word = 0; word < marks.length; word++) {
      for (let bits = marks[word] ?? 0; bits !== 0; bits &= bits - 1) {
        const place = word * 32 + 31 - Math.clz32(bits & -bits)
        if ((scores[place] ?? 0) + rest <= least || fits?.[place] === 0 || live?.[first + place] === 0) continue
        candidates[count++] = first + place
      }
    }
    this.#window.count = count
    return rest
  }

  /** Takes what fits, with nothing known of it. */
  #takeAll(end: number, { live, fits }: Accepts): void {
    const { first, marks, candidates } = this.#window
    let count = 0
    const size = end - first
    // Finding the next of few is the platform's own search.
    const next = (from: number): number => {
      const found = fits === undefined ? from : fits.indexOf(1, from)
      return found < 0 ? size : found
    }
    for (let place = next(0); place < size; place = next(place + 1)) {
      if (live?.[first + place] === 0) continue
      marks[place >>> 5] = (marks[place >>> 5] ?? 0) | (1 << (place & 31))
      candidates[count++] = first + place
    }
    this.#window.count = count
  }

  /** Adds what was set aside to the candidates, term by term, and leaves out who cannot get there
   *  any more. What adds much for few postings comes first: it decides most cheaply. */
  #decide(terms: readonly WindowTerm[], most: number, least: number): void {
    const window = this.#window
    const { first, scores, candidates } = window
    let rest = most
    for (let at = terms.length - 1; at >= 0 && window.count > 0; at--) {
      const term = terms[at]
      if (term?.isAside !== true) continue
      rest -= term.most
      const from = candidates[0] ?? 0
      const to = (candidates[window.count - 1] ?? 0) + 1
      // Adding up a posting for nothing is several times cheaper than finding one among candidates.
      if (term.density * (to - from) < window.count * LOOK_UP_POSTINGS) term.postings.sum(from, to, term.worth, window)
      else term.postings.lookUp(window, rest, least, term.worth)
      let kept = 0
      for (let i = 0; i < window.count; i++) {
        const chunk = candidates[i] ?? 0
        candidates[kept] = chunk
        kept += Number((scores[chunk - first] ?? 0) + rest > least)
      }
      window.count = kept
    }
  }

  #offer(base: number, top: Top): void {
    const { first, scores, candidates, count } = this.#window
    for (let i = 0; i < count; i++) {
      const chunk = candidates[i] ?? 0
      const score = scores[chunk - first] ?? 0
      if (score > top.least) top.offer(base + chunk, score)
    }
  }

  #clear(): void {
    const { scores, marks } = this.#window
    for (let word = 0; word < marks.length; word++) {
      if (marks[word] === 0) continue
      marks[word] = 0
      for (let place = word * 32; place < word * 32 + 32; place++) scores[place] = 0
    }
  }
}

/** Which chunks may answer: one byte each, 0 where not; `fits` from the window's first chunk on. */
interface Accepts {
  readonly live: Uint8Array | undefined
  readonly fits: Uint8Array | undefined
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
  /** Of its postings among the segment's chunks. */
  readonly density: number

  constructor({ list, worth }: AskedTerm, buffer: PostingBuffer) {
    this.postings = new PostingCursor(list, buffer)
    this.worth = worth
    this.density = list.found / list.sections.meta.chunks
  }

  look(first: number, end: number): number {
    this.most = this.postings.bound(first, end, this.worth)
    this.benefit = this.most / this.density
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
