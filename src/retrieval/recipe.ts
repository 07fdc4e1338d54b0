import { type Chunking, CHUNKING } from '../parse/chunk.ts'

/** How documents are made passages of, before they are embedded. */
export interface Recipe {
  readonly chunking: Chunking
  /** The model that says where each passage stands; `none`: nobody does. */
  readonly context: string
}

export const RECIPE: Recipe = { chunking: CHUNKING, context: 'none' }

export const isSameChunking = (a: Chunking, b: Chunking): boolean =>
  a.tokensMax === b.tokensMax && a.overlapTokens === b.overlapTokens
