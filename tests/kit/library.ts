import { Analyzer } from '../../src/base/words.ts'
import { MemoryIndex } from '../../src/drivers/memory/index.ts'
import { MemoryRows } from '../../src/drivers/memory/rows.ts'
import { CHUNKS, chunkKey, collectionKey, COLLECTIONS, documentKey, DOCUMENTS } from '../../src/retrieval/document.ts'
import { createSearch, type Search, type SearchDependencies } from '../../src/retrieval/search.ts'
import { attributesOf } from '../../src/retrieval/search/access.ts'
import type { Attributes } from '../../src/store/filter.ts'
import { put } from '../../src/store/rows.ts'

/** A collection `c` in memory, all in one segment, to be searched. */

export interface Written {
  readonly id: string
  /** Its id where left out. */
  readonly title?: string
  /** One text a chunk. */
  readonly texts: readonly string[]
  readonly metadata?: Attributes
  /** Of each chunk; under one heading where left out. */
  readonly headings?: readonly string[]
}

export interface OpenLibrary extends Search {
  readonly rows: MemoryRows
  readonly index: MemoryIndex
}

/** What a text is about, by words a test chooses: each axis is one meaning. */
const MEANINGS = ['car automobile vehicle', 'apple fruit pear', 'key lock password', 'ship boat harbour']

export function meaningOf(text: string): Float32Array {
  const words = new Set(text.toLowerCase().split(/\W+/))
  const axes = MEANINGS.map((meaning) => Number(meaning.split(' ').some((word) => words.has(word))))
  // Never all zeros.
  return Float32Array.from([...axes, 0.1])
}

/** Between the chunks of a document, as a parser leaves it. */
const GAP = 2

export async function openLibrary(
  documents: readonly Written[],
  { vectors = true, ...more }: Partial<SearchDependencies> & { readonly vectors?: boolean } = {},
): Promise<OpenLibrary> {
  const analyzer = new Analyzer()
  const [rows, index] = [new MemoryRows(), new MemoryIndex(analyzer)]
  const chunks = documents.flatMap(({ id, texts, metadata }) =>
    texts.map((text) => ({
      text,
      attributes: attributesOf({ id, ...(metadata === undefined ? {} : { metadata }) }),
      ...(vectors ? { vector: meaningOf(text) } : {}),
    })),
  )
  await index.build('s', chunks)
  await index.mount('c', [{ segment: 's', removed: [] }])
  let next = 0
  for (const { id, texts, title = id, metadata, headings = [] } of documents) {
    const firstChunk = next
    let start = 0
    for (const [at, text] of texts.entries()) {
      const heading = headings[at]
      const row = {
        document: id,
        text,
        headings: heading === undefined ? [] : [heading],
        start,
        end: start + text.length,
      }
      await rows.commit([put(CHUNKS, chunkKey('s', next++), row)])
      start += text.length + GAP
    }
    const document = {
      id,
      uri: `file/${id}.md`,
      title,
      mediaType: 'text/markdown',
      contentHash: '',
      bytes: 1,
      segment: 's',
      firstChunk,
      chunkCount: texts.length,
      ingestedAtMs: 0,
      ...(metadata === undefined ? {} : { metadata }),
    }
    await rows.commit([put(DOCUMENTS, documentKey('c', id), document)])
  }
  const row = { name: 'c', segments: [{ segment: 's', removed: [], chunks: next }], documents: documents.length }
  await rows.commit([put(COLLECTIONS, collectionKey('c'), { ...row, chunks: next, bytes: 0, updatedAtMs: 0 })])
  const { search } = createSearch({
    index,
    rows,
    analyzer,
    questionVector: async (_, question) => (vectors ? meaningOf(question) : undefined),
    ...more,
  })
  return { rows, index, search }
}
