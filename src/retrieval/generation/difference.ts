import { type Rows, scanAll, type Stored } from '../../store/rows.ts'
import { collectionKey, DOCUMENTS, type DocumentRow } from '../document.ts'

/** What a generation must still take over from another one, document by document in the order of their
 *  ids: both are read side by side, a page of each at a time, however many there are. */
export type Different =
  | { readonly missing: DocumentRow }
  /** A document that is no more. */
  | { readonly gone: string }

export async function* differences(rows: Rows, from: string, to: string): AsyncGenerator<Different> {
  const there = scanAll(rows, DOCUMENTS, collectionKey(to))
  let other = await there.next()
  for await (const { row } of scanAll(rows, DOCUMENTS, collectionKey(from))) {
    for (; isBefore(other, row.id); other = await there.next()) yield { gone: idOf(other) }
    const same = !other.done && other.value.row.id === row.id ? other.value.row : undefined
    if (same !== undefined) other = await there.next()
    if (same === undefined || isOutdated(same, row)) yield { missing: row }
  }
  for (; !other.done; other = await there.next()) yield { gone: other.value.row.id }
}

type Next = IteratorResult<Stored<DocumentRow>>
const isBefore = (next: Next, id: string): boolean => !next.done && next.value.row.id < id
const idOf = (next: Next): string => (next.done ? '' : next.value.row.id)

/** Read again since: its content, its attributes, or how it could be cut may be others. */
const isOutdated = (held: DocumentRow, now: DocumentRow): boolean =>
  held.contentHash !== now.contentHash || held.ingestedAtMs !== now.ingestedAtMs

export async function countMissing(rows: Rows, from: string, to: string): Promise<number> {
  let count = 0
  for await (const one of differences(rows, from, to)) if ('missing' in one) count++
  return count
}
