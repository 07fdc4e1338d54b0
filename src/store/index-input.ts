import { fault, type Fault } from '../base/errors.ts'
import type { Analyzer } from '../base/words.ts'
import { isBlobName } from './blobs.ts'
import { checkFilter } from './filter.ts'
import { Origins } from './origins.ts'
import type { IndexChunk, IndexChunks, IndexQuery, MountedSegment } from './index.ts'

/** What every index driver refuses alike. All throw a `Fault`, which the driver's promise rejects
 *  with. */

/** The most hits one search answers with. */
export const HITS_MAX = 1000

/** Chunks in one segment; keeps its arrays and its building within one process's memory. */
const SEGMENT_CHUNKS_MAX = 2_000_000

/** Checks a segment to be built, part by part. */
export class ChunkCheck {
  /** Of the vectors; 0 where there are none, undefined before the first chunk. */
  dimension: number | undefined
  chunks = 0

  constructor(segment: string) {
    if (!isBlobName(segment))
      throw invalid('segment', `is no segment name: ${segment.slice(0, 80)}`, 'Use a-z, 0-9, _, -, . and /.')
  }

  add(part: readonly IndexChunk[]): void {
    for (const { vector } of part) {
      const at = this.chunks++
      const found = vector?.length ?? 0
      this.dimension ??= found
      if (found !== this.dimension) {
        throw invalid(
          `chunks[${at}].vector`,
          `has ${found} dimensions, not ${this.dimension}`,
          'Embed all chunks with one model.',
        )
      }
      if (vector !== undefined) checkVector(`chunks[${at}].vector`, vector)
    }
    if (this.chunks > SEGMENT_CHUNKS_MAX)
      throw invalid('chunks', `has more than ${SEGMENT_CHUNKS_MAX} entries`, 'Build several segments.')
  }
}

/** The parts of what is to be built, whichever way it is given. */
export async function* partsOf(chunks: IndexChunks): AsyncGenerator<readonly IndexChunk[]> {
  if (Symbol.asyncIterator in chunks) yield* chunks
  else yield chunks
}

/** Checks what is to be mounted: one segment twice would answer twice. */
export function checkParts(parts: readonly MountedSegment[]): void {
  const seen = new Set<string>()
  for (const { segment, removed, holds = [] } of parts) {
    if (seen.has(segment)) throw invalid('parts', `mounts ${segment} twice`, 'Mount every segment once.')
    seen.add(segment)
    for (const { first, count } of removed) {
      if (isRange(first, count)) continue
      throw invalid('parts', `removes ${count} chunks from ${first} of ${segment}`, 'Use whole numbers of 0 or more.')
    }
    for (const { first, count } of holds) {
      if (isRange(first, count) && count > 0) continue
      throw invalid(
        'parts',
        `holds ${count} chunks from ${first} in ${segment}`,
        'Use whole numbers, counts of 1 or more.',
      )
    }
  }
}

/** What a segment that was made of others holds must be all of it. */
export function originsOf({ segment, holds }: MountedSegment, chunks: number): Origins | undefined {
  if (holds === undefined) return undefined
  const origins = new Origins(holds)
  if (origins.chunks === chunks) return origins
  throw fault('index_unavailable', {
    reason: `the segment ${segment} has ${chunks} chunks, not the ${origins.chunks} it should hold`,
  })
}

const isRange = (first: number, count: number): boolean =>
  Number.isInteger(first) && first >= 0 && Number.isInteger(count) && count >= 0

/** `dimension` is that of the vectors the collection answers from; undefined where nothing is
 *  mounted, 0 where nothing has a vector. */
export function checkQuery(query: IndexQuery, dimension: number | undefined): void {
  const { k, terms, vector } = query
  if (!Number.isInteger(k) || k < 1 || k > HITS_MAX) throw invalid('k', `is ${k}`, `Ask for 1 to ${HITS_MAX} hits.`)
  if ((terms === undefined) === (vector === undefined)) {
    throw invalid('query', 'needs either terms or a vector', 'Give exactly one of the two.')
  }
  for (const { word, weight } of terms ?? []) {
    if (!Number.isFinite(weight) || weight < 0)
      throw invalid('terms', `weighs "${word.slice(0, 80)}" ${weight}`, 'Use weights of 0 or more.')
  }
  if (query.filter !== undefined) checkFilter(query.filter)
  const { recallAt10: aim = 1 } = query
  if (!(aim > 0 && aim <= 1)) throw invalid('recallAt10', `is ${aim}`, 'Aim at more than 0 and at most 1.')
  if (vector === undefined) return
  checkVector('vector', vector)
  if (dimension !== undefined && dimension !== vector.length) {
    throw invalid(
      'vector',
      `has ${vector.length} dimensions, not ${dimension}`,
      'Embed questions with the model that embedded the chunks.',
    )
  }
}

/** The query's terms, each once, with the sum of its weights: in the order they were given, so
 *  that all drivers add up alike. */
export function queryTerms(analyzer: Analyzer, terms: NonNullable<IndexQuery['terms']>): Map<string, number> {
  const weights = new Map<string, number>()
  for (const { word, weight } of terms) {
    if (weight === 0) continue
    for (const term of analyzer.terms(word)) weights.set(term, (weights.get(term) ?? 0) + weight)
  }
  return weights
}

function checkVector(field: string, vector: Float32Array): void {
  let squares = 0
  for (const component of vector) squares += component * component
  if (!Number.isFinite(squares)) throw invalid(field, 'is not finite', 'Look at the model that made it.')
  if (squares === 0) throw invalid(field, 'is all zeros and points nowhere', 'Look at the model that made it.')
}

const invalid = (field: string, problem: string, remedy: string): Fault =>
  fault('field_invalid', { field, problem, remedy })
