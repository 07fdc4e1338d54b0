import { type Random, uniform } from '../base/random.ts'

/** Where a total will stand at the end of its window, from its hours so far.
 *
 *  The days of history, counted back from now so that hours of the day fall on the same hours, are
 *  taken apart into level, trend, weekdays and what is left over; what is left over remembers the
 *  day before (an autoregression of order 1). A thousand futures are put together from days drawn
 *  out of what was left over, each future with a level, trend and weekdays of its own: those of a
 *  Bayesian bootstrap of the days (Rubin 1981). That carries the doubt about them into the spread;
 *  without it an interval from few days would be far too narrow. Within a day the hours go as in a
 *  day drawn from history, so that bursts stay bursts. Trend and weekdays count as far as the days
 *  show more of them than chance would (shrunk in the manner of James and Stein 1961).
 *  `sim/usage` tells how often the truth lies within the interval. */

export interface ForecastInput {
  /** Totals of each whole hour, oldest first, without a gap, to the hour before `nowMs`. */
  readonly hours: readonly number[]
  readonly nowMs: number
  /** Used in the window so far. */
  readonly spent: number
  readonly endMs: number
  readonly limit?: number
  /** Instants between now and the end, in order, at which the totals are wanted too. */
  readonly marksMs?: readonly number[]
  readonly random: Random
}

export type Forecast = TooLittle | Expected

/** Nothing that could be said would be worth having. */
export interface TooLittle {
  readonly known: false
  /** Hours of history since the first use, and how many it takes for this window. */
  readonly n: number
  readonly needed: number
}

export interface Expected {
  readonly known: true
  /** Hours of history since the first use. */
  readonly n: number
  /** Futures drawn. */
  readonly draws: number
  /** Whether days of the week were told apart. */
  readonly season: 'day' | 'week'
  /** At the end of the window: between p10 and p90 in four of five cases. */
  readonly total: Spread
  /** The same at each of the marks. */
  readonly path: readonly Spread[]
  readonly limit?: Crossing
}

export interface Spread {
  readonly p10: number
  readonly p50: number
  readonly p90: number
}

export interface Crossing {
  /** That the limit is passed before the end. */
  readonly probability: number
  /** When it is, in milliseconds since 1970; null: not before the end. */
  readonly atMs: { readonly [Name in keyof Spread]: number | null }
}

const HOUR_MS = 3_600_000
const DAY_HOURS = 24
const WEEK_DAYS = 7
/** Until each day of a week was seen, the next one may be the first weekend. */
const HISTORY_DAYS_MIN = 7
/** From here on days of the week are told apart; no window that ends more than a week ahead is
 *  forecast from less. */
const WEEKLY_DAYS_MIN = 14
/** Days that are looked at: what is older says little. */
const HISTORY_DAYS_MAX = 35
const DRAWS = 1000
/** A trend is carried on to at most this many times the level, either way. */
const TREND_FACTOR_MAX = 4
/** A slope counts from 1.7 times its standard error on: one in ten steady loads has such a one. */
const TREND_RATIO = 3
/** The share of the doubt about a trend that stays where none is to be seen. */
const TREND_DOUBT_LEAST = 0.6
const WEEKDAY_FACTOR_MIN = 0.02
const MEMORY_MAX = 0.85

