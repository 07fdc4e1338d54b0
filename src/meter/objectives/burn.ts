/** How fast the error budget of an objective is spent, and when that is worth waking somebody: with
 *  several windows and burn rates (Beyer et al., "The Site Reliability Workbook", chapter 5, section
 *  6). A burn rate of 1 spends the budget exactly by the end of the window of the objective. The long
 *  window says that it matters, the short one that it still goes on. */

export const RULES = [
  { severity: 'fast', burn: 14.4, longMinutes: 60, shortMinutes: 5 },
  { severity: 'slow', burn: 6, longMinutes: 360, shortMinutes: 30 },
] as const
export type Severity = (typeof RULES)[number]['severity']

/** Bad events of the long window before anybody is told: one failure in a quiet night is no trend. */
const BAD_MIN = 3
/** An alert is over once no rule has held for so long: what comes and goes is one alert. */
export const QUIET_MINUTES = 15
/** Minutes that are needed to tell. */
export const TOLD_MINUTES = 360 + QUIET_MINUTES

/** Shares are fractions that binary numbers do not hold. */
const ROUNDING = 1e-9

export interface Events {
  readonly good: number
  readonly bad: number
}

/** Good and bad events by the minute, `firstMinute` (since 1970) on. */
export class Timeline {
  readonly #first: number
  /** Sums of all before. */
  readonly #good: number[] = [0]
  readonly #bad: number[] = [0]

  constructor(firstMinute: number, minutes: readonly Events[]) {
    this.#first = firstMinute
    for (const [at, { good, bad }] of minutes.entries()) {
      this.#good.push((this.#good[at] ?? 0) + good)
      this.#bad.push((this.#bad[at] ?? 0) + bad)
    }
  }

  /** Of so many minutes that end with `minute`. */
  last(minutes: number, minute: number): Events {
    const end = this.#at(minute + 1)
    const start = this.#at(minute + 1 - minutes)
    return {
      good: (this.#good[end] ?? 0) - (this.#good[start] ?? 0),
      bad: (this.#bad[end] ?? 0) - (this.#bad[start] ?? 0),
    }
  }

  #at(minute: number): number {
    return Math.min(Math.max(0, minute - this.#first), this.#good.length - 1)
  }
}

/** 0 where nothing happened. */
export function burnOf({ good, bad }: Events, share: number): number {
  return good + bad === 0 ? 0 : bad / (good + bad) / (1 - share)
}

/** The share of the error budget that is left; below 0 where more was spent. Undefined where nothing
 *  happened. */
export const budgetLeft = (events: Events, share: number): number | undefined =>
  events.good + events.bad === 0 ? undefined : 1 - burnOf(events, share)

/** The worst rule that held at a minute or in the `QUIET_MINUTES` before. Told by the counts alone, so
 *  that every process says the same, also one that has just begun. */
export function severityOf(timeline: Timeline, minute: number, share: number): Severity | undefined {
  for (const rule of RULES)
    for (let back = 0; back < QUIET_MINUTES; back++)
      if (holds(rule, timeline, minute - back, share)) return rule.severity
  return undefined
}

function holds(
  { burn, longMinutes, shortMinutes }: (typeof RULES)[number],
  timeline: Timeline,
  minute: number,
  share: number,
): boolean {
  const long = timeline.last(longMinutes, minute)
  if (long.bad < BAD_MIN || burnOf(long, share) < burn - ROUNDING) return false
  return burnOf(timeline.last(shortMinutes, minute), share) >= burn - ROUNDING
}
