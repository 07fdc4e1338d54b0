import type { EmbedWith } from '../../engine/port.ts'
import type { Spending } from '../../meter/spending.ts'
import { type Key, table } from '../../store/rows.ts'
import type { OpenSpan } from '../../trace/trace.ts'

/** Texts as vectors. What may be compared with what is a space: vectors of two spaces never meet. */

export interface EmbeddingSpace {
  /** A name of the configuration; `lsa` for directions fitted on the collection itself. */
  readonly model: string
  /** What the engine says its weights are; empty where it says nothing. */
  readonly revision: string
  readonly dimension: number
  /** How the engine makes one vector out of those of the tokens; empty where it does not say. */
  readonly pooling: string
  /** Put before a text, which many models are trained to expect. */
  readonly passagePrefix: string
  readonly questionPrefix: string
  /** Vectors are brought to unit length. */
  readonly normalised: boolean
}

export type Purpose = 'passage' | 'question'

export interface EmbedOptions {
  readonly signal: AbortSignal
  /** Where the calls are recorded. */
  readonly span?: OpenSpan
  /** Who pays. */
  readonly spending?: Spending
  /** In place of the house's calls: on an account of its own. */
  readonly embedWith?: EmbedWith
  /** Else its owner pays. */
  readonly collection?: string
}

export interface Embedder {
  readonly space: EmbeddingSpace
  /** One vector per text, in order: finite, of the space's dimension, not all zero. Rejects with a
   *  `Fault`; no other model stands in. */
  embed(texts: readonly string[], purpose: Purpose, options: EmbedOptions): Promise<readonly Float32Array[]>
}

/** The directions fitted on a collection: derived from its texts, and no learned model. */
export const LSA = 'lsa'

/** A space of a collection. */
export interface SpaceRow {
  readonly id: string
  readonly space: EmbeddingSpace
  /** Where `GOLDEN_TEXT` was when the space began, as base 64 of little-endian floats. For `lsa`, whose
   *  directions are kept with a checksum, nothing. */
  readonly golden?: string
  /** Of `lsa`: how many texts it was fitted on. */
  readonly texts?: number
  readonly createdAtMs: number
}

export const SPACES = table<SpaceRow>('spaces')
export const spaceKey = (collection: string, space: string): Key => [collection, space]

/** What a collection is to be embedded with. */
export interface EmbeddingChoice {
  /** The name of a model, `lsa`, or `none`. */
  readonly model: string
  readonly passagePrefix: string
  readonly questionPrefix: string
}
