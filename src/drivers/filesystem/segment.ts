import { accepts, type Filter } from '../../store/filter.ts'
import type { Near, VectorQuery, VectorReader } from '../../store/vectors.ts'
import type { SegmentSections } from './segment-format.ts'

/** One segment in memory, as it lies in its file, with the reader of its vectors where they lie
 *  apart. */
export class Segment {
  readonly name: string
  readonly sections: SegmentSections
  readonly #apart: VectorReader | undefined
  #searches = 0
  #isRetired = false

  constructor(name: string, sections: SegmentSections, apart?: VectorReader) {
    this.name = name
    this.sections = sections
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

  /** Writes the chunks that hold `term` and answer, numbered from `base`, and how often each holds
   *  it, from `at` on. Returns where they end. */
  postings(term: Uint8Array, base: number, live: Uint8Array | undefined, into: Postings, at: number): number {
    const rank = this.#rank(term)
    if (rank < 0) return at
    const { postings, postingEnds } = this.sections
    const { chunks, counts } = into
    let end = at
    let chunk = 0
    let byte = rank === 0 ? 0 : (postingEnds[rank - 1] ?? 0)
    const last = postingEnds[rank] ?? 0
    while (byte < last) {
      let part = postings[byte++] ?? 0
      let value = part & 0x7f
      for (let shift = 7; part > 0x7f; shift += 7) {
        part = postings[byte++] ?? 0
        value |= (part & 0x7f) << shift
      }
      let count = 1
      if ((value & 1) === 0) {
        part = postings[byte++] ?? 0
        count = part & 0x7f
        for (let shift = 7; part > 0x7f; shift += 7) {
          part = postings[byte++] ?? 0
          count |= (part & 0x7f) << shift
        }
      }
      chunk += value >>> 1
      if (live !== undefined && live[chunk] === 0) continue
      chunks[end] = base + chunk
      counts[end++] = count
    }
    return end
  }

  /** One byte per chunk: 1 where it fits. */
  matching(filter: Filter): Uint8Array {
    const { chunks } = this
    switch (filter.op) {
      case 'and': {
        const all = new Uint8Array(chunks).fill(1)
        for (const one of filter.filters) {
          const fits = this.matching(one)
          for (let chunk = 0; chunk < chunks; chunk++) all[chunk] = (all[chunk] ?? 0) & (fits[chunk] ?? 0)
        }
        return all
      }
      case 'or': {
        const any = new Uint8Array(chunks)
        for (const one of filter.filters) {
          const fits = this.matching(one)
          for (let chunk = 0; chunk < chunks; chunk++) any[chunk] = (any[chunk] ?? 0) | (fits[chunk] ?? 0)
        }
        return any
      }
      case 'not':
        return this.matching(filter.filter).map((fits) => 1 - fits)
      default:
        return this.#fitting(filter)
    }
  }

  /** Each value is looked at once, then each chunk's number of it. */
  #fitting(leaf: Leaf): Uint8Array {
    const { meta, attributeValues } = this.sections
    const fitting = new Uint8Array(meta.chunks)
    const row = meta.attributes.findIndex(({ name }) => name === leaf.name)
    const values = meta.attributes[row]?.values ?? []
    const accepted = Uint8Array.from([0, ...values.map((value) => Number(accepts(leaf, value)))])
    if (!accepted.includes(1)) return fitting
    const first = row * meta.chunks
    for (let chunk = 0; chunk < meta.chunks; chunk++)
      fitting[chunk] = accepted[attributeValues[first + chunk] ?? 0] ?? 0
    return fitting
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

type Leaf = Extract<Filter, { op: 'in' | 'range' }>

/** Room for the postings of one term over a whole mount. */
export interface Postings {
  readonly chunks: Uint32Array
  readonly counts: Uint32Array
}
