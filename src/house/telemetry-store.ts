import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { MessageChannel } from 'node:worker_threads'
import { Fault, fault, reasonOf } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import { Thread, threadFile } from '../base/threads.ts'
import type { FoundTrace, IndexStatus } from '../drivers/sqlite/telemetry/questions.ts'
import type { LogPosition } from '../drivers/sqlite/telemetry-thread.ts'
import type { PriceFileBytes } from '../meter/catalogue.ts'
import type { PartFile } from '../trace/archive.ts'
import type { Delivery } from '../trace/intake.ts'
import type { Rejected } from '../trace/otlp/answer.ts'
import type {
  ScoredTrace,
  ScoreQuery,
  SeriesPoint,
  SeriesQuery,
  TelemetryStatus,
  TelemetryStore,
  TimeRange,
  TracePage,
  TraceQuery,
  TraceSpans,
} from '../trace/port.ts'
import { type PackedPoint, unpacked } from '../trace/rollup.ts'
import type { SamplingRules } from '../trace/sampling.ts'
import { type ScoreRow, type SpanCell, spanOf, type SpanRow } from '../trace/span.ts'

/** The telemetry of one machine: a thread that takes in and logs, one with the hot index, one with the
 *  files. The process's own thread passes bodies on and does not read them. */

export interface TelemetryOptions {
  readonly folder: string
  /** The store's database, for our own requests. */
  readonly journal?: string
  readonly prices: { readonly shipped: PriceFileBytes; readonly own?: PriceFileBytes | undefined }
  readonly sampling: SamplingRules
  readonly keptDays: number
  /** False: spans stay in the index, though files could be written. */
  readonly files: boolean
  readonly log: Log
}

/** Bodies on their way to the thread that takes in, together: beyond it senders are told to wait. */
const BODIES_BYTES_MAX = 64 * 1024 * 1024
const RETRY_MS = 1000
/** Spans of one message, where all are asked for. */
const PIECE_SPANS = 2_048
/** Of a trace that lies in files and in the index both, put in order together. */
const SPANS_TOGETHER_MAX = 200_000

export class Telemetry implements TelemetryStore {
  readonly #options: TelemetryOptions
  #intake: Thread | undefined
  #index: Thread | undefined
  #archive: Thread | undefined
  #bodiesBytes = 0
  #noFilesBecause = ''
  /** Threads share their fate: one that ends takes the others along, and all begin again. */
  #opening: Promise<void> | undefined
  #isClosed = false

  constructor(options: TelemetryOptions) {
    this.#options = options
  }

