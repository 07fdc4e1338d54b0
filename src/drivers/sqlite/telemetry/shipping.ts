import type { DatabaseSync, StatementSync } from 'node:sqlite'
import type { PartFile } from '../../../trace/archive.ts'
import { samplingOf, type SamplingRules } from '../../../trace/sampling.ts'
import { WORDS_PER_TRACE } from './apply.ts'
import { type Archive, fileOf, nextPart } from './archive.ts'
import { writing } from './schema.ts'

/** Moves traces that are over out of the hot index into files, and forgets what is older than is kept.
 *  A file counts once its row is committed: one that a crash left without is removed at the next start,
 *  and its spans, which are still in the index, are written again. */

/** A trace is over when nothing of it came for this long. */
const QUIET_US = 30_000_000
/** Spans of one file, about: moving them is one transaction, which nothing else may wait for long.
 *  What waits longer than `PATIENCE_US` goes although it is less than `PART_SPANS_MIN`. */
const PART_SPANS_MAX = 120_000
const PART_SPANS_MIN = 60_000
const PART_TRACES_MAX = 30_000
const PATIENCE_US = 3_600_000_000
/** Spans of one message. */
const CHUNK_SPANS = 5_000
/** For how long spans that are in files are recognised when they are sent again. */
const REPEATED_US_MAX = 24 * 3_600_000_000
/** Rows removed in one go. */
const FORGET_ROWS = 5_000

interface Due {
  readonly id: number
  readonly traceId: Uint8Array
  readonly spans: number
  /** 0: left out by the sample. */
  readonly probability: number
}

export interface ShippingOptions {
  readonly db: DatabaseSync
  readonly archive: Archive
  readonly sampling: SamplingRules
  /** Commits what is done between a message and its answer apart from it. */
  readonly inTransaction: (task: () => void) => void
}

export class Shipping {
  readonly #options: ShippingOptions

  constructor(options: ShippingOptions) {
    this.#options = options
  }

  /** Moves what is due; `all`: everything there is, over or not. Returns the files written. */
  async ship(nowUs: number, all: boolean): Promise<number> {
    let files = 0
    for (;;) {
      const due = this.#due(nowUs, all)
      const spans = due.reduce((sum, one) => sum + one.spans, 0)
      if (spans === 0) return files
      const isFull = spans >= PART_SPANS_MIN || due.length >= PART_TRACES_MAX
      if (!all && !isFull && !this.#isImpatient(nowUs)) return files
      await this.#write(due, nowUs)
      files++
    }
  }

  #due(nowUs: number, all: boolean): Due[] {
    const rows = this.#options.db
      .prepare(
        `SELECT id, trace_id, hot, errors, end_us - start_us AS duration, cost, cold,
           EXISTS (SELECT 1 FROM score WHERE score.trace_id = trace.trace_id) AS flagged
         FROM trace WHERE hot > 0 AND touched_us <= ? ORDER BY touched_us LIMIT ?`,
      )
      .all(all ? Number.MAX_SAFE_INTEGER : nowUs - QUIET_US, PART_TRACES_MAX)
    const due: Due[] = []
    let spans = 0
    for (const row of rows) {
      if (spans >= PART_SPANS_MAX) break
      const traceId = row['trace_id'] as Uint8Array
      const probability = samplingOf(
        {
          traceId: Buffer.from(traceId).toString('hex'),
          errors: Number(row['errors']),
          durationUs: Number(row['duration']),
          costNanoUsd: Number(row['cost']),
          isFlagged: Number(row['flagged']) > 0 || Number(row['cold']) > 0,
        },
        this.#options.sampling,
      )
      due.push({ id: Number(row['id']), traceId, spans: Number(row['hot']), probability })
      spans += Number(row['hot'])
    }
    return due
  }

