/** The time over which a budget counts. A calendar window is exact across changes of the clocks;
 *  a rolling one is counted in 60 buckets and promises: what was used in any span of `durationMs`
 *  is never above the limit, and is free again at most a twentieth and a tenth of a second later
 *  than it could be. */
export type Window =
  | { readonly kind: 'request' }
  | { readonly kind: 'rolling'; readonly durationMs: number }
  | { readonly kind: 'calendar'; readonly unit: CalendarUnit; readonly zone: string }
  | { readonly kind: 'lifetime' }

export const CALENDAR_UNITS = ['minute', 'hour', 'day', 'week', 'month'] as const
export type CalendarUnit = (typeof CALENDAR_UNITS)[number]

/** One run of a window: [startMs, endMs) in milliseconds of wall time, and what names it. */
export interface Period {
  readonly key: string
  readonly startMs: number
  /** When the budget resets; Infinity where it never does. */
  readonly endMs: number
}

/** A rolling window is counted in so many buckets. */
const ROLLING_BUCKETS = 60
/** One second to one year. */
export const ROLLING_MS_MIN = 1_000
export const ROLLING_MS_MAX = 366 * 24 * 3_600_000

/** For windows without a beginning or an end. */
const ENDLESS = { startMs: -Infinity, endMs: Infinity }

export function periodAt(window: Window, wallMs: number): Period {
  if (window.kind === 'rolling') return { key: `rolling ${window.durationMs}`, ...ENDLESS }
  if (window.kind !== 'calendar') return { key: window.kind, ...ENDLESS }
  const { startMs, endMs } = calendarPeriod(window.unit, window.zone, wallMs)
  return { key: `${window.unit} ${Temporal.Instant.fromEpochMilliseconds(startMs).toString()}`, startMs, endMs }
}

/** Where a period begins, from its key; undefined where it has no beginning. */
export function startOf(key: string): number | undefined {
  const [unit = '', start = ''] = key.split(' ')
  const startMs = (CALENDAR_UNITS as readonly string[]).includes(unit) ? Date.parse(start) : NaN
  return Number.isNaN(startMs) ? undefined : startMs
}

/** No calendar unit of any zone is longer: clocks go back by a day at most. */
const CALENDAR_MS_MAX: { readonly [unit in CalendarUnit]: number } = {
  minute: 60_000,
  hour: 3_600_000,
  day: 2 * 24 * 3_600_000,
  week: 8 * 24 * 3_600_000,
  month: 32 * 24 * 3_600_000,
}

/** An instant at which a period is over for sure, from its key: the key does not say in which zone
 *  it is, for a zone whose rules change in its midst must not begin it anew. Undefined where it
 *  has no end. */
export function endsBeforeMs(key: string): number | undefined {
  const startMs = startOf(key)
  return startMs === undefined ? undefined : startMs + CALENDAR_MS_MAX[key.split(' ')[0] as CalendarUnit]
}

/** The length of a rolling window, from the key of its one period. */
export function rollingMsOf(key: string): number | undefined {
  const [kind, durationMs] = key.split(' ')
  return kind === 'rolling' ? Number(durationMs) : undefined
}

/** Whether the name is one of the IANA time zone database. */
export function isZone(name: string): boolean {
  // Offsets such as `+02:00` are understood too, but have no name and no history.
  if (!/^[A-Za-z]/.test(name)) return false
  try {
    Temporal.Instant.fromEpochMilliseconds(0).toZonedDateTimeISO(name)
    return true
  } catch {
    return false
  }
}

const CLOCK_UNIT_MS = { minute: 60_000, hour: 3_600_000 } as const

/** Periods tile time: each instant is in exactly one. */
function calendarPeriod(unit: CalendarUnit, zone: string, wallMs: number): Omit<Period, 'key'> {
  const local = Temporal.Instant.fromEpochMilliseconds(Math.floor(wallMs)).toZonedDateTimeISO(zone)
  if (unit === 'minute' || unit === 'hour') return clockPeriod(local, CLOCK_UNIT_MS[unit])
  let start = local.subtract({ days: unit === 'week' ? local.dayOfWeek - 1 : 0 }).startOfDay()
  if (unit === 'month') start = local.with({ day: 1 }).startOfDay()
  const step = unit === 'day' ? { days: 1 } : unit === 'week' ? { days: 7 } : { months: 1 }
  let end = start.add(step).startOfDay()
  // Where clocks went back over midnight the old date comes a second time; it counts as the new.
  while (end.epochMilliseconds <= wallMs) {
    start = end
    end = start.add(step).startOfDay()
  }
  return { startMs: start.epochMilliseconds, endMs: end.epochMilliseconds }
}

/** Of a local hour that comes twice, or that a shift by half an hour cuts, each part is a period. */
function clockPeriod(local: Temporal.ZonedDateTime, unitMs: number): Omit<Period, 'key'> {
  const offsetMs = local.offsetNanoseconds / 1_000_000
  const floorMs = Math.floor((local.epochMilliseconds + offsetMs) / unitMs) * unitMs - offsetMs
  const since = local.add({ nanoseconds: 1 }).getTimeZoneTransition('previous')?.epochMilliseconds ?? -Infinity
  const until = local.getTimeZoneTransition('next')?.epochMilliseconds ?? Infinity
  return { startMs: Math.max(floorMs, since), endMs: Math.min(floorMs + unitMs, until) }
}

/** Of a rolling window: the bucket of an instant. */
export const bucketAt = (durationMs: number, atMs: number): number => Math.floor(atMs / bucketMs(durationMs))

const bucketMs = (durationMs: number): number => Math.ceil(durationMs / ROLLING_BUCKETS)

/** Nodes take their time for rolling windows from the store, each by at most this too late. */
export const CLOCK_AGREEMENT_MS = 100

/** Whether what was posted in `bucket` still counts in bucket `now`. */
export const counts = (durationMs: number, bucket: number, now: number): boolean =>
  bucket >= now - bucketsKept(durationMs)

const bucketsKept = (durationMs: number): number =>
  Math.ceil((durationMs + CLOCK_AGREEMENT_MS) / bucketMs(durationMs)) + 1

/** The instant at which what was posted in `bucket` counts no more. */
export const freedAtMs = (durationMs: number, bucket: number): number =>
  (bucket + bucketsKept(durationMs) + 1) * bucketMs(durationMs)

/** How far ahead of a node's own clock another node's buckets are believed: two windows or an
 *  hour. What is dated later comes from a clock that was wrong, and counts as posted now. */
export const bucketsAheadMax = (durationMs: number): number =>
  Math.ceil(Math.max(2 * durationMs, 3_600_000) / bucketMs(durationMs))
