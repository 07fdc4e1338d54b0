import { DatabaseSync, type StatementSync } from 'node:sqlite'
import type { Entry } from '../../../store/events.ts'
import { spansOf } from '../../../trace/journal.ts'
import type { TelemetryRecord } from '../../../trace/record.ts'
import { spanCells } from '../../../trace/span.ts'

/** Reads our own requests from the journal, over a connection of its own that only reads: the request
 *  path says what it did once, and does nothing more for its traces. */

/** Entries of one step. */
const ENTRIES = 500

export class JournalReader {
  readonly #db: DatabaseSync
  readonly #follow: StatementSync

  constructor(path: string) {
    this.#db = new DatabaseSync(path, { readOnly: true })
    this.#follow = this.#db.prepare(
      "SELECT position, id, kind, at_ms, json FROM events WHERE phase = 'close' AND position > ? ORDER BY position LIMIT ?",
    )
  }

  /** What came after `position`, one record for each request. */
  after(position: number): { readonly records: TelemetryRecord[]; readonly position: number } {
    const rows = this.#follow.all(position, ENTRIES)
    const records = rows.map((row): TelemetryRecord => {
      const entry: Entry = {
        id: row['id'] as string,
        phase: 'close',
        kind: row['kind'] as string,
        atMs: Number(row['at_ms']),
        body: JSON.parse(row['json'] as string) as Entry['body'],
      }
      return { spans: spansOf(entry).map(spanCells), scores: [], points: [], atUs: Math.round(entry.atMs * 1000) }
    })
    return { records, position: Number(rows.at(-1)?.['position'] ?? position) }
  }

  close(): void {
    this.#db.close()
  }
}
