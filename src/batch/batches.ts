import { Fault, fault, refuse, type Refusal } from '../base/errors.ts'
import { newId } from '../base/ids.ts'
import { isObject } from '../base/json.ts'
import type { Log } from '../base/log.ts'
import { Slots } from '../base/slots.ts'
import type { FileRow } from '../files/file.ts'
import type { Files } from '../files/files.ts'
import { ownerOf } from '../files/owner.ts'
import type { Principal } from '../guard/principal.ts'
import { type JobEnd, Jobs } from '../store/jobs.ts'
import type { Job, Queue } from '../store/queue.ts'
import { put, remove, scanAll } from '../store/rows.ts'
import {
  BATCHES,
  batchKey,
  type BatchEnd,
  type BatchRow,
  isOver,
  type LineProblem,
  NO_PROGRESS,
  PROGRESS,
  type ProgressRow,
} from './batch.ts'
import { clearResults, type FinishDependencies, writeFiles } from './finish.ts'
import { checkLines } from './input.ts'
import { ResultLedger } from './ledger.ts'
import { type Line, linesOf } from './lines.ts'
import { Run, type RunDependencies } from './run.ts'

/** Batches from the asking to the last file. A crash repeats at most the lines that were in flight. */

const QUEUE = 'batches'
/** Batches that are run side by side, each with a part of its file in memory. */
const AT_ONCE = 16
/** Of one owner. */
const OPEN_MAX = 100
const LOST_MS = 1_000
/** After the end. */
const KEPT_MS = 30 * 24 * 3_600_000
/** Attempts at one change while somebody else makes one too. */
const TRIES_MAX = 20

export interface BatchesDependencies extends Omit<RunDependencies, 'slots'>, Omit<FinishDependencies, 'files'> {
  readonly queue: Queue
  readonly log: Log
  readonly files: Pick<Files, 'write' | 'find' | 'read'>
  /** Requests in flight, of all batches together. */
  readonly parallel: () => number
}

export type NewBatch = Pick<BatchRow, 'endpoint' | 'inputFile' | 'windowText' | 'metadata' | 'outputExpiresAfterS'> & {
  readonly windowMs: number
}

/** As it stands. */
export interface Standing {
  readonly batch: BatchRow
  readonly progress: ProgressRow
}

interface Live {
  /** Lets nothing more begin. */
  readonly halt: AbortController
}

export class Batches {
  readonly #dependencies: BatchesDependencies
  readonly #jobs: Jobs
  readonly #slots: Slots
  readonly #live = new Map<string, Live>()
  /** Batches that have not ended, with their owners. */
  readonly #open = new Map<string, string>()
  /** Gives up what is in flight. */
  readonly #leave = new AbortController()
  #isStopping = false

  constructor(dependencies: BatchesDependencies) {
    this.#dependencies = dependencies
    const { queue, clock, log, parallel } = dependencies
    this.#slots = new Slots(parallel)
    this.#jobs = new Jobs({ queue, clock, log, name: QUEUE, atOnce: AT_ONCE, work: (...job) => this.#work(...job) })
  }

