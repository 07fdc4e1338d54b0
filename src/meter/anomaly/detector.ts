import type { Random } from '../../base/random.ts'
import { countOf, type Sketch } from '../../trace/sketch.ts'
import { bounded, departs, NOTHING, p50, p95, type Ratio, rankOf, ratioAt, without, withValue } from './history.ts'
import { normalQuantile } from './normal.ts'

/** Tells, request by request, when what a subject uses per request is no longer what it was.
 *
 *  Each value's rank among all before it is uniform as long as nothing changes, whatever the
 *  distribution is: a conformal p-value. Its normal score z has a likelihood ratio exp(d z - d²/2)
 *  for each shift d; such factors make a Shiryaev-Roberts statistic R = (1 + R) * factor for each
 *  d, and their mean is an e-detector: until something changes R minus the number of requests is a
 *  supermartingale, so that at a threshold A there is at most one false alarm in A requests on
 *  average, however often one looks (Shin, Ramdas, Rinaldo, "E-detectors", 2023; the ranks: Vovk,
 *  "Testing randomness online", 2021). By the same token N requests of any number of subjects make
 *  at most N/A false alarms. Ranks know nothing of when or how often requests come.
 *
 *  What is certain but small is no alarm: the median or the 95th percentile must have moved by more
 *  than `departs` asks, with its whole interval. */

/** Of one subject and measure, as it is kept. */
export interface Watched {
  readonly history: Sketch
  /** ln (1 + R) of each shift. */
  readonly evidence: readonly number[]
  /** For each shift a beginning is looked for with. */
  readonly begun: readonly Recent[]
  readonly departure?: Departure
}

/** Since the sum that looks for the beginning of a change (Page's CUSUM, 1954) was last at rest. */
interface Recent {
  readonly sum: number
  readonly sinceMs: number
  readonly values: Sketch
  readonly scores: number
  readonly examples: readonly string[]
}

/** What is going on, once it is certain. */
interface Departure {
  readonly sinceMs: number
  readonly before: Sketch
  readonly after: Sketch
  /** In normal scores: how far it went. */
  readonly shift: number
  /** Evidence that it is over: Page's sum for the way back. */
  readonly back: number
  /** The latest values, to see whether it goes further than the median that was last told. */
  readonly latest: Sketch
  readonly latestExamples: readonly string[]
  readonly told: Told
}

/** A median, as it was told: from the few requests of an alarm, roughly. */
interface Told {
  readonly middle: number
  readonly isRough: boolean
}

export interface Evidence {
  readonly sinceMs: number
  readonly before: Figures
  readonly after: Figures
  readonly ratio: { readonly p50: Ratio; readonly p95: Ratio }
  /** The latest requests since then. */
  readonly examples: readonly string[]
}

/** Percentiles are within 5 %. */
export interface Figures {
  readonly n: number
  readonly p50: number
  readonly p95: number
}

export type Verdict =
  | { readonly is: 'departed' | 'went_further'; readonly evidence: Evidence }
  | { readonly is: 'returned' }
  | { readonly is: 'accepted' }

const SHIFTS = [-2, -1, -0.5, -0.25, 0.25, 0.5, 1, 2] as const
/** The beginning of a large change is looked for with a large shift, which forgets sooner what was
 *  only chance before it. */
const BEGIN_SHIFTS = [-1.5, -0.5, 0.5, 1.5] as const
const SHIFT_MIN = 0.5
const SHIFT_MAX = 3
/** Values before anything is tested. */
const HISTORY_MIN = 50
const EXAMPLES_MAX = 5
/** A change that is certain and too small to tell of belongs to the history after so many requests. */
const SMALL_MAX = 2_000
/** Way back: at most one wrong return in so many requests. */
const RETURN_REQUESTS = 10_000
/** Latest values that are compared with what was told, and the ratio of medians that is news. */
const LATEST_VALUES = 64
const FURTHER_RATIO = 1.5
/** What has lasted so long is how it is now. */
const ACCEPTED_AFTER_MS = 7 * 24 * 3_600_000

const NO_RECENT: Recent = { sum: 0, sinceMs: 0, values: NOTHING, scores: 0, examples: [] }
const NO_EVIDENCE: readonly number[] = SHIFTS.map(() => 0)

export const UNWATCHED: Watched = {
  history: NOTHING,
  evidence: NO_EVIDENCE,
  begun: BEGIN_SHIFTS.map(() => NO_RECENT),
}

export interface Observation {
  readonly value: number
  readonly atMs: number
  readonly requestId: string
}

/** Takes in one request. `threshold`: requests for each false alarm. */
export function observe(
  watched: Watched,
  observation: Observation,
  threshold: number,
  random: Random,
): { watched: Watched; verdict?: Verdict } {
  if (watched.departure !== undefined) return observeDeparted(watched, watched.departure, observation, random)
  const { value } = observation
  const history = bounded(withValue(watched.history, value), random)
  if (countOf(watched.history) < HISTORY_MIN) return { watched: { ...watched, history } }
  const z = -normalQuantile(rankOf(watched.history, value, random))
  const found = SHIFTS.map((shift, i) => (watched.evidence[i] ?? 0) + shift * z - shift ** 2 / 2)
  const begun = BEGIN_SHIFTS.map((shift, i) => begin(watched.begun[i] ?? NO_RECENT, shift, z, observation))
  const next: Watched = { history, evidence: found.map(softplus), begun }
  if (logMeanExp(found) < Math.log(threshold)) return { watched: next }
  return judged(next, SHIFTS[found.indexOf(Math.max(...found))] ?? 0)
}

