import { fault } from '../../base/errors.ts'
import { getAll, put, type Change, type Rows, scanAll } from '../../store/rows.ts'
import {
  chunkKey,
  chunkKeys,
  CHUNKS,
  collectionKey,
  COLLECTIONS,
  type CollectionRow,
  documentKey,
  DOCUMENTS,
  type DocumentRow,
} from '../document.ts'
import type { Embeddings } from '../embedding/embeddings.ts'
import { LSA_TEXTS_MAX, LSA_TEXTS_MIN } from '../embedding/lsa.ts'
import { LSA, type SpaceRow } from '../embedding/port.ts'
import { type Plan, revised, type Segment } from './collections.ts'
import { type CompactOptions, removeChunkRows } from './compact.ts'
import { indexChunk, searchedText } from './worker.ts'

/** Gives a whole collection vectors of another space: in new segments beside the present ones, which
 *  answer until one commit replaces them all. */

/** Directions fitted on a tenth of the texts know too few of the words: fitted anew once there are this
 *  many times as many as then. A full sample is not fitted again. */
const FIT_GROWTH = 4
/** Chunks of a collection that is moved as a whole. Beyond it a generation is made, batch by batch. */
export const MOVED_CHUNKS_MAX = 100_000
/** Chunks of one new segment. */
const SEGMENT_CHUNKS = 4_096
/** Chunk rows of one commit. */
const ROWS_AT_ONCE = 2_000

export interface RevectorOptions extends CompactOptions {
  readonly embeddings: Embeddings
  /** Default: `MOVED_CHUNKS_MAX`. */
  readonly movedChunksMax?: number
}

/** Whether the collection's vectors are not what the configuration asks for. */
export async function wantsVectors(embeddings: Embeddings, row: CollectionRow): Promise<boolean> {
  const { model } = await embeddings.choice(row.name)
  const held = row.space === undefined ? undefined : await embeddings.space(row.name, row.space)
  if (model === 'none') return false
  if (model !== LSA) return row.chunks > 0 && held?.space.model !== model
  if (held !== undefined && held.space.model !== LSA) return false
  const fitted = held?.texts ?? 0
  return row.chunks >= LSA_TEXTS_MIN && fitted < LSA_TEXTS_MAX && row.chunks >= FIT_GROWTH * fitted
}

/** Brings the collection into the configured space; one that is too large is left as it is. */
export async function revector(options: RevectorOptions, collection: string, signal: AbortSignal): Promise<void> {
  const { rows, collections, embeddings, movedChunksMax = MOVED_CHUNKS_MAX } = options
  const before = (await rows.get(COLLECTIONS, collectionKey(collection)))?.row
  if (before === undefined || before.chunks > movedChunksMax || !(await wantsVectors(embeddings, before))) return
  const documents = await collections.documents(collection, () => true)
  const space =
    (await embeddings.choice(collection)).model === LSA
      ? await embeddings.fit(collection, await sampleTexts(rows, collection, before.chunks))
      : await embeddings.begin(collection, signal)
  if (space === undefined) return
  const made: Made[] = []
  try {
    for (const group of grouped(documents)) made.push(await build(options, collection, space, group, signal))
    await swap(options, before, space, made)
  } catch (thrown) {
    for (const { segment } of made) await discard(options, segment.segment)
    await embeddings.drop(collection, space.id)
    throw thrown
  }
  if (before.space !== undefined) await embeddings.drop(collection, before.space)
}

interface Made {
  readonly segment: Segment
  readonly documents: readonly { readonly before: DocumentRow; readonly after: DocumentRow }[]
}

/** Texts to fit on: all of a collection with so many chunks, or evenly spread ones. */
export async function sampleTexts(rows: Rows, collection: string, chunks: number): Promise<readonly string[]> {
  const share = Math.min(1, LSA_TEXTS_MAX / Math.max(1, chunks))
  const texts: string[] = []
  let owed = 0
  for await (const { row: document } of scanAll(rows, DOCUMENTS, collectionKey(collection))) {
    const keys = chunkKeys(document).filter(() => {
      owed += share
      if (owed < 1 - 1e-9) return false
      owed -= 1
      return true
    })
    for (const stored of await getAll(rows, CHUNKS, keys))
      if (stored !== undefined) texts.push(searchedText(document.title, stored.row))
  }
  return texts
}

