import type { BurnDown } from '../api/budgets.ts'

/** Where the lines of a burn-down stand: what remains of a limit over its window, and the fan of where
 *  that leads. Amounts are what remains; places are shares of the chart, from the left and from the
 *  top. */

export interface Chart {
  readonly fromMs: number
  readonly toMs: number
  readonly nowMs: number
  /** What remains at the top and at the bottom of the chart; 0 lies between. */
  readonly top: number
  readonly bottom: number
  /** What remained after each hour, in order; each holds until the next. */
  readonly steps: readonly Point[]
  readonly fan: readonly FanPoint[]
}

export interface Point {
  readonly atMs: number
  readonly remaining: number
}

export interface FanPoint {
  readonly atMs: number
  /** In nine of ten cases more is left than `low`, in one of ten more than `high`. */
  readonly low: number
  readonly middle: number
  readonly high: number
}

const HOUR_MS = 3_600_000
/** How far below nothing is shown, as a share of the limit. */
const BELOW_MAX = 0.25

/** Undefined where hours show nothing. */
export function chartOf({ window, used, forecast, limit, posted, nowMs }: BurnDown): Chart | undefined {
  if (window === undefined || used === undefined) return undefined
  const steps = stepsOf(used.hours, used.fromMs, window.fromMs, nowMs, limit, posted)
  const path = forecast?.isKnown === true ? forecast.path : []
  const start = { atMs: nowMs, low: limit - posted, middle: limit - posted, high: limit - posted }
  const fan = path.map(({ atMs, p10, p50, p90 }) => ({
    atMs,
    low: limit - p90,
    middle: limit - p50,
    high: limit - p10,
  }))
  const lowest = Math.min(0, limit - posted, ...fan.map(({ low }) => low))
  return {
    fromMs: window.fromMs,
    toMs: window.toMs,
    nowMs,
    top: Math.max(limit, 1),
    bottom: Math.max(lowest, -BELOW_MAX * Math.max(limit, 1)),
    steps,
    fan: fan.length === 0 ? [] : [start, ...fan],
  }
}

/** Walks back from what the account says now: hours from before the last reset, or before there was
 *  such a budget, are not counted against it. */
function stepsOf(
  hours: readonly number[],
  firstMs: number,
  fromMs: number,
  nowMs: number,
  limit: number,
  posted: number,
): Point[] {
  let spent = posted
  const points: Point[] = [{ atMs: nowMs, remaining: limit - spent }]
  for (let hour = hours.length - 1; hour >= 0; hour--) {
    spent = Math.max(0, spent - (hours[hour] ?? 0))
    points.push({ atMs: Math.max(fromMs, firstMs + hour * HOUR_MS), remaining: limit - spent })
  }
  // From the hour's end on it is gone; until then it was there.
  return points.reverse()
}

export const xOf = ({ fromMs, toMs }: Pick<Chart, 'fromMs' | 'toMs'>, atMs: number): number =>
  Math.min(1, Math.max(0, (atMs - fromMs) / Math.max(1, toMs - fromMs)))

export const yOf = ({ top, bottom }: Pick<Chart, 'top' | 'bottom'>, remaining: number): number =>
  Math.min(1, Math.max(0, (top - remaining) / Math.max(1, top - bottom)))

/** SVG coordinates are thousandths of the chart. */
const place = (chart: Chart, atMs: number, remaining: number): string =>
  `${round(xOf(chart, atMs) * 1000)} ${round(yOf(chart, remaining) * 1000)}`

const round = (value: number): number => Math.round(value * 100) / 100

/** The steps as a path: level through the hour, down at its end. */
export function stepPath(chart: Chart): string {
  const [first, ...rest] = chart.steps
  if (first === undefined) return ''
  let path = `M${place(chart, first.atMs, first.remaining)}`
  let before = first
  for (const point of rest) {
    path += `L${place(chart, point.atMs, before.remaining)}`
    if (point.remaining !== before.remaining) path += `L${place(chart, point.atMs, point.remaining)}`
    before = point
  }
  return path
}

/** From where the fan opens along its upper edge, and back along its lower one. */
export function fanPath(chart: Chart): string {
  const upper = chart.fan.map(({ atMs, high }) => place(chart, atMs, high))
  const lower = chart.fan.toReversed().map(({ atMs, low }) => place(chart, atMs, low))
  return chart.fan.length === 0 ? '' : `M${[...upper, ...lower].join('L')}Z`
}

export const middlePath = (chart: Chart): string =>
  chart.fan.length === 0 ? '' : `M${chart.fan.map(({ atMs, middle }) => place(chart, atMs, middle)).join('L')}`

const STEPS_MS = [1, 2, 3, 6, 12, 24, 48, 168, 336, 720].map((hours) => hours * HOUR_MS)

/** Round times from the window's beginning on, at most so many. */
export function timeTicks({ fromMs, toMs }: Pick<Chart, 'fromMs' | 'toMs'>, atMost: number): number[] {
  const stepMs = STEPS_MS.find((step) => (toMs - fromMs) / step <= atMost) ?? (toMs - fromMs) / atMost
  return Array.from({ length: Math.floor((toMs - fromMs) / stepMs) + 1 }, (_, at) => fromMs + at * stepMs)
}

/** Of a long window only the last point of each day, for reading. */
export function rowsOf(chart: Chart, atMost: number): Point[] {
  const every = Math.max(1, Math.ceil(chart.steps.length / atMost))
  return chart.steps.filter((_, at) => (chart.steps.length - 1 - at) % every === 0)
}
