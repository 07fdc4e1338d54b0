import { inverseDocumentFrequency, sumCeiling } from '../../base/bm25.ts'
import type { Hit, IndexQuery, MountedSegment, TermStatistics } from '../../store/index.ts'
import type { Origins } from '../../store/origins.ts'
import type { Near } from '../../store/vectors.ts'
import { ComparedQuestion } from './compared-rows.ts'
import { Comparison } from './comparison.ts'
import { LengthNorms } from './length-norms.ts'
import { postingBuffer } from './posting-block.ts'
import { PostingCursor, type PostingList } from './postings.ts'
import type { Segment } from './segment.ts'
import { writeUnit } from './segment-build.ts'
import { Top } from './top.ts'
import { type AskedTerm, WordMatch } from './word-match.ts'

/** Asked for beyond what removals are likely to take, or what is a part's share. */
const SPARE_NEAR = 8

/** Above what a part holds of the nearest on average. */
const SHARE_DEVIATIONS = 3

/** Terms whose frequency is remembered, where it takes reading. */
const COUNTED_MAX = 4_096

/** What a collection answers from: its segments one after the other, so that every chunk has one
 *  number, and of each segment which chunks still answer. */
export class Mount {
  /** Of the vectors; undefined where nothing is mounted, 0 where nothing has one. */
  readonly dimension: number | undefined
  readonly #parts: readonly Part[]
  readonly #live: number
  readonly #lengthMean: number
  readonly #norms: LengthNorms
  readonly #match: WordMatch
  /** How many chunks that answer hold a term; kept where removals make it dear to count. */
  readonly #counted = new Map<string, number>()

  constructor(segments: readonly Mounted[]) {
    const parts: Part[] = []
    let chunks = 0
    let live = 0
    let length = 0
    let lengthMax = 0
    for (const { segment, removed, origins } of segments) {
      const answering = liveChunks(segment, removed)
      const gone = answering === undefined ? [] : rangesOf(answering)
      const part = {
        segment,
        base: chunks,
        live: answering,
        gone,
        removed: gone.reduce((sum, { first, end }) => sum + end - first, 0),
        origins,
      }
      parts.push(part)
      chunks += segment.chunks
      const { lengths } = segment.sections
      for (let chunk = 0; chunk < lengths.length; chunk++) {
        if (answering?.[chunk] === 0) continue
        const terms = lengths[chunk] ?? 0
        live++
        length += terms
        if (terms > lengthMax) lengthMax = terms
      }
    }
    this.#parts = parts
    this.#live = live
    this.#lengthMean = live === 0 ? 0 : length / live
    this.dimension =
      segments.length === 0 ? undefined : Math.max(...segments.map(({ segment }) => segment.sections.meta.dimension))
    this.#norms = new LengthNorms(lengthMax, this.#lengthMean)
    this.#match = new WordMatch(Math.max(0, ...segments.map(({ segment }) => segment.chunks)))
  }

