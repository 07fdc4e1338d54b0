import type { Clock } from '../base/clock.ts'
import type { Column, ColumnRow, EncodeColumns } from '../base/columns.ts'
import { refuse, Refusal } from '../base/errors.ts'
import type { Json, JsonObject } from '../base/json.ts'
import { forecastWindows, windowForecastJson, type WindowQuestion } from '../meter/forecast-window.ts'
import { AMOUNT_MAX, UNITS } from '../meter/ledger/amounts.ts'
import { isZone } from '../meter/ledger/window.ts'
import { COUNTS, type Dimension, DIMENSIONS, type Rollup, SKETCHES } from '../meter/rollup.ts'
import { countOf, quantile, type Sketch } from '../trace/sketch.ts'
import { GROUPS_MAX, type UsageBook, type UsageQuery, type Where } from '../meter/usage-book.ts'
import { csvOf } from './csv.ts'
import { type Answer, type Context, type Download, ok, type Route } from './router.ts'

const DAY_MS = 86_400_000
const DAYS_DEFAULT = 30
const FORMATS = ['json', 'csv', 'parquet'] as const
const MEDIA_TYPES = { csv: 'text/csv; charset=utf-8', parquet: 'application/vnd.apache.parquet' } as const
const FORECAST_WINDOWS = ['day', 'week', 'month'] as const

export interface UsageRoutesDependencies {
  readonly clock: Clock
  readonly book: UsageBook
  readonly parquet: EncodeColumns
}

export function usageRoutes(dependencies: UsageRoutesDependencies): Route[] {
  return [
    {
      method: 'GET',
      path: '/api/usage',
      summary: `Tokens, cost, requests and refusals. \`from\`, \`to\` (days in UTC), \`by\` (of ${DIMENSIONS.join(', ')}), any dimension as a filter, \`format\` (${FORMATS.join(', ')}). With \`forecast\` (${FORECAST_WINDOWS.join(', ')}) where the window that runs will end: \`timeZone\`, \`unit\` (${UNITS.join(', ')}), \`limit\`.`,
      role: 'admin',
      answer: (context) => usage(dependencies, context),
    },
  ]
}

async function usage(
  { clock, book, parquet }: UsageRoutesDependencies,
  { query }: Context,
): Promise<Answer | Download | Refusal> {
  const asked = readQuery(clock, book, query)
  if (asked instanceof Refusal) return asked
  const format = choice(query, 'format', FORMATS)
  if (format instanceof Refusal) return format
  if (format !== 'json') {
    const encode = format === 'csv' ? csvOf : parquet
    return {
      headers: {
        'content-type': MEDIA_TYPES[format],
        'content-disposition': `attachment; filename="usage-${asked.from}-${asked.to}.${format}"`,
      },
      pieces: encode(columnsOf(asked.by), columnRows(book, asked)),
    }
  }
  const question = readForecast(query, asked.where)
  if (question instanceof Refusal) return question
  const [forecast] = question === undefined ? [] : await forecastWindows(clock, book, [question])
  const rows = await book.report(asked)
  return ok({
    from: asked.from,
    to: asked.to,
    by: asked.by,
    complete: rows.length < GROUPS_MAX,
    // A request counts under each of its tags: their sum is more than the whole.
    overlapping: asked.by.includes('tag'),
    rows: rows.map((row) => shown(row, asked.by)),
    ...(forecast === undefined ? {} : { forecast: windowForecastJson(forecast) }),
  })
}

function readQuery(clock: Clock, book: UsageBook, query: URLSearchParams): UsageQuery | Refusal {
  const today = dayOf(clock.wallMs())
  const by = (query.get('by') ?? '').split(',').filter((name) => name !== '')
  const wrong = by.find((name) => !isDimension(name))
  if (wrong !== undefined) {
    return refuse('field_invalid', {
      field: 'by',
      problem: `names "${wrong.slice(0, 64)}", which usage is not kept by`,
      remedy: `Use ${DIMENSIONS.join(', ')}.`,
    })
  }
  const where: { [name in Dimension]?: string } = {}
  for (const name of DIMENSIONS) {
    const value = query.get(name)
    if (value !== null) where[name] = value
  }
  // Hours are not kept for so long.
  const hourly = by.includes('hour') || where.hour !== undefined
  const oldest = nextDay(book.oldestHour.slice(0, 10))
  const to = query.get('to') ?? today
  const ago = dayOf(clock.wallMs() - (DAYS_DEFAULT - 1) * DAY_MS)
  const from = query.get('from') ?? ago
  for (const [field, day] of [
    ['from', from],
    ['to', to],
  ] as const) {
    if (!isDay(day)) return refuse('field_invalid', { field, problem: 'is no day', remedy: `Write it as ${today}.` })
  }
  if (from > to) return refuse('field_invalid', { field: 'from', problem: 'is after `to`', remedy: 'Swap them.' })
  if (hourly && from < oldest)
    return refuse('field_invalid', {
      field: 'from',
      problem: 'is before the first day whose hours are kept',
      remedy: `Begin at ${oldest}, or ask by day.`,
    })
  return { from, to, by: by.filter(isDimension), where }
}

