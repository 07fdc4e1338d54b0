import { seededRandom } from '../../src/base/random.ts'
import { forecast } from '../../src/meter/forecast.ts'
import type { Load } from './loads.ts'

/** How often the truth lies where the forecast says it will. */

export interface Coverage {
  readonly load: string
  readonly historyDays: number
  readonly aheadDays: number
  readonly n: number
  /** Of the totals between p10 and p90: 0.8 is right. */
  readonly inside: number
  readonly below: number
  readonly above: number
  /** Wilson's 95 % interval of `inside`. */
  readonly interval: readonly [low: number, high: number]
  /** Width of the interval over the truth, median: a wide one is right easily. */
  readonly widthMedian: number
}

const EPOCH_MS = Date.UTC(2026, 0, 5)
const HOUR_MS = 3_600_000

export function coverage(load: Load, historyDays: number, aheadDays: number, runs: number, seed: number): Coverage {
  let below = 0
  let above = 0
  const widths: number[] = []
  for (let run = 0; run < runs; run++) {
    const random = seededRandom(seed * 100_003 + run)
    const hours = load.hours((historyDays + aheadDays) * 24, random)
    const history = hours.slice(0, historyDays * 24)
    const truth = hours.slice(historyDays * 24).reduce((sum, one) => sum + one, 0)
    const nowMs = EPOCH_MS + history.length * HOUR_MS
    const endMs = nowMs + aheadDays * 24 * HOUR_MS
    const found = forecast({ hours: history, nowMs, spent: 0, endMs, random: seededRandom(run) })
    if (!found.known) throw new Error(`${historyDays} days are too little for ${aheadDays}`)
    if (truth < found.total.p10) below++
    if (truth > found.total.p90) above++
    widths.push((found.total.p90 - found.total.p10) / truth)
  }
  const inside = 1 - (below + above) / runs
  return {
    load: load.name,
    historyDays,
    aheadDays,
    n: runs,
    inside,
    below: below / runs,
    above: above / runs,
    interval: wilson(runs - below - above, runs),
    widthMedian: median(widths),
  }
}

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN

/** Wilson 1927, 95 %. */
export function wilson(count: number, n: number): [number, number] {
  const z = 1.96
  const p = count / n
  const middle = p + z ** 2 / (2 * n)
  const half = z * Math.sqrt((p * (1 - p)) / n + z ** 2 / (4 * n ** 2))
  return [(middle - half) / (1 + z ** 2 / n), (middle + half) / (1 + z ** 2 / n)]
}
