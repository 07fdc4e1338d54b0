import type { SegmentSections } from './segment-format.ts'

/** One segment in memory, as it lies in its file. */
export class Segment {
  readonly name: string
  readonly sections: SegmentSections

  constructor(name: string, sections: SegmentSections) {
    this.name = name
    this.sections = sections
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

  /** One byte per chunk: 1 where every name has one of its values. */
  matching(where: { readonly [name: string]: readonly string[] }): Uint8Array {
    const { meta, attributeValues } = this.sections
    const matching = new Uint8Array(meta.chunks).fill(1)
    for (const [name, wanted] of Object.entries(where)) {
      const row = meta.attributes.findIndex((attribute) => attribute.name === name)
      const accepted = new Uint8Array((meta.attributes[row]?.values.length ?? 0) + 1)
      for (const value of wanted) accepted[(meta.attributes[row]?.values.indexOf(value) ?? -1) + 1] = 1
      accepted[0] = 0
      for (let chunk = 0; chunk < meta.chunks; chunk++) {
        if (row < 0 || accepted[attributeValues[row * meta.chunks + chunk] ?? 0] === 0) matching[chunk] = 0
      }
    }
    return matching
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

/** Room for the postings of one term over a whole mount. */
export interface Postings {
  readonly chunks: Uint32Array
  readonly counts: Uint32Array
}
