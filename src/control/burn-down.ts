import { refuse, Refusal } from '../base/errors.ts'
import type { JsonObject } from '../base/json.ts'
import { seededRandom } from '../base/random.ts'
import { type Forecast, forecast, type Spread } from '../meter/forecast.ts'
import { isPosted } from '../meter/ledger/amounts.ts'
import type { Budget } from '../meter/ledger/budget.ts'
import { isInForce, listOverrides, OverriddenLimits } from '../meter/ledger/overrides.ts'
import { periodAt, type Window } from '../meter/ledger/window.ts'
import { HOURS_KEPT_DAYS, type UsageBook, type Where } from '../meter/usage-book.ts'
import { type BudgetDependencies, currentAccounts, findBudget } from './budgets.ts'
import { type Answer, type Context, ok, type Route } from './router.ts'

/** How a budget is used up over its window, and where that leads: exact figures of its account, the
 *  hours of the usage book for the shape, a forecast for the rest. */

export interface BurnDownDependencies extends Pick<BudgetDependencies, 'accounting' | 'rows' | 'clock'> {
  readonly book: UsageBook
}

const HOUR_MS = 3_600_000
/** What a budget without an end is looked at over, back and ahead. */
const LIFETIME_SPAN_MS = 30 * 24 * HOUR_MS
/** Of a shorter window hours show nothing. */
const SPAN_MS_MIN = 3 * HOUR_MS
/** Points of a forecast between now and the end, the end included. */
const MARKS = 24
/** The same question has the same answer until there is more to go by. */
const SEED = 1

export function burnDownRoutes(dependencies: BurnDownDependencies): Route[] {
  return [
    {
      method: 'GET',
      path: '/api/budgets/{id}/burn-down',
      summary:
        'How a budget is used up over its window, hour by hour, and where that leads. `subject`: whose, where the budget is for each. Amounts in its unit.',
      role: 'admin',
      answer: (context) => burnDown(dependencies, context),
    },
  ]
}

async function burnDown(dependencies: BurnDownDependencies, { params, query }: Context): Promise<Answer | Refusal> {
  const { rows, clock } = dependencies
  const budget = findBudget(dependencies, params['id'])
  if (budget instanceof Refusal) return budget
  const subject = budget.match === '*' ? query.get('subject') : (budget.match ?? '')
  if (subject === null)
    return refuse('field_invalid', {
      field: 'subject',
      problem: 'is missing',
      remedy: `Name the ${budget.scope} that is meant; the accounts of the budget list them.`,
    })
  const nowMs = clock.wallMs()
  const inForce = (await listOverrides(rows, budget.id)).filter((one) => isInForce(one, nowMs))
  const { limit } = new OverriddenLimits(inForce).of(budget, subject)
  const [account] = (await currentAccounts(dependencies, budget, subject)).standing
  const { posted = 0, leased = 0 } = account ?? {}
  const figures = { budget: budget.id, subject, unit: budget.unit, limit, posted, leased, now: time(nowMs) }
  const span = spanOf(budget.window, nowMs)
  const where = whereOf(budget, subject)
  if (span === undefined || where === undefined || !isPosted(budget.unit))
    return ok({ ...figures, window: null, used: null, forecast: null })
  const window = { from: time(span.startMs), to: time(span.endMs) }
  if (span.endMs - span.startMs < SPAN_MS_MIN) return ok({ ...figures, window, used: null, forecast: null })
  const book = await hoursOf(dependencies, budget, where, nowMs)
  const first = Math.max(0, Math.floor(span.startMs / HOUR_MS) - book.firstHour)
  const hours = book.used.slice(first)
  return ok({
    ...figures,
    window,
    used: {
      basis: `requests of ${subject === '' ? 'all' : `the ${budget.scope} "${subject}"`}, by the hour (UTC) in which they ended`,
      from: time((book.firstHour + first) * HOUR_MS),
      hours,
      requests: book.requests.slice(first).reduce((sum, one) => sum + one, 0),
    },
    forecast: forecastJson(
      forecastOf({ window: budget.window, nowMs, endMs: span.endMs, limit, posted, hours, history: book.used }),
    ),
  })
}