  /** Durable when it resolves; its file is checked later. */
  async create(principal: Principal, { windowMs, ...asked }: NewBatch): Promise<Standing | Refusal> {
    const { clock, random, rows, files } = this.#dependencies
    const owner = ownerOf(principal)
    const file = await files.find(owner, asked.inputFile)
    if (file === undefined) return refuse('not_found', { what: 'file', id: asked.inputFile })
    if (file.purpose !== 'batch') {
      const problem = `is a file for the purpose "${file.purpose}"`
      return refuse('field_invalid', { field: 'input_file_id', problem, remedy: 'Send it with the purpose "batch".' })
    }
    if (this.#open.values().reduce((count, of) => count + Number(of === owner), 0) >= OPEN_MAX)
      return refuse('batches_full', { limit: OPEN_MAX })
    const nowMs = clock.wallMs()
    const batch: BatchRow = {
      ...asked,
      id: newId('batch', clock, random),
      owner,
      key: principal.id,
      expiresAtMs: nowMs + windowMs,
      state: 'validating',
      atMs: { created: nowMs },
      total: 0,
    }
    await rows.commit([put(BATCHES, batchKey(owner, batch.id), batch)])
    await this.#begin(batch)
    return { batch, progress: NO_PROGRESS }
  }

  async find(owner: string, id: string): Promise<Standing | undefined> {
    const batch = (await this.#dependencies.rows.get(BATCHES, batchKey(owner, id)))?.row
    return batch === undefined ? undefined : this.standing(batch)
  }

  async standing(batch: BatchRow): Promise<Standing> {
    const stored = await this.#dependencies.rows.get(PROGRESS, batchKey(batch.owner, batch.id))
    return { batch, progress: stored?.row ?? NO_PROGRESS }
  }

  /** What is in flight is let end, and nothing more is asked. `not_found`, `batch_over`. */
  async cancel(owner: string, id: string): Promise<Standing | Refusal> {
    if ((await this.find(owner, id)) === undefined) return refuse('not_found', { what: 'batch', id })
    const nowMs = this.#dependencies.clock.wallMs()
    const changed = await this.#change(owner, id, (batch) =>
      isOver(batch.state) || batch.end !== undefined
        ? batch
        : { ...batch, state: 'cancelling', atMs: { ...batch.atMs, cancelling: nowMs } },
    )
    if (isOver(changed.state)) return refuse('batch_over', { id, state: changed.state })
    this.#live.get(id)?.halt.abort()
    return this.standing(changed)
  }

  /** At the start, and now and then: takes up what was interrupted, and what the store took while it said
   *  that it did not. */
  async resume(): Promise<void> {
    for await (const { row } of scanAll(this.#dependencies.rows, BATCHES))
      if (row.isCleared !== true && !this.#live.has(row.id)) await this.#begin(row)
  }

  /** Removes what ended long ago; its files stay. */
  async sweep(): Promise<void> {
    const { rows, clock } = this.#dependencies
    for await (const { key, row, version } of scanAll(rows, BATCHES)) {
      const endedMs = Math.max(...Object.values(row.atMs))
      if (isOver(row.state) && endedMs + KEPT_MS < clock.wallMs())
        await rows.commit([remove(BATCHES, key, version), remove(PROGRESS, key)])
    }
  }

  /** Begins nothing more; what is in flight after `graceMs` is given up, and asked again by the next
   *  start. */
  async stop(graceMs: number): Promise<void> {
    this.#isStopping = true
    const cut = this.#dependencies.clock.after(graceMs, () => this.#leave.abort())
    await this.#jobs.stop()
    cut.cancel()
  }

  #begin({ owner, id }: BatchRow): Promise<void> {
    this.#open.set(id, owner)
    return this.#jobs.add(id, { owner, id })
  }

  async #work(job: Job, signal: AbortSignal): Promise<JobEnd> {
    const { rows } = this.#dependencies
    const { owner, id } = isObject(job.payload) ? job.payload : {}
    const stored = await rows.get(BATCHES, batchKey(String(owner), String(id)))
    if (stored === undefined) return 'done'
    // Leased anew while the former attempt has not noticed.
    if (this.#live.has(stored.row.id)) return { againMs: LOST_MS, reason: 'it is being worked on' }
    if (!isOver(stored.row.state) && !(await this.#advance(stored.row, signal)))
      return { againMs: 0, reason: 'interrupted' }
    await clearResults(rows, stored.row.id)
    await this.#change(stored.row.owner, stored.row.id, (now) => ({ ...now, isCleared: true }))
    this.#open.delete(stored.row.id)
    return 'done'
  }

  /** False where it was interrupted. */
  async #advance(begun: BatchRow, signal: AbortSignal): Promise<boolean> {
    const { rows, clock } = this.#dependencies
    const live: Live = { halt: new AbortController() }
    this.#live.set(begun.id, live)
    const untilMs = Math.max(0, begun.expiresAtMs - clock.wallMs())
    const expiry = clock.after(untilMs, () => live.halt.abort())
    try {
      const ledger = await ResultLedger.open(rows, begun)
      const batch = await this.#decided(begun, ledger, live.halt.signal, signal)
      if (batch?.end === undefined) return false
      await this.#finish(batch, batch.end, ledger)
      return true
    } finally {
      expiry.cancel()
      this.#live.delete(begun.id)
    }
  }

  /** Runs it until its end is decided; undefined where it was interrupted. */
  async #decided(
    begun: BatchRow,
    ledger: ResultLedger,
    halt: AbortSignal,
    signal: AbortSignal,
  ): Promise<BatchRow | undefined> {
    if (begun.end !== undefined) return begun
    const { files } = this.#dependencies
    const file = await files.find(begun.owner, begun.inputFile)
    if (file === undefined) return this.#decide(begun, 'failed', [ABSENT])
    try {
      const stopped = AbortSignal.any([halt, signal])
      const batch = begun.state === 'validating' ? await this.#check(begun, file, stopped) : begun
      if (batch.end !== undefined) return batch
      if (batch.state === 'in_progress') {
        await new Run({ ...this.#dependencies, slots: this.#slots }, batch, ledger, {
          halt: stopped,
          leave: this.#leaveOf(signal),
        }).go(this.#linesOf(file))
      }
    } catch (thrown) {
      if (thrown instanceof Fault && thrown.code === 'document_absent') return this.#decide(begun, 'failed', [ABSENT])
      throw thrown
    }
    if (signal.aborted) return undefined
    const { state, total } = await this.#change(begun.owner, begun.id, (now) => now)
    if (state === 'cancelling') return this.#decide(begun, 'cancelled')
    return this.#decide(begun, ledger.count < total || state === 'validating' ? 'expired' : 'completed')
  }

  /** A lease that is lost is another's at once; a process that stops has some time. */
  #leaveOf(signal: AbortSignal): AbortSignal {
    const lost = new AbortController()
    signal.addEventListener('abort', () => this.#isStopping || lost.abort(), { once: true })
    return AbortSignal.any([lost.signal, this.#leave.signal])
  }

  async #check(begun: BatchRow, file: FileRow, stopped: AbortSignal): Promise<BatchRow> {
    const { clock, limits } = this.#dependencies
    const { total, model, problems } = await checkLines(this.#linesOf(file), begun.endpoint, limits(), stopped)
    if (stopped.aborted) return begun
    if (problems.length > 0) return this.#decide(begun, 'failed', problems)
    return this.#change(begun.owner, begun.id, (now) => ({
      ...now,
      total,
      ...(model === undefined ? {} : { model }),
      ...(now.state === 'validating'
        ? { state: 'in_progress' as const, atMs: { ...now.atMs, in_progress: clock.wallMs() } }
        : {}),
    }))
  }

  #linesOf(file: FileRow): AsyncGenerator<Line> {
    const { clock, files, limits } = this.#dependencies
    return linesOf(files.read(file), { clock, lineBytesMax: limits().bytesMax })
  }

  /** From now on only its files are to be written. */
  #decide(begun: BatchRow, end: BatchEnd, problems?: readonly LineProblem[]): Promise<BatchRow> {
    const nowMs = this.#dependencies.clock.wallMs()
    return this.#change(begun.owner, begun.id, (now) => ({
      ...now,
      end,
      ...(problems === undefined ? {} : { problems }),
      ...(end === 'completed' || end === 'expired'
        ? { state: 'finalizing', atMs: { ...now.atMs, finalizing: nowMs } }
        : {}),
    }))
  }

  async #finish(batch: BatchRow, end: BatchEnd, ledger: ResultLedger): Promise<void> {
    const { clock, files } = this.#dependencies
    const file = await files.find(batch.owner, batch.inputFile)
    const lines = file === undefined ? none() : this.#linesOf(file)
    const written = await writeFiles(this.#dependencies, batch, end, ledger, lines)
    await this.#change(batch.owner, batch.id, (now) => ({
      ...now,
      ...written,
      state: end,
      atMs: { ...now.atMs, [end]: clock.wallMs() },
    }))
  }

  /** Rejects with a `Fault` where it is gone. */
  async #change(owner: string, id: string, to: (now: BatchRow) => BatchRow): Promise<BatchRow> {
    const { rows } = this.#dependencies
    for (let tries = 0; tries < TRIES_MAX; tries++) {
      const stored = await rows.get(BATCHES, batchKey(owner, id))
      if (stored === undefined) throw fault('internal', { reason: `the row of the batch ${id} is gone` })
      const after = to(stored.row)
      if (after === stored.row || (await rows.commit([put(BATCHES, stored.key, after, stored.version)]))) return after
    }
    throw fault('store_unavailable', { reason: 'one batch changes without a pause' })
  }
}

const ABSENT: LineProblem = { code: 'file_not_found', message: 'The input file was removed.' }

async function* none(): AsyncGenerator<Line> {
  yield* []
}
