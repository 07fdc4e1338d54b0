import { refuse, Refusal } from '../base/errors.ts'
import type { JsonObject } from '../base/json.ts'
import type { Key, Rows, Table } from '../store/rows.ts'
import { limitOf } from './router.ts'

/** Pages of lists as OpenAI has them: by the id of the last entry seen. Ordered by id. */

export interface Cursor {
  readonly limit: number
  readonly descending: boolean
  readonly after: string | undefined
  readonly before: string | undefined
}

const LIMIT_DEFAULT = 20
const LIMIT_MAX = 100

export function cursorOf(
  query: URLSearchParams,
  page: { readonly default: number; readonly most: number } = { default: LIMIT_DEFAULT, most: LIMIT_MAX },
): Cursor | Refusal {
  const limit = limitOf(query, { ...page, cursor: 'after' })
  if (limit instanceof Refusal) return limit
  const order = query.get('order') ?? 'desc'
  if (order !== 'asc' && order !== 'desc')
    return refuse('field_invalid', { field: 'order', problem: 'must be asc or desc', remedy: 'Leave it out for desc.' })
  return {
    limit,
    descending: order === 'desc',
    after: query.get('after') ?? undefined,
    before: query.get('before') ?? undefined,
  }
}

/** The page among `ids` in ascending order, of which there are few. `before` asks for the last ones ahead
 *  of an entry. */
export function pageAmong(
  ids: readonly string[],
  { limit, descending, after, before }: Cursor,
): { readonly chosen: string[]; readonly more: boolean } {
  const isPast = (id: string, mark: string): boolean => (descending ? id < mark : id > mark)
  const left = (descending ? ids.toReversed() : ids).filter(
    (id) => (after === undefined || isPast(id, after)) && (before === undefined || isPast(before, id)),
  )
  const chosen = before !== undefined && after === undefined ? left.slice(-limit) : left.slice(0, limit)
  return { chosen, more: left.length > chosen.length }
}

/** Rows looked at in one go. */
const SCANNED = 500

/** The page of a table's rows under `prefix` whose further key is an id, of those that may be `seen`.
 *  `before` alone asks for the last ones ahead of an entry. Costs what it answers with, and what it
 *  passes over. */
export async function pageOf<Row>(
  rows: Rows,
  from: Table<Row>,
  prefix: Key,
  { limit, descending, after, before }: Cursor,
  seen: (row: Row) => boolean,
): Promise<{ readonly chosen: Row[]; readonly more: boolean }> {
  const backwards = before !== undefined && after === undefined
  const reverse = descending !== backwards
  const isPast = (id: string): boolean =>
    !backwards && before !== undefined && (descending ? id <= before : id >= before)
  const found: Row[] = []
  let last = backwards ? before : after
  for (;;) {
    const page = await rows.scan(from, {
      prefix,
      limit: SCANNED,
      reverse,
      ...(last === undefined ? {} : { after: [...prefix, last] }),
    })
    for (const { key, row } of page) {
      last = key.at(-1) ?? ''
      if (isPast(last)) return { chosen: found, more: false }
      if (!seen(row)) continue
      if (found.length === limit) return { chosen: backwards ? found.reverse() : found, more: true }
      found.push(row)
    }
    if (page.length < SCANNED) return { chosen: backwards ? found.reverse() : found, more: false }
  }
}

/** A page as OpenAI's clients read it. */
export const shownPage = (data: readonly JsonObject[], more: boolean): JsonObject => ({
  object: 'list',
  data,
  first_id: data[0]?.['id'] ?? null,
  last_id: data.at(-1)?.['id'] ?? null,
  has_more: more,
})