/** Certain; is it also much? `likely`: the shift that tells best what was seen. */
function judged(watched: Watched, likely: number): { watched: Watched; verdict?: Verdict } {
  const own = watched.begun.filter((_, i) => Math.sign(BEGIN_SHIFTS[i] ?? 0) === Math.sign(likely))
  const [small, large] = likely < 0 ? [own[1], own[0]] : [own[0], own[1]]
  for (const recent of Math.abs(likely) >= 1 ? [large, small] : [small]) {
    if (recent === undefined || recent.sum === 0) continue
    const after = recent.values
    const before = without(watched.history, after)
    const evidence = evidenceOf(before, after, recent)
    if (!departs(evidence.ratio.p50) && !departs(evidence.ratio.p95)) continue
    const size = Math.min(SHIFT_MAX, Math.max(SHIFT_MIN, Math.abs(recent.scores) / countOf(after)))
    const departure: Departure = {
      sinceMs: recent.sinceMs,
      before,
      after,
      shift: Math.sign(likely) * size,
      back: 0,
      latest: NOTHING,
      latestExamples: [],
      told: { middle: p50(after), isRough: true },
    }
    return { watched: { ...UNWATCHED, history: before, departure }, verdict: { is: 'departed', evidence } }
  }
  const settled = small !== undefined && countOf(small.values) > SMALL_MAX
  return { watched: settled ? { ...UNWATCHED, history: watched.history } : watched }
}

function observeDeparted(
  watched: Watched,
  departure: Departure,
  { value, atMs, requestId }: Observation,
  random: Random,
): { watched: Watched; verdict?: Verdict } {
  const { before, shift } = departure
  const z = -normalQuantile(rankOf(before, value, random))
  const back = Math.max(0, departure.back - shift * z + shift ** 2 / 2)
  if (back >= Math.log(RETURN_REQUESTS))
    return { watched: { ...UNWATCHED, history: before }, verdict: { is: 'returned' } }
  const after = bounded(withValue(departure.after, value), random)
  if (atMs - departure.sinceMs > ACCEPTED_AFTER_MS && countOf(after) >= HISTORY_MIN)
    return { watched: { ...UNWATCHED, history: after }, verdict: { is: 'accepted' } }
  const latest = withValue(departure.latest, value)
  const latestExamples = withExample(departure.latestExamples, requestId)
  const next = { ...departure, after, back, latest, latestExamples }
  if (countOf(latest) < LATEST_VALUES) return { watched: { ...watched, departure: next } }
  const { told } = departure
  const now = { middle: p50(latest), isRough: false }
  const rest = { ...next, latest: NOTHING, latestExamples: [], told: told.isRough ? now : told }
  const evidence = evidenceOf(before, latest, { sinceMs: departure.sinceMs, examples: latestExamples })
  // On the way back it is no news that it is less.
  if (!isFurther(told, now.middle) || !departs(evidence.ratio.p50)) return { watched: { ...watched, departure: rest } }
  return {
    watched: { ...watched, departure: { ...rest, told: now } },
    verdict: { is: 'went_further', evidence },
  }
}

/** What was told roughly is first told better to ourselves, unless it is far off. */
function isFurther({ middle, isRough }: Told, now: number): boolean {
  const ratio = isRough ? FURTHER_RATIO ** 2 : FURTHER_RATIO
  return now > middle * ratio || now < middle / ratio
}

function begin(recent: Recent, shift: number, z: number, { value, atMs, requestId }: Observation): Recent {
  const sum = recent.sum + shift * z - shift ** 2 / 2
  if (sum <= 0) return NO_RECENT
  return {
    sum,
    sinceMs: recent.sum === 0 ? atMs : recent.sinceMs,
    values: withValue(recent.values, value),
    scores: recent.scores + z,
    examples: withExample(recent.examples, requestId),
  }
}

const withExample = (examples: readonly string[], id: string): readonly string[] =>
  [...examples, id].slice(-EXAMPLES_MAX)

function evidenceOf(before: Sketch, after: Sketch, since: Pick<Evidence, 'sinceMs' | 'examples'>): Evidence {
  const figures = (values: Sketch): Figures => ({ n: countOf(values), p50: p50(values), p95: p95(values) })
  return {
    sinceMs: since.sinceMs,
    before: figures(before),
    after: figures(after),
    ratio: { p50: ratioAt(0.5, before, after), p95: ratioAt(0.95, before, after) },
    examples: since.examples,
  }
}

/** ln(1 + e^x). */
const softplus = (x: number): number => (x > 30 ? x : Math.log1p(Math.exp(x)))

function logMeanExp(values: readonly number[]): number {
  const most = Math.max(...values)
  return most + Math.log(values.reduce((sum, one) => sum + Math.exp(one - most), 0) / values.length)
}
