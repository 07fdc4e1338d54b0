import { createHash } from 'node:crypto'
import { type Clock, sleep } from '../../base/clock.ts'
import { reasonOf, Refusal, sentenceOf } from '../../base/errors.ts'
import type { JsonObject } from '../../base/json.ts'
import type { Log } from '../../base/log.ts'
import { type Random, uniform } from '../../base/random.ts'
import type { SourceConfig } from '../../config/schema.ts'
import type { Leases } from '../../store/leases.ts'
import { type Key, put, remove, type Rows, scanAll, type Stored, table } from '../../store/rows.ts'
import { sourceText } from '../sources.ts'
import type { Ingest } from './ingest.ts'
import { ingestKey, INGESTS, type IngestRow, isFinal } from './state.ts'

/** Sources that are read again by themselves. When each is due stands in the store, so that a restart
 *  changes nothing, and any number of processes may look: who holds the lease of a collection begins
 *  its run, while no other run of the collection waits or works. */

export interface ScheduleRow {
  readonly collection: string
  /** As `sourceText` says it. */
  readonly source: string
  readonly everyMs: number
  readonly nextAtMs: number
  /** In a row. */
  readonly failures: number
  /** What was begun last, until it has ended. */
  readonly run?: string
}

const SCHEDULES = table<ScheduleRow>('schedules')

const scheduleKey = (collection: string, source: string): Key => [
  collection,
  createHash('sha256').update(source).digest('hex'),
]

export interface ScheduleOptions {
  readonly rows: Rows
  readonly leases: Leases
  /** Of leases: this process. */
  readonly holder: string
  readonly ingest: Pick<Ingest, 'start'>
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
}

/** Between looks: how much later than due a source is read at most, while its collection rests. */
const LOOK_MS = 5_000
const LEASE_MS = 30_000
/** Later than asked for by up to this share, so that not everything starts at once. */
const JITTER = 0.1
/** A source that fails is asked half as often each time, down to this, or to what it asks for. */
const BACK_OFF_MS_MAX = 24 * 3_600_000
const DOUBLINGS_MAX = 16
/** Runs looked at, newest first, to see what a collection is at. */
const RUNS_SEEN = 100

const UNIT_MS = { m: 60_000, h: 3_600_000, d: 86_400_000 }

/** `15m`, `6h`, `7d`, as the configuration's form has them. */
export function everyMsOf(source: SourceConfig): number | undefined {
  const [, count, unit] = /^(\d+)([mhd])$/.exec(('every' in source ? source.every : undefined) ?? '') ?? []
  return unit === undefined ? undefined : Number(count) * UNIT_MS[unit as keyof typeof UNIT_MS]
}

export type Scheduled = { readonly [collection: string]: { readonly sources: readonly SourceConfig[] } }

export class Schedules {
  readonly #options: ScheduleOptions
  readonly #stop = new AbortController()
  #collections: Scheduled = {}
  #looking: Promise<void> | undefined
  #looks = 0

  constructor(options: ScheduleOptions) {
    this.#options = options
  }

  /** From now on these, and no others. The first look is a while away: at a start everything is read. */
  follow(collections: Scheduled): void {
    this.#collections = collections
    this.#looking ??= this.#lookOn()
  }

  async stop(): Promise<void> {
    this.#stop.abort()
    await this.#looking
  }

  /** When the sources of a collection are due, soonest first. */
  async of(collection: string): Promise<readonly ScheduleRow[]> {
    const stored = await this.#options.rows.scan(SCHEDULES, { prefix: [collection], limit: RUNS_SEEN })
    return stored.map(({ row }) => row).toSorted((a, b) => a.nextAtMs - b.nextAtMs)
  }

