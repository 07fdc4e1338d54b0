import type { DatabaseSync } from 'node:sqlite'
import { checkCount, checkVersion, COMMIT_CHANGES_MAX, COMMIT_UNITS_MAX, jsonText } from '../../store/bounds.ts'
import { interval, keyOf, keyText } from '../../store/keys.ts'
import { SCAN_MAX, type Change, type Key, type Range, type Rows, type Stored, type Table } from '../../store/rows.ts'
import type { Counter } from './counter.ts'
import { frozen, type KeptRow, KeptRows } from './kept-rows.ts'
import { keyBytes, keyTextOf } from './key.ts'
import { records, type CallsOf, type Cell, type StoreCaller } from './protocol.ts'

/** Rows of one reading that are kept for the next: what a search reads. */
const KEPT_AT_ONCE_MAX = 64

/** Any version will do. */
const ANY = -1

/** Rows, from the thread that asks. */
export class SqliteRows implements Rows {
  readonly #store: StoreCaller
  readonly #kept: KeptRows

  constructor(store: StoreCaller, kept: KeptRows = new KeptRows()) {
    this.#store = store
    this.#kept = kept
  }

  async get<Row>(from: Table<Row>, key: Key): Promise<Stored<Row> | undefined> {
    const [found] = await this.getMany(from, [key])
    return found
  }

  /** What is asked for one by one is likely asked for again; long lists are gone through once. */
  async getMany<Row>(from: Table<Row>, keys: readonly Key[]): Promise<(Stored<Row> | undefined)[]> {
    checkCount('keys', keys.length, SCAN_MAX)
    const texts = keys.map((key) => keyText(from.name, key))
    if (texts.length > KEPT_AT_ONCE_MAX) {
      const cells = await this.#store.call('rows.get', texts, [])
      return keys.map((key, at) => storedOf<Row>(key, cells, at))
    }
    const known = texts.map((text) => this.#kept.get(text))
    const asked = this.#kept.seesCommits ? texts.filter((_, at) => known[at] === undefined) : texts
    const fresh = asked.length === 0 ? NOTHING : await this.#ask(asked, known)
    return keys.map((key, at) => {
      const found = fresh.get(texts[at] ?? '') ?? (this.#kept.seesCommits ? known[at] : undefined)
      return found === undefined ? undefined : { key, row: found.row as Row, version: found.version }
    })
  }

  /** What there is of them; `known` has some of them, as they were. */
  async #ask(asked: readonly string[], known: readonly (KeptRow | undefined)[]): Promise<Map<string, KeptRow>> {
    const kept = this.#kept
    const reading = kept.begun()
    const found = new Map<string, KeptRow>()
    try {
      const versions = kept.seesCommits ? [] : known.map((one) => one?.version ?? 0)
      const cells = await this.#store.call('rows.get', asked, versions)
      for (const [at, text] of asked.entries()) {
        const [version, json] = [cells[2 * at] as number, cells[2 * at + 1] as string | null]
        const same = version > 0 && json === null ? known[at] : undefined
        if (version === 0) kept.forget(text)
        else if (same !== undefined) found.set(text, same)
        else {
          const one = { version, row: frozen(JSON.parse(json ?? '') as unknown), units: json?.length ?? 0 }
          kept.keep(text, one, reading)
          found.set(text, one)
        }
      }
      return found
    } finally {
      kept.ended(reading)
    }
  }

  async scan<Row>(from: Table<Row>, range: Range): Promise<Stored<Row>[]> {
    const within = interval(from.name, range)
    const cells = await this.#store.call('rows.scan', within.from, within.to, range.limit, range.reverse === true)
    const found: Stored<Row>[] = []
    for (const [key, version, json] of records(cells, 3)) {
      found.push({ key: keyOf(key as string), row: JSON.parse(json as string) as Row, version: version as number })
    }
    return found
  }

  async commit(changes: readonly Change[]): Promise<boolean> {
    checkCount('changes', changes.length, COMMIT_CHANGES_MAX)
    const cells: Cell[] = []
    let units = 0
    for (const change of changes) {
      if (change.version !== undefined) checkVersion(change.version)
      const json = change.op === 'put' ? jsonText('a row', change.row) : null
      checkCount('units of JSON', (units += json?.length ?? 0), COMMIT_UNITS_MAX)
      cells.push(keyText(change.table, change.key), json, change.version ?? ANY)
    }
    return this.#store.call('rows.commit', cells)
  }

  close(): Promise<void> {
    return this.#store.close()
  }
}

const NOTHING: ReadonlyMap<string, KeptRow> = new Map()

function storedOf<Row>(key: Key, cells: readonly Cell[], at: number): Stored<Row> | undefined {
  const version = cells[2 * at] as number
  return version === 0 ? undefined : { key, row: JSON.parse(cells[2 * at + 1] as string) as Row, version }
}

/** Rows, inside the store's thread. */
export function rowsCalls(db: DatabaseSync, counter: Counter): CallsOf<'rows'> {
  const get = db.prepare(
    'SELECT version, CASE WHEN version = ?2 THEN NULL ELSE json END AS json FROM rows WHERE key = ?1',
  )
  const version = db.prepare('SELECT version FROM rows WHERE key = ?')
  const ascending = db.prepare('SELECT key, version, json FROM rows WHERE key >= ? AND key < ? ORDER BY key LIMIT ?')
  const descending = db.prepare(
    'SELECT key, version, json FROM rows WHERE key >= ? AND key < ? ORDER BY key DESC LIMIT ?',
  )
  const put = db.prepare(
    'INSERT INTO rows (key, version, json) VALUES (?, ?, ?) ON CONFLICT (key) DO UPDATE SET version = excluded.version, json = excluded.json',
  )
  const remove = db.prepare('DELETE FROM rows WHERE key = ?')

  /** Stops at the first version that does not hold. */
  function apply(changes: readonly Cell[]): boolean {
    for (const [text, json, expected] of records(changes, 3)) {
      const key = keyBytes(text as string)
      if (expected !== ANY && Number(version.get(key)?.['version'] ?? 0) !== expected) return false
      if (json === null) remove.run(key)
      else put.run(key, counter.next(), json as string)
    }
    return true
  }

  return {
    'rows.get': (keys, versions) =>
      keys.flatMap((text, at) => {
        const row = get.get(keyBytes(text), versions[at] ?? 0)
        return row === undefined ? [0, null] : [row['version'] as number, row['json'] as string | null]
      }),
    'rows.scan'(from, to, limit, reverse) {
      const found = (reverse ? descending : ascending).all(keyBytes(from), keyBytes(to), limit)
      return found.flatMap((row) => [
        keyTextOf(row['key'] as Uint8Array),
        row['version'] as number,
        row['json'] as string,
      ])
    },
    'rows.commit'(changes) {
      db.exec('SAVEPOINT changes')
      const holds = apply(changes)
      db.exec(holds ? 'RELEASE changes' : 'ROLLBACK TO changes; RELEASE changes')
      return holds
    },
  }
}
