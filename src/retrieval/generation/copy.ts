import { fault } from '../../base/errors.ts'
import type { Chunk } from '../../parse/document.ts'
import { getAll, put, type Change, type Rows } from '../../store/rows.ts'
import {
  chunkKey,
  chunkKeys,
  CHUNKS,
  type ChunkRow,
  collectionKey,
  COLLECTIONS,
  documentKey,
  DOCUMENTS,
  type DocumentRow,
} from '../document.ts'
import type { Contexts } from '../embedding/context.ts'
import { LSA_TEXTS_MIN } from '../embedding/lsa.ts'
import { LSA } from '../embedding/port.ts'
import { chunkRemovals, removeDocuments, revised } from '../ingest/collections.ts'
import type { IngestWorker } from '../ingest/port.ts'
import { revector, type RevectorOptions, sampleTexts } from '../ingest/revector.ts'
import { indexChunk } from '../ingest/worker.ts'
import { differences } from './difference.ts'
import { collectionOf } from './row.ts'
import { isSameChunking, type Recipe } from '../recipe.ts'
import type { Recipes } from './recipes.ts'

/** Makes a generation hold the documents of another: cut as it has them and embedded in its own space. */

export interface CopyOptions extends Omit<RevectorOptions, 'worker'> {
  readonly worker: Pick<IngestWorker, 'build' | 'cut'>
  readonly recipes: Recipes
  /** Documents of one batch. */
  readonly batchDocumentsMax: number
  readonly contexts?: Contexts
}

/** Chunks of one batch: one commit and one segment. */
const BATCH_CHUNKS = 4_096
/** Documents removed by one commit. */
const REMOVED_AT_ONCE = 1_000

/** Documents that are no more must not answer anywhere. */
export async function removeGone({ rows, collections }: CopyOptions, from: string, to: string): Promise<void> {
  let page: string[] = []
  const clear = async (): Promise<void> => {
    if (page.length > 0) await removeDocuments(rows, collections, to, page)
    page = []
  }
  for await (const found of differences(rows, from, to)) {
    if ('missing' in found) continue
    if (page.push(found.gone) >= REMOVED_AT_ONCE) await clear()
  }
  await clear()
}

/** Takes over what is missing, batch by batch: what was taken over stays, whenever it is interrupted. */
export async function copy(options: CopyOptions, from: string, to: string, signal: AbortSignal): Promise<void> {
  await removeGone(options, from, to)
  const recipes = { from: await options.recipes.of(from), to: await options.recipes.of(to) }
  // Cut smaller they become more.
  const chunksMax = BATCH_CHUNKS * Math.min(1, recipes.to.chunking.tokensMax / recipes.from.chunking.tokensMax)
  let batch: DocumentRow[] = []
  let chunks = 0
  const flush = async (): Promise<void> => {
    if (batch.length > 0) await new Take(options, { from, to }, recipes, signal).batch(batch)
    batch = []
    chunks = 0
  }
  for await (const found of differences(options.rows, from, to)) {
    if (!('missing' in found)) continue
    batch.push(found.missing)
    chunks += found.missing.chunkCount
    if (chunks >= chunksMax || batch.length >= options.batchDocumentsMax) await flush()
  }
  await flush()
  await revector(options, to, signal)
}

/** A document with the chunks that the generation is to have of it. */
interface Made {
  readonly document: DocumentRow
  readonly chunks: readonly ChunkRow[]
}

class Take {
  readonly #options: CopyOptions
  readonly #from: string
  readonly #to: string
  readonly #recipes: { readonly from: Recipe; readonly to: Recipe }
  readonly #signal: AbortSignal

  constructor(
    options: CopyOptions,
    { from, to }: { readonly from: string; readonly to: string },
    recipes: { readonly from: Recipe; readonly to: Recipe },
    signal: AbortSignal,
  ) {
    this.#options = options
    this.#from = from
    this.#to = to
    this.#recipes = recipes
    this.#signal = signal
  }

