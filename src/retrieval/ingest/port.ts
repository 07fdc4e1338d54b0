import type { ErrorCode } from '../../base/errors.ts'
import type { Chunking } from '../../parse/chunk.ts'
import type { Chunk } from '../../parse/document.ts'
import type { IndexChunk, SegmentName } from '../../store/index.ts'
import type { About, ChunkRow, DocumentRow } from '../document.ts'
import type { Folding } from '../embedding/embeddings.ts'

/** Reading files, apart from keeping what was read: the work that is heavy and may be hostile, so
 *  it is done in a process of its own. It gathers a batch of documents, hands it over to be
 *  embedded, then seals it: the segment is built, and everything can be committed.
 *
 *  Every method may reject with a `Fault` `child_died`; the batch is then lost. */
export interface IngestWorker extends Folding {
  /** Reads files into the batch, in order, until the batch is full: the answers may be fewer
   *  than the files, never none. */
  add(files: readonly IngestFile[], timeoutMs: number): Promise<Added[]>
  /** Reads one file as `add` does and keeps nothing. */
  probe(file: IngestFile, timeoutMs: number): Promise<Added>
  /** The SHA-256 of a file, where it can be read. */
  hash(path: string): Promise<string | undefined>
  /** What the batch holds. */
  batch(): Promise<Sealed>
  /** Builds the batch's segment, durably, and begins a new batch. */
  seal(segment: SegmentName, sealing: Sealing): Promise<void>
  /** Begins a new batch. */
  discard(): Promise<void>
  /** Builds a segment from chunks that are kept already. */
  build(segment: SegmentName, chunks: readonly IndexChunk[]): Promise<void>
  /** Cuts documents anew that are kept as these chunks; undefined for one whose outline was not kept. */
  cut(documents: readonly (readonly Chunk[])[], chunking: Chunking): Promise<(readonly Chunk[] | undefined)[]>
  /** Ends the process, whatever it is doing. */
  close(): Promise<void>
}

export interface IngestFile {
  /** Where it lies, unless its `bytes` are here. */
  readonly path?: string
  readonly bytes?: Uint8Array
  /** With its extension; a hint at what it is. */
  readonly name: string
  readonly document: string
  readonly uri: string
  /** The hash of what was read last time: the same again is not parsed. */
  readonly knownHash?: string
  readonly about?: About
  /** Absent: as by default. */
  readonly chunking?: Chunking
}

export type Added =
  | { readonly status: 'unchanged' }
  | { readonly status: 'added'; readonly units: number; readonly note?: string }
  | { readonly status: 'refused'; readonly code: ErrorCode; readonly details: { readonly [name: string]: unknown } }

export interface Sealed {
  readonly documents: readonly SealedDocument[]
  /** In the segment's order. */
  readonly chunks: readonly ChunkRow[]
}

export interface Sealing {
  /** How many the batch has: a process that was started anew knows nothing of it. */
  readonly chunks: number
  /** One for every chunk; empty: none. */
  readonly contexts: readonly string[]
  /** One for every chunk, or none at all. */
  readonly vectors?: readonly Float32Array[]
}

export type SealedDocument = Omit<DocumentRow, 'segment' | 'ingestedAtMs'>

/** Text of one batch, in UTF-16 units: what a crash costs at most, what one commit carries, and
 *  how large a segment is in a first ingest. One document more may exceed it. */
export const BATCH_UNITS_MAX = 8 * 2 ** 20

/** Documents of one batch, well below `SCAN_MAX`: what the store had of all of them is read at once
 *  when the batch is committed. A group of files more may exceed it. */
export const BATCH_DOCUMENTS_MAX = 8_000