  #isImpatient(nowUs: number): boolean {
    const oldest = this.#options.db.prepare('SELECT min(touched_us) AS at FROM trace WHERE hot > 0').get()?.['at']
    return oldest !== null && oldest !== undefined && Number(oldest) < nowUs - PATIENCE_US
  }

  async #write(due: readonly Due[], nowUs: number): Promise<void> {
    const { archive, db, inTransaction } = this.#options
    const spansOf = db.prepare('SELECT span_id, start_us, cells FROM span WHERE trace = ?')
    const shipped: { readonly due: Due; readonly ids: Uint8Array }[] = []
    let cells: string[] = []
    let probabilities: number[] = []
    let [spans, startUs, endUs] = [0, Infinity, 0]
    const flush = async (): Promise<void> => {
      if (cells.length > 0) await archive.say({ say: 'rows', cells, probabilities })
      cells = []
      probabilities = []
    }
    await archive.say({ say: 'begin' })
    for (const one of due) {
      const ids: Uint8Array[] = []
      for (const row of spansOf.all(one.id)) {
        ids.push(row['span_id'] as Uint8Array)
        if (one.probability === 0) continue
        cells.push(row['cells'] as string)
        probabilities.push(one.probability)
        startUs = Math.min(startUs, Number(row['start_us']))
        endUs = Math.max(endUs, Number(row['start_us']))
        spans++
      }
      shipped.push({ due: one, ids: Buffer.concat(ids) })
      if (cells.length >= CHUNK_SPANS) await flush()
    }
    await flush()
    const part = nextPart(db)
    const day = new Date(nowUs / 1000).toISOString().slice(0, 10)
    const file = fileOf(day, part)
    const bytes = spans === 0 ? 0 : await archive.say({ say: 'end', file })
    inTransaction(() => this.#commit(part, shipped, { file, spans, bytes, startUs, endUs }, day, nowUs))
  }

  #commit(
    part: number,
    shipped: readonly { readonly due: Due; readonly ids: Uint8Array }[],
    { file, spans, bytes, startUs, endUs }: PartFile,
    day: string,
    nowUs: number,
  ): void {
    const { db } = this.#options
    if (spans > 0)
      writing(db, 'INSERT INTO part (id, day, file, spans, bytes, start_us, end_us) VALUES (?, ?, ?, ?, ?, ?, ?)').run(
        part,
        day,
        file,
        spans,
        bytes,
        startUs,
        endUs,
      )
    const gone = writing(db, 'INSERT INTO gone (trace_id, part, span_ids, at_us) VALUES (?, ?, ?, ?)')
    const lies = writing(db, 'INSERT OR IGNORE INTO trace_part (trace, part) VALUES (?, ?)')
    const moved = writing(
      db,
      'UPDATE trace SET hot = hot - ?, cold = cold + ?, probability = min(probability, ?) WHERE id = ?',
    )
    const leave = writing(db, 'DELETE FROM span WHERE trace = ?')
    const leaveOne = writing(db, 'DELETE FROM span WHERE trace = ? AND span_id = ?')
    const count = db.prepare('SELECT hot FROM trace WHERE id = ?')
    const forget = [forgetWords(db), writing(db, 'DELETE FROM trace WHERE id = ?')]
    for (const { due, ids } of shipped) {
      const n = ids.length / 8
      const isWhole = Number(count.get(due.id)?.['hot'] ?? 0) === n
      gone.run(due.traceId, part, ids, nowUs)
      if (isWhole) leave.run(due.id)
      else for (let at = 0; at < ids.length; at += 8) leaveOne.run(due.id, ids.subarray(at, at + 8))
      if (due.probability === 0 && isWhole) for (const statement of forget) statement.run(due.id)
      else {
        moved.run(n, due.probability === 0 ? 0 : n, due.probability || 1, due.id)
        if (due.probability > 0) lies.run(due.id, part)
      }
    }
    writing(db, 'DELETE FROM gone WHERE at_us < ?').run(nowUs - REPEATED_US_MAX)
  }
}

/** Forgets traces nothing of which came since `beforeUs`, a few at a time. Returns the files that hold
 *  nothing any more; false for `more` when it is through. */
export function forgetBefore(db: DatabaseSync, beforeUs: number): { readonly files: string[]; readonly more: boolean } {
  const old = db
    .prepare('SELECT id FROM trace WHERE touched_us < ? LIMIT ?')
    .all(beforeUs, FORGET_ROWS)
    .map(({ id }) => Number(id))
  const each = [
    'DELETE FROM span WHERE trace = ?1',
    'DELETE FROM trace_part WHERE trace = ?1',
    'DELETE FROM score WHERE trace_id = (SELECT trace_id FROM trace WHERE id = ?1)',
    'DELETE FROM trace WHERE id = ?1',
  ].map((sql) => writing(db, sql))
  each.push(forgetWords(db))
  for (const id of old) for (const statement of each) statement.run(id)
  if (old.length === FORGET_ROWS) return { files: [], more: true }
  const day = new Date(beforeUs / 1000).toISOString().slice(0, 10)
  const files = db
    .prepare('SELECT file FROM part WHERE day < ?')
    .all(day)
    .map(({ file }) => file as string)
  const gone = 'SELECT id FROM part WHERE day < ?1'
  const parts = `${gone} UNION ALL SELECT part FROM merged WHERE into_part IN (${gone})`
  writing(db, `DELETE FROM trace_part WHERE part IN (${parts})`).run(day)
  writing(db, `DELETE FROM merged WHERE into_part IN (${gone})`).run(day)
  writing(db, 'DELETE FROM part WHERE day < ?').run(day)
  writing(db, 'DELETE FROM rollup WHERE bucket_us < ?').run(beforeUs)
  writing(db, 'DELETE FROM point WHERE at_us < ?').run(beforeUs)
  return { files, more: false }
}

const forgetWords = (db: DatabaseSync): StatementSync =>
  writing(db, `DELETE FROM words WHERE rowid >= ?1 * ${WORDS_PER_TRACE} AND rowid < (?1 + 1) * ${WORDS_PER_TRACE}`)
