import type { DatabaseSync, StatementSync } from 'node:sqlite'
import type { JsonObject } from '../../base/json.ts'
import {
  APPEND_ENTRIES_MAX,
  checkCount,
  checkLimit,
  checkName,
  checkPosition,
  cursorPosition,
  entryJson,
} from '../../store/bounds.ts'
import type { Entry, Events, Followed, Page } from '../../store/events.ts'
import { records, type CallsOf, type Cell, type StoreCaller } from './protocol.ts'

/** The journal, from the thread that asks. */
export class SqliteEvents implements Events {
  readonly #store: StoreCaller

  constructor(store: StoreCaller) {
    this.#store = store
  }

  async append(entries: readonly Entry[]): Promise<void> {
    checkCount('entries', entries.length, APPEND_ENTRIES_MAX)
    await this.appendCells(cellsOf(entries))
  }

  /** Entries as `cellsOf` makes them. */
  async appendCells(cells: readonly Cell[]): Promise<void> {
    await this.#store.call('events.append', cells)
  }

  async read(id: string): Promise<Entry[]> {
    checkName('the id of an entry', id)
    return entriesOf(await this.#store.call('events.read', id))
  }

  async recent(options: { readonly kind?: string; readonly before?: string; readonly limit: number }): Promise<Page> {
    checkLimit(options.limit)
    const before = options.before === undefined ? Number.MAX_SAFE_INTEGER : cursorPosition(options.before)
    const cells = await this.#store.call('events.recent', options.kind ?? null, before, options.limit + 1)
    const entries = entriesOf(cells)
    if (entries.length <= options.limit) return { entries }
    return { entries: entries.slice(0, options.limit), next: String(cells[(options.limit - 1) * ENTRY_CELLS]) }
  }

  async follow(position: number, limit: number): Promise<Followed> {
    checkPosition(position)
    checkLimit(limit)
    const cells = await this.#store.call('events.follow', position, limit)
    const last = cells.at(-ENTRY_CELLS)
    return { entries: entriesOf(cells), position: typeof last === 'number' ? last : position }
  }

  async unclosed(limit: number): Promise<Entry[]> {
    checkLimit(limit)
    return entriesOf(await this.#store.call('events.unclosed', limit))
  }
}

const ENTRY_CELLS = 6
/** Of an entry that is given, and has no position yet. */
export const ENTRY_GIVEN_CELLS = 5

/** Entries as the store's thread takes them, once they are fit to be kept. */
export function cellsOf(entries: readonly Entry[]): Cell[] {
  const cells: Cell[] = []
  for (const entry of entries) cells.push(entry.id, entry.phase, entry.kind, entry.atMs, entryJson(entry))
  return cells
}

function entriesOf(cells: readonly Cell[]): Entry[] {
  const entries: Entry[] = []
  for (const [, id, phase, kind, atMs, json] of records(cells, ENTRY_CELLS)) {
    const body = JSON.parse(json as string) as JsonObject
    entries.push({ id: id as string, phase: phase as Entry['phase'], kind: kind as string, atMs: atMs as number, body })
  }
  return entries
}

/** The journal, inside the store's thread. */
export function eventsCalls(db: DatabaseSync): CallsOf<'events'> {
  // The first entry of an id and phase stands. An opening awaits its close unless that came first.
  const append = db.prepare(`
    INSERT INTO events (id, phase, kind, at_ms, json, awaits_close)
    VALUES (?1, ?2, ?3, ?4, ?5, ?2 = 'open' AND NOT EXISTS (SELECT 1 FROM events WHERE id = ?1 AND phase = 'close'))
    ON CONFLICT (id, phase) DO NOTHING`)
  const close = db.prepare("UPDATE events SET awaits_close = 0 WHERE id = ? AND phase = 'open'")
  const columns = 'position, id, phase, kind, at_ms, json'
  const read = db.prepare(`SELECT ${columns} FROM events WHERE id = ? ORDER BY phase DESC`)
  const recent = db.prepare(
    `SELECT ${columns} FROM events WHERE phase = 'close' AND position < ? ORDER BY position DESC LIMIT ?`,
  )
  const ofKind = db.prepare(
    `SELECT ${columns} FROM events WHERE phase = 'close' AND kind = ? AND position < ? ORDER BY position DESC LIMIT ?`,
  )
  const follow = db.prepare(
    `SELECT ${columns} FROM events WHERE phase = 'close' AND position > ? ORDER BY position LIMIT ?`,
  )
  const unclosed = db.prepare(`SELECT ${columns} FROM events WHERE awaits_close ORDER BY position LIMIT ?`)

  const cells = (statement: StatementSync, ...values: Cell[]): Cell[] =>
    statement
      .all(...values)
      .flatMap((row) => [row['position'], row['id'], row['phase'], row['kind'], row['at_ms'], row['json']] as Cell[])

  return {
    'events.append'(entries) {
      for (const [id, phase, kind, atMs, json] of records(entries, ENTRY_GIVEN_CELLS)) {
        append.run(id as string, phase as string, kind as string, atMs as number, json as string)
        if (phase === 'close') close.run(id as string)
      }
      return true
    },
    'events.read': (id) => cells(read, id),
    'events.recent': (kind, before, limit) =>
      kind === null ? cells(recent, before, limit) : cells(ofKind, kind, before, limit),
    'events.follow': (position, limit) => cells(follow, position, limit),
    'events.unclosed': (limit) => cells(unclosed, limit),
  }
}
