import { hash } from 'node:crypto'
import { gunzipSync, inflateSync } from 'node:zlib'
import { fault, Fault, reasonOf, Refusal } from '../base/errors.ts'
import { isObject, type Json, parseJson } from '../base/json.ts'
import type { Adapter } from './adapt.ts'
import type { Rejected } from './otlp/answer.ts'
import { readOtlpJson } from './otlp/json.ts'
import { readProtobuf } from './otlp/protobuf.ts'
import type { Attribute, Origin, RawLog, RawPoint, RawSpan, Signal, Visitor } from './raw.ts'
import {
  ATTRIBUTES_UNITS_MAX,
  ERROR_UNITS_MAX,
  keptText,
  type MetricPoint,
  NAME_UNITS_MAX,
  type ScoreRow,
  type SpanRow,
} from './span.ts'

/** A body of OTLP -> rows: what is good of it, and what is not and why. */

/** A body as it came over the wire. */
export interface Delivery {
  readonly signal: Signal
  readonly encoding: 'json' | 'protobuf'
  /** `content-encoding`: '', `identity`, `gzip` or `deflate`. */
  readonly compression: string
  readonly bytes: Uint8Array
  /** Of the key that brought it. */
  readonly tenant: string
}

export interface Rows {
  readonly spans: SpanRow[]
  readonly scores: ScoreRow[]
  readonly points: MetricPoint[]
  readonly rejected: Rejected
}

/** Of one body once it is unpacked: a small packed one may be a bomb. */
const UNPACKED_BYTES_MAX = 64 * 1024 * 1024
const JSON_DEPTH_MAX = 64
/** Bad records that an answer names; the others are counted. */
const NAMED_MAX = 5

/** Throws a `Fault` where nothing of it is readable: `body_malformed`, `body_too_large`. */
export function readDelivery(delivery: Delivery, adapter: Adapter): Rows {
  const body = unpack(delivery)
  const intake = new Intake(adapter, delivery.tenant)
  if (delivery.encoding === 'json') {
    const value = parseJson(body, { bytesMax: UNPACKED_BYTES_MAX, depthMax: JSON_DEPTH_MAX })
    if (value instanceof Refusal) throw new Fault(value.code, value.details)
    if (!isObject(value)) throw malformed('it is no object')
    readOtlpJson(delivery.signal, value, intake)
  } else {
    try {
      readProtobuf(delivery.signal, body, intake)
    } catch (thrown) {
      throw malformed(`it is no protobuf of OTLP (${reasonOf(thrown)})`)
    }
  }
  return intake.rows()
}

const malformed = (reason: string): Error => fault('body_malformed', { reason })

function unpack({ compression, bytes }: Delivery): Buffer {
  if (compression === '' || compression === 'identity')
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const options = { maxOutputLength: UNPACKED_BYTES_MAX }
  try {
    return compression === 'gzip' ? gunzipSync(bytes, options) : inflateSync(bytes, options)
  } catch (thrown) {
    if (thrown instanceof RangeError) throw fault('body_too_large', { limitBytes: UNPACKED_BYTES_MAX })
    throw malformed(`it is not ${compression}`)
  }
}

const TRACE_ID = /^[0-9a-f]{32}$/
const SPAN_ID = /^[0-9a-f]{16}$/
const NO_TRACE = '0'.repeat(32)
const NO_SPAN = '0'.repeat(16)

class Intake implements Visitor {
  readonly #adapter: Adapter
  readonly #tenant: string
  readonly #spans: SpanRow[] = []
  readonly #scores: ScoreRow[] = []
  readonly #points: MetricPoint[] = []
  readonly #reasons: string[] = []
  #records = 0
  #rejected = 0

  constructor(adapter: Adapter, tenant: string) {
    this.#adapter = adapter
    this.#tenant = tenant
  }

  span(span: RawSpan, origin: Origin): void {
    const problem = problemOf(span)
    if (problem !== undefined) return this.bad(problem)
    this.#records++
    this.#spans.push(this.#adapter.read(span, origin, this.#tenant))
  }

  log(log: RawLog, origin: Origin): void {
    if (!TRACE_ID.test(log.traceId) || log.traceId === NO_TRACE) return this.bad('it belongs to no trace')
    this.#records++
    const named = new Map<string, Json>(log.attributes)
    const event = log.eventName || textOf(named.get('event.name'))
    if (event === 'gen_ai.evaluation.result') this.#scores.push(scoreOf(log, named, this.#tenant))
    else this.#spans.push(this.#eventOf(log, event, origin))
  }

