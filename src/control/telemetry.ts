import { hash } from 'node:crypto'
import type { Clock } from '../base/clock.ts'
import type { EncodeColumns, ColumnRow } from '../base/columns.ts'
import { refuse, Refusal } from '../base/errors.ts'
import { isObject, type Json, type JsonObject } from '../base/json.ts'
import type { Events } from '../store/events.ts'
import { traceOfEntry } from '../trace/journal.ts'
import { otlpOf } from '../trace/otlp/export.ts'
import {
  SERIES_DIMENSIONS,
  type SeriesDimension,
  type SeriesPoint,
  type TelemetryStore,
  type TimeRange,
} from '../trace/port.ts'
import { countOf, quantile, type Sketch } from '../trace/sketch.ts'
import { ERROR_UNITS_MAX, keptText, NAME_UNITS_MAX, type ScoreRow, SPAN_COLUMNS, type SpanRow } from '../trace/span.ts'
import { type Answer, type Context, type Download, ok, type Route } from './router.ts'
import { isoOf, spanJson } from './spans.ts'
import { rangeOf } from './traces.ts'

/** Figures over spans, their export, and what people say of answers. */

export interface TelemetryRoutesDependencies {
  readonly clock: Clock
  /** The journal, for whom only knows the id of a request. */
  readonly events: Pick<Events, 'read'>
  readonly telemetry: TelemetryStore
  readonly parquet: EncodeColumns
}

const HOUR_US = 3_600_000_000
const QUANTILES = [0.5, 0.9, 0.95, 0.99] as const
const FORMATS = ['jsonl', 'parquet', 'otlp'] as const
const MEDIA_TYPES = {
  jsonl: 'application/x-ndjson',
  parquet: 'application/vnd.apache.parquet',
  // One ExportTraceServiceRequest to a line.
  otlp: 'application/x-ndjson',
} as const
const ID = /^(?:[0-9a-f]{32}|req_[0-9a-z]{26})$/

export function telemetryRoutes(dependencies: TelemetryRoutesDependencies): Route[] {
  const { telemetry } = dependencies
  return [
    {
      method: 'GET',
      path: '/api/telemetry/series',
      summary: `Spans, errors, tokens, cost and percentiles of latency over time. \`from\`, \`to\` (ISO 8601; the last hour), \`by\` (of ${SERIES_DIMENSIONS.join(', ')}), any of them as a filter, \`steps=false\` for one sum.`,
      role: 'admin',
      answer: (context) => series(dependencies, context),
    },
    {
      method: 'GET',
      path: '/api/telemetry/status',
      summary: 'How much is kept, where, and what waits.',
      role: 'admin',
      answer: async () => ok({ ...(await telemetry.status()) }),
    },
    {
      method: 'GET',
      path: '/api/telemetry/export',
      summary: `All spans between \`from\` and \`to\` as a file, \`format\` (${FORMATS.join(', ')}).`,
      role: 'admin',
      answer: (context) => exported(dependencies, context),
    },
    {
      method: 'POST',
      path: '/api/feedback',
      summary:
        'Says something of a trace, or with `span` of one of its spans: `trace` (a request id or a trace id), `name`, `value` (a number), `label`, `comment`.',
      role: 'user',
      answer: (context) => feedback(dependencies, context),
    },
  ]
}

async function series(
  { clock, telemetry }: TelemetryRoutesDependencies,
  { query }: Context,
): Promise<Answer | Refusal> {
  const range = rangeOf(query)
  if (range instanceof Refusal) return range
  const toUs = range.toUs ?? clock.wallMs() * 1000
  const fromUs = range.fromUs ?? toUs - HOUR_US
  const by = (query.get('by') ?? '').split(',').filter((name) => name !== '')
  const unknown = by.find((name) => !isDimension(name))
  if (unknown !== undefined)
    return refuse('field_invalid', {
      field: 'by',
      problem: `"${unknown.slice(0, 40)}" is none of them`,
      remedy: `Name some of ${SERIES_DIMENSIONS.join(', ')}.`,
    })
  const where = Object.fromEntries(SERIES_DIMENSIONS.map((name) => [name, query.get(name) ?? undefined]))
  const overTime = query.get('steps') !== 'false'
  const points = await telemetry.series({ fromUs, toUs, by: by.filter(isDimension), where, overTime })
  return ok({ from: isoOf(fromUs), to: isoOf(toUs), points: points.map(pointJson) })
}

const isDimension = (name: string): name is SeriesDimension => SERIES_DIMENSIONS.some((one) => one === name)

const pointJson = ({ atUs, of, costNanoUsd, durationUs, firstTokenUs, ...counts }: SeriesPoint): JsonObject => ({
  at: isoOf(atUs),
  ...of,
  ...counts,
  costNanoUsd: String(costNanoUsd),
  durationMs: percentilesJson(durationUs),
  firstTokenMs: percentilesJson(firstTokenUs),
})

