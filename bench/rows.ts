import { CHUNKS, type ChunkRow, DOCUMENTS, type DocumentRow } from '../src/retrieval/document.ts'
import type { Rows, Stored } from '../src/store/rows.ts'

/** Just enough of rows for a search: one document and one chunk per text. */
export function rowsOver(
  textOf: (segment: string, chunk: number) => { readonly id: string; readonly text: string } | undefined,
): Rows {
  /** A search asks for chunks, then for the documents that hold them. */
  const places = new Map<string, Pick<DocumentRow, 'segment' | 'firstChunk'>>()
  const find = (table: string, key: readonly string[]): unknown => {
    const [first = '', second = ''] = key
    if (table === DOCUMENTS.name) return { ...documentOf(second), ...places.get(second) }
    const found = table === CHUNKS.name ? textOf(first, Number(second)) : undefined
    if (found === undefined) return undefined
    places.set(found.id, { segment: first, firstChunk: Number(second) })
    return chunkOf(found)
  }
  return {
    get: async <Row>(from: { name: string }, key: readonly string[]) => stored<Row>(key, find(from.name, key)),
    getMany: async <Row>(from: { name: string }, keys: readonly (readonly string[])[]) =>
      keys.map((key) => stored<Row>(key, find(from.name, key))),
    scan: async () => [],
    commit: async () => false,
    close: async () => {},
  }
}

const chunkOf = ({ id, text }: { readonly id: string; readonly text: string }): ChunkRow => ({
  document: id,
  text,
  headings: [],
  start: 0,
  end: text.length,
})

const documentOf = (id: string): DocumentRow => ({
  id,
  uri: id,
  title: id,
  mediaType: 'text/plain',
  contentHash: '',
  bytes: 0,
  segment: 'bench',
  firstChunk: 0,
  chunkCount: 1,
  ingestedAtMs: 0,
})

const stored = <Row>(key: readonly string[], row: unknown): Stored<Row> | undefined =>
  row === undefined ? undefined : { key, row: row as Row, version: 1 }
