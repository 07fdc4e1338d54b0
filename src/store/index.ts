import type { Attributes, Filter } from './filter.ts'
import type { VectorProbe } from './vectors.ts'

/** The index: immutable segments of chunks, searched by words, by vector, or both. Truth lives
 *  in rows; a segment can always be built again from it.
 *
 *  A collection answers from its *mount*: the list of segments, and what of them was removed.
 *  Mounting is atomic, so a search sees the collection before or after a change, never between. */
export interface Index {
  /** Builds one segment; durable when resolved. Chunks are numbered 0.. in the order given; more
   *  than fit a message or the memory come in parts. A segment name is used once. */
  build(segment: SegmentName, chunks: IndexChunks): Promise<SegmentSummary>
  /** Replaces what a collection answers from. Rejects with a `Fault` (`index_unavailable`) naming
   *  the segment when one is missing or damaged; the former mount then stays. */
  mount(collection: string, parts: readonly MountedSegment[]): Promise<void>
  /** Best first; nothing where nothing is mounted. Rejects with a `Fault`: `field_invalid` where the
   *  query makes no sense, `index_unavailable`. */
  search(collection: string, query: IndexQuery): Promise<Hit[]>
  /** How common each term is, over all mounted segments: the input of feedback and calibration. */
  statistics(collection: string, terms: readonly string[]): Promise<TermStatistics>
  /** Every segment that is stored, mounted or not. */
  segments(): Promise<SegmentName[]>
  /** Removes a segment's files; one that is mounted still answers until the next mount. */
  drop(segment: SegmentName): Promise<void>
  close(): Promise<void>
}

/** A blob name: `handbook/seg_01...`. */
export type SegmentName = string

export interface IndexChunk {
  /** What full-text search reads: the chunk with its headings. */
  readonly text: string
  /** The same dimension throughout a segment, or absent throughout. Finite, not all zero. */
  readonly vector?: Float32Array
  /** What filters compare. */
  readonly attributes?: Attributes
}

export type IndexChunks = readonly IndexChunk[] | AsyncIterable<readonly IndexChunk[]>

export interface SegmentSummary {
  readonly segment: SegmentName
  readonly chunks: number
  readonly terms: number
  readonly bytes: number
  /** What was measured of its vectors, where they are searched approximately. */
  readonly probe?: VectorProbe
}

export interface MountedSegment {
  readonly segment: SegmentName
  /** Chunk numbers that no longer answer, as ranges [first, first + count). */
  readonly removed: readonly { readonly first: number; readonly count: number }[]
  /** Where it was made of other segments: what its chunks stand for, in their order. Hits then name
   *  those, which need not be stored any more. */
  readonly holds?: readonly Held[]
}

/** Chunks [first, first + count) of a segment. */
export interface Held {
  readonly segment: SegmentName
  readonly first: number
  readonly count: number
}

export interface IndexQuery {
  /** Words with weights. They are analysed like the text was. */
  readonly terms?: readonly { readonly word: string; readonly weight: number }[]
  /** Cosine similarity, as an alternative to `terms`; exactly one of the two is given. */
  readonly vector?: Float32Array
  /** Applied inside the search: `k` hits come back whenever `k` chunks match. */
  readonly filter?: Filter
  /** Compares a vector with every chunk, as the judge of faster ways. Default false: the index may
   *  look where the nearest probably are. */
  readonly exact?: boolean
  /** The mean recall@10 that a search by vector aims at where it does not look at every one, above 0
   *  and at most 1; default: the index's own. */
  readonly recallAt10?: number
  /** 1 to 1,000. */
  readonly k: number
}

export interface Hit {
  readonly segment: SegmentName
  readonly chunk: number
  /** BM25 or cosine; higher is better. Comparable within one answer only. */
  readonly score: number
}

export interface TermStatistics {
  /** Chunks that answer. */
  readonly chunks: number
  /** Terms per chunk. */
  readonly lengthMean: number
  /** For each term asked, in order: how many chunks hold it. */
  readonly chunksWith: readonly number[]
}
