import { rmSync } from 'node:fs'
import { join } from 'node:path'
import type { DatabaseSync } from 'node:sqlite'
import { parentPort, workerData, type MessagePort } from 'node:worker_threads'
import { serveThread } from '../../base/threads.ts'
import type { PartFile } from '../../trace/archive.ts'
import type { ScoreQuery, SeriesQuery, TimeRange, TraceQuery } from '../../trace/port.ts'
import { recordFrom, type TelemetryRecord } from '../../trace/record.ts'
import { type PackedPoint, type Rollups, Totals } from '../../trace/rollup.ts'
import type { SamplingRules } from '../../trace/sampling.ts'
import { sqliteFault } from './failure.ts'
import { Applier } from './telemetry/apply.ts'
import { Archive } from './telemetry/archive.ts'
import { JournalReader } from './telemetry/journal.ts'
import { Merging } from './telemetry/merging.ts'
import { Questions } from './telemetry/questions.ts'
import { openTelemetryFile, writing } from './telemetry/schema.ts'
import { forgetBefore, Shipping } from './telemetry/shipping.ts'

/** The thread of the hot index: it takes in what the log and the journal bring, answers questions, and
 *  moves what is over into files. */

export interface IndexData {
  readonly path: string
  /** Of the files. */
  readonly folder: string
  /** The store's database, for our own requests. */
  readonly journal?: string | undefined
  /** To the thread that takes in. */
  readonly intake: MessagePort
  /** To the thread that writes files; absent: there are none. */
  readonly archive?: MessagePort | undefined
  readonly sampling: SamplingRules
  readonly keptDays: number
}

export interface LogPosition {
  readonly segment: number
  readonly offset: number
}

interface Arrived {
  readonly position: LogPosition
  readonly text: string
  readonly bytes: number
}

/** Bytes of records of one transaction. */
const BATCH_BYTES = 4 * 1024 * 1024
const JOURNAL_EVERY_MS = 200
const UPKEEP_EVERY_MS = 5_000
/** Written back to the file, and with it let go of in the log, after so many bytes of records. SQLite's
 *  own log grows six times as fast, and each start after a kill reads all of it. */
const CHECKPOINT_BYTES = 8 * 1024 * 1024
/** After a transaction that the disk did not take. */
const RETRY_MS = 500
/** After files that could not be merged. */
const MERGE_RETRY_MS = 600_000
const DAY_US = 86_400_000_000
/** A file that nothing lies in any more: who was told its name just before may still read it. */
const STALE_MS_MIN = 5_000

interface Stale {
  readonly file: string
  readonly sinceMs: number
}

class Index {
  readonly #db: DatabaseSync
  readonly #data: IndexData
  readonly #applier: Applier
  readonly questions: Questions
  readonly #totals = new Totals()
  readonly #journal: JournalReader | undefined
  readonly #shipping: Shipping | undefined
  readonly #merging: Merging | undefined
  #mergeFromMs = 0
  #stale: Stale[] = []
  /** Who reads the files one after another. */
  #holds = 0
  #arrived: Arrived[] = []
  #isTurning = false
  #unsaved = 0
  #busy: Promise<unknown> = Promise.resolve()
  #drained: (() => void)[] = []
  #closed = false