  point({ name, atUs, value, count, attributes }: RawPoint, origin: Origin): void {
    if (name === '' || !Number.isFinite(value)) return this.bad('a point has no name or no value')
    this.#records++
    this.#points.push({
      name: keptText(name, NAME_UNITS_MAX),
      labels: labelsText([...origin.resource, ...attributes]),
      tenant: this.#tenant,
      atUs: Math.round(atUs),
      value,
      count,
    })
  }

  bad(reason: string): void {
    if (this.#reasons.length < NAMED_MAX) this.#reasons.push(`record ${this.#records}: ${reason}`)
    this.#records++
    this.#rejected++
  }

  rows(): Rows {
    const more = this.#rejected - this.#reasons.length
    const reason = [...this.#reasons, ...(more > 0 ? [`and ${more} more`] : [])].join('; ')
    return {
      spans: this.#spans,
      scores: this.#scores,
      points: this.#points,
      rejected: { count: this.#rejected, reason },
    }
  }

  /** A log record as a moment of its trace. Text of messages is content, and is not kept here. */
  #eventOf(log: RawLog, event: string, origin: Origin): SpanRow {
    const isOfModel = event.startsWith('gen_ai.')
    const body: Attribute[] = isOfModel || log.body === null ? [] : [['log.body', log.body]]
    const row = this.#adapter.read(
      {
        traceId: log.traceId,
        spanId: digest([log.traceId, log.spanId, log.atUs, event, log.body, log.attributes]),
        parentId: log.spanId === NO_SPAN ? '' : log.spanId,
        name: event || log.severity || 'log',
        startUs: log.atUs,
        endUs: log.atUs,
        status: /^(?:error|fatal)/i.test(log.severity) ? 2 : 0,
        statusMessage: isOfModel ? '' : textOf(log.body),
        attributes: [...log.attributes, ...body],
        events: [],
      },
      origin,
      this.#tenant,
    )
    // What it says of tokens, its span says as well.
    const none = { inputTokens: null, cachedInputTokens: null, cacheWriteTokens: null, outputTokens: null }
    return { ...row, ...none, kind: 'event', reasoningTokens: null, costNanoUsd: null }
  }
}

function problemOf({ traceId, spanId, parentId, startUs, endUs }: RawSpan): string | undefined {
  if (!TRACE_ID.test(traceId) || traceId === NO_TRACE) return 'its trace id is not 16 bytes'
  if (!SPAN_ID.test(spanId) || spanId === NO_SPAN) return 'its span id is not 8 bytes'
  if (parentId !== '' && !SPAN_ID.test(parentId)) return 'its parent span id is not 8 bytes'
  if (!(startUs > 0) || !(endUs >= 0)) return 'it has no start'
  return undefined
}

function scoreOf(log: RawLog, named: ReadonlyMap<string, Json>, tenant: string): ScoreRow {
  const value = named.get('gen_ai.evaluation.score.value')
  return {
    id: digest([log.traceId, log.spanId, log.atUs, log.attributes]),
    traceId: log.traceId,
    spanId: SPAN_ID.test(log.spanId) && log.spanId !== NO_SPAN ? log.spanId : '',
    kind: 'score',
    name: keptText(textOf(named.get('gen_ai.evaluation.name')) || 'score', NAME_UNITS_MAX),
    value: typeof value === 'number' ? value : null,
    label: keptText(textOf(named.get('gen_ai.evaluation.score.label')), NAME_UNITS_MAX),
    comment: keptText(textOf(named.get('gen_ai.evaluation.explanation')), ERROR_UNITS_MAX),
    tenant,
    atUs: Math.round(log.atUs),
  }
}

const textOf = (value: Json | undefined): string => (typeof value === 'string' ? value : '')

/** 16 hexadecimal digits of what it is: the same record sent twice has the same id. */
const digest = (parts: Json): string => hash('sha256', JSON.stringify(parts)).slice(0, 16)

function labelsText(attributes: readonly Attribute[]): string {
  const text = JSON.stringify(Object.fromEntries(attributes))
  return text.length > ATTRIBUTES_UNITS_MAX ? '{}' : keptText(text, ATTRIBUTES_UNITS_MAX)
}
