import type { Analyzer } from '../../base/words.ts'
import type { Index } from '../../store/index.ts'
import { HITS_MAX } from '../../store/index-input.ts'
import { type Change, getAll, type Key, put, remove, type Rows, scanAll, table } from '../../store/rows.ts'
import { chunkKey, CHUNKS, type ChunkRow, documentKey, DOCUMENTS } from '../document.ts'
import type { EmbeddingCache } from '../embedding/cache.ts'
import type { Contexts } from '../embedding/context.ts'
import { searchedText } from '../ingest/worker.ts'

/** What was made of a document and is kept under hashes of its text: vectors and sentences. Which they
 *  are is on record before the text goes, since nobody could tell afterwards. */

export interface DerivedOptions {
  readonly rows: Rows
  readonly index: Pick<Index, 'search'>
  readonly analyzer: Analyzer
  readonly embeddings: Pick<EmbeddingCache, 'keysOf' | 'forget'>
  readonly contexts: Pick<Contexts, 'keysOf' | 'forget'>
  /** What may stand before passages of a collection when they are embedded. */
  readonly prefixesOf: (collection: string) => Promise<readonly string[]>
}

/** The text of a document in one generation. */
export interface Held {
  readonly storage: string
  readonly title: string
  readonly chunks: readonly ChunkRow[]
}

interface PageRow {
  readonly embeddings: readonly Key[]
  readonly contexts: readonly Key[]
}

const PAGES = table<PageRow>('deletions.derived')
const PAGE_KEYS = 500
/** Chunks that are looked for in other documents; those of a longer one are paid for again. */
const COMPARED_CHUNKS_MAX = 64
const COMPARED_WORDS_MAX = 32

export class Derived {
  readonly #options: DerivedOptions

  constructor(options: DerivedOptions) {
    this.#options = options
  }

  /** To be committed with the receipt. */
  async record(collection: string, id: string, held: readonly Held[]): Promise<Change[]> {
    const { embeddings, contexts, prefixesOf } = this.#options
    const prefixes = await prefixesOf(collection)
    const texts = new Set(held.flatMap(({ title, chunks }) => chunks.map((chunk) => searchedText(title, chunk))))
    const vectors = await embeddings.keysOf(prefixes, [...texts])
    const sentences: Key[] = []
    for (const { title, chunks } of held) sentences.push(...(await contexts.keysOf(title, chunks)))
    const pages: Change[] = []
    for (let at = 0; at < Math.max(vectors.length, sentences.length); at += PAGE_KEYS) {
      const page = {
        embeddings: vectors.slice(at, at + PAGE_KEYS),
        contexts: sentences.slice(at, at + PAGE_KEYS),
      }
      pages.push(put(PAGES, pageKey(collection, id, at), page))
    }
    return pages
  }

  /** Once the document is removed. What another document has word for word is kept. Resolves to how many
   *  passages those are. */
  async erase(collection: string, id: string, held: readonly Held[] = []): Promise<number> {
    const { rows, embeddings, contexts } = this.#options
    const shared = await this.#shared(held)
    const kept = new Set(
      (await embeddings.keysOf(await this.#options.prefixesOf(collection), [...shared])).map((key) => key.join('\n')),
    )
    for await (const { key, row } of scanAll(rows, PAGES, [collection, id])) {
      await embeddings.forget(row.embeddings.filter((one) => !kept.has(one.join('\n'))))
      await contexts.forget(row.contexts)
      await rows.commit([remove(PAGES, key)])
    }
    return shared.size
  }

  /** Texts among the first that stand in a living document too. */
  async #shared(held: readonly Held[]): Promise<Set<string>> {
    const shared = new Set<string>()
    for (const { storage, title, chunks } of held)
      for (const chunk of chunks.slice(0, COMPARED_CHUNKS_MAX)) {
        const text = searchedText(title, chunk)
        if (!shared.has(text) && (await this.#isHeld(storage, text, chunk.document))) shared.add(text)
      }
    return shared
  }

  async #isHeld(storage: string, wanted: string, document: string): Promise<boolean> {
    const { rows, index, analyzer } = this.#options
    const words = new Set(analyzer.words(wanted).map(({ start, end }) => wanted.slice(start, end)))
    const terms = [...words].slice(0, COMPARED_WORDS_MAX).map((word) => ({ word, weight: 1 }))
    if (terms.length === 0) return false
    const hits = await index.search(storage, { terms, k: HITS_MAX })
    const found = await getAll(
      rows,
      CHUNKS,
      hits.map((hit) => chunkKey(hit.segment, hit.chunk)),
    )
    const others = found.flatMap((stored) =>
      stored === undefined || stored.row.document === document ? [] : stored.row,
    )
    const owners = await getAll(
      rows,
      DOCUMENTS,
      others.map((row) => documentKey(storage, row.document)),
    )
    return others.some((row, at) => searchedText(owners[at]?.row.title ?? '', row) === wanted)
  }
}

const pageKey = (collection: string, id: string, at: number): Key => [collection, id, String(at).padStart(9, '0')]