  constructor(data: IndexData) {
    this.#data = data
    this.#db = openTelemetryFile(data.path)
    this.#applier = new Applier(this.#db)
    this.questions = new Questions(this.#db)
    this.#journal = data.journal === undefined ? undefined : new JournalReader(data.journal)
    const { sampling } = data
    const db = this.#db
    const inTransaction = (task: () => void): void => {
      this.#transact(task)
      this.#checkpoint()
    }
    if (data.archive !== undefined) {
      const archive = new Archive(data.archive)
      this.#shipping = new Shipping({ db, archive, sampling, inTransaction })
      this.#merging = new Merging({ db, archive, inTransaction })
    }
    data.intake.on('message', (one: Arrived) => {
      this.#arrived.push(one)
      this.#turnSoon(0)
    })
    const journal = setInterval(() => this.#followJournal(), JOURNAL_EVERY_MS)
    const upkeep = setInterval(() => void this.#upkeep(), UPKEEP_EVERY_MS)
    this.#drained.push(() => {
      clearInterval(journal)
      clearInterval(upkeep)
    })
    // What a kill left in SQLite's log goes first: killed again and again, a program would else start ever later.
    this.#checkpoint()
    this.#followJournal()
  }

  position(): LogPosition {
    const { segment, offset } = this.#mark('log')
    return { segment, offset }
  }

  totals(): PackedPoint[] {
    return this.#totals.points()
  }

  /** Moves everything into files, and forgets what is older than is kept. */
  async settle(): Promise<void> {
    this.#followJournal(true)
    await this.#alone(() => this.#shipping?.ship(nowUs(), true))
    for (let more = true; more;) more = await this.#merge()
    while (this.#forget()) continue
    this.#checkpoint()
    this.#removeStale(0)
  }

  /** The files as they are now, none of which goes until `release`. */
  hold(range: TimeRange): PartFile[] {
    this.#holds++
    return this.questions.files(range)
  }

  release(): void {
    this.#holds = Math.max(0, this.#holds - 1)
  }

  async close(): Promise<void> {
    this.#closed = true
    for (const end of this.#drained) end()
    await this.#busy.catch(() => {})
    while (this.#arrived.length > 0 && this.#turn()) continue
    this.#checkpoint()
    this.#journal?.close()
    this.#db.close()
    this.#data.intake.close()
    this.#data.archive?.close()
  }

  #turnSoon(delayMs: number): void {
    if (this.#isTurning) return
    this.#isTurning = true
    const turn = (): void => {
      this.#isTurning = false
      if (this.#closed) return
      const isTaken = this.#turn()
      if (this.#arrived.length > 0) this.#turnSoon(isTaken ? 0 : RETRY_MS)
    }
    if (delayMs === 0) setImmediate(turn)
    else setTimeout(turn, delayMs)
  }

  /** One transaction of what has arrived; false where the disk did not take it. */
  #turn(): boolean {
    let bytes = 0
    let count = 0
    for (const one of this.#arrived) {
      if (count > 0 && bytes + one.bytes > BATCH_BYTES) break
      bytes += one.bytes
      count++
    }
    const batch = this.#arrived.slice(0, count)
    if (!this.#take(batch) && !this.#takeEach(batch)) return false
    this.#arrived.splice(0, count)
    this.#data.intake.postMessage({ applied: bytes })
    this.#unsaved += bytes
    if (this.#unsaved > CHECKPOINT_BYTES) this.#checkpoint()
    return true
  }

  #take(batch: readonly Arrived[]): boolean {
    const last = batch.at(-1)?.position
    if (last === undefined) return true
    try {
      this.#apply(
        batch.map(({ text }) => recordFrom(text)),
        () => this.#setMark('log', last),
      )
      return true
    } catch (thrown) {
      this.#trouble(thrown)
      return false
    }
  }

  #apply(records: readonly TelemetryRecord[], mark: () => void): void {
    let sums: Rollups | undefined
    this.#transact(() => {
      sums = this.#applier.apply(records)
      mark()
    })
    if (sums !== undefined) this.#totals.add(sums.sums())
  }

  /** Where one record breaks the batch, the others go in, and it alone is put aside. A
   *  full disk breaks them all: then they wait. */
  #takeEach(batch: readonly Arrived[]): boolean {
    for (const one of batch) {
      if (this.#take([one])) continue
      if (this.#isFull) return false
      const { segment, offset } = one.position
      this.#transact(() => {
        writing(this.#db, 'INSERT INTO unread (segment, offset, text) VALUES (?, ?, ?)').run(segment, offset, one.text)
        this.#setMark('log', one.position)
      })
    }
    return true
  }

  #isFull = false

  #trouble(thrown: unknown): void {
    const { code } = sqliteFault(thrown, this.#data.path)
    this.#isFull = code === 'disk_full' || code === 'store_unavailable'
    this.#applier.forget()
  }

  #followJournal(all = false): void {
    const journal = this.#journal
    if (journal === undefined || this.#closed) return
    try {
      for (;;) {
        const from = this.#mark('journal').offset
        const { records, position } = journal.after(from)
        if (position === from) return
        this.#apply(
          records.filter(({ spans }) => spans.length > 0),
          () => this.#setMark('journal', { segment: 0, offset: position }),
        )
        if (!all) return this.#againSoon()
      }
    } catch (thrown) {
      this.#trouble(thrown) // Asked again at the next interval.
    }
  }

  /** A long journal is taken in between what else there is to do. */
  #againSoon(): void {
    setTimeout(() => this.#followJournal(), 0)
  }

  async #upkeep(): Promise<void> {
    if (this.#closed) return
    try {
      if (this.#unsaved > 0) this.#checkpoint()
      this.#removeStale(STALE_MS_MIN)
      await this.#alone(() => this.#shipping?.ship(nowUs(), false))
      await this.#mergeNowAndThen()
      for (let more = true; more && !this.#closed;) more = this.#forget()
    } catch (thrown) {
      this.#trouble(thrown) // Tried again at the next interval.
    }
  }

  #forget(): boolean {
    let found = { files: [] as string[], more: false }
    this.#transact(() => (found = forgetBefore(this.#db, nowUs() - this.#data.keptDays * DAY_US)))
    this.#forsake(found.files)
    return found.more
  }

  /** What cannot be merged, as where a file is damaged, stays as it is, and holds nothing else up. */
  async #mergeNowAndThen(): Promise<void> {
    if (performance.now() < this.#mergeFromMs) return
    await this.#merge().catch(() => (this.#mergeFromMs = performance.now() + MERGE_RETRY_MS))
  }

  /** False where there is nothing to merge. */
  async #merge(): Promise<boolean> {
    const files = (await this.#alone(() => this.#merging?.merge(nowUs()))) ?? []
    this.#forsake(files)
    return files.length > 0
  }

  #forsake(files: readonly string[]): void {
    this.#stale.push(...files.map((file) => ({ file, sinceMs: performance.now() })))
  }

  /** Only once the index that does not know of them is safe on the disk: the end of the machine would
   *  bring back one that does. */
  #removeStale(olderThanMs: number): void {
    if (this.#stale.length === 0 || this.#holds > 0 || !this.#checkpoint()) return
    const nowMs = performance.now()
    this.#stale = this.#stale.filter(({ file, sinceMs }) => {
      if (nowMs - sinceMs < olderThanMs) return true
      rmSync(join(this.#data.folder, file), { force: true })
      return false
    })
  }

  /** Files are written one after another. */
  #alone<Value>(task: () => Promise<Value> | undefined): Promise<Value | undefined> {
    const done = this.#busy.catch(() => {}).then(task)
    this.#busy = done
    return done
  }

