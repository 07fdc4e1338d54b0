import type { Json } from '../base/json.ts'

/** A span as it was sent, whatever the encoding, before any dialect is read. Ids are hexadecimal in
 *  lower case; what was missing is ''. */
export interface RawSpan {
  readonly traceId: string
  readonly spanId: string
  readonly parentId: string
  readonly name: string
  readonly startUs: number
  readonly endUs: number
  /** As OTLP numbers them: 0 unset, 1 ok, 2 error. */
  readonly status: number
  readonly statusMessage: string
  readonly attributes: readonly Attribute[]
  readonly events: readonly RawEvent[]
}

export type Attribute = readonly [name: string, value: Json]

export interface RawEvent {
  readonly name: string
  readonly atUs: number
  readonly attributes: readonly Attribute[]
}

/** What spans have in common that one program sent. */
export interface Origin {
  readonly resource: readonly Attribute[]
  readonly scope: string
}

/** A log record; without a trace its ids are ''. */
export interface RawLog {
  readonly traceId: string
  readonly spanId: string
  readonly atUs: number
  readonly severity: string
  readonly eventName: string
  readonly body: Json
  readonly attributes: readonly Attribute[]
}

export interface RawPoint {
  readonly name: string
  readonly atUs: number
  readonly value: number
  /** Of a histogram, whose `value` is its sum. */
  readonly count: number | null
  readonly attributes: readonly Attribute[]
}

/** Who takes what a body holds, one by one. `bad` is told why one was not readable; the others go on. */
export interface Visitor {
  span(span: RawSpan, origin: Origin): void
  log(log: RawLog, origin: Origin): void
  point(point: RawPoint, origin: Origin): void
  bad(reason: string): void
}

export type Signal = 'traces' | 'logs' | 'metrics'
