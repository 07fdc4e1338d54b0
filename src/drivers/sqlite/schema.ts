import { closeSync, openSync, statSync } from 'node:fs'
import { basename, dirname } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { fault } from '../../base/errors.ts'
import { openingFault } from './failure.ts'
import type { ThreadOptions } from './protocol.ts'

/** Step n brings a file from schema version n to n + 1. A step that was released is never edited. */
const STEPS = [
  `
  CREATE TABLE counter (value INTEGER NOT NULL);
  INSERT INTO counter VALUES (0);

  CREATE TABLE rows (key BLOB NOT NULL, version INTEGER NOT NULL, json TEXT NOT NULL);
  CREATE UNIQUE INDEX rows_key ON rows (key);

  CREATE TABLE jobs (
    queue TEXT NOT NULL, id TEXT NOT NULL, place INTEGER NOT NULL, state TEXT NOT NULL, json TEXT NOT NULL,
    attempt INTEGER NOT NULL, ready_at_ms REAL NOT NULL, token INTEGER NOT NULL, reason TEXT,
    PRIMARY KEY (queue, id)
  );
  CREATE INDEX jobs_place ON jobs (queue, place);
  CREATE INDEX jobs_ready ON jobs (queue, ready_at_ms, place) WHERE state IN ('waiting', 'leased');
  CREATE INDEX jobs_done ON jobs (queue, place) WHERE state = 'done';

  CREATE TABLE leases (name TEXT PRIMARY KEY, holder TEXT NOT NULL, epoch INTEGER NOT NULL, expires_at_ms REAL NOT NULL);

  CREATE TABLE events (
    position INTEGER PRIMARY KEY, id TEXT NOT NULL, phase TEXT NOT NULL, kind TEXT NOT NULL, at_ms REAL NOT NULL,
    json TEXT NOT NULL, awaits_close INTEGER NOT NULL
  );
  CREATE UNIQUE INDEX events_id ON events (id, phase);
  CREATE INDEX events_closed ON events (position) WHERE phase = 'close';
  CREATE INDEX events_closed_kind ON events (kind, position) WHERE phase = 'close';
  CREATE INDEX events_unclosed ON events (position) WHERE awaits_close;
  `,
] as const

/** Kept in the file's header, so that a stranger's database is not taken for ours. */
const APPLICATION_ID = 0x48445753 // HDWS

const PAGE_BYTES = 4096
/** What is kept of the write-ahead log once it was written back. */
const LOG_BYTES_KEPT = 16 * 1024 * 1024
const CACHE_KIBIBYTES = 8 * 1024
const READING_CACHE_KIBIBYTES = 32 * 1024
const BUSY_MS_MAX = 5_000
/** A file up to this is read through at every opening, at about 1 ms a megabyte: damage in the
 *  middle can otherwise read as an empty table, and what stands in it as lost. */
const CHECKED_BYTES_MAX = 128 * 1024 * 1024

/** Opens the file, makes it or brings it up to this version. Throws a `Fault`: `data_unusable`
 *  (damaged, not ours, written by a newer version, not to be opened), `disk_full`. */
export function openDatabase({ path, bytesMax }: ThreadOptions): DatabaseSync {
  let db: DatabaseSync | undefined
  try {
    // SQLite gives its log the permissions of the file, which the owner alone shall read.
    closeSync(openSync(path, 'a', 0o600))
    db = new DatabaseSync(path, { timeout: BUSY_MS_MAX })
    db.exec(`PRAGMA page_size = ${PAGE_BYTES}`)
    checkOurs(db, path)
    db.exec(`
      PRAGMA journal_mode = WAL;
      PRAGMA synchronous = FULL;
      PRAGMA journal_size_limit = ${LOG_BYTES_KEPT};
      PRAGMA cache_size = -${CACHE_KIBIBYTES};
      PRAGMA temp_store = MEMORY;
      PRAGMA cell_size_check = ON;
      PRAGMA secure_delete = ON;
    `)
    checkWhole(db, path)
    if (bytesMax !== undefined) db.exec(`PRAGMA max_page_count = ${Math.floor(bytesMax / PAGE_BYTES)}`)
    migrate(db)
    return db
  } catch (thrown) {
    db?.close()
    throw openingFault(thrown, path)
  }
}

/** A further connection to a file that was opened by the one above. Throws a `Fault` (`data_unusable`). */
export function openReading({ path }: ThreadOptions): DatabaseSync {
  try {
    const db = new DatabaseSync(path, { readOnly: true, timeout: BUSY_MS_MAX })
    db.exec(`PRAGMA cache_size = -${READING_CACHE_KIBIBYTES}; PRAGMA cell_size_check = ON;`)
    return db
  } catch (thrown) {
    throw openingFault(thrown, path)
  }
}

/** Empties the log, which holds pages as they were. Waits for nobody: the whole store would. */
export function scrub(db: DatabaseSync): boolean {
  db.exec('PRAGMA busy_timeout = 0')
  try {
    return db.prepare('PRAGMA wal_checkpoint(TRUNCATE)').get()?.['busy'] === 0
  } finally {
    db.exec(`PRAGMA busy_timeout = ${BUSY_MS_MAX}`)
  }
}

function checkOurs(db: DatabaseSync, path: string): void {
  const version = pragma(db, 'user_version')
  const known = pragma(db, 'application_id') === APPLICATION_ID
  const empty = db.prepare('SELECT 1 FROM sqlite_schema LIMIT 1').get() === undefined
  if (!known && !empty) throw unusable(path, 'is a database of another program')
  if (version > STEPS.length) {
    throw unusable(
      path,
      `was written by a newer Headworks (schema ${version}; this one knows ${STEPS.length}): update Headworks`,
    )
  }
}

function checkWhole(db: DatabaseSync, path: string): void {
  if (statSync(path).size > CHECKED_BYTES_MAX) return
  const found = db.prepare('PRAGMA quick_check(1)').get()?.['quick_check']
  if (found !== 'ok') throw unusable(path, `is damaged (${String(found)})`)
}

function migrate(db: DatabaseSync): void {
  const version = pragma(db, 'user_version')
  if (version === STEPS.length) return
  db.exec('BEGIN IMMEDIATE')
  for (const step of STEPS.slice(version)) db.exec(step)
  db.exec(`PRAGMA application_id = ${APPLICATION_ID}; PRAGMA user_version = ${STEPS.length}; COMMIT`)
}

function pragma(db: DatabaseSync, name: 'user_version' | 'application_id'): number {
  return Number(db.prepare(`PRAGMA ${name}`).get()?.[name] ?? 0)
}

const unusable = (path: string, reason: string): Error =>
  fault('data_unusable', { path: dirname(path), reason: `${basename(path)} ${reason}` })
