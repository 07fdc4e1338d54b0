import type { Clock } from '../../base/clock.ts'
import type { Rows } from '../../store/rows.ts'
import type { Declared } from '../declared.ts'
import { forecastWindows, type WindowForecast, type WindowQuestion } from '../forecast-window.ts'
import { type AccountStanding, standings } from '../ledger/administer.ts'
import { isPosted } from '../ledger/amounts.ts'
import { type Budget, isSoft } from '../ledger/budget.ts'
import { isInForce, listOverrides, OverriddenLimits } from '../ledger/overrides.ts'
import type { CalendarUnit } from '../ledger/window.ts'
import type { UsageBook } from '../usage-book.ts'
import type { Alerts } from './alerts.ts'

/** Looks ahead: an alert where a budget will probably not last to the end of its window, while there
 *  is time to do something about it; closed when it will. */

export interface OutlookDependencies {
  readonly clock: Clock
  readonly rows: Rows
  readonly book: UsageBook
  readonly alerts: Alerts
  readonly declared: () => Declared
}

/** Windows over sooner are over before anybody has read of them. */
const WINDOWS: readonly CalendarUnit[] = ['day', 'week', 'month']
/** Of a budget of which less is used nothing is said. */
const USED_SHARE_MIN = 0.2
/** The most used; each costs a look at 35 days of hours. */
const ACCOUNTS_MAX = 50
/** Rows looked at of each budget. */
const SCANNED_MAX = 5_000
/** How probable it is that the limit is passed before the end: an alert is raised at the first, and
 *  told of again at the others. */
const STEPS = [0.5, 0.8, 0.95] as const

interface Watched {
  readonly budget: Budget
  readonly account: AccountStanding
  readonly limit: number
}

export async function lookAhead(dependencies: OutlookDependencies): Promise<void> {
  const { clock, book, alerts } = dependencies
  const watched = await mostUsed(dependencies)
  if (watched.length === 0) return
  const forecasts = await forecastWindows(clock, book, watched.map(questionOf))
  for (const [at, { budget, account }] of watched.entries()) {
    const found = forecasts[at]
    const key = JSON.stringify(['forecast', budget.id, account.subject, account.period])
    const probability = found?.forecast.known === true ? (found.forecast.limit?.probability ?? 0) : 0
    const step = STEPS.findLast((one) => probability >= one)
    if (found === undefined || step === undefined) await alerts.close(key, 'it will probably last')
    else
      await alerts.raise({
        kind: 'budget_forecast',
        subject: { budget: budget.id, ...(account.subject === '' ? {} : { [budget.scope]: account.subject }) },
        key,
        step: String(step),
        evidence: { ...evidenceOf(found, probability), period: account.period },
      })
  }
}

async function mostUsed({ clock, rows, declared }: OutlookDependencies): Promise<Watched[]> {
  const nowMs = clock.wallMs()
  const limits = new OverriddenLimits((await listOverrides(rows)).filter((one) => isInForce(one, nowMs)))
  const watched: Watched[] = []
  for (const budget of declared().budgets) {
    const { window, unit, action } = budget
    if (window.kind !== 'calendar' || !WINDOWS.includes(window.unit) || !isPosted(unit) || isSoft(action)) continue
    const budgets = new Map([[budget.id, budget]])
    for (const account of await standings(rows, { budget: budget.id, budgets, limit: SCANNED_MAX, nowMs })) {
      const { startMs = Infinity, endMs = -Infinity } = account
      const { limit } = limits.of(budget, account.subject)
      if (startMs <= nowMs && nowMs < endMs && account.posted >= USED_SHARE_MIN * limit)
        watched.push({ budget, account, limit })
    }
  }
  return watched.sort((a, b) => b.account.posted / b.limit - a.account.posted / a.limit).slice(0, ACCOUNTS_MAX)
}

function questionOf({ budget: { scope, unit, window }, account: { subject, posted }, limit }: Watched): WindowQuestion {
  const { unit: span, zone } = window.kind === 'calendar' ? window : { unit: 'month' as const, zone: 'UTC' }
  const where = scope === 'global' ? {} : { [scope]: subject }
  return { window: span, zone, where, unit, limit, spent: posted }
}

function evidenceOf({ question, endMs, spent, forecast }: WindowForecast, probability: number) {
  const time = (atMs: number | null | undefined): string | null =>
    typeof atMs === 'number' ? new Date(atMs).toISOString() : null
  const total = forecast.known ? forecast.total : undefined
  return {
    unit: question.unit,
    limit: question.limit ?? null,
    spent,
    probability,
    p10: total === undefined ? null : Math.round(total.p10),
    p50: total === undefined ? null : Math.round(total.p50),
    p90: total === undefined ? null : Math.round(total.p90),
    passesAt: forecast.known ? time(forecast.limit?.atMs.p50) : null,
    resetsAt: time(endMs),
    historyHours: forecast.n,
  }
}
