import type { Clock } from '../base/clock.ts'
import type { EncodeColumns, ColumnRow } from '../base/columns.ts'
import { refuse, Refusal } from '../base/errors.ts'
import type { Json, JsonObject } from '../base/json.ts'
import { otlpOf } from '../trace/otlp/export.ts'
import {
  SERIES_DIMENSIONS,
  type SeriesDimension,
  type SeriesPoint,
  type TelemetryStore,
  type TimeRange,
} from '../trace/port.ts'
import { countOf, quantile, type Sketch } from '../trace/sketch.ts'
import { SPAN_COLUMNS, type SpanRow } from '../trace/span.ts'
import { type Answer, type Context, type Download, ok, type Route } from './router.ts'
import { isoOf, spanJson } from './spans.ts'
import { rangeOf } from './traces.ts'

/** Figures over spans, and their export. */

export interface TelemetryRoutesDependencies {
  readonly clock: Clock
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