export function forecast({ hours, nowMs, spent, endMs, limit, marksMs = [], random }: ForecastInput): Forecast {
  const first = hours.findIndex((total) => total > 0)
  const n = first < 0 ? 0 : hours.length - first
  const hoursAhead = Math.max(0, (endMs - nowMs) / HOUR_MS)
  const needed = (hoursAhead > WEEK_DAYS * DAY_HOURS ? WEEKLY_DAYS_MIN : HISTORY_DAYS_MIN) * DAY_HOURS
  if (n < needed) return { known: false, n, needed }
  const history = new History(hours, Math.min(HISTORY_DAYS_MAX, Math.floor(n / DAY_HOURS)))
  // The hour that runs is part of what is to come: as much of it as is left.
  const elapsed = (nowMs % HOUR_MS) / HOUR_MS
  const totals: number[] = []
  const crossings: number[] = []
  const marks = marksMs.map((atMs) => ({ atHour: (atMs - nowMs) / HOUR_MS, totals: new Array<number>() }))
  for (let draw = 0; draw < DRAWS; draw++) {
    const { total, crossedAtHour } = history.future(random, { spent, hoursAhead, elapsed, limit, marks })
    totals.push(total)
    crossings.push(crossedAtHour)
  }
  const rank = (values: readonly number[], q: number): number =>
    values[Math.min(values.length - 1, Math.floor(q * values.length))] ?? 0
  const spread = (values: readonly number[]): Spread => {
    const sorted = values.toSorted((a, b) => a - b)
    return { p10: rank(sorted, 0.1), p50: rank(sorted, 0.5), p90: rank(sorted, 0.9) }
  }
  const season = history.isWeekly ? 'week' : 'day'
  const path = marks.map((mark) => spread(mark.totals))
  const expected = { known: true, n, draws: DRAWS, season, total: spread(totals), path } as const
  if (limit === undefined) return expected
  const times = crossings.toSorted((a, b) => a - b)
  const at = (q: number): number | null => {
    const hour = rank(times, q)
    return Number.isFinite(hour) ? Math.round(nowMs + hour * HOUR_MS) : null
  }
  const probability = crossings.filter(Number.isFinite).length / DRAWS
  return { ...expected, limit: { probability, atMs: { p10: at(0.1), p50: at(0.5), p90: at(0.9) } } }
}

/** What the futures come to on their way. */
interface Mark {
  readonly atHour: number
  readonly totals: number[]
}

/** Days counted back from now: day 0 is the last 24 hours, day -1 the next. */
class History {
  readonly isWeekly: boolean
  /** The hours of each day, as shares of it. */
  readonly #shapes: readonly (readonly number[])[]
  readonly #totals: readonly number[]
  /** The same without their trend. */
  readonly #flat: readonly number[]
  /** How much of what the days show of a trend, and of weekdays, is more than chance: 0 to 1. */
  readonly #trendTrust: number
  readonly #weekTrust: number
  readonly #fit: Fit
  /** Of what is left over, how much a day hands on to the next. */
  readonly #memory: number
  /** What is left over of the last day, and what came new with each. */
  readonly #lastRest: number
  readonly #news: readonly number[]
  /** How much less the days tell than as many independent ones, of a known spread, would. */
  readonly #doubt: number