  searchWords(weights: ReadonlyMap<string, number>, { filter, k }: IndexQuery): Hit[] {
    if (this.#live === 0) return []
    const terms = [...weights].map(([term, weight]) => {
      const lists = this.#lists(term)
      return { lists, worth: weight * inverseDocumentFrequency(this.#live, this.#found(term, lists)) }
    })
    const ceiling = sumCeiling(terms.map(({ worth }) => worth))
    const top = new Top(k)
    for (const [at, part] of this.#parts.entries()) {
      const asked = terms.flatMap(({ lists, worth }): AskedTerm[] => {
        const list = lists[at]
        return list === undefined || worth === 0 ? [] : [{ list, worth: { worth, ceiling, norms: this.#norms } }]
      })
      this.#match.search(part, asked, filter, top)
    }
    return this.#hits(top)
  }

  async searchVector(vector: Float32Array, query: IndexQuery): Promise<Hit[]> {
    // Shares of nothing are no numbers.
    if (this.#live === 0) return []
    const unit = new Float32Array(vector.length)
    writeUnit(vector, unit, 0)
    for (const { segment } of this.#parts) segment.borrow()
    try {
      // Asked all at once, so that they are searched beside one another.
      let apart = await Promise.all(
        this.#parts.map((part) => this.#near(part, unit, query, this.#fairShare(part, query))),
      )
      const compared = this.#compared(unit, query)
      let top = this.#merged(apart, compared, query.k)
      const isCut = apart.map((found) => found !== undefined && isCutShort(found, top))
      if (isCut.includes(true)) {
        apart = await Promise.all(
          this.#parts.map(async (part, at) =>
            isCut[at] === true ? await this.#near(part, unit, query, query.k) : apart[at],
          ),
        )
        top = this.#merged(apart, compared, query.k)
      }
      return this.#hits(top)
    } finally {
      for (const { segment } of this.#parts) segment.giveBack()
    }
  }

  /** How many of the `k` nearest one part is asked for at first: seldom has it more of them. What it costs grows
   *  with it. */
  #fairShare({ segment, removed }: Part, { k, filter, exact = false }: IndexQuery): number {
    // What fits a filter may all be in one segment.
    if (filter !== undefined || exact) return k
    const expected = (k * (segment.chunks - removed)) / this.#live
    return Math.min(k, Math.ceil(expected + SHARE_DEVIATIONS * Math.sqrt(expected)) + SPARE_NEAR)
  }

  /** The vectors that are held here. */
  #compared(unit: Float32Array, { k, filter }: IndexQuery): Comparison {
    const comparison = new Comparison(new ComparedQuestion(unit), k)
    for (const { segment, live } of this.#parts)
      if (segment.compared !== undefined)
        comparison.look(segment.compared, { live, fits: filter && segment.matching(filter) })
    return comparison
  }

  #merged(apart: readonly (Found | undefined)[], comparison: Comparison, k: number): Top {
    const top = new Top(k)
    for (const [at, { segment, base }] of this.#parts.entries()) {
      if (segment.compared !== undefined) comparison.offer(segment.compared, base, top)
      for (const { chunk, score } of (apart[at]?.near ?? []).toSorted((a, b) => a.chunk - b.chunk))
        top.offer(base + chunk, score)
    }
    return top
  }

  /** The `wanted` nearest that answer, of vectors that lie apart. More are asked for where some were removed,
   *  and ever more while too many of those found were. */
  async #near(
    { segment, live, removed }: Part,
    vector: Float32Array,
    query: IndexQuery,
    wanted: number,
  ): Promise<Found | undefined> {
    if (!segment.isApart) return undefined
    const { filter, exact = false, recallAt10 } = query
    const named = filter === undefined ? undefined : segment.named(filter)
    // A filter that names too much is applied to what was found.
    const fitting = filter !== undefined && named === undefined ? segment.matching(filter) : undefined
    const fits = fitting === undefined ? 1 : fitting.reduce((sum, one) => sum + one, 0) / segment.chunks
    if (fits === 0) return { near: [], isAll: true }
    const left = fits * (1 - removed / segment.chunks)
    const share = filter === undefined ? (segment.chunks - removed) / this.#live : 1
    let asked = left === 1 ? wanted : Math.min(segment.chunks, Math.ceil((wanted / left) * 1.2) + SPARE_NEAR)
    for (;;) {
      const found = await segment.near(vector, {
        k: asked,
        exact,
        share,
        ...(recallAt10 === undefined ? {} : { target: { recallAt10 } }),
        ...(named === undefined ? {} : { filter: named }),
      })
      const near = found.filter(({ chunk }) => live?.[chunk] !== 0 && fitting?.[chunk] !== 0)
      const isWhole = found.length < asked || asked >= segment.chunks
      if (near.length >= wanted || isWhole)
        return { near: near.slice(0, wanted), isAll: wanted >= query.k || (isWhole && near.length <= wanted) }
      asked = Math.min(segment.chunks, asked * 4)
    }
  }

  statistics(terms: readonly string[]): TermStatistics {
    return {
      chunks: this.#live,
      lengthMean: this.#lengthMean,
      chunksWith: terms.map((term) => this.#found(term, this.#lists(term))),
    }
  }

  /** Of every segment. */
  #lists(term: string): (PostingList | undefined)[] {
    return this.#parts.map(({ segment }) => segment.postings(term))
  }

  /** How many chunks that answer hold a term. Of the postings only the blocks are read from which
   *  chunks were removed. */
  #found(term: string, lists: readonly (PostingList | undefined)[]): number {
    const known = this.#counted.get(term)
    if (known !== undefined) return known
    let found = 0
    let isRead = false
    for (const [at, { gone }] of this.#parts.entries()) {
      const list = lists[at]
      if (list === undefined) continue
      found += list.found
      if (gone.length === 0) continue
      isRead = true
      const cursor = new PostingCursor(list, postingBuffer())
      for (const { first, end } of gone) found -= cursor.countWithin(first, end)
    }
    if (isRead) {
      if (this.#counted.size >= COUNTED_MAX) this.#counted.clear()
      this.#counted.set(term, found)
    }
    return found
  }

  #hits(top: Top): Hit[] {
    return top.sorted().map(({ number, score }) => {
      const part = this.#parts.findLast(({ base, segment }) => base <= number && number < base + segment.chunks)
      const chunk = number - (part?.base ?? 0)
      return { ...(part?.origins?.of(chunk) ?? { segment: part?.segment.name ?? '', chunk }), score }
    })
  }
}

export interface Mounted {
  readonly segment: Segment
  readonly removed: MountedSegment['removed']
  /** Where its chunks stand for those of others. */
  readonly origins: Origins | undefined
}

interface Part {
  readonly segment: Segment
  /** The number of its first chunk within the mount. */
  readonly base: number
  /** One byte per chunk, 0 where it was removed; undefined where all answer. */
  readonly live: Uint8Array | undefined
  /** Where that is 0: [first, end), in rising order. */
  readonly gone: readonly { readonly first: number; readonly end: number }[]
  /** How many were. */
  readonly removed: number
  readonly origins: Origins | undefined
}

interface Found {
  /** Best first. */
  readonly near: readonly Near[]
  /** Whether nothing is left that could be among the nearest of all. */
  readonly isAll: boolean
}

/** What was not asked for may be among the nearest. */
const isCutShort = ({ near, isAll }: Found, top: Top): boolean =>
  !isAll && (near.at(-1)?.score ?? Infinity) >= top.worst

function rangesOf(live: Uint8Array): { first: number; end: number }[] {
  const ranges: { first: number; end: number }[] = []
  for (let first = live.indexOf(0); first >= 0;) {
    const next = live.indexOf(1, first)
    const end = next < 0 ? live.length : next
    ranges.push({ first, end })
    first = live.indexOf(0, end)
  }
  return ranges
}

function liveChunks(segment: Segment, removed: MountedSegment['removed']): Uint8Array | undefined {
  if (removed.length === 0) return undefined
  const live = new Uint8Array(segment.chunks).fill(1)
  for (const { first, count } of removed) live.fill(0, first, first + count)
  return live
}