function* grouped(documents: readonly DocumentRow[]): Generator<readonly DocumentRow[]> {
  let group: DocumentRow[] = []
  let chunks = 0
  for (const document of documents) {
    if (group.length > 0 && chunks + document.chunkCount > SEGMENT_CHUNKS) {
      yield group
      group = []
      chunks = 0
    }
    group.push(document)
    chunks += document.chunkCount
  }
  if (group.length > 0) yield group
}

/** A segment that nothing refers to yet. A crash leaves it for the next start to sweep. */
async function build(
  { rows, worker, newSegment, embeddings }: CompactOptions & { readonly embeddings: Embeddings },
  collection: string,
  space: SpaceRow,
  documents: readonly DocumentRow[],
  signal: AbortSignal,
): Promise<Made> {
  if (signal.aborted) throw fault('stopping', {})
  const name = newSegment(collection)
  const moved: { before: DocumentRow; after: DocumentRow }[] = []
  const indexed: ReturnType<typeof indexChunk>[] = []
  const puts: Change[] = []
  for (const before of documents) {
    const firstChunk = indexed.length
    for (const stored of await getAll(rows, CHUNKS, chunkKeys(before))) {
      if (stored === undefined) continue
      puts.push(put(CHUNKS, chunkKey(name, indexed.length), stored.row))
      indexed.push(indexChunk(stored.row, before))
    }
    const after = { ...before, segment: name, firstChunk, chunkCount: indexed.length - firstChunk }
    moved.push({ before, after })
  }
  const texts = indexed.map(({ text }) => text)
  const vectors = await embeddings.passages(collection, space.id, texts, signal)
  await embeddings.vectors.keep(name, vectors)
  await worker.build(
    name,
    indexed.map((chunk, at) => {
      const vector = vectors[at]
      return vector === undefined ? chunk : { ...chunk, vector }
    }),
  )
  for (let at = 0; at < puts.length; at += ROWS_AT_ONCE) await rows.commit(puts.slice(at, at + ROWS_AT_ONCE))
  return { segment: { segment: name, chunks: indexed.length, removed: [] }, documents: moved }
}

/** What was removed meanwhile stays removed; what came meanwhile means that all of it begins again. */
async function swap(
  { rows, collections }: CompactOptions,
  before: CollectionRow,
  space: SpaceRow,
  made: readonly Made[],
): Promise<void> {
  const old = new Set(before.segments.map(({ segment }) => segment))
  const plan: Plan = async (row) => {
    if (row.segments.some(({ segment }) => !old.has(segment)))
      throw fault('store_unavailable', { reason: `the collection ${before.name} was changed while it was embedded` })
    const moves = made.flatMap(({ documents }) => documents)
    const stored = await getAll(
      rows,
      DOCUMENTS,
      moves.map((move) => documentKey(before.name, move.before.id)),
    )
    const stays = moves.filter((move, at) => stored[at]?.row.segment === move.before.segment)
    const kept = new Set(stays)
    const gone = moves.filter((move) => !kept.has(move)).map(({ after }) => after)
    const fresh = { ...row, segments: made.map(({ segment }) => segment), space: space.id }
    // Counts are right as they are: only where the chunks stand has changed.
    const { segments } = revised(fresh, gone, [])
    return {
      row: { ...fresh, segments },
      changes: stays.map(({ after }) => put(DOCUMENTS, documentKey(before.name, after.id), after)),
    }
  }
  await collections.change(before.name, plan, (segment) => removeChunkRows(rows, segment))
}

async function discard({ rows, collections }: CompactOptions, segment: string): Promise<void> {
  await removeChunkRows(rows, segment)
  await collections.drop(segment)
}
