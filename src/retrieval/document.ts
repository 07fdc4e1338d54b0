import { table, type Key } from '../store/rows.ts'
import type { Held, MountedSegment, SegmentName } from '../store/index.ts'

/** What retrieval keeps as truth. The index is derived from it.
 *
 *  One ingest batch is one commit: its documents, their chunks, the segment they were indexed
 *  in and the removal of what they replace become visible together or not at all. */

/** A document as a parser hands it over. */
export interface ParsedDocument {
  readonly title: string
  /** The text that all character ranges refer to. For Markdown and plain text the file itself;
   *  for other formats what was extracted. */
  readonly text: string
  readonly mediaType: string
  /** In reading order, not overlapping. */
  readonly blocks: readonly Block[]
  /** What was left out, in sentences for people: pages past a limit, hidden text, attachments. */
  readonly note?: string
}

export interface Block {
  readonly kind: 'heading' | 'paragraph' | 'list' | 'table' | 'code'
  /** Range in `text`, in UTF-16 code units: [start, end). */
  readonly start: number
  readonly end: number
  /** Headings: 1 to 6. */
  readonly level?: number
  /** Headings: how they read without markup. A heading of an empty range marks a place that has
   *  no text of its own, such as the beginning of a page. */
  readonly text?: string
  /** Tables whose first row names the columns: where that row ends. */
  readonly headerEnd?: number
}

/** A piece of a document of a size to be searched and shown to a model. */
export interface Chunk {
  readonly start: number
  readonly end: number
  readonly text: string
  /** The headings above it, outermost first; last the header row of the table that it begins inside
   *  of. */
  readonly headings: readonly string[]
}

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
}

/** An index over several segments: derived, and built again when it is lost. */
export interface IndexPart {
  readonly segment: SegmentName
  readonly chunks: number
  readonly holds: readonly Held[]
}

export interface DocumentRow {
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
