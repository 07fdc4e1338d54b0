import { type Random, uniform } from '../../base/random.ts'
import { countOf, EMPTY_SKETCH, gammaOf, mergeSketches, quantile, type Sketch, sketchWith } from '../../trace/sketch.ts'

/** What one subject's requests have been like, in buckets of 10 % width. */

const ACCURACY = 0.05
const GAMMA = gammaOf(ACCURACY)

/** Values of one history. Beyond, half of them, chosen by lot, are forgotten: so the history follows
 *  its subject, and the order of values still tells nothing. */
const VALUES_MAX = 10_000

export const NOTHING = EMPTY_SKETCH

export const withValue = (history: Sketch, value: number): Sketch => mergeSketches(history, sketchWith(GAMMA, value))

export function bounded(history: Sketch, random: Random): Sketch {
  if (countOf(history) <= VALUES_MAX) return history
  const kept = (count: number): number => {
    let left = 0
    for (const byte of random.bytes(count)) left += byte & 1
    return left
  }
  return {
    zeros: kept(history.zeros),
    buckets: history.buckets.map(([index, count]) => [index, kept(count)] as const).filter(([, count]) => count > 0),
  }
}

/** The history without values that are part of it. */
export function without(history: Sketch, part: Sketch): Sketch {
  const taken = new Map(part.buckets)
  return {
    zeros: Math.max(0, history.zeros - part.zeros),
    buckets: history.buckets
      .map(([index, count]) => [index, count - (taken.get(index) ?? 0)] as const)
      .filter(([, count]) => count > 0),
  }
}

/** The share of values that are at least as large as this one, itself included; among equals its
 *  place is drawn by lot. Uniform between 0 and 1, and independent of all before, as long as values
 *  come in no particular order, whatever their distribution (Vovk, Gammerman, Shafer 2005, ch. 2). */
export function rankOf(history: Sketch, value: number, random: Random): number {
  const [bucket] = sketchWith(GAMMA, value).buckets
  let larger = 0
  let equal = bucket === undefined ? history.zeros : 0
  for (const [index, count] of history.buckets) {
    if (bucket === undefined || index > bucket[0]) larger += count
    else if (index === bucket[0]) equal = count
  }
  const share = (uniform(random) + 2 ** -33) * (equal + 1)
  return (larger + share) / (countOf(history) + 1)
}

/** Each within 5 % of the exact value. */
export const p50 = (values: Sketch): number => quantile(values, 0.5, GAMMA) ?? 0
export const p95 = (values: Sketch): number => quantile(values, 0.95, GAMMA) ?? 0

/** How often a quantile's interval holds it; two of them together then do in 95 of 100 cases
 *  (Bonferroni). */
const Z = 2.24

/** Null: beyond any number, because there was nothing before; of `high` also: not known, from so few. */
export interface Ratio {
  readonly value: number | null
  readonly low: number | null
  readonly high: number | null
}

interface Bounds {
  readonly low: number
  readonly middle: number
  readonly high: number
}

/** A quantile, and where it lies in at least 97.5 of 100 cases: the interval of the ranks, which asks
 *  nothing of the distribution. From few values it is open: 0 below, Infinity above. */
function boundsAt(q: number, values: Sketch): Bounds {
  const n = countOf(values)
  const half = Z * Math.sqrt(q * (1 - q) * n)
  const at = (rank: number): number => quantile(values, rank / n, GAMMA) ?? 0
  const below = Math.floor(q * n - half)
  const above = Math.floor(q * n + half) + 1
  return { low: below < 1 ? 0 : at(below), middle: at(q * n), high: above > n ? Infinity : at(above) }
}

/** After over before, at the quantile `q`, with an interval that holds it in at least 95 of 100
 *  cases. */
export function ratioAt(q: number, before: Sketch, after: Sketch): Ratio {
  const was = boundsAt(q, before)
  const is = boundsAt(q, after)
  const over = (a: number, b: number): number | null => {
    if (a === 0) return b === 0 ? 1 : 0
    return Number.isFinite(a) && b > 0 ? a / b : null
  }
  return { value: over(is.middle, was.middle), low: over(is.low, was.high), high: over(is.high, was.low) }
}

/** What is worth an alert: a quarter more or a fifth less, beyond doubt. */
const RATIO_UP = 1.25
const RATIO_DOWN = 0.8

export const departs = ({ low, high }: Ratio): boolean =>
  low === null || low > RATIO_UP || (high !== null && high < RATIO_DOWN)
