import { accepts, type Filter } from '../../store/filter.ts'
import type { Near, VectorQuery, VectorReader } from '../../store/vectors.ts'
import { ComparedRows } from './compared-rows.ts'
import { listOf, type PostingList } from './postings.ts'
import { SegmentFilter } from './segment-filter.ts'
import type { SegmentSections } from './segment-format.ts'

/** One segment in memory, as it lies in its file, with the reader of its vectors where they lie
 *  apart. */
export class Segment {
  readonly name: string
  readonly sections: SegmentSections
  /** Its vectors, where they are compared one by one. */
  readonly compared: ComparedRows | undefined
  readonly #apart: VectorReader | undefined
  /** Where terms stand that were asked for: questions share their words, and a look through the sorted
   *  terms is dear where there are many segments. */
  readonly #looked = new Map<string, PostingList | 'none'>()
  #searches = 0
  #isRetired = false

  constructor(name: string, sections: SegmentSections, apart?: VectorReader) {
    this.name = name
    this.sections = sections
    const { vectors, meta } = sections
    this.compared = vectors.length === 0 ? undefined : new ComparedRows(vectors, meta.dimension)
    this.#apart = apart
  }

  /** Whether its vectors lie apart. */
  get isApart(): boolean {
    return this.#apart !== undefined
  }

  /** Of vectors that lie apart. */
  async near(vector: Float32Array, query: VectorQuery): Promise<readonly Near[]> {
    return (await this.#apart?.search(vector, query)) ?? []
  }

  /** The filter with the values that are there named one by one, ranges too, as whoever keeps the
   *  vectors understands it. Undefined where they are too many. */
  named(filter: Filter): Filter | undefined {
    let values = 0
    const name = (one: Filter): Filter => {
      switch (one.op) {
        case 'and':
        case 'or':
          return { op: one.op, filters: one.filters.map(name) }
        case 'not':
          return { op: 'not', filter: name(one.filter) }
        case 'in':
        case 'range': {
          const known = this.sections.meta.attributes.find((attribute) => attribute.name === one.name)?.values ?? []
          const fitting = known.filter((value) => accepts(one, value))
          values += fitting.length
          return { op: 'in', name: one.name, values: fitting }
        }
      }
    }
    const named = name(filter)
    return values > NAMED_VALUES_MAX ? undefined : named
  }

  /** Keeps what it has open until it is given back. */
  borrow(): void {
    this.#searches++
  }

  giveBack(): void {
    this.#searches--
    this.#closeUnused()
  }

  /** No mount holds it any more: what it has open is closed once no search needs it. */
  retire(): void {
    this.#isRetired = true
    this.#closeUnused()
  }

  #closeUnused(): void {
    if (this.#isRetired && this.#searches === 0) this.#apart?.close()
  }

  get chunks(): number {
    return this.sections.meta.chunks
  }

  /** The postings of a term; undefined where no chunk holds it. */
  postings(term: string): PostingList | undefined {
    const known = this.#looked.get(term)
    if (known !== undefined) return known === 'none' ? undefined : known
    const rank = this.#rank(Buffer.from(term))
    const found = rank < 0 ? undefined : listOf(this.sections, rank)
    if (this.#looked.size >= LOOKED_MAX) this.#looked.clear()
    this.#looked.set(term, found ?? 'none')
    return found
  }

  /** One byte per chunk: 1 where it fits. */
  matching(filter: Filter): Uint8Array {
    const fits = new Uint8Array(this.chunks)
    new SegmentFilter(this.sections, filter).fill(0, this.chunks, fits)
    return fits
  }

  /** The rank of a term given as UTF-8, or -1. */
  #rank(term: Uint8Array): number {
    const { termEnds } = this.sections
    let low = 0
    let high = termEnds.length - 1
    while (low <= high) {
      const middle = (low + high) >>> 1
      const order = this.#compare(middle, term)
      if (order === 0) return middle
      if (order < 0) low = middle + 1
      else high = middle - 1
    }
    return -1
  }

  #compare(rank: number, term: Uint8Array): number {
    const { termEnds, termBytes } = this.sections
    const begin = rank === 0 ? 0 : (termEnds[rank - 1] ?? 0)
    const length = (termEnds[rank] ?? 0) - begin
    const shared = Math.min(length, term.length)
    for (let i = 0; i < shared; i++) {
      const difference = (termBytes[begin + i] ?? 0) - (term[i] ?? 0)
      if (difference !== 0) return difference
    }
    return length - term.length
  }
}

/** Taking a longer filter apart takes longer than the search. */
const NAMED_VALUES_MAX = 512
/** Terms whose place is remembered: about half a megabyte a segment. */
const LOOKED_MAX = 4_096