function readForecast(query: URLSearchParams, where: Where): WindowQuestion | undefined | Refusal {
  if (query.get('forecast') === null) return undefined
  const window = choice(query, 'forecast', FORECAST_WINDOWS)
  if (window instanceof Refusal) return window
  const unit = query.get('unit') === null ? 'nanoUsd' : choice(query, 'unit', UNITS)
  if (unit instanceof Refusal) return unit
  const zone = query.get('timeZone') ?? 'UTC'
  if (!isZone(zone))
    return refuse('field_invalid', {
      field: 'timeZone',
      problem: 'is no time zone',
      remedy: 'Use a name of the IANA database, such as Europe/Berlin.',
    })
  const text = query.get('limit')
  if (text === null) return { window, zone, where, unit }
  const limit = /^\d{1,16}$/.test(text) ? Number(text) : 0
  if (limit > 0 && limit <= AMOUNT_MAX) return { window, zone, where, unit, limit }
  return refuse('field_invalid', {
    field: 'limit',
    problem: 'is no amount',
    remedy: `Write a whole number of ${unit}, 1 to ${AMOUNT_MAX}.`,
  })
}

/** One of the known values; the first where the query says nothing. */
function choice<Value extends string>(query: URLSearchParams, field: string, known: readonly Value[]): Value | Refusal {
  const given = query.get(field)
  const found = given === null ? known[0] : known.find((one) => one === given)
  if (found !== undefined) return found
  return refuse('field_invalid', {
    field,
    problem: `is "${given?.slice(0, 64)}", which there is not`,
    remedy: `Use ${known.join(', ')}.`,
  })
}

const dayOf = (atMs: number): string => new Date(atMs).toISOString().slice(0, 10)
const nextDay = (day: string): string => dayOf(Date.parse(`${day}T00:00:00Z`) + DAY_MS)
const isDimension = (name: string): name is Dimension => (DIMENSIONS as readonly string[]).includes(name)

function isDay(text: string): boolean {
  if (!/^\d{4}-\d{2}-\d{2}$/.test(text)) return false
  const atMs = Date.parse(`${text}T00:00:00Z`)
  return !Number.isNaN(atMs) && dayOf(atMs) === text
}

function shown(row: Rollup, by: readonly Dimension[]): Json {
  return {
    ...Object.fromEntries(by.map((name) => [name, row.at[name]])),
    ...Object.fromEntries(COUNTS.map((name) => [name, row[name]])),
    costNanoUsd: row.costNanoUsd,
    ...Object.fromEntries(SKETCHES.map((name) => [name, percentiles(row[name])])),
  }
}

/** Within 1 % of the exact values (DDSketch); null where nothing was measured. */
function percentiles(sketch: Sketch): JsonObject {
  const at = (q: number): number | null => quantile(sketch, q) ?? null
  return { n: countOf(sketch), p50: at(0.5), p95: at(0.95), p99: at(0.99) }
}

// As a table of columns

const QUANTILES = [
  ['p50', 0.5],
  ['p95', 0.95],
  ['p99', 0.99],
] as const

/** Money and tokens are whole numbers, percentiles of them too. */
const isTime = (name: (typeof SKETCHES)[number]): boolean => name.endsWith('Ms')

const columnsOf = (by: readonly Dimension[]): Column[] => [
  ...by.map((name) => ({ name, type: 'text' }) as const),
  ...[...COUNTS, 'costNanoUsd'].map((name) => ({ name, type: 'integer' }) as const),
  ...SKETCHES.flatMap((name) => [
    { name: `${name}_n`, type: 'integer' } as const,
    ...QUANTILES.map(([q]) => ({ name: `${name}_${q}`, type: isTime(name) ? 'number' : 'integer' }) as const),
  ]),
]

async function* columnRows(book: UsageBook, asked: UsageQuery): AsyncGenerator<ColumnRow[]> {
  for await (const groups of book.groups(asked)) yield groups.map((row) => columnRow(row, asked.by))
}

function columnRow(row: Rollup, by: readonly Dimension[]): ColumnRow {
  const sketched = SKETCHES.flatMap((name) => {
    const values = QUANTILES.map(([, q]) => quantile(row[name], q))
    const typed = values.map((value) => (value === undefined ? null : isTime(name) ? value : BigInt(Math.round(value))))
    return [BigInt(countOf(row[name])), ...typed]
  })
  const sums = [...COUNTS.map((name) => BigInt(row[name])), BigInt(row.costNanoUsd)]
  return [...by.map((name) => row.at[name]), ...sums, ...sketched]
}
