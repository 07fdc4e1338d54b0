import { type ErrorCode, type Problem, sentenceOf } from '../../base/errors.ts'
import type { JsonObject } from '../../base/json.ts'
import type { SourceConfig } from '../../config/schema.ts'
import { type Key, table } from '../../store/rows.ts'

/** How far a run is. `waiting` and `running` survive a restart; the others are final. */
export type RunState = 'waiting' | 'running' | 'done' | 'failed' | 'cancelled'

export interface Skipped {
  readonly uri: string
  readonly code: ErrorCode
  readonly message: string
}

export interface IngestRow {
  readonly run: string
  readonly state: RunState
  readonly collection: string
  /** What is read, as people name it: a path, `s3://bucket/prefix`. */
  readonly path: string
  /** As it was declared, where more than a path was said. Secrets stand in it as references. */
  readonly source?: SourceConfig
  /** Only documents of the dead-letter list are read again: all, or the one named. */
  readonly replay?: true | string
  readonly files: {
    /** Files that were looked at, known once the folder is listed. */
    readonly found: number
    readonly read: number
    readonly unchanged: number
    /** Documents whose file is gone. */
    readonly removed: number
    readonly skipped: number
    /** Pictures, programs, archives: not looked at. */
    readonly ignored: number
  }
  /** Of the files read. */
  readonly bytes: number
  readonly chunks: number
  readonly documents: number
  /** The first `SKIPPED_KEPT_MAX`. */
  readonly skipped: readonly Skipped[]
  /** What was left out of documents that were read. */
  readonly notes: readonly { readonly uri: string; readonly message: string }[]
  readonly startedAtMs: number
  readonly endedAtMs?: number
  /** Why it failed. */
  readonly problem?: { readonly code: ErrorCode; readonly message: string }
}

export const INGESTS = table<IngestRow>('ingests')
export const ingestKey = (run: string): Key => [run]

/** Skipped files and notes listed by name; the others are counted. */
const SKIPPED_KEPT_MAX = 200

export const isFinal = (state: RunState): boolean => state !== 'waiting' && state !== 'running'

export const newRow = (
  { run, collection, path, source, replay }: Pick<IngestRow, 'run' | 'collection' | 'path' | 'source' | 'replay'>,
  startedAtMs: number,
): IngestRow => ({
  run,
  ...(source === undefined ? {} : { source }),
  ...(replay === undefined ? {} : { replay }),
  state: 'waiting',
  collection,
  path,
  files: { found: 0, read: 0, unchanged: 0, removed: 0, skipped: 0, ignored: 0 },
  bytes: 0,
  chunks: 0,
  documents: 0,
  skipped: [],
  notes: [],
  startedAtMs,
})

/** As `GET /api/ingests/{run}` shows it. */
export function shownRun(row: IngestRow): JsonObject {
  const { startedAtMs, endedAtMs, problem, source: _, replay: __, ...shown } = row
  return {
    ...shown,
    files: { ...row.files },
    skipped: row.skipped.map((one) => ({ ...one })),
    notes: row.notes.map((one) => ({ ...one })),
    startedAt: new Date(startedAtMs).toISOString(),
    endedAt: endedAtMs === undefined ? null : new Date(endedAtMs).toISOString(),
    ...(problem !== undefined && { problem: { ...problem } }),
  }
}

/** The counters of a run while it goes on. */
export class Progress {
  #row: IngestRow
  readonly #changed: (row: IngestRow) => void
  /** Whether it is kept among the runs: what is sent document by document is not. */
  readonly isKept: boolean

  constructor(row: IngestRow, changed: (row: IngestRow) => void, isKept = true) {
    this.isKept = isKept
    // Taken up again after a stop: it counts from the start, what is done will be seen as such.
    this.#row = { ...newRow(row, row.startedAtMs), state: 'running' }
    this.#changed = changed
  }

  get row(): IngestRow {
    return this.#row
  }

  count(
    files: Partial<IngestRow['files']>,
    more: Partial<Pick<IngestRow, 'bytes' | 'chunks' | 'documents'>> = {},
  ): void {
    const row = this.#row
    const sums = { ...row.files }
    for (const name of Object.keys(files) as (keyof typeof files)[]) sums[name] += files[name] ?? 0
    this.#set({
      files: sums,
      bytes: row.bytes + (more.bytes ?? 0),
      chunks: row.chunks + (more.chunks ?? 0),
      documents: row.documents + (more.documents ?? 0),
    })
  }

  skip(uri: string, problem: Problem): void {
    const kept = this.#row.skipped
    const one = { uri, code: problem.code, message: sentenceOf(problem) }
    this.#set({
      skipped: kept.length < SKIPPED_KEPT_MAX ? [...kept, one] : kept,
      files: { ...this.#row.files, skipped: this.#row.files.skipped + 1 },
    })
  }

  note(uri: string, message: string): void {
    if (this.#row.notes.length < SKIPPED_KEPT_MAX) this.#set({ notes: [...this.#row.notes, { uri, message }] })
  }

  end(state: RunState, endedAtMs: number, problem?: Problem): void {
    this.#set({ state, endedAtMs, ...(problem && { problem: { code: problem.code, message: sentenceOf(problem) } }) })
  }

  #set(change: Partial<IngestRow>): void {
    this.#row = { ...this.#row, ...change }
    this.#changed(this.#row)
  }
}