  /** Writes back what is committed; the log before it may then go. False where it could not. */
  #checkpoint(): boolean {
    try {
      const mark = this.position()
      const done = this.#db.prepare('PRAGMA wal_checkpoint(PASSIVE)').get()
      if (done === undefined || Number(done['log']) !== Number(done['checkpointed'])) return false
      this.#unsaved = 0
      if (mark.segment > 0) this.#data.intake.postMessage({ applied: 0, durable: mark })
      return true
    } catch (thrown) {
      this.#trouble(thrown) // A full disk, most likely: tried again after the next batch.
      return false
    }
  }

  #transact(task: () => void): void {
    this.#db.exec('BEGIN IMMEDIATE')
    try {
      task()
      this.#db.exec('COMMIT')
    } catch (thrown) {
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK')
      throw thrown
    }
  }

  #mark(name: string): LogPosition {
    const row = this.#db.prepare('SELECT segment, offset FROM mark WHERE name = ?').get(name)
    return { segment: Number(row?.['segment'] ?? 0), offset: Number(row?.['offset'] ?? 0) }
  }

  #setMark(name: string, { segment, offset }: LogPosition): void {
    writing(this.#db, 'INSERT OR REPLACE INTO mark (name, segment, offset) VALUES (?, ?, ?)').run(name, segment, offset)
  }
}

const nowUs = (): number => Date.now() * 1000

if (parentPort !== null) {
  const data = workerData as IndexData
  let index: Index | undefined
  const opened = (): Index => (index ??= new Index(data))
  serveThread({
    open: () => opened().position(),
    traces: (query: TraceQuery) => opened().questions.traces(query),
    trace: (...asked: Parameters<Questions['trace']>) => opened().questions.trace(...asked),
    scores: (query: ScoreQuery) => opened().questions.scores(query),
    series: (query: SeriesQuery) => opened().questions.series(query),
    totals: () => opened().totals(),
    recent: (...asked: Parameters<Questions['recent']>) => opened().questions.recent(...asked),
    files: (range: TimeRange) => opened().questions.files(range),
    hold: (range: TimeRange) => opened().hold(range),
    release: () => opened().release(),
    status: () => opened().questions.status(),
    settle: () => opened().settle(),
    close: () => opened().close(),
  })
}