  /** Begins what is due. */
  async look(): Promise<void> {
    const { leases, holder, log, rows } = this.#options
    const named = this.#collections
    // A look of ours that is slow keeps the next from coming between.
    const own = `${holder}/${++this.#looks}`
    for await (const { key, row } of scanAll(rows, SCHEDULES))
      if (!isWanted(row, named[row.collection]?.sources)) await rows.commit([remove(SCHEDULES, key)])
    for (const [collection, { sources }] of Object.entries(named)) {
      const timed = sources.filter((source) => everyMsOf(source) !== undefined)
      if (timed.length === 0 || this.#stop.signal.aborted) continue
      const lease = await leases.acquire(`schedule/${collection}`, own, LEASE_MS)
      if (lease === undefined) continue
      try {
        await this.#lookAt(collection, timed)
      } catch (thrown) {
        log.write('warn', 'a schedule could not be kept', { collection, reason: reasonOf(thrown) })
      } finally {
        await leases.release(lease)
      }
    }
  }

  async #lookOn(): Promise<void> {
    const { clock, log } = this.#options
    for (;;) {
      await sleep(clock, LOOK_MS, this.#stop.signal)
      if (this.#stop.signal.aborted) return
      await this.look().catch((thrown: unknown) =>
        log.write('warn', 'schedules could not be looked at', { reason: reasonOf(thrown) }),
      )
    }
  }

  async #lookAt(collection: string, sources: readonly SourceConfig[]): Promise<void> {
    const due: { readonly source: SourceConfig; readonly stored: Stored<ScheduleRow> }[] = []
    for (const source of sources) {
      const stored = await this.#settled(collection, source)
      if (stored.row.run === undefined && stored.row.nextAtMs <= this.#nowMs) due.push({ source, stored })
    }
    if (due.length === 0) return
    const runs = await this.#options.rows.scan(INGESTS, { limit: RUNS_SEEN, reverse: true })
    const ours = runs.map(({ row }) => row).filter((row) => row.collection === collection)
    if (ours.some(({ state }) => !isFinal(state))) return
    for (const { source, stored } of due.toSorted((a, b) => a.stored.row.nextAtMs - b.stored.row.nextAtMs)) {
      // Somebody asked for it, or we were started, since it was last due: that counts.
      const last = ours.find((row) => row.replay === undefined && nameOf(row) === stored.row.source)
      const sinceMs = stored.row.nextAtMs - stored.row.everyMs * (1 + JITTER)
      if (last?.state === 'done' && (last.endedAtMs ?? 0) > sinceMs && this.#nextAtMs(last, stored.row) > this.#nowMs) {
        await this.#keep(stored, { ...stored.row, failures: 0, nextAtMs: this.#nextAtMs(last, stored.row) })
        continue
      }
      return await this.#begin(collection, source, stored)
    }
  }

  async #begin(collection: string, source: SourceConfig, stored: Stored<ScheduleRow>): Promise<void> {
    const { ingest, log } = this.#options
    const { row } = stored
    const begun = await ingest.start(collection, source)
    if (!(begun instanceof Refusal))
      return await this.#keep(stored, { ...row, run: begun, nextAtMs: this.#nowMs + row.everyMs })
    log.write('warn', 'a configured source cannot be read', {
      collection,
      path: row.source,
      reason: sentenceOf(begun),
    })
    await this.#keep(stored, this.#failed(row, this.#nowMs))
  }

  /** What is known of a source, with what its last run came to. */
  async #settled(collection: string, source: SourceConfig): Promise<Stored<ScheduleRow>> {
    const { rows } = this.#options
    const key = scheduleKey(collection, sourceText(source))
    const everyMs = everyMsOf(source) ?? 0
    const stored = await rows.get(SCHEDULES, key)
    if (stored === undefined) {
      const nextAtMs = this.#nowMs + this.#waitMs(everyMs, 0)
      await rows.commit([
        put(SCHEDULES, key, { collection, source: sourceText(source), everyMs, nextAtMs, failures: 0 }, 0),
      ])
      return await this.#settled(collection, source)
    }
    let { row } = stored
    if (row.everyMs !== everyMs)
      row = { ...row, everyMs, nextAtMs: Math.min(row.nextAtMs, this.#nowMs + this.#waitMs(everyMs, 0)) }
    if (row.run !== undefined) {
      const run = (await rows.get(INGESTS, ingestKey(row.run)))?.row
      const { run: _, ...rest } = row
      if (run === undefined) row = rest
      else if (run.state === 'failed') row = this.#failed(rest, run.endedAtMs ?? this.#nowMs)
      else if (isFinal(run.state)) row = { ...rest, failures: 0, nextAtMs: this.#nextAtMs(run, rest) }
    }
    if (row === stored.row) return stored
    await this.#keep(stored, row)
    return await this.#settled(collection, source)
  }

  #failed(row: ScheduleRow, atMs: number): ScheduleRow {
    const failures = row.failures + 1
    return { ...row, failures, nextAtMs: atMs + this.#waitMs(row.everyMs, failures) }
  }

  readonly #nextAtMs = ({ endedAtMs, startedAtMs }: IngestRow, { everyMs }: ScheduleRow): number =>
    (endedAtMs ?? startedAtMs) + this.#waitMs(everyMs, 0)

  #waitMs(everyMs: number, failures: number): number {
    const grown = everyMs * 2 ** Math.min(failures, DOUBLINGS_MAX)
    const waitMs = Math.min(grown, Math.max(everyMs, BACK_OFF_MS_MAX))
    return Math.round(waitMs * (1 + JITTER * uniform(this.#options.random)))
  }

  /** Nothing where another process was faster: it knew as much. */
  async #keep({ key, version }: Stored<ScheduleRow>, row: ScheduleRow): Promise<void> {
    await this.#options.rows.commit([put(SCHEDULES, key, row, version)])
  }

  get #nowMs(): number {
    return this.#options.clock.wallMs()
  }
}

const nameOf = ({ source, path }: IngestRow): string => (source === undefined ? path : sourceText(source))

const isWanted = (row: ScheduleRow, sources: readonly SourceConfig[] = []): boolean =>
  sources.some((source) => everyMsOf(source) !== undefined && sourceText(source) === row.source)

/** As the API shows it. */
export const shownSchedule = ({ everyMs, nextAtMs, failures, run }: ScheduleRow): JsonObject => ({
  everyMs,
  nextAt: new Date(nextAtMs).toISOString(),
  failures,
  running: run !== undefined,
})
