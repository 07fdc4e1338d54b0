import type { Attributes, Filter } from './filter.ts'

/** The vectors of segments too large to look at every one of them: searched approximately, written
 *  once, by the segment's name. An index keeps them beside a segment's words and attributes; truth lives elsewhere. */
export interface Vectors {
  /** Begins a segment's vectors; a name is used once. Nothing is there before `finish`. */
  write(segment: string, dimension: number): Promise<VectorWriter>
  /** Rejects with a `Fault` (`index_unavailable`) where they are missing, unfinished or damaged. */
  open(segment: string, target: SearchTarget): Promise<VectorReader>
  /** Everything stored, unfinished ones too. */
  segments(): Promise<string[]>
  drop(segment: string): Promise<void>
}

export interface VectorWriter {
  /** Rows of unit length, one after the other, each with its attributes. Numbered from 0. */
  add(rows: Float32Array, attributes: readonly Attributes[]): Promise<void>
  /** Optimises, probes and makes durable. Rejects with a `Fault` (`segment_unsound`) where the
   *  probe finds that vectors cannot be found. */
  finish(): Promise<VectorProbe>
  /** Removes what was written. */
  abandon(): Promise<void>
}

export interface VectorReader {
  readonly probe: VectorProbe
  /** Best first, by cosine of the quantised vectors; fewer than `k` only where fewer fit. */
  search(vector: Float32Array, query: VectorQuery): Promise<readonly Near[]>
  close(): void
}

export interface VectorQuery {
  readonly k: number
  readonly filter?: Filter
  /** Compares with every vector that fits, at full precision. */
  readonly exact?: boolean
  /** In place of the one it was opened with. */
  readonly target?: SearchTarget
  /** Of all vectors that are searched, those of this segment: 0 to 1, default 1. One of five equal
   *  segments holds two of the ten nearest, and seldom more than five: less effort finds those. */
  readonly share?: number
}

export interface Near {
  readonly chunk: number
  readonly score: number
}

/** What a search aims at. */
export interface SearchTarget {
  /** Mean recall@10 against exact search. */
  readonly recallAt10: number
}

/** What was measured of a segment before it was published. */
export interface VectorProbe {
  readonly vectors: number
  /** Vectors sampled and found by themselves. */
  readonly found: { readonly of: number; readonly found: number }
  /** Recall against exact search, for each effort tried, lowest first, of the very nearest and of
   *  more. */
  readonly recall: readonly RecallAt[]
  /** The same under filters of about these shares, at the effort that reaches the default target. */
  readonly filtered: readonly { readonly share: number; readonly recall: number; readonly n: number }[]
}

export interface RecallAt {
  /** Candidates that a search keeps; what it costs grows with it. */
  readonly effort: number
  /** Of how many nearest. */
  readonly nearest: number
  readonly recall: number
  /** Half the width of the 95 % interval of the mean, over questions. */
  readonly halfWidth: number
  /** Questions. */
  readonly n: number
}
