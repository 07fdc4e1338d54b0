import type { Clock } from '../base/clock.ts'
import { refuse, Refusal } from '../base/errors.ts'
import type { Json, JsonObject } from '../base/json.ts'
import { COUNTS, type Dimension, DIMENSIONS, type Rollup, SKETCHES } from '../meter/rollup.ts'
import { countOf, quantile, type Sketch } from '../meter/sketch.ts'
import { GROUPS_MAX, type UsageBook, type UsageQuery } from '../meter/usage-book.ts'
import { type Answer, type Context, ok, type Route } from './router.ts'

const DAY_MS = 86_400_000
const DAYS_DEFAULT = 30

export function usageRoutes(clock: Clock, book: UsageBook): Route[] {
  return [
    {
      method: 'GET',
      path: '/api/usage',
      summary: `Tokens, cost and requests. \`from\`, \`to\` (days in UTC), \`by\` (of ${DIMENSIONS.join(', ')}), any dimension as a filter.`,
      role: 'admin',
      answer: (context) => usage(clock, book, context),
    },
  ]
}

async function usage(clock: Clock, book: UsageBook, { query }: Context): Promise<Answer | Refusal> {
  const asked = readQuery(clock, query)
  if (asked instanceof Refusal) return asked
  const rows = await book.report(asked)
  return ok({
    from: asked.from,
    to: asked.to,
    by: asked.by,
    complete: rows.length < GROUPS_MAX,
    rows: rows.map((row) => shown(row, asked.by)),
  })
}

function readQuery(clock: Clock, query: URLSearchParams): UsageQuery | Refusal {
  const today = dayOf(clock.wallMs())
  const to = query.get('to') ?? today
  const from = query.get('from') ?? dayOf(clock.wallMs() - (DAYS_DEFAULT - 1) * DAY_MS)
  for (const [field, day] of [
    ['from', from],
    ['to', to],
  ] as const) {
    if (!isDay(day)) return refuse('field_invalid', { field, problem: 'is no day', remedy: `Write it as ${today}.` })
  }
  if (from > to) return refuse('field_invalid', { field: 'from', problem: 'is after `to`', remedy: 'Swap them.' })
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
  return { from, to, by: by.filter(isDimension), where }
}

const dayOf = (atMs: number): string => new Date(atMs).toISOString().slice(0, 10)
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
