import { getAll, remove, put, scanAll, type Change, type Rows } from '../../store/rows.ts'
import {
  chunkKey,
  CHUNKS,
  type ChunkRow,
  type CollectionRow,
  documentKey,
  DOCUMENTS,
  type DocumentRow,
} from '../document.ts'
import { type Collections, type Plan, revised, type Segment } from './collections.ts'
import type { Embeddings } from '../embedding/embeddings.ts'
import type { IngestWorker } from './port.ts'
import { indexChunk, searchedText } from './worker.ts'

export interface CompactOptions {
  readonly rows: Rows
  readonly collections: Collections
  readonly worker: Pick<IngestWorker, 'build'>
  readonly newSegment: (collection: string) => string
  /** Without it collections are searched by words alone. */
  readonly embeddings?: Embeddings
}

/** Builds one segment out of what still answers in those that `choose` names, from rows and kept
 *  vectors alone, so that it serves a segment whose file is lost as well. */
export async function rewrite(
  { rows, collections, worker, newSegment, embeddings }: CompactOptions,
  collection: string,
  choose: (row: CollectionRow) => readonly Segment[],
  signal: AbortSignal,
): Promise<boolean> {
  const plan: Plan = async (row) => {
    const segments = choose(row).map(({ segment }) => segment)
    if (segments.length === 0) return undefined
    const chosen = new Set(segments)
    const name = newSegment(collection)
    const changes: Change[] = []
    const documents: DocumentRow[] = []
    const moved: DocumentRow[] = []
    const chunks: ChunkRow[] = []
    const owners: DocumentRow[] = []
    for (const segment of segments) {
      for (const [document, own] of await readSegment(rows, collection, segment)) {
        documents.push(document)
        moved.push({ ...document, segment: name, firstChunk: chunks.length })
        for (const chunk of own) {
          chunks.push(chunk)
          owners.push(document)
        }
      }
    }
    const texts = chunks.map((chunk, at) => searchedText(owners[at]?.title ?? '', chunk))
    const vectors =
      row.space === undefined ? undefined : await embeddings?.again(collection, row.space, documents, texts, signal)
    if (vectors !== undefined) await embeddings?.vectors.keep(name, vectors)
    await worker.build(
      name,
      chunks.map((chunk, at) => indexChunk(chunk, owners[at], vectors?.[at])),
    )
    for (const [at, chunk] of chunks.entries()) changes.push(put(CHUNKS, chunkKey(name, at), chunk))
    for (const document of moved) changes.push(put(DOCUMENTS, documentKey(collection, document.id), document))
    const others = row.segments.filter(({ segment }) => !chosen.has(segment))
    return {
      row: revised({ ...row, segments: others }, [], [], { segment: name, chunks: chunks.length, removed: [] }),
      changes,
    }
  }
  // Until the new segment is mounted searches find the chunks where they were, and read them there.
  return await collections.change(collection, plan, (segment) => removeChunkRows(rows, segment))
}

/** What still answers of a segment: its documents in order, each with its chunks. Found by the chunks, so
 *  that it costs what is merged and not what the collection holds. */
async function readSegment(
  rows: Rows,
  collection: string,
  segment: string,
): Promise<(readonly [DocumentRow, readonly ChunkRow[]])[]> {
  const chunksOf = new Map<string, ChunkRow[]>()
  for await (const { row } of scanAll(rows, CHUNKS, [segment])) {
    const own = chunksOf.get(row.document)
    if (own === undefined) chunksOf.set(row.document, [row])
    else own.push(row)
  }
  const keys = [...chunksOf.keys()].map((id) => documentKey(collection, id))
  const documents = await getAll(rows, DOCUMENTS, keys)
  return documents.flatMap((stored) =>
    stored?.row.segment === segment ? [[stored.row, chunksOf.get(stored.row.id) ?? []] as const] : [],
  )
}

const REMOVED_AT_ONCE = 1_000

/** Removes every chunk row of a segment that no collection refers to. */
export async function removeChunkRows(rows: Rows, segment: string): Promise<void> {
  for (;;) {
    const page = await rows.scan(CHUNKS, { prefix: [segment], limit: REMOVED_AT_ONCE })
    if (page.length > 0) await rows.commit(page.map(({ key }) => remove(CHUNKS, key)))
    if (page.length < REMOVED_AT_ONCE) return
  }
}
