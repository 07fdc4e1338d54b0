import { inverseDocumentFrequency, lengthNorm, saturation } from '../../base/bm25.ts'
import type { Hit, IndexQuery, MountedSegment, TermStatistics } from '../../store/index.ts'
import type { Origins } from '../../store/origins.ts'
import type { Near } from '../../store/vectors.ts'
import type { Postings, Segment } from './segment.ts'
import { writeUnit } from './segment-build.ts'
import { Top } from './top.ts'

/** Asked for beyond what removals are likely to take. */
const SPARE_NEAR = 8

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

  constructor(segments: readonly Mounted[]) {
    const parts: Part[] = []
    let chunks = 0
    let live = 0
    let length = 0
    for (const { segment, removed, origins } of segments) {
      const answering = liveChunks(segment, removed)
      const part = {
        segment,
        base: chunks,
        live: answering,
        removed: answering?.filter((one) => one === 0).length ?? 0,
        origins,
      }
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

  searchWords(weights: ReadonlyMap<string, number>, { filter, k }: IndexQuery): Hit[] {
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
      const matching = filter === undefined ? undefined : part.segment.matching(filter)
      for (let chunk = 0; chunk < part.segment.chunks; chunk++) {
        const score = scores[part.base + chunk] ?? 0
        if (score > 0 && matching?.[chunk] !== 0) top.offer(part.base + chunk, score)
      }
    }
    scores.fill(0)
    return this.#hits(top)
  }

  async searchVector(vector: Float32Array, query: IndexQuery): Promise<Hit[]> {
    const unit = new Float32Array(vector.length)
    writeUnit(vector, unit, 0)
    for (const { segment } of this.#parts) segment.borrow()
    try {
      // Asked all at once, so that they are searched beside one another.
      const apart = await Promise.all(this.#parts.map((part) => this.#near(part, unit, query)))
      return this.#merged(unit, query, apart)
    } finally {
      for (const { segment } of this.#parts) segment.giveBack()
    }
  }

  #merged(unit: Float32Array, query: IndexQuery, apart: readonly (readonly Near[] | undefined)[]): Hit[] {
    const top = new Top(query.k)
    for (const [at, part] of this.#parts.entries()) {
      const near = apart[at]
      if (near === undefined) this.#compare(part, unit, query, top)
      else
        for (const { chunk, score } of near.toSorted((a, b) => a.chunk - b.chunk)) top.offer(part.base + chunk, score)
    }
    return this.#hits(top)
  }

  /** The nearest that answer, of vectors that lie apart. More than `k` are asked for where some were
   *  removed, and ever more while too many of those found were. */
  async #near({ segment, live, removed }: Part, vector: Float32Array, query: IndexQuery): Promise<Near[] | undefined> {
    if (!segment.isApart) return undefined
    const { k, filter, exact = false, recallAt10 } = query
    const named = filter === undefined ? undefined : segment.named(filter)
    // A filter that names too much is applied to what was found.
    const fitting = filter !== undefined && named === undefined ? segment.matching(filter) : undefined
    const fits = fitting === undefined ? 1 : fitting.reduce((sum, one) => sum + one, 0) / segment.chunks
    if (fits === 0) return []
    const left = fits * (1 - removed / segment.chunks)
    // What fits a filter may all be in one segment.
    const share = filter === undefined ? (segment.chunks - removed) / this.#live : 1
    let asked = left === 1 ? k : Math.min(segment.chunks, Math.ceil((k / left) * 1.2) + SPARE_NEAR)
    for (;;) {
      const found = await segment.near(vector, {
        k: asked,
        exact,
        share,
        ...(recallAt10 === undefined ? {} : { target: { recallAt10 } }),
        ...(named === undefined ? {} : { filter: named }),
      })
      const near = found.filter(({ chunk }) => live?.[chunk] !== 0 && fitting?.[chunk] !== 0)
      if (near.length >= k || found.length < asked || asked >= segment.chunks) return near.slice(0, k)
      asked = Math.min(segment.chunks, asked * 4)
    }
  }

  #compare({ segment, base, live }: Part, vector: Float32Array, { filter }: IndexQuery, top: Top): void {
    const { meta, vectors } = segment.sections
    if (meta.dimension === 0) return
    const matching = filter === undefined ? undefined : segment.matching(filter)
    for (let chunk = 0; chunk < meta.chunks; chunk++) {
      if (live?.[chunk] === 0 || matching?.[chunk] === 0) continue
      top.offer(base + chunk, dot(vector, vectors, chunk * meta.dimension))
    }
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
  /** How many were. */
  readonly removed: number
  readonly origins: Origins | undefined
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
