import { CHUNKS, type ChunkRow, DOCUMENTS, type DocumentRow } from '../src/retrieval/document.ts'
import type { Rows, Stored } from '../src/store/rows.ts'

/** Just enough of rows for a search: one document and one chunk per text. */
export function rowsOver(
  textOf: (segment: string, chunk: number) => { readonly id: string; readonly text: string } | undefined,
  placeOf: (id: string) => { readonly segment: string; readonly chunk: number },
): Rows {
  const find = (table: string, key: readonly string[]): unknown => {
    if (table === DOCUMENTS.name) return documentOf(key[1] ?? '', placeOf(key[1] ?? ''))
    const found = table === CHUNKS.name ? textOf(key[0] ?? '', Number(key[1])) : undefined
    return found === undefined ? undefined : chunkOf(found)
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

const documentOf = (id: string, { segment, chunk }: { segment: string; chunk: number }): DocumentRow => ({
  id,
  uri: id,
  title: id,
  mediaType: 'text/plain',
  contentHash: '',
  bytes: 0,
  segment,
  firstChunk: chunk,
  chunkCount: 1,
  ingestedAtMs: 0,
})

const stored = <Row>(key: readonly string[], row: unknown): Stored<Row> | undefined =>
  row === undefined ? undefined : { key, row: row as Row, version: 1 }
