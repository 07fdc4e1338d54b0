import { closeSync, openSync } from 'node:fs'
import { DatabaseSync, type StatementSync } from 'node:sqlite'
import { fault } from '../../../base/errors.ts'

/** The hot index of the telemetry, a file of its own beside the store. Everything in it comes from the
 *  log and the journal, up to the positions that are committed with it. */

const STEPS = [
  `
  CREATE TABLE mark (name TEXT PRIMARY KEY, segment INTEGER NOT NULL, offset INTEGER NOT NULL) WITHOUT ROWID;

  CREATE TABLE unread (segment INTEGER NOT NULL, offset INTEGER NOT NULL, text TEXT NOT NULL);

  CREATE TABLE trace (
    id INTEGER PRIMARY KEY,
    trace_id BLOB NOT NULL UNIQUE,
    tenant TEXT NOT NULL, service TEXT NOT NULL, name TEXT NOT NULL, user TEXT NOT NULL, session TEXT NOT NULL,
    workflow TEXT NOT NULL, model TEXT NOT NULL,
    has_root INTEGER NOT NULL,
    start_us INTEGER NOT NULL, end_us INTEGER NOT NULL,
    spans INTEGER NOT NULL, errors INTEGER NOT NULL,
    input_tokens INTEGER NOT NULL, output_tokens INTEGER NOT NULL, cost INTEGER NOT NULL,
    request TEXT NOT NULL,
    first_token_us INTEGER, probability REAL NOT NULL,
    latency_class INTEGER NOT NULL, cost_class INTEGER NOT NULL,
    touched_us INTEGER NOT NULL,
    hot INTEGER NOT NULL,
    cold INTEGER NOT NULL,
    texts INTEGER NOT NULL
  );
  CREATE INDEX trace_start ON trace (start_us);
  CREATE INDEX trace_tenant ON trace (tenant, start_us) WHERE tenant <> '';
  CREATE INDEX trace_model ON trace (model, start_us) WHERE model <> '';
  CREATE INDEX trace_user ON trace (user, start_us) WHERE user <> '';
  CREATE INDEX trace_session ON trace (session, start_us) WHERE session <> '';
  CREATE INDEX trace_workflow ON trace (workflow, start_us) WHERE workflow <> '';
  CREATE INDEX trace_errors ON trace (start_us) WHERE errors > 0;
  CREATE INDEX trace_latency ON trace (latency_class, start_us, end_us);
  CREATE INDEX trace_cost ON trace (cost_class, start_us, cost) WHERE cost_class > 0;
  CREATE INDEX trace_due ON trace (touched_us) WHERE hot > 0;

  CREATE TABLE span (
    trace INTEGER NOT NULL, span_id BLOB NOT NULL, start_us INTEGER NOT NULL, cells TEXT NOT NULL,
    PRIMARY KEY (trace, span_id)
  ) WITHOUT ROWID;

  CREATE VIRTUAL TABLE words USING fts5(body, content='', contentless_delete=1, detail='none');

  CREATE TABLE score (
    trace_id BLOB NOT NULL, id TEXT NOT NULL, at_us INTEGER NOT NULL, json TEXT NOT NULL, PRIMARY KEY (trace_id, id)
  ) WITHOUT ROWID;

  CREATE TABLE rollup (
    width_us INTEGER NOT NULL, bucket_us INTEGER NOT NULL, of TEXT NOT NULL,
    spans INTEGER NOT NULL, errors INTEGER NOT NULL, input_tokens INTEGER NOT NULL, output_tokens INTEGER NOT NULL,
    cost INTEGER NOT NULL, duration TEXT NOT NULL, first_token TEXT NOT NULL,
    PRIMARY KEY (width_us, bucket_us, of)
  ) WITHOUT ROWID;

  CREATE TABLE point (
    name TEXT NOT NULL, at_us INTEGER NOT NULL, labels TEXT NOT NULL, tenant TEXT NOT NULL,
    value REAL NOT NULL, count INTEGER, PRIMARY KEY (name, at_us, labels, tenant)
  ) WITHOUT ROWID;

  CREATE TABLE part (
    id INTEGER PRIMARY KEY, day TEXT NOT NULL, file TEXT NOT NULL, spans INTEGER NOT NULL, bytes INTEGER NOT NULL,
    start_us INTEGER NOT NULL, end_us INTEGER NOT NULL
  );
  CREATE TABLE trace_part (trace INTEGER NOT NULL, part INTEGER NOT NULL, PRIMARY KEY (trace, part)) WITHOUT ROWID;
  CREATE TABLE gone (trace_id BLOB NOT NULL, part INTEGER NOT NULL, span_ids BLOB NOT NULL, at_us INTEGER NOT NULL,
    PRIMARY KEY (trace_id, part)) WITHOUT ROWID;
  CREATE INDEX gone_at ON gone (at_us);
  `,
  `
  ALTER TABLE trace ADD COLUMN prompt TEXT NOT NULL DEFAULT '';
  CREATE INDEX trace_prompt ON trace (prompt, start_us) WHERE prompt <> '';
  `,
  `CREATE INDEX score_at ON score (at_us);`,
  // Files that were made into one: what lay in `part` lies in `into_part`.
  `
  CREATE TABLE merged (part INTEGER PRIMARY KEY, into_part INTEGER NOT NULL);
  CREATE INDEX merged_into ON merged (into_part);
  `,
] as const

const APPLICATION_ID = 0x48445754 // HDWT
const CACHE_KIBIBYTES = 64 * 1024
const LOG_BYTES_KEPT = 64 * 1024 * 1024

/** Opens the file or makes it. Throws a `Fault` (`data_unusable`) where it is another program's or a
 *  newer version's. */
export function openTelemetryFile(path: string): DatabaseSync {
  closeSync(openSync(path, 'a', 0o600))
  const db = new DatabaseSync(path)
  const pragma = (name: string): number => Number(db.prepare(`PRAGMA ${name}`).get()?.[name] ?? 0)
  const version = pragma('user_version')
  const isEmpty = db.prepare('SELECT 1 FROM sqlite_schema LIMIT 1').get() === undefined
  if (version > STEPS.length || (!isEmpty && pragma('application_id') !== APPLICATION_ID)) {
    db.close()
    throw fault('data_unusable', { path, reason: 'telemetry.db was written by another program or a newer Headworks' })
  }
  // What the log still holds is replayed, so a commit need not wait for the disk: after a power cut the
  // file is whole, and perhaps a little behind.
  db.exec(`
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = NORMAL;
    PRAGMA journal_size_limit = ${LOG_BYTES_KEPT};
    PRAGMA cache_size = -${CACHE_KIBIBYTES};
    PRAGMA temp_store = MEMORY;
    PRAGMA wal_autocheckpoint = 0;
  `)
  if (version < STEPS.length) {
    db.exec('BEGIN IMMEDIATE')
    for (const step of STEPS.slice(version)) db.exec(step)
    db.exec(`PRAGMA application_id = ${APPLICATION_ID}; PRAGMA user_version = ${STEPS.length}; COMMIT`)
  }
  return db
}

/** A statement that writes. The full-text index numbers its pages beyond what a number holds, and the
 *  last row id, which goes with every write, may be one of these. */
export function writing(db: DatabaseSync, sql: string): StatementSync {
  const statement = db.prepare(sql)
  statement.setReadBigInts(true)
  return statement
}