  constructor(hours: readonly number[], days: number) {
    const each = Array.from({ length: days }, (_, day) => {
      const end = hours.length - day * DAY_HOURS
      return hours.slice(end - DAY_HOURS, end)
    })
    this.#totals = each.map((day) => day.reduce((sum, one) => sum + one, 0))
    const used = each.filter((_, day) => this.#totals[day] !== 0)
    this.#shapes = (used.length === 0 ? [Array.from({ length: DAY_HOURS }, () => 1)] : used).map((day) => {
      const sum = day.reduce((all, one) => all + one, 0)
      return day.map((hour) => hour / sum)
    })
    this.isWeekly = days >= WEEKLY_DAYS_MIN
    const even = Array.from({ length: days }, () => 1 / days)
    // Neither must a trend pass for a difference of weekdays, nor the other way round.
    const growth = this.isWeekly ? growthWithin(this.#totals) : 0
    this.#flat = this.#totals.map((total, day) => total / trendAt(growth, (days - 1) / 2, day))
    this.#weekTrust = this.isWeekly ? weekTrust(this.#flat) : 0
    this.#trendTrust = 1
    const full = this.#fitted(even)
    const rough = autocorrelation(this.#rests(full), days)
    this.#trendTrust = trendTrust(this.#rests(full), full.growth * full.level, (1 + rough) / (1 - rough))
    this.#fit = this.#fitted(even)
    const rests = this.#rests(this.#fit)
    this.#memory = autocorrelation(rests, days)
    this.#lastRest = rests[0] ?? 0
    const news = rests.slice(0, -1).map((rest, day) => rest - this.#memory * (rests[day + 1] ?? 0))
    const newsMean = news.reduce((sum, one) => sum + one, 0) / news.length
    const parameters = 1 + this.#trendTrust + 6 * this.#weekTrust
    const few = Math.sqrt(days / Math.max(1, days - parameters - 1))
    this.#news = news.map((one) => (one - newsMean) * few)
    this.#doubt = few * Math.sqrt((1 + this.#memory) / (1 - this.#memory))
  }

  /** One future, hour by hour. */
  future(
    random: Random,
    ahead: {
      spent: number
      hoursAhead: number
      elapsed: number
      limit: number | undefined
      marks: readonly Mark[]
    },
  ): { total: number; crossedAtHour: number } {
    const { spent, hoursAhead, elapsed, limit = Infinity, marks } = ahead
    let passed = 0
    const one = this.#fitted(dirichlet(this.#totals.length, random))
    const level = this.#fit.level + (one.level - this.#fit.level) * this.#doubt
    const slip = (one.growth - this.#fit.growth) * this.#doubt
    const growth = this.#fit.growth * this.#trendTrust + slip * Math.max(this.#trendTrust, TREND_DOUBT_LEAST)
    let total = spent
    let crossedAtHour = total > limit ? 0 : Infinity
    let rest = this.#lastRest
    let dayTotal = 0
    let shape: readonly number[] = []
    for (let step = 0, hour = 0; hour < hoursAhead; step++) {
      const at = step % DAY_HOURS
      if (at === 0) {
        const day = -1 - step / DAY_HOURS
        rest = this.#memory * rest + (this.#news[below(this.#news.length, random)] ?? 0)
        shape = this.#shapes[below(this.#shapes.length, random)] ?? []
        const season = (one.factors[weekdayOf(day)] ?? 1) * trendAt(growth, one.center, day)
        dayTotal = Math.max(0, level + rest) * season
      }
      const share = step === 0 ? 1 - elapsed : 1
      const part = Math.min(share, hoursAhead - hour)
      const used = dayTotal * (shape[at] ?? 0) * part
      if (total + used > limit && crossedAtHour === Infinity) crossedAtHour = hour + (part * (limit - total)) / used
      for (let mark = marks[passed]; mark !== undefined && mark.atHour <= hour + part; mark = marks[++passed])
        mark.totals.push(total + (used * Math.max(0, mark.atHour - hour)) / part)
      total += used
      hour += part
    }
    return { total, crossedAtHour }
  }

  /** Level, trend and weekdays of weighted days. */
  #fitted(weights: readonly number[]): Fit {
    const factors = this.#weekFactors(weights)
    const levels = this.#totals.map((total, day) => total / (factors[weekdayOf(day)] ?? 1))
    const { mean, slope, center } = line(levels, weights)
    return { level: mean, growth: mean > 0 ? slope / mean : 0, center, factors }
  }

  /** What is left over of each day, at the level of the centre. */
  #rests({ level, growth, center, factors }: Fit): number[] {
    return this.#totals.map(
      (total, day) => total / (factors[weekdayOf(day)] ?? 1) / trendAt(growth * this.#trendTrust, center, day) - level,
    )
  }

  /** By weekday, counted back: its mean over that of all, drawn towards 1. */
  #weekFactors(weights: readonly number[]): number[] {
    const factors = Array.from({ length: WEEK_DAYS }, () => 1)
    if (this.#weekTrust === 0) return factors
    const sums = factors.map(() => ({ weight: 0, total: 0 }))
    let mean = 0
    for (const [day, total] of this.#flat.entries()) {
      const weight = weights[day] ?? 0
      mean += weight * total
      const sum = sums[weekdayOf(day)]
      if (sum === undefined) continue
      sum.weight += weight
      sum.total += weight * total
    }
    if (mean <= 0) return factors
    return sums.map(({ weight, total }) =>
      weight <= 0 ? 1 : Math.max(WEEKDAY_FACTOR_MIN, 1 + this.#weekTrust * (total / weight / mean - 1)),
    )
  }
}

interface Fit {
  /** Of a day, at `center`. */
  readonly level: number
  /** Per day, as a share of the level. */
  readonly growth: number
  readonly center: number
  readonly factors: readonly number[]
}

const weekdayOf = (day: number): number => ((day % WEEK_DAYS) + WEEK_DAYS) % WEEK_DAYS

const trendAt = (growth: number, center: number, day: number): number =>
  Math.min(TREND_FACTOR_MAX, Math.max(1 / TREND_FACTOR_MAX, Math.exp(growth * (center - day))))

/** Of order 1, corrected for the bias of short series; what would be negative is none. */
function autocorrelation(rests: readonly number[], days: number): number {
  const mean = rests.reduce((sum, one) => sum + one, 0) / days
  let product = 0
  let square = 0
  for (const [day, rest] of rests.entries()) {
    product += (rest - mean) * ((rests[day + 1] ?? mean) - mean)
    square += (rest - mean) ** 2
  }
  if (square === 0) return 0
  const raw = product / square
  const found = raw + (1 + 3 * raw) / days
  return found <= 0 ? 0 : Math.min(MEMORY_MAX, found)
}

/** The trend from week to week, weekday by weekday, as a share of the level per day. */
function growthWithin(totals: readonly number[]): number {
  let covariance = 0
  let variance = 0
  for (let weekday = 0; weekday < WEEK_DAYS; weekday++) {
    const own = [...totals.entries()].filter(([day]) => day % WEEK_DAYS === weekday)
    const mean = own.reduce((sum, [, total]) => sum + total, 0) / own.length
    const center = own.reduce((sum, [day]) => sum + day, 0) / own.length
    for (const [day, total] of own) {
      if (mean > 0) covariance += (center - day) * (total / mean - 1)
      variance += (center - day) ** 2
    }
  }
  return covariance / variance
}

/** 1 - 1/F of the one-way analysis of variance of weekdays. */
function weekTrust(totals: readonly number[]): number {
  const days = totals.length
  const mean = totals.reduce((sum, one) => sum + one, 0) / days
  let between = 0
  let within = 0
  for (let weekday = 0; weekday < WEEK_DAYS; weekday++) {
    const own = totals.filter((_, day) => day % WEEK_DAYS === weekday)
    const ownMean = own.reduce((sum, one) => sum + one, 0) / own.length
    between += own.length * (ownMean - mean) ** 2
    within += own.reduce((sum, one) => sum + (one - ownMean) ** 2, 0)
  }
  const f = between / (WEEK_DAYS - 1) / (within / (days - WEEK_DAYS))
  return shrunk(f)
}

/** 1 - 3/t^2 of the slope, whose variance is `inflation` times that of independent days. */
function trendTrust(rests: readonly number[], slope: number, inflation: number): number {
  const days = rests.length
  const center = (days - 1) / 2
  let residual = 0
  let spread = 0
  for (const [day, rest] of rests.entries()) {
    residual += rest ** 2
    spread += (day - center) ** 2
  }
  return shrunk((slope ** 2 * spread) / ((residual / (days - 2)) * inflation * TREND_RATIO))
}

/** Of a ratio that is 1 where there is nothing but chance; no doubt is left where all is exact. */
const shrunk = (ratio: number): number => (Number.isNaN(ratio) ? 0 : Math.max(0, 1 - 1 / ratio))

/** Weighted least squares over days ago; the slope is per day forward in time, at the weights'
 *  centre. */
function line(level: readonly number[], weights: readonly number[]): { mean: number; slope: number; center: number } {
  let mean = 0
  let center = 0
  for (const [day, total] of level.entries()) {
    mean += (weights[day] ?? 0) * total
    center += (weights[day] ?? 0) * day
  }
  let covariance = 0
  let variance = 0
  for (const [day, total] of level.entries()) {
    covariance += (weights[day] ?? 0) * (center - day) * (total - mean)
    variance += (weights[day] ?? 0) * (center - day) ** 2
  }
  return { mean, slope: variance > 0 ? covariance / variance : 0, center }
}

/** Uniform over all weights that add up to 1. */
function dirichlet(count: number, random: Random): number[] {
  const parts = Array.from({ length: count }, () => -Math.log(1 - uniform(random)))
  const sum = parts.reduce((all, one) => all + one, 0)
  return parts.map((part) => part / sum)
}

const below = (count: number, random: Random): number => Math.floor(uniform(random) * count)
