/** Rows: small records under ordered keys, changed in atomic, durable batches. The port is an
 *  ordered key-value store with compare-and-set, the least that SQLite, Postgres and a map in
 *  memory share, so that no room above writes SQL. */

/** A table is a name and the type of its rows. Rows are plain JSON values. */
export interface Table<Row> {
  readonly name: string
  /** Only for the compiler. */
  readonly row?: Row
}

export const table = <Row>(name: string): Table<Row> => ({ name })

/** One to eight parts, each of at most 512 UTF-16 units and without U+0000. Ordered part by
 *  part, in code-unit order. */
export type Key = readonly string[]

export interface Stored<Row> {
  readonly key: Key
  /** Not to be changed: it may be what the next reader gets too, and is frozen then. */
  readonly row: Row
  /** Grows with every change of this key, also across its removal: the token for
   *  compare-and-set. */
  readonly version: number
}

export interface Range {
  /** Leading parts that must match. Empty: the whole table. */
  readonly prefix?: Key
  /** Continue after this key (exclusive). */
  readonly after?: Key
  /** At most this many, at most `SCAN_MAX`. */
  readonly limit: number
  readonly reverse?: boolean
}

export const SCAN_MAX = 10_000

/** `version` absent: whatever is there. `version: 0`: only if nothing is there. Else only if it
 *  is still that version. */
export type Change =
  | { readonly op: 'put'; readonly table: string; readonly key: Key; readonly row: unknown; readonly version?: number }
  | { readonly op: 'remove'; readonly table: string; readonly key: Key; readonly version?: number }

export const put = <Row>(into: Table<Row>, key: Key, row: Row, version?: number): Change =>
  version === undefined ? { op: 'put', table: into.name, key, row } : { op: 'put', table: into.name, key, row, version }

export const remove = <Row>(from: Table<Row>, key: Key, version?: number): Change =>
  version === undefined ? { op: 'remove', table: from.name, key } : { op: 'remove', table: from.name, key, version }

export interface Rows {
  /** Every read sees the commits acknowledged before it was asked for. A key, a limit or a value
   *  beyond its bounds is a `Fault` (`internal`) here and in `commit`. */
  get<Row>(from: Table<Row>, key: Key): Promise<Stored<Row> | undefined>
  /** Many keys of one table at once; the answer has the same order and length. */
  getMany<Row>(from: Table<Row>, keys: readonly Key[]): Promise<(Stored<Row> | undefined)[]>
  scan<Row>(from: Table<Row>, range: Range): Promise<Stored<Row>[]>
  /** All changes or none, in their order: a later one sees the earlier. True once durable; false,
   *  with nothing changed, where a `version` no longer holds. Rejects with a `Fault`
   *  (`store_unavailable`, `disk_full`). */
  commit(changes: readonly Change[]): Promise<boolean>
  close(): Promise<void>
}

/** Every row under `prefix`, in order, page by page: a row that comes or goes meanwhile may be seen
 *  or not. */
export async function* scanAll<Row>(rows: Rows, from: Table<Row>, prefix: Key = []): AsyncGenerator<Stored<Row>> {
  let after: Key | undefined
  do {
    const page = await rows.scan(from, { prefix, limit: SCAN_MAX, ...(after === undefined ? {} : { after }) })
    yield* page
    after = page.length === SCAN_MAX ? page.at(-1)?.key : undefined
  } while (after !== undefined)
}

/** As `getMany`, for any number of keys. */
export async function getAll<Row>(
  rows: Rows,
  from: Table<Row>,
  keys: readonly Key[],
): Promise<(Stored<Row> | undefined)[]> {
  const found: (Stored<Row> | undefined)[] = []
  for (let at = 0; at < keys.length; at += SCAN_MAX)
    found.push(...(await rows.getMany(from, keys.slice(at, at + SCAN_MAX))))
  return found
}
