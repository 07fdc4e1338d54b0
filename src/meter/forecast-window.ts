import type { Clock } from '../base/clock.ts'
import type { JsonObject } from '../base/json.ts'
import { seededRandom } from '../base/random.ts'
import { type Forecast, forecast } from './forecast.ts'
import type { Unit } from './ledger/amounts.ts'
import { type CalendarUnit, periodAt } from './ledger/window.ts'
import { HOURS_KEPT_DAYS, type UsageBook, type Where } from './usage-book.ts'

/** A calendar window that runs, for people: its hours so far and where it will end. */

export interface WindowQuestion {
  readonly window: CalendarUnit
  /** IANA name. */
  readonly zone: string
  readonly where: Where
  readonly unit: Unit
  readonly limit?: number
  /** Where somebody counts exactly; else the hours kept are added up, from the full hour at or before
   *  the beginning of the window. */
  readonly spent?: number
}

export interface WindowForecast {
  readonly question: WindowQuestion
  readonly fromMs: number
  readonly endMs: number
  readonly spent: number
  /** Of each hour of the window, the one that runs included. */
  readonly hours: readonly number[]
  readonly forecast: Forecast
}

const HOUR_MS = 3_600_000
/** The same question has the same answer until there is more to go by. */
const SEED = 1

/** Several at once: the hours are read once. */
export async function forecastWindows(
  clock: Clock,
  book: UsageBook,
  questions: readonly WindowQuestion[],
): Promise<WindowForecast[]> {
  const nowMs = clock.wallMs()
  // Only whole hours are kept, for all of them.
  const firstMs = nowMs - (HOURS_KEPT_DAYS * 24 - 1) * HOUR_MS
  const series = await book.hours(questions, firstMs, nowMs)
  return questions.map((question, i) => {
    const hours = series[i] ?? []
    const { startMs, endMs } = periodAt({ kind: 'calendar', unit: question.window, zone: question.zone }, nowMs)
    const own = hours.slice(Math.max(0, Math.floor(startMs / HOUR_MS) - Math.floor(firstMs / HOUR_MS)))
    const spent = question.spent ?? own.reduce((sum, hour) => sum + hour, 0)
    const limit = question.limit === undefined ? {} : { limit: question.limit }
    const found = forecast({ hours: hours.slice(0, -1), nowMs, spent, endMs, random: seededRandom(SEED), ...limit })
    return { question, fromMs: startMs, endMs, spent, hours: own, forecast: found }
  })
}

/** As the API shows it; amounts in the question's unit. */
export function windowForecastJson({ question, fromMs, endMs, spent, hours, forecast }: WindowForecast): JsonObject {
  const time = (atMs: number | null): string | null => (atMs === null ? null : new Date(atMs).toISOString())
  const { window, zone, unit, limit } = question
  const shared = {
    window,
    timeZone: zone,
    from: time(fromMs),
    to: time(endMs),
    unit,
    spent,
    limit: limit ?? null,
    hours,
    known: forecast.known,
    historyHours: forecast.n,
  }
  if (!forecast.known) return { ...shared, historyHoursNeeded: forecast.needed }
  const { p10, p50, p90 } = forecast.total
  const crossing = forecast.limit
  return {
    ...shared,
    draws: forecast.draws,
    season: forecast.season,
    total: { p10: Math.round(p10), p50: Math.round(p50), p90: Math.round(p90) },
    passesLimit:
      crossing === undefined
        ? null
        : {
            probability: crossing.probability,
            at: { p10: time(crossing.atMs.p10), p50: time(crossing.atMs.p50), p90: time(crossing.atMs.p90) },
          },
  }
}
