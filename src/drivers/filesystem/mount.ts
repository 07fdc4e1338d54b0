import { inverseDocumentFrequency, lengthNorm, saturation } from '../../base/bm25.ts'
import type { Hit, IndexQuery, MountedSegment, TermStatistics } from '../../store/index.ts'
import type { Postings, Segment } from './segment.ts'
import { Top } from './top.ts'

/** What a collection answers from: its segments one after the other, so that every chunk has one
 *  number, and of each segment which chunks still answer. Holds the arrays that searches work in;
 *  a search is synchronous, so one set is enough. */
export class Mount {
  /** Of the vectors; undefined where nothing is mounted, 0 where nothing has one. */
  readonly dimension: number | undefined
  readonly #parts: readonly Part[]
  readonly #live: number
  readonly #lengthMean: number
  readonly #norms: Float64Array
  readonly #scores: Float64Array
  readonly #postings: Postings

  constructor(segments: readonly { readonly segment: Segment; readonly removed: MountedSegment['removed'] }[]) {
    const parts: Part[] = []
    let chunks = 0
    let live = 0
    let length = 0
    for (const { segment, removed } of segments) {
      const part = { segment, base: chunks, live: liveChunks(segment, removed) }
      parts.push(part)
      chunks += segment.chunks
      for (const [chunk, terms] of segment.sections.lengths.entries()) {
        if (part.live?.[chunk] === 0) continue
        live++
        length += terms
      }
    }
    this.#parts = parts
    this.#live = live
    this.#lengthMean = live === 0 ? 0 : length / live
    this.dimension =
      segments.length === 0 ? undefined : Math.max(...segments.map(({ segment }) => segment.sections.meta.dimension))
    this.#norms = new Float64Array(chunks)
    for (const { segment, base } of parts) {
      for (const [chunk, terms] of segment.sections.lengths.entries())
        this.#norms[base + chunk] = lengthNorm(terms, this.#lengthMean)
    }
    this.#scores = new Float64Array(chunks)
    this.#postings = { chunks: new Uint32Array(chunks), counts: new Uint32Array(chunks) }
  }

  searchWords(weights: ReadonlyMap<string, number>, { where, k }: IndexQuery): Hit[] {
    const { chunks, counts } = this.#postings
    const [scores, norms] = [this.#scores, this.#norms]
    for (const [term, weight] of weights) {
      const found = this.#find(term)
      const worth = weight * inverseDocumentFrequency(this.#live, found)
      for (let i = 0; i < found; i++) {
        const chunk = chunks[i] ?? 0
        scores[chunk] = (scores[chunk] ?? 0) + worth * saturation(counts[i] ?? 0, norms[chunk] ?? 0)
      }
    }
    const top = new Top(k)
    for (const part of this.#parts) {
      const matching = where === undefined ? undefined : part.segment.matching(where)
      for (let chunk = 0; chunk < part.segment.chunks; chunk++) {
        const score = scores[part.base + chunk] ?? 0
        if (score > 0 && matching?.[chunk] !== 0) top.offer(part.base + chunk, score)
      }
    }
    scores.fill(0)
    return this.#hits(top)
  }

  searchVector(vector: Float32Array, { where, k }: IndexQuery): Hit[] {
    const size = Math.sqrt(vector.reduce((sum, component) => sum + component * component, 0))
    const top = new Top(k)
    for (const { segment, base, live } of this.#parts) {
      const { meta, vectors } = segment.sections
      if (meta.dimension === 0) continue
      const matching = where === undefined ? undefined : segment.matching(where)
      for (let chunk = 0; chunk < meta.chunks; chunk++) {
        if (live?.[chunk] === 0 || matching?.[chunk] === 0) continue
        top.offer(base + chunk, dot(vector, vectors, chunk * meta.dimension) / size)
      }
    }
    return this.#hits(top)
  }

  statistics(terms: readonly string[]): TermStatistics {
    return { chunks: this.#live, lengthMean: this.#lengthMean, chunksWith: terms.map((term) => this.#find(term)) }
  }

  /** Collects the postings of a term over all segments; how many there are. */
  #find(term: string): number {
    const bytes = Buffer.from(term)
    let end = 0
    for (const { segment, base, live } of this.#parts) end = segment.postings(bytes, base, live, this.#postings, end)
    return end
  }

  #hits(top: Top): Hit[] {
    return top.sorted().map(({ number, score }) => {
      const part = this.#parts.findLast(({ base, segment }) => base <= number && number < base + segment.chunks)
      return { segment: part?.segment.name ?? '', chunk: number - (part?.base ?? 0), score }
    })
  }
}

interface Part {
  readonly segment: Segment
  /** The number of its first chunk within the mount. */
  readonly base: number
  /** One byte per chunk, 0 where it was removed; undefined where all answer. */
  readonly live: Uint8Array | undefined
}

function liveChunks(segment: Segment, removed: MountedSegment['removed']): Uint8Array | undefined {
  if (removed.length === 0) return undefined
  const live = new Uint8Array(segment.chunks).fill(1)
  for (const { first, count } of removed) live.fill(0, first, first + count)
  return live
}

/** Four sums at a time: a single one would wait for its own last addition. */
function dot(a: Float32Array, rows: Float32Array, from: number): number {
  const even = a.length - (a.length % 4)
  let [s0, s1, s2, s3] = [0, 0, 0, 0]
  for (let i = 0; i < even; i += 4) {
    s0 += (a[i] ?? 0) * (rows[from + i] ?? 0)
    s1 += (a[i + 1] ?? 0) * (rows[from + i + 1] ?? 0)
    s2 += (a[i + 2] ?? 0) * (rows[from + i + 2] ?? 0)
    s3 += (a[i + 3] ?? 0) * (rows[from + i + 3] ?? 0)
  }
  for (let i = even; i < a.length; i++) s0 += (a[i] ?? 0) * (rows[from + i] ?? 0)
  return s0 + s1 + s2 + s3
}
