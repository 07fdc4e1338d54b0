import type { DatabaseSync } from 'node:sqlite'
import { type Archive, fileOf, nextPart } from './archive.ts'
import { writing } from './schema.ts'

/** Makes few files of a day's many. The table `part` is the manifest: the merged file counts, and those
 *  it was made of no longer do, with one commit. What a crash leaves without a row is removed at the next
 *  start, be it the new file or the old ones. Which file a trace lies in is looked up through `merged`, so
 *  that no row of a trace is written for it. */

/** Spans of a merged file, at most. */
const MERGED_SPANS_MAX = 1_000_000
/** Files below it are merged: a span is written about twice more, whatever the size it came in. */
const SMALL_SPANS_MAX = MERGED_SPANS_MAX / 2
/** Of a day that goes on; one that is over is merged from two on. */
const FILES_MIN = 8
const FILES_MAX = 32

interface Part {
  readonly id: number
  readonly day: string
  readonly file: string
  readonly spans: number
  readonly startUs: number
  readonly endUs: number
}

export interface MergingOptions {
  readonly db: DatabaseSync
  readonly archive: Archive
  readonly inTransaction: (task: () => void) => void
}

export class Merging {
  readonly #options: MergingOptions

  constructor(options: MergingOptions) {
    this.#options = options
  }

  /** Merges one set of files; returns those nothing lies in any more, none where there was no such set.
   *  They may go once the commit survives the end of the machine. */
  async merge(nowUs: number): Promise<string[]> {
    const { archive, db, inTransaction } = this.#options
    const old = this.#due(new Date(nowUs / 1000).toISOString().slice(0, 10))
    const [first] = old
    if (first === undefined) return []
    const id = nextPart(db)
    const file = fileOf(first.day, id)
    const bytes = await archive.say({ say: 'merge', files: old.map((part) => part.file), file })
    inTransaction(() => {
      writing(db, 'INSERT INTO part (id, day, file, spans, bytes, start_us, end_us) VALUES (?, ?, ?, ?, ?, ?, ?)').run(
        id,
        first.day,
        file,
        old.reduce((sum, { spans }) => sum + spans, 0),
        bytes,
        Math.min(...old.map(({ startUs }) => startUs)),
        Math.max(...old.map(({ endUs }) => endUs)),
      )
      for (const part of old) {
        writing(db, 'UPDATE merged SET into_part = ? WHERE into_part = ?').run(id, part.id)
        writing(db, 'INSERT INTO merged (part, into_part) VALUES (?, ?)').run(part.id, id)
        writing(db, 'DELETE FROM part WHERE id = ?').run(part.id)
      }
    })
    return old.map((part) => part.file)
  }

  #due(today: string): Part[] {
    const days = new Map<string, Part[]>()
    for (const row of this.#options.db.prepare('SELECT * FROM part WHERE spans < ? ORDER BY id').all(SMALL_SPANS_MAX)) {
      const part = partOf(row)
      days.set(part.day, [...(days.get(part.day) ?? []), part])
    }
    for (const [day, parts] of days) {
      const taken: Part[] = []
      let spans = 0
      for (const part of parts.slice(0, FILES_MAX)) {
        if (spans + part.spans > MERGED_SPANS_MAX) break
        spans += part.spans
        taken.push(part)
      }
      const isWorthIt = taken.length >= FILES_MIN || spans >= SMALL_SPANS_MAX || day < today
      if (taken.length >= 2 && isWorthIt) return taken
    }
    return []
  }
}

const partOf = (row: { readonly [column: string]: unknown }): Part => ({
  id: Number(row['id']),
  day: row['day'] as string,
  file: row['file'] as string,
  spans: Number(row['spans']),
  startUs: Number(row['start_us']),
  endUs: Number(row['end_us']),
})
