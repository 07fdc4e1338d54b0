import type { Rows } from '../../store/rows.ts'
import { type ChunkRow, collectionKey, COLLECTIONS } from '../document.ts'
import type { Contexts } from '../embedding/context.ts'
import type { Embeddings } from '../embedding/embeddings.ts'
import { LSA } from '../embedding/port.ts'
import type { Recipe } from '../recipe.ts'
import { collectionOf } from '../generation/row.ts'
import type { SealedDocument, Sealing } from './port.ts'
import { searchedText } from './worker.ts'

export interface EnrichOptions {
  readonly rows: Rows
  readonly embeddings?: Embeddings
  readonly contexts?: Contexts
}

/** What models add to a batch between its reading and its sealing. */
export class Enrich {
  readonly #options: EnrichOptions
  readonly #storage: string
  readonly #recipe: Recipe
  readonly #signal: AbortSignal
  /** A space that no commit refers to yet. */
  #begun: string | undefined

  constructor(options: EnrichOptions, storage: string, recipe: Recipe, signal: AbortSignal) {
    this.#recipe = recipe
    this.#options = options
    this.#storage = storage
    this.#signal = signal
  }

  /** The chunks with their contexts; their vectors are kept. `space` is undefined where the collection
   *  has none, or gets its first vectors when all is read. */
  async batch(
    segment: string,
    documents: readonly SealedDocument[],
    plain: readonly ChunkRow[],
  ): Promise<{ readonly chunks: readonly ChunkRow[]; readonly sealing: Sealing; readonly space: string | undefined }> {
    const { embeddings, contexts } = this.#options
    const titles = new Map(documents.map(({ id, title }) => [id, title]))
    const of = { model: this.#recipe.context, collection: collectionOf(this.#storage) }
    const chunks = (await contexts?.describe(of, titles, plain, this.#signal)) ?? plain
    const sealing: Sealing = { chunks: chunks.length, contexts: chunks.map(({ context = '' }) => context) }
    const space = chunks.length === 0 ? undefined : await this.#space()
    if (embeddings === undefined || space === undefined) return { chunks, sealing, space: undefined }
    const texts = chunks.map((chunk) => searchedText(titles.get(chunk.document) ?? '', chunk))
    const vectors = await embeddings.passages(this.#storage, space, texts, this.#signal)
    await embeddings.vectors.keep(segment, vectors)
    return { chunks, sealing: { ...sealing, vectors }, space }
  }

  async #space(): Promise<string | undefined> {
    const { embeddings, rows } = this.#options
    if (embeddings === undefined) return undefined
    const row = (await rows.get(COLLECTIONS, collectionKey(this.#storage)))?.row
    if (row?.space !== undefined) return row.space
    const { model } = await embeddings.choice(this.#storage)
    if (model === LSA || model === 'none' || (row?.segments.length ?? 0) > 0) return undefined
    this.#begun ??= (await embeddings.begin(this.#storage, this.#signal)).id
    return this.#begun
  }
}