  /** Begins its threads; the first question does so too. */
  open(): Promise<void> {
    this.#opening ??= this.#begin().catch(async (thrown: unknown) => {
      await this.#end()
      throw thrown
    })
    return this.#opening
  }

  async take(delivery: Delivery): Promise<Rejected> {
    const bytes = delivery.bytes.byteLength
    if (this.#bodiesBytes + bytes > BODIES_BYTES_MAX)
      throw fault('telemetry_full', { limitBytes: BODIES_BYTES_MAX, retryAfterMs: RETRY_MS })
    this.#bodiesBytes += bytes
    try {
      await this.open()
      // A copy, since what is shared with other requests cannot be handed over.
      const own = new Uint8Array(delivery.bytes)
      return await this.#ask<Rejected>(this.#intake, 'take', [{ ...delivery, bytes: own }], [own.buffer])
    } finally {
      this.#bodiesBytes -= bytes
    }
  }

  async score(score: ScoreRow): Promise<void> {
    await this.open()
    await this.#ask(this.#intake, 'score', [score])
  }

  async traces(query: TraceQuery): Promise<TracePage> {
    await this.open()
    return this.#ask(this.#index, 'traces', [query])
  }

  async trace(
    traceId: string,
    page: { readonly offset: number; readonly limit: number },
  ): Promise<TraceSpans | undefined> {
    await this.open()
    const found = await this.#ask<FoundTrace | undefined>(this.#index, 'trace', [traceId, page])
    if (found === undefined) return undefined
    const { summary, scores, files, hot, cold } = found
    const recent = found.cells.map((text) => spanOf(JSON.parse(text) as SpanCell[]))
    if (files.length === 0) return { summary, scores, spans: recent, total: hot }
    if (hot === 0) {
      const cells = await this.#ask<SpanCell[][]>(this.#archive, 'trace', [files, traceId, page])
      return { summary, scores, spans: cells.map(spanOf), total: cold }
    }
    const all = { offset: 0, limit: SPANS_TOGETHER_MAX }
    const cells = await this.#ask<SpanCell[][]>(this.#archive, 'trace', [files, traceId, all])
    const once = new Map([...cells.map(spanOf), ...recent].map((span) => [span.spanId, span]))
    const spans = [...once.values()].sort((a, b) => a.startUs - b.startUs || (a.spanId < b.spanId ? -1 : 1))
    return { summary, scores, spans: spans.slice(page.offset, page.offset + page.limit), total: spans.length }
  }

  async scores(query: ScoreQuery): Promise<ScoredTrace[]> {
    await this.open()
    return this.#ask(this.#index, 'scores', [query])
  }

  async series(query: SeriesQuery): Promise<SeriesPoint[]> {
    await this.open()
    const points = await this.#ask<PackedPoint[]>(this.#index, 'series', [query])
    return points.map(unpacked)
  }

  async totals(): Promise<SeriesPoint[]> {
    await this.open()
    const points = await this.#ask<PackedPoint[]>(this.#index, 'totals', [])
    return points.map(unpacked)
  }

  async *spans(range: TimeRange): AsyncGenerator<readonly SpanRow[]> {
    await this.open()
    // The files first: what moves into one meanwhile has been seen neither here nor there otherwise.
    const recent: SpanRow[][] = []
    for (let after = { trace: 0, span: '' }; after.trace >= 0;) {
      const page = await this.#ask<{ cells: string[]; after: { trace: number; span: string } }>(this.#index, 'recent', [
        range,
        after,
        PIECE_SPANS,
      ])
      recent.push(page.cells.map((text) => spanOf(JSON.parse(text) as SpanCell[])))
      after = page.after
    }
    const files = await this.#ask<PartFile[]>(this.#index, 'hold', [range])
    try {
      const seen = new Set(recent.flatMap((page) => page.map(({ traceId, spanId }) => traceId + spanId)))
      yield* recent
      for (const { file, spans } of files)
        for (let at = 0; at < spans; at += PIECE_SPANS) {
          const cells = await this.#ask<SpanCell[][]>(this.#archive, 'piece', [file, range, at])
          yield cells.map(spanOf).filter(({ traceId, spanId }) => !seen.has(traceId + spanId))
        }
    } finally {
      await this.#ask(this.#index, 'release', []).catch(() => {}) // A new index holds nothing.
    }
  }

  async settle(): Promise<void> {
    await this.open()
    await this.#ask(this.#intake, 'drained', [])
    await this.#ask(this.#index, 'settle', [])
  }

  async status(): Promise<TelemetryStatus> {
    await this.open()
    const [index, waitingBytes] = await Promise.all([
      this.#ask<IndexStatus>(this.#index, 'status', []),
      this.#ask<number>(this.#intake, 'waitingBytes', []),
    ])
    return { ...index, waitingBytes: waitingBytes + this.#bodiesBytes, noFilesBecause: this.#noFilesBecause }
  }

  async close(): Promise<void> {
    this.#isClosed = true
    await this.#opening?.catch(() => {})
    await this.#end()
  }

  async #begin(): Promise<void> {
    if (this.#isClosed) throw fault('stopping', {})
    const { folder, journal, prices, sampling, keptDays, files } = this.#options
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    const spans = join(folder, 'spans')
    const toArchive = files ? await this.#openArchive(spans) : undefined
    if (!files) this.#noFilesBecause = 'the configuration wants none'
    const log = new MessageChannel()
    const data = { path: join(folder, 'telemetry.db'), folder: spans, journal, intake: log.port1, archive: toArchive }
    const index = (this.#index = new Thread({
      entry: threadFile(DRIVERS, 'sqlite/telemetry-thread'),
      name: 'telemetry index',
      data: { ...data, sampling, keptDays },
      transfer: [log.port1, ...(toArchive === undefined ? [] : [toArchive])],
      onEnd: (reason) => this.#lost(reason),
    }))
    const from = await index.call<LogPosition>('open', [])
    if (this.#archive !== undefined) {
      const known = await index.call<PartFile[]>('files', [{}])
      await this.#archive.call('removeOthers', [known.map(({ file }) => file)])
    }
    this.#intake = new Thread({
      entry: threadFile(DRIVERS, 'filesystem/telemetry-thread'),
      name: 'telemetry intake',
      data: { folder: join(folder, 'log'), from, prices, index: log.port2 },
      transfer: [log.port2],
      onEnd: (reason) => this.#lost(reason),
    })
    await this.#intake.call('waitingBytes', [])
  }

  /** The library is optional: without it spans stay in the index. */
  async #openArchive(folder: string) {
    const channel = new MessageChannel()
    const archive = new Thread({
      entry: threadFile(DRIVERS, 'duckdb/telemetry-thread'),
      name: 'telemetry files',
      data: { folder, index: channel.port1 },
      transfer: [channel.port1],
      onEnd: (reason) => this.#lost(reason),
    })
    try {
      await archive.call('open', [])
    } catch (thrown) {
      await archive.close()
      this.#noFilesBecause = reasonOf(thrown)
      return undefined
    }
    this.#archive = archive
    return channel.port2
  }

  #lost(reason: string): void {
    if (this.#isClosed || this.#opening === undefined) return
    this.#options.log.write('error', 'a thread of the telemetry ended; they begin again', { reason })
    this.#opening = this.#end().then(() => this.#begin())
    this.#opening.catch((thrown: unknown) => {
      this.#opening = undefined // The next question tries again.
      this.#options.log.write('error', 'the telemetry could not begin again', { reason: reasonOf(thrown) })
    })
  }

  async #end(): Promise<void> {
    const threads = [this.#intake, this.#index, this.#archive]
    this.#intake = this.#index = this.#archive = undefined
    // In this order, so that each has what the one before still said.
    for (const thread of threads) await thread?.close()
  }

  #ask<Value>(
    thread: Thread | undefined,
    method: string,
    values: readonly unknown[],
    transfer: readonly ArrayBuffer[] = [],
  ): Promise<Value> {
    if (thread !== undefined) return thread.call<Value>(method, values, transfer)
    const reason = this.#noFilesBecause || 'the telemetry is closed'
    return Promise.reject(new Fault('store_unavailable', { reason }))
  }
}

/** Beside this room lie the drivers. */
const DRIVERS = new URL(`../drivers/drivers${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url).href
