import { inverseDocumentFrequency, lengthNorm, saturation } from '../../base/bm25.ts'
import { fault } from '../../base/errors.ts'
import type { Analyzer } from '../../base/words.ts'
import type { Attributes, Hit, Index, IndexQuery, MountedSegment } from '../../store/index.ts'
import { checkChunks, checkParts, checkQuery, queryTerms } from '../../store/index-input.ts'

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
export function createMemoryIndex(analyzer: Analyzer): Index {
  const stored = new Map<string, Segment>()
  const mounts = new Map<string, Mount>()

  const open = (part: MountedSegment): LiveChunk[] => {
    const segment = stored.get(part.segment)
    if (segment === undefined) throw fault('index_unavailable', { reason: `the segment ${part.segment} is missing` })
    return segment.chunks
      .map((chunk, number) => ({ ...chunk, segment: part.segment, chunk: number }))
      .filter(({ chunk }) => !part.removed.some(({ first, count }) => chunk >= first && chunk < first + count))
  }

  return {
    async build(name, chunks) {
      const dimension = checkChunks(name, chunks)
      if (stored.has(name)) throw fault('internal', { reason: `the segment ${name} was built before` })
      const kept = chunks.map(({ text, vector, attributes }) => ({
        terms: analyzer.terms(text),
        vector: vector?.slice(),
        attributes: { ...attributes },
      }))
      stored.set(name, { dimension, chunks: kept })
      const terms = new Set(kept.flatMap((chunk) => chunk.terms)).size
      return {
        segment: name,
        chunks: chunks.length,
        terms,
        bytes: chunks.reduce((sum, { text }) => sum + 2 * text.length, 0),
      }
    },

    async mount(collection, parts) {
      checkParts(parts)
      const chunks = parts.flatMap(open)
      const dimensions = new Set(
        parts.map(({ segment }) => stored.get(segment)?.dimension ?? 0).filter((dimension) => dimension > 0),
      )
      if (dimensions.size > 1) {
        throw fault('index_unavailable', {
          reason: `the segments of ${collection} hold vectors of ${[...dimensions].join(' and ')} dimensions`,
        })
      }
      mounts.set(collection, {
        chunks,
        dimension: parts.length === 0 ? undefined : (dimensions.values().next().value ?? 0),
      })
    },

    async search(collection, query) {
      const mount = mounts.get(collection)
      checkQuery(query, mount?.dimension)
      if (mount === undefined) return []
      const score =
        query.vector === undefined ? byWords(mount, queryTerms(analyzer, query.terms ?? [])) : byVector(query.vector)
      const hits: Hit[] = []
      for (const chunk of mount.chunks) {
        if (!matches(chunk.attributes, query.where)) continue
        const value = score(chunk)
        if (value !== undefined) hits.push({ segment: chunk.segment, chunk: chunk.chunk, score: value })
      }
      return hits.sort((a, b) => b.score - a.score).slice(0, query.k)
    },

    async statistics(collection, terms) {
      const chunks = mounts.get(collection)?.chunks ?? []
      const length = chunks.reduce((sum, chunk) => sum + chunk.terms.length, 0)
      return {
        chunks: chunks.length,
        lengthMean: chunks.length === 0 ? 0 : length / chunks.length,
        chunksWith: terms.map((word) => countWith(chunks, analyzer.term(word))),
      }
    },

    segments: async () => [...stored.keys()].sort(),
    async drop(segment) {
      stored.delete(segment)
    },
    async close() {
      mounts.clear()
    },
  }
}

const countWith = (chunks: readonly StoredChunk[], term: string): number =>
  chunks.filter((chunk) => chunk.terms.includes(term)).length

const matches = (attributes: Attributes, where: IndexQuery['where'] = {}): boolean =>
  Object.entries(where).every(([name, values]) => {
    const value = attributes[name]
    return value !== undefined && values.includes(value)
  })

function byWords({ chunks }: Mount, weights: ReadonlyMap<string, number>): (chunk: LiveChunk) => number | undefined {
  const lengthMean = chunks.reduce((sum, chunk) => sum + chunk.terms.length, 0) / chunks.length
  const worth = new Map<string, number>()
  for (const [term, weight] of weights) {
    worth.set(term, weight * inverseDocumentFrequency(chunks.length, countWith(chunks, term)))
  }
  return ({ terms }) => {
    let score = 0
    for (const [term, value] of worth) {
      const count = terms.filter((other) => other === term).length
      if (count > 0) score += value * saturation(count, lengthNorm(terms.length, lengthMean))
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
