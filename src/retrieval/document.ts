import { table, type Key } from '../store/rows.ts'
import type { Chunk } from '../parse/document.ts'
import type { TRUST } from '../config/sources.ts'
import type { Recipe } from './recipe.ts'
import type { Held, MountedSegment, SegmentName } from '../store/index.ts'

/** What retrieval keeps as truth. The index is derived from it.
 *
 *  One ingest batch is one commit: its documents, their chunks, the segment they were indexed
 *  in and the removal of what they replace become visible together or not at all. */

export interface CollectionRow {
  readonly name: string
  readonly segments: readonly (MountedSegment & { readonly chunks: number })[]
  /** What the segments are searched in, where there are many. Absent: in themselves. */
  readonly parts?: readonly IndexPart[]
  readonly documents: number
  /** Chunks that answer. */
  readonly chunks: number
  /** Bytes of the source files of the documents that answer. */
  readonly bytes: number
  readonly updatedAtMs: number
  /** The space of its vectors. Absent: it has none. */
  readonly space?: string
  /** How passages were made of its documents. Absent: before there was a choice. */
  readonly recipe?: Recipe
  /** Of its documents, those that are `cutBefore`. */
  readonly cutBefore?: number
}

export type Trust = (typeof TRUST)[number]

/** What is known of a document besides its content. */
export interface About {
  /** In place of the one that its content gives. */
  readonly title?: string
  /** Attributes that searches can filter by, as OpenAI's files have them; `tenant` names whose it is. */
  readonly metadata?: Metadata
  /** How far what it says may be believed. */
  readonly trust: Trust
  readonly provenance: Provenance
}

export interface Metadata {
  readonly [name: string]: string | number | boolean
}

export interface Provenance {
  /** The kind of its source: `folder`, `git`, `push`. */
  readonly kind: string
  /** The source itself, the same at every reading: a path, `s3://bucket/prefix`. */
  readonly source: string
  /** Which state of it was read: a commit, an ETag, the time of a row. */
  readonly revision?: string
  /** What the source says of the present state: the same again need not be read. The revision,
   *  where absent. */
  readonly hint?: string
}

/** An index over several segments: derived, and built again when it is lost. */
export interface IndexPart {
  readonly segment: SegmentName
  readonly chunks: number
  readonly holds: readonly Held[]
}

/** Without `metadata`, `trust` and `provenance` it was read before these were kept. */
export interface DocumentRow extends Partial<Omit<About, 'title'>> {
  readonly id: string
  /** Where it came from: a path relative to its source folder's parent, in URL form. */
  readonly uri: string
  readonly title: string
  readonly mediaType: string
  /** SHA-256 of the file, hexadecimal. */
  readonly contentHash: string
  readonly bytes: number
  /** Where its chunks are: [firstChunk, firstChunk + chunkCount) of the segment. */
  readonly segment: string
  readonly firstChunk: number
  readonly chunkCount: number
  readonly ingestedAtMs: number
  /** What of it was left out. */
  readonly note?: string
  /** Its chunks are cut as another generation has them: what it takes to cut them anew was not kept. */
  readonly cutBefore?: true
}

export interface ChunkRow extends Chunk {
  readonly document: string
  /** A sentence by a model about where it stands; searched with it and never shown as its text. */
  readonly context?: string
}

export const COLLECTIONS = table<CollectionRow>('collections')
export const DOCUMENTS = table<DocumentRow>('documents')
export const CHUNKS = table<ChunkRow>('chunks')

export const collectionKey = (collection: string): Key => [collection]
export const documentKey = (collection: string, document: string): Key => [collection, document]
export const chunkKey = (segment: string, chunk: number): Key => [segment, chunk.toString().padStart(8, '0')]

/** Of all chunks of a document, in reading order. */
export const chunkKeys = ({ segment, firstChunk, chunkCount }: DocumentRow): Key[] =>
  Array.from({ length: chunkCount }, (_, at) => chunkKey(segment, firstChunk + at))