/** Within 1 % of the exact ones. */
function percentilesJson(sketch: Sketch): JsonObject {
  const entries = QUANTILES.map((q): [string, Json] => {
    const us = quantile(sketch, q)
    return [`p${q * 100}`, us === undefined ? null : us / 1000]
  })
  return { n: countOf(sketch), ...Object.fromEntries(entries) }
}

function exported(dependencies: TelemetryRoutesDependencies, { query }: Context): Download | Refusal {
  const range = rangeOf(query)
  if (range instanceof Refusal) return range
  const format = FORMATS.find((one) => one === (query.get('format') ?? 'jsonl'))
  if (format === undefined)
    return refuse('field_invalid', {
      field: 'format',
      problem: 'is not known',
      remedy: `One of ${FORMATS.join(', ')}.`,
    })
  const name = `spans.${format === 'otlp' ? 'otlp.jsonl' : format}`
  const headers = { 'content-type': MEDIA_TYPES[format], 'content-disposition': `attachment; filename="${name}"` }
  return { headers, pieces: piecesOf(dependencies, range, format) }
}

async function* piecesOf(
  { telemetry, parquet }: TelemetryRoutesDependencies,
  range: TimeRange,
  format: (typeof FORMATS)[number],
): AsyncGenerator<Uint8Array> {
  if (format === 'parquet') {
    const columns = SPAN_COLUMNS.map(([name, type]) => ({ name, type: type === 'id' ? ('text' as const) : type }))
    return yield* parquet(columns, columnRows(telemetry.spans(range)))
  }
  // So that an export of nothing is an empty file and not an answer without a head.
  yield new Uint8Array()
  for await (const spans of telemetry.spans(range)) {
    if (spans.length === 0) continue
    const lines = format === 'otlp' ? [otlpOf(spans)] : spans.map(spanJson)
    yield Buffer.from(lines.map((line) => `${JSON.stringify(line)}\n`).join(''))
  }
}

async function* columnRows(pages: AsyncIterable<readonly SpanRow[]>): AsyncGenerator<readonly ColumnRow[]> {
  for await (const page of pages)
    yield page.map((row) =>
      SPAN_COLUMNS.map(([name, type]) => {
        const cell = row[name]
        return type === 'integer' && typeof cell === 'number' ? BigInt(cell) : cell
      }),
    )
}

async function feedback(
  { clock, telemetry, events }: TelemetryRoutesDependencies,
  { body, principal }: Context,
): Promise<Answer | Refusal> {
  const given = isObject(body) ? body : {}
  const { trace, span, name, value, label, comment } = given
  if (typeof trace !== 'string' || !ID.test(trace))
    return invalid('trace', 'is neither the id of a request nor that of a trace')
  if (span !== undefined && (typeof span !== 'string' || !/^[0-9a-f]{16}$/.test(span)))
    return invalid('span', 'is no span id')
  if (value !== undefined && value !== null && (typeof value !== 'number' || !Number.isFinite(value)))
    return invalid('value', 'is no number')
  const told = { name: textOf(name) || 'feedback', label: textOf(label), comment: textOf(comment) }
  if (value === undefined && told.label === '' && told.comment === '')
    return invalid('value', 'is missing, and there is neither a label nor a comment')
  const atUs = Math.round(clock.wallMs() * 1000)
  const request = trace.startsWith('req_') ? (await events.read(trace)).at(-1) : undefined
  const traceId = request === undefined ? trace : traceOfEntry(request)
  const found = await telemetry.trace(traceId, { offset: 0, limit: 1 })
  const tenant = principal?.bindings.tenant ?? ''
  // To whom it does not belong, it is not there.
  if (found === undefined || (tenant !== '' && found.summary.tenant !== tenant))
    return refuse('not_found', { what: 'trace', id: trace })
  const score: ScoreRow = {
    id: hash('sha256', JSON.stringify([traceId, span ?? '', told, value ?? null, principal?.id ?? '', atUs])).slice(
      0,
      16,
    ),
    traceId,
    spanId: span ?? '',
    kind: 'feedback',
    name: keptText(told.name, NAME_UNITS_MAX),
    value: value ?? null,
    label: keptText(told.label, NAME_UNITS_MAX),
    comment: keptText(told.comment, ERROR_UNITS_MAX),
    tenant,
    atUs,
  }
  await telemetry.score(score)
  return ok({ id: score.id })
}

const textOf = (value: Json | undefined): string => (typeof value === 'string' ? value : '')
const invalid = (field: string, problem: string): Refusal =>
  refuse('field_invalid', { field, problem, remedy: 'See POST /api/feedback in /api/openapi.json.' })