async function hoursOf(
  { book }: BurnDownDependencies,
  { unit }: Budget,
  where: Where,
  nowMs: number,
): Promise<{ readonly firstHour: number; readonly used: readonly number[]; readonly requests: readonly number[] }> {
  // Only whole hours are kept, for all of them.
  const firstMs = nowMs - (HOURS_KEPT_DAYS * 24 - 1) * HOUR_MS
  const series = [
    { where, unit },
    { where, unit: 'requests' },
  ] as const
  const [used = [], requests = []] = await book.hours(series, firstMs, nowMs)
  return { firstHour: Math.floor(firstMs / HOUR_MS), used, requests }
}

/** What a window spans; of one that moves, the last span and the next. */
function spanOf(window: Window, nowMs: number): { readonly startMs: number; readonly endMs: number } | undefined {
  if (window.kind === 'request') return undefined
  if (window.kind === 'calendar') return periodAt(window, nowMs)
  const spanMs = window.kind === 'rolling' ? window.durationMs : LIFETIME_SPAN_MS
  return { startMs: nowMs - spanMs, endMs: nowMs + spanMs }
}

function whereOf({ scope }: Budget, subject: string): Where | undefined {
  if (scope === 'request') return undefined
  return scope === 'global' ? {} : { [scope]: subject }
}

interface Pace {
  readonly window: Window
  readonly nowMs: number
  readonly endMs: number
  readonly limit: number
  /** As the account says. */
  readonly posted: number
  /** Of the window, the one that runs last. */
  readonly hours: readonly number[]
  /** All that are known. */
  readonly history: readonly number[]
}

interface Path {
  readonly marksMs: readonly number[]
  /** What will have been used by each mark; of a rolling window, what still counts then. */
  readonly used: readonly Spread[]
  readonly probability: number | null
  readonly passesAtMs: { readonly [Name in keyof Spread]: number | null }
}

function forecastOf({ window, nowMs, endMs, limit, posted, hours, history }: Pace): {
  readonly forecast: Forecast
  readonly path: Path | undefined
} {
  const marksMs = Array.from({ length: MARKS }, (_, at) => nowMs + ((endMs - nowMs) * (at + 1)) / MARKS)
  const rolls = window.kind === 'rolling'
  const found = forecast({
    hours: history.slice(0, -1),
    nowMs,
    spent: rolls ? 0 : posted,
    endMs,
    marksMs,
    random: seededRandom(SEED),
    ...(rolls ? {} : { limit }),
  })
  if (!found.known) return { forecast: found, path: undefined }
  const used = rolls ? counting(found.path, posted, hours) : found.path
  // Whoever uses most passes it first.
  const passesAtMs = found.limit?.atMs ?? {
    p10: firstAtMs(marksMs, used, 'p90', limit),
    p50: firstAtMs(marksMs, used, 'p50', limit),
    p90: firstAtMs(marksMs, used, 'p10', limit),
  }
  return { forecast: found, path: { marksMs, used, probability: found.limit?.probability ?? null, passesAtMs } }
}

/** Of a window that moves: what is new, and what of the old counts still. */
function counting(fresh: readonly Spread[], posted: number, hours: readonly number[]): Spread[] {
  return fresh.map(({ p10, p50, p90 }, at) => {
    const gone = ((at + 1) / fresh.length) * hours.length
    const freed = hours.reduce((sum, used, hour) => sum + used * Math.min(1, Math.max(0, gone - hour)), 0)
    const left = Math.max(0, posted - freed)
    return { p10: left + p10, p50: left + p50, p90: left + p90 }
  })
}

const firstAtMs = (
  marksMs: readonly number[],
  used: readonly Spread[],
  name: keyof Spread,
  limit: number,
): number | null => marksMs[used.findIndex((spread) => spread[name] > limit)] ?? null

function forecastJson({ forecast: found, path }: ReturnType<typeof forecastOf>): JsonObject {
  if (!found.known || path === undefined)
    return { known: false, historyHours: found.n, historyHoursNeeded: found.known ? 0 : found.needed }
  const { marksMs, used, probability, passesAtMs } = path
  const at = (atMs: number | null): string | null => (atMs === null ? null : time(atMs))
  return {
    known: true,
    historyHours: found.n,
    draws: found.draws,
    season: found.season,
    path: used.map(({ p10, p50, p90 }, mark) => ({
      at: time(marksMs[mark] ?? 0),
      p10: Math.round(p10),
      p50: Math.round(p50),
      p90: Math.round(p90),
    })),
    passesLimit: {
      probability,
      at: { p10: at(passesAtMs.p10), p50: at(passesAtMs.p50), p90: at(passesAtMs.p90) },
    },
  }
}

const time = (atMs: number): string => new Date(atMs).toISOString()
