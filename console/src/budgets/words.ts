import type { Account, Budget, BurnDown, Unit, Window } from '../api/budgets.ts'
import { formatAmount } from '../design/amount.ts'
import { formatCount, formatLength, formatTime } from '../design/units.ts'

/** Budgets in words. */

/** `each user`, `user ann`, `all requests together`; keys by their name. */
export function whomText(
  { scope, match }: Pick<Budget, 'scope' | 'match'>,
  nameOfKey: (id: string) => string = (id) => id,
): string {
  if (scope === 'request') return 'each request'
  if (scope === 'global') return 'all requests together'
  if (match === '*' || match === null) return `each ${scope}`
  return `${scope} ${scope === 'key' ? nameOfKey(match) : match}`
}

/** `a day`, `in any 24 h`, `for good`. */
export function windowText(window: Window, unit: Unit): string {
  if (unit === 'concurrent') return 'at any moment'
  if (window.kind === 'calendar') return `a ${window.unit}`
  if (window.kind === 'rolling') return `in any ${spanText(window.durationMs)}`
  return window.kind === 'request' ? 'a request' : 'for good'
}

/** A span of a day is a day by the clock, which a calendar day is not. */
const spanText = (ms: number): string =>
  ms % 3_600_000 === 0 && ms <= 48 * 3_600_000 ? `${ms / 3_600_000} h` : formatLength(ms)

export const zoneOf = (window: Window): string | undefined => (window.kind === 'calendar' ? window.zone : undefined)

/** What happens to a request beyond the limit. */
export function actionText({ onLimit, unit }: Pick<Budget, 'onLimit' | 'unit'>): string {
  if (onLimit.kind === 'clamp')
    return `answers are cut short${(onLimit.minimum ?? 1) > 1 ? `, to no less than ${formatAmount(unit, onLimit.minimum ?? 1)}` : ''}`
  if (onLimit.kind === 'degrade') return `${onLimit.to ?? 'another model'} answers instead`
  if (onLimit.kind === 'warn') return 'answered, with a warning'
  return onLimit.kind === 'dryRun' ? 'answered; only the log tells' : 'refused'
}

/** Whether its use adds up over time, so that somebody can have used it. */
export const addsUp = ({ scope }: Pick<Budget, 'scope'>): boolean => scope !== 'request'

/** `12,300 posted, 500 put aside of 20,000 tokens`. */
export const usedText = (unit: Unit, { posted, leased, limit }: Pick<Account, 'posted' | 'leased' | 'limit'>): string =>
  `${formatAmount(unit, posted)} posted, ${formatAmount(unit, leased)} put aside, of ${formatAmount(unit, limit)}`

/** Where it leads, in a sentence. */
export function paceText(unit: Unit, { forecast, nowMs, posted, limit }: BurnDown, rolls: boolean): string {
  if (forecast === undefined) return ''
  const history = `${formatCount(forecast.historyHours)} hours of history`
  if (!forecast.isKnown)
    return `Too little history to say: ${formatCount(forecast.historyHours)} of the ${formatCount(forecast.historyHoursNeeded)} hours that it takes.`
  const { p10, p50, p90 } = forecast.passesMs
  const when = (atMs: number | undefined): string =>
    atMs === undefined ? 'not in this window' : formatTime(atMs, nowMs)
  const { probability = 0 } = forecast
  const odds = probability > 0 ? `, spent in ${Math.max(1, Math.round(probability * 100))} of 100 futures` : ''
  if (posted >= limit || (p50 !== undefined && p50 <= nowMs)) return `Spent already (${history}).`
  if (p50 !== undefined)
    return `At this pace spent on ${when(p50)}; in four of five cases between ${when(p10)} and ${when(p90)} (${history}${odds}).`
  const end = forecast.path.at(-1)
  if (end === undefined) return `Too little history to say: ${history}.`
  const until = rolls ? 'a span from now' : when(end.atMs)
  return `At this pace ${formatAmount(unit, end.p50)} used by ${until}; in four of five cases ${formatAmount(unit, end.p10)} to ${formatAmount(unit, end.p90)} (${history}${odds}).`
}
