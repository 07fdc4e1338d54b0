import { fault } from '../../base/errors.ts'
import { getAll, put, type Change } from '../../store/rows.ts'
import {
  chunkKey,
  chunkKeys,
  CHUNKS,
  collectionKey,
  COLLECTIONS,
  documentKey,
  DOCUMENTS,
  type DocumentRow,
} from '../document.ts'
import type { Embeddings } from '../embedding/embeddings.ts'
import { LSA } from '../embedding/port.ts'
import { chunkRemovals, removeDocuments, revised } from '../ingest/collections.ts'
import type { CompactOptions } from '../ingest/compact.ts'
import { revector } from '../ingest/revector.ts'
import { indexChunk } from '../ingest/worker.ts'

export type CopyOptions = CompactOptions & { readonly embeddings: Embeddings }

/** Chunks of one batch: one commit and one segment. */
const BATCH_CHUNKS = 4_096
/** Documents removed by one commit. */
const REMOVED_AT_ONCE = 1_000

/** What a generation must still take over from the one that answers. */
export interface Difference {
  readonly missing: readonly DocumentRow[]
  /** Documents that are no more. */
  readonly gone: readonly string[]
}

export async function difference({ collections }: CopyOptions, from: string, to: string): Promise<Difference> {
  const here = new Map((await collections.documents(to, () => true)).map((row) => [row.id, row.contentHash]))
  const missing: DocumentRow[] = []
  for (const row of await collections.documents(from, () => true)) {
    if (here.get(row.id) !== row.contentHash) missing.push(row)
    here.delete(row.id)
  }
  const there = new Set(missing.map(({ id }) => id))
  return { missing, gone: [...here.keys()].filter((id) => !there.has(id)) }
}

/** Documents that are no more must not answer anywhere. */
export async function removeGone(options: CopyOptions, to: string, { gone }: Difference): Promise<void> {
  const { rows, collections } = options
  for (let at = 0; at < gone.length; at += REMOVED_AT_ONCE)
    await removeDocuments(rows, collections, to, gone.slice(at, at + REMOVED_AT_ONCE))
}

/** Makes a generation hold the documents of another, embedded in its own space, batch by batch: what
 *  was taken over stays, whenever it is interrupted. */
export async function copy(options: CopyOptions, from: string, to: string, signal: AbortSignal): Promise<void> {
  const found = await difference(options, from, to)
  await removeGone(options, to, found)
  let batch: DocumentRow[] = []
  let chunks = 0
  for (const document of found.missing) {
    batch.push(document)
    chunks += document.chunkCount
    if (chunks < BATCH_CHUNKS) continue
    await take(options, from, to, batch, signal)
    batch = []
    chunks = 0
  }
  if (batch.length > 0) await take(options, from, to, batch, signal)
  await revector(options, to, signal)
}

async function take(
  options: CopyOptions,
  from: string,
  to: string,
  batch: readonly DocumentRow[],
  signal: AbortSignal,
): Promise<void> {
  if (signal.aborted) throw fault('stopping', {})
  const { rows, collections, worker, newSegment, embeddings } = options
  const segment = newSegment(to)
  const documents: DocumentRow[] = []
  const indexed: ReturnType<typeof indexChunk>[] = []
  const puts: Change[] = []
  for (const document of batch) {
    const stored = await getAll(rows, CHUNKS, chunkKeys(document))
    // It was replaced or removed a moment ago: the next look sees what it is now.
    if (stored.some((one) => one === undefined)) continue
    documents.push({ ...document, segment, firstChunk: indexed.length })
    for (const one of stored) {
      if (one === undefined) continue
      puts.push(put(CHUNKS, chunkKey(segment, indexed.length), one.row))
      indexed.push(indexChunk(one.row, document))
    }
  }
  if (indexed.length === 0) return
  const space = await spaceOf(options, to, signal)
  const texts = indexed.map(({ text }) => text)
  const vectors = space === undefined ? undefined : await embeddings.passages(to, space, texts, signal)
  if (vectors !== undefined) await embeddings.vectors.keep(segment, vectors)
  await worker.build(
    segment,
    indexed.map((chunk, at) => {
      const vector = vectors?.[at]
      return vector === undefined ? chunk : { ...chunk, vector }
    }),
  )
  await collections.change(to, async (row) => {
    const now = await rows.getMany(
      DOCUMENTS,
      documents.map(({ id }) => documentKey(from, id)),
    )
    const before = await rows.getMany(
      DOCUMENTS,
      documents.map(({ id }) => documentKey(to, id)),
    )
    const replaced = before.flatMap((stored) => (stored === undefined ? [] : [stored.row]))
    // Removed while it was embedded: it must not come back.
    const gone = documents.filter((_, at) => now[at] === undefined)
    const come = documents.filter((_, at) => now[at] !== undefined)
    const taken = revised(row, replaced, documents, { segment, chunks: indexed.length, removed: [] })
    return {
      row: { ...revised(taken, gone, []), ...(space === undefined ? {} : { space }) },
      changes: [
        ...chunkRemovals(replaced),
        ...puts,
        ...come.map((document) => put(DOCUMENTS, documentKey(to, document.id), document)),
      ],
    }
  })
}

/** The space of the generation; begun where it has none and a model is to embed it. */
async function spaceOf(
  { rows, embeddings }: CopyOptions,
  to: string,
  signal: AbortSignal,
): Promise<string | undefined> {
  const row = (await rows.get(COLLECTIONS, collectionKey(to)))?.row
  if (row?.space !== undefined) return row.space
  const { model } = await embeddings.choice(to)
  // Fitted directions come when all its texts are there.
  if (model === LSA || model === 'none' || (row?.segments.length ?? 0) > 0) return undefined
  return (await embeddings.begin(to, signal)).id
}
