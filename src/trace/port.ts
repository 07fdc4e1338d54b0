import type { Delivery } from './intake.ts'
import type { Rejected } from './otlp/answer.ts'
import type { Sketch } from './sketch.ts'
import type { ScoreRow, SpanRow } from './span.ts'

/** Where spans lie. Recent and old ones are one to whoever asks. */
export interface TelemetryStore {
  /** Resolves once everything good of it is durable: it then survives the end of the process and of
   *  the machine. The same spans again change nothing. Rejects with a `Fault`: `body_malformed`,
   *  `body_too_large`, `telemetry_full` (not taken: send it again later), `disk_full`. */
  take(delivery: Delivery): Promise<Rejected>
  /** Likewise, of what a person or a rule said. */
  score(score: ScoreRow): Promise<void>
  /** Newest first. */
  traces(query: TraceQuery): Promise<TracePage>
  /** The spans of a trace by their start, from `offset` on; undefined where there is none of them. */
  trace(traceId: string, page: { readonly offset: number; readonly limit: number }): Promise<TraceSpans | undefined>
  /** Sums over time. Whole buckets: five minutes where the range is a day at most, else hours. */
  series(query: SeriesQuery): Promise<SeriesPoint[]>
  /** What was taken in since this process began, by tenant, service, kind and model. */
  totals(): Promise<SeriesPoint[]>
  /** All spans that lie between two instants, in pieces, in no order. */
  spans(range: TimeRange): AsyncIterable<readonly SpanRow[]>
  /** Does now what is otherwise done now and then: takes in what was acknowledged, and moves what is
   *  over into files. For tests, drills and benchmarks. */
  settle(): Promise<void>
  status(): Promise<TelemetryStatus>
  close(): Promise<void>
}

export interface TimeRange {
  /** Microseconds since 1970: from `fromUs` on, before `toUs`. */
  readonly fromUs?: number | undefined
  readonly toUs?: number | undefined
}

export interface TraceFilter {
  readonly tenant?: string | undefined
  readonly service?: string | undefined
  readonly user?: string | undefined
  readonly session?: string | undefined
  readonly workflow?: string | undefined
  /** Name and version, `support@3`. */
  readonly prompt?: string | undefined
  readonly model?: string | undefined
  readonly status?: 'ok' | 'error' | undefined
  readonly durationUsMin?: number | undefined
  readonly costNanoUsdMin?: number | undefined
  /** All of these words, in names, errors and attributes. */
  readonly text?: string | undefined
}

export interface TraceQuery extends TimeRange, TraceFilter {
  /** `next` of the page before. */
  readonly before?: string | undefined
  readonly limit: number
}

export interface TraceSummary {
  readonly traceId: string
  /** Of the first request of ours in it; '' where there is none. */
  readonly requestId: string
  readonly tenant: string
  readonly service: string
  /** Of its root, or of what came first as long as there is none. */
  readonly name: string
  readonly user: string
  readonly session: string
  readonly workflow: string
  /** Name and version, `support@3`; of several the first. */
  readonly prompt: string
  readonly model: string
  readonly startUs: number
  readonly durationUs: number
  readonly spans: number
  readonly errors: number
  readonly inputTokens: number
  readonly outputTokens: number
  readonly costNanoUsd: number
  readonly firstTokenUs: number | null
  readonly probability: number
}

export interface TracePage {
  readonly traces: readonly TraceSummary[]
  /** Absent at the end. */
  readonly next?: string
}

export interface TraceSpans {
  readonly summary: TraceSummary
  readonly spans: readonly SpanRow[]
  readonly scores: readonly ScoreRow[]
  /** Of all of them. */
  readonly total: number
}

export const SERIES_DIMENSIONS = ['tenant', 'service', 'kind', 'name', 'model'] as const
export type SeriesDimension = (typeof SERIES_DIMENSIONS)[number]

export interface SeriesQuery {
  readonly fromUs: number
  readonly toUs: number
  readonly by: readonly SeriesDimension[]
  readonly where: { readonly [Name in SeriesDimension]?: string | undefined }
  /** False: one point for the whole range. */
  readonly overTime: boolean
}

export interface SeriesPoint {
  /** Where its bucket begins; the range's start where there is one. */
  readonly atUs: number
  readonly of: { readonly [Name in SeriesDimension]?: string }
  readonly spans: number
  readonly errors: number
  readonly inputTokens: number
  readonly outputTokens: number
  readonly costNanoUsd: number
  /** Microseconds. */
  readonly durationUs: Sketch
  readonly firstTokenUs: Sketch
  /** One of its spans. */
  readonly example?: { readonly traceId: string; readonly durationUs: number; readonly atUs: number }
}

export interface TelemetryStatus {
  readonly traces: number
  /** Not yet in files. */
  readonly recentSpans: number
  readonly files: number
  readonly fileSpans: number
  readonly fileBytes: number
  /** Acknowledged, not yet found by questions. */
  readonly waitingBytes: number
  /** Put aside, because the index could make nothing of them: always a fault of ours. */
  readonly unreadRecords: number
  /** Empty where spans go into files. */
  readonly noFilesBecause: string
}
