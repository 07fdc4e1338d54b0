import { inverseDocumentFrequency, lengthNorm, onGrid, saturation, sumCeiling } from '../../base/bm25.ts'
import { fault } from '../../base/errors.ts'
import type { Analyzer } from '../../base/words.ts'
import { type Attributes, matches } from '../../store/filter.ts'
import type {
  Hit,
  Index,
  IndexChunk,
  IndexChunks,
  IndexQuery,
  MountedSegment,
  SegmentSummary,
  TermStatistics,
} from '../../store/index.ts'
import { checkParts, checkQuery, ChunkCheck, originsOf, partsOf, queryTerms } from '../../store/index-input.ts'

interface StoredChunk {
  readonly terms: readonly string[]
  readonly vector: Float32Array | undefined
  readonly attributes: Attributes
}

interface Segment {
  readonly dimension: number
  readonly chunks: readonly StoredChunk[]
}

interface LiveChunk extends StoredChunk {
  readonly segment: string
  readonly chunk: number
}

interface Mount {
  readonly chunks: readonly LiveChunk[]
  readonly dimension: number | undefined
}

/** An index that looks at every chunk for every question. For tests, simulation and as the
 *  judge of faster ones: plain enough to be believed. */
export class MemoryIndex implements Index {
  readonly #analyzer: Analyzer
  readonly #stored = new Map<string, Segment>()
  readonly #mounts = new Map<string, Mount>()

  constructor(analyzer: Analyzer) {
    this.#analyzer = analyzer
  }

  async build(name: string, given: IndexChunks): Promise<SegmentSummary> {
    const check = new ChunkCheck(name)
    const chunks: IndexChunk[] = []
    for await (const part of partsOf(given)) {
      check.add(part)
      chunks.push(...part)
    }
    const { dimension = 0 } = check
    if (this.#stored.has(name)) throw fault('internal', { reason: `the segment ${name} was built before` })
    const kept = chunks.map(({ text, vector, attributes }) => ({
      terms: this.#analyzer.terms(text),
      vector: vector?.slice(),
      attributes: { ...attributes },
    }))
    this.#stored.set(name, { dimension, chunks: kept })
    const terms = new Set(kept.flatMap((chunk) => chunk.terms)).size
    const bytes = chunks.reduce((sum, { text }) => sum + 2 * text.length, 0)
    return { segment: name, chunks: chunks.length, terms, bytes }
  }

  async mount(collection: string, parts: readonly MountedSegment[]): Promise<void> {
    checkParts(parts)
    const chunks = parts.flatMap((part) => this.#open(part))
    const dimensions = new Set(
      parts.map(({ segment }) => this.#stored.get(segment)?.dimension ?? 0).filter((dimension) => dimension > 0),
    )
    if (dimensions.size > 1) {
      throw fault('index_unavailable', {
        reason: `the segments of ${collection} hold vectors of ${[...dimensions].join(' and ')} dimensions`,
      })
    }
    const [dimension = 0] = dimensions
    this.#mounts.set(collection, { chunks, dimension: parts.length === 0 ? undefined : dimension })
  }

  async search(collection: string, query: IndexQuery): Promise<Hit[]> {
    const mount = this.#mounts.get(collection)
    checkQuery(query, mount?.dimension)
    if (mount === undefined) return []
    const { vector, terms = [], filter, k } = query
    const score = vector === undefined ? byWords(mount, queryTerms(this.#analyzer, terms)) : byVector(vector)
    const hits: Hit[] = []
    for (const chunk of mount.chunks) {
      if (filter !== undefined && !matches(filter, chunk.attributes)) continue
      const value = score(chunk)
      if (value !== undefined) hits.push({ segment: chunk.segment, chunk: chunk.chunk, score: value })
    }
    return hits.sort((a, b) => b.score - a.score).slice(0, k)
  }

  async statistics(collection: string, terms: readonly string[]): Promise<TermStatistics> {
    const chunks = this.#mounts.get(collection)?.chunks ?? []
    const length = chunks.reduce((sum, chunk) => sum + chunk.terms.length, 0)
    return {
      chunks: chunks.length,
      lengthMean: chunks.length === 0 ? 0 : length / chunks.length,
      chunksWith: terms.map((word) => countWith(chunks, this.#analyzer.term(word))),
    }
  }

  async segments(): Promise<string[]> {
    return [...this.#stored.keys()].sort()
  }

  async drop(segment: string): Promise<void> {
    this.#stored.delete(segment)
  }

  async close(): Promise<void> {
    this.#mounts.clear()
  }

  #open(part: MountedSegment): LiveChunk[] {
    const { segment: name, removed } = part
    const segment = this.#stored.get(name)
    if (segment === undefined) throw fault('index_unavailable', { reason: `the segment ${name} is missing` })
    const origins = originsOf(part, segment.chunks.length)
    const isLive = (number: number): boolean =>
      !removed.some(({ first, count }) => number >= first && number < first + count)
    return segment.chunks
      .map((chunk, number) => ({ chunk, number }))
      .filter(({ number }) => isLive(number))
      .map(({ chunk, number }) => ({ ...chunk, ...(origins?.of(number) ?? { segment: name, chunk: number }) }))
  }
}

const countWith = (chunks: readonly StoredChunk[], term: string): number =>
  chunks.filter((chunk) => chunk.terms.includes(term)).length

function byWords({ chunks }: Mount, weights: ReadonlyMap<string, number>): (chunk: LiveChunk) => number | undefined {
  const lengthMean = chunks.reduce((sum, chunk) => sum + chunk.terms.length, 0) / chunks.length
  const worth = new Map<string, number>()
  for (const [term, weight] of weights) {
    worth.set(term, weight * inverseDocumentFrequency(chunks.length, countWith(chunks, term)))
  }
  const ceiling = sumCeiling(worth.values())
  return ({ terms }) => {
    let score = 0
    for (const [term, value] of worth) {
      const count = terms.filter((other) => other === term).length
      if (count > 0) score += onGrid(value * saturation(count, lengthNorm(terms.length, lengthMean)), ceiling)
    }
    return score > 0 ? score : undefined
  }
}

function byVector(query: Float32Array): (chunk: LiveChunk) => number | undefined {
  return ({ vector }) =>
    vector === undefined ? undefined : dot(query, vector) / Math.sqrt(dot(query, query) * dot(vector, vector))
}

function dot(a: Float32Array, b: Float32Array): number {
  let sum = 0
  for (let i = 0; i < a.length; i++) sum += (a[i] ?? 0) * (b[i] ?? 0)
  return sum
}