  async batch(batch: readonly DocumentRow[]): Promise<void> {
    if (this.#signal.aborted) throw fault('stopping', {})
    const { worker, newSegment, embeddings } = this.#options
    const made = await this.#described(await this.#cut(await this.#read(batch)))
    if (made.length === 0) return
    const segment = newSegment(this.#to)
    const indexed = made.flatMap(({ document, chunks }) => chunks.map((chunk) => indexChunk(chunk, document)))
    const space = await spaceOf(this.#options, this.#from, this.#to, this.#signal)
    const texts = indexed.map(({ text }) => text)
    const vectors = space === undefined ? undefined : await embeddings.passages(this.#to, space, texts, this.#signal)
    if (vectors !== undefined) await embeddings.vectors.keep(segment, vectors)
    await worker.build(
      segment,
      indexed.map((chunk, at) => {
        const vector = vectors?.[at]
        return vector === undefined ? chunk : { ...chunk, vector }
      }),
    )
    await this.#keep(segment, made, space)
  }

  /** Without what was replaced or removed a moment ago: the next look sees what it is now. */
  async #read(batch: readonly DocumentRow[]): Promise<Made[]> {
    const stored = await getAll(this.#options.rows, CHUNKS, batch.flatMap(chunkKeys))
    let at = 0
    return batch.flatMap((document): Made[] => {
      const own = stored.slice(at, (at += document.chunkCount))
      const chunks = own.flatMap((one) => (one === undefined ? [] : [one.row]))
      return chunks.length === own.length ? [{ document, chunks }] : []
    })
  }

  async #cut(made: readonly Made[]): Promise<readonly Made[]> {
    const { from, to } = this.#recipes
    if (isSameChunking(from.chunking, to.chunking)) return made
    const cut = await this.#options.worker.cut(
      made.map(({ chunks }) => chunks),
      to.chunking,
    )
    return made.map(({ document, chunks: former }, at): Made => {
      const chunks = cut[at]
      // Better found in other pieces than not at all.
      if (chunks === undefined) return { document: { ...document, cutBefore: true }, chunks: former }
      const { cutBefore: _, ...rest } = document
      return { document: rest, chunks: chunks.map((chunk: Chunk) => ({ ...chunk, document: document.id })) }
    })
  }

  async #described(made: readonly Made[]): Promise<readonly Made[]> {
    const { from, to } = this.#recipes
    if (from.context === to.context && isSameChunking(from.chunking, to.chunking)) return made
    const titles = new Map(made.map(({ document }) => [document.id, document.title]))
    const plain = made.flatMap(({ chunks }) => chunks.map(withoutContext))
    const of = { model: to.context, collection: collectionOf(this.#to) }
    const described = (await this.#options.contexts?.describe(of, titles, plain, this.#signal)) ?? plain
    let at = 0
    return made.map(({ document, chunks }) => ({ document, chunks: described.slice(at, (at += chunks.length)) }))
  }

  async #keep(segment: string, made: readonly Made[], space: string | undefined): Promise<void> {
    const { rows, collections } = this.#options
    let firstChunk = 0
    const documents = made.map(({ document, chunks }): DocumentRow => {
      const placed = { ...document, segment, firstChunk, chunkCount: chunks.length }
      firstChunk += chunks.length
      return placed
    })
    const puts: Change[] = made
      .flatMap(({ chunks }) => chunks)
      .map((row, at) => put(CHUNKS, chunkKey(segment, at), row))
    await collections.change(this.#to, async (row) => {
      const now = await getDocuments(rows, this.#from, documents)
      const replaced = (await getDocuments(rows, this.#to, documents)).flatMap((stored) => stored ?? [])
      // Removed while it was embedded: it must not come back.
      const gone = documents.filter((_, at) => now[at] === undefined)
      const come = documents.filter((_, at) => now[at] !== undefined)
      const taken = revised(row, replaced, documents, { segment, chunks: firstChunk, removed: [] })
      return {
        row: {
          ...revised(taken, gone, []),
          ...(space === undefined ? {} : { space }),
          ...(row.documents === 0 ? { recipe: this.#recipes.to } : {}),
        },
        changes: [
          ...chunkRemovals(replaced),
          ...puts,
          ...come.map((document) => put(DOCUMENTS, documentKey(this.#to, document.id), document)),
        ],
      }
    })
  }
}

function withoutContext(chunk: ChunkRow): ChunkRow {
  const { context: _, ...rest } = chunk
  return rest
}

async function getDocuments(
  rows: Rows,
  storage: string,
  documents: readonly DocumentRow[],
): Promise<(DocumentRow | undefined)[]> {
  const keys = documents.map(({ id }) => documentKey(storage, id))
  return (await getAll(rows, DOCUMENTS, keys)).map((stored) => stored?.row)
}

/** The space of the generation; begun where it has none. */
async function spaceOf(
  options: CopyOptions,
  from: string,
  to: string,
  signal: AbortSignal,
): Promise<string | undefined> {
  const { rows, embeddings } = options
  const row = (await rows.get(COLLECTIONS, collectionKey(to)))?.row
  if (row?.space !== undefined) return row.space
  const { model } = await embeddings.choice(to)
  if (model === 'none' || (row?.segments.length ?? 0) > 0) return undefined
  if (model !== LSA) return (await embeddings.begin(to, signal)).id
  const { chunks = 0 } = (await rows.get(COLLECTIONS, collectionKey(from)))?.row ?? {}
  // Of fewer they are fitted when all its texts are there.
  return chunks < LSA_TEXTS_MIN ? undefined : (await embeddings.fit(to, await sampleTexts(rows, from, chunks)))?.id
}
