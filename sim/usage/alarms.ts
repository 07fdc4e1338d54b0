import { type Random, seededRandom, uniform } from '../../src/base/random.ts'
import { observe, UNWATCHED, type Watched } from '../../src/meter/anomaly/detector.ts'
import { normal } from './loads.ts'

/** False alarms and delays of the detector, on requests of subjects that differ as subjects do. */

/** Requests for each false alarm that the detector is told to keep to. */
export const THRESHOLD = 100_000

/** Tokens of one request. */
export type Draw = (random: Random) => number

export const SUBJECTS: readonly { readonly name: string; readonly draw: Draw }[] = [
  { name: 'log-normal, sigma 0.5', draw: (random) => 800 * Math.exp(0.5 * normal(random)) },
  { name: 'log-normal, sigma 1.2', draw: (random) => 800 * Math.exp(1.2 * normal(random)) },
  // Without a variance.
  { name: 'Pareto, alpha 1.5', draw: (random) => 300 * (1 - uniform(random)) ** (-1 / 1.5) },
  // Short ones and, one in five, long ones of twenty times the size.
  {
    name: 'two kinds',
    draw: (random) => (uniform(random) < 0.2 ? 6000 : 300) * Math.exp(0.4 * normal(random)),
  },
  { name: 'nearly constant', draw: (random) => 512 + Math.floor(uniform(random) * 8) },
]

export interface FalseAlarms {
  readonly subject: string
  readonly requests: number
  readonly alarms: number
}

export function falseAlarms(name: string, draw: Draw, requests: number, seed: number): FalseAlarms {
  const random = seededRandom(seed)
  const lot = seededRandom(seed + 1)
  let watched: Watched = UNWATCHED
  let alarms = 0
  for (let i = 0; i < requests; i++) {
    const { watched: next, verdict } = observe(watched, request(draw(random), i), THRESHOLD, lot)
    watched = next
    if (verdict?.is !== 'departed') continue
    alarms++
    // What would be shown to somebody is over for the count; begin anew.
    watched = UNWATCHED
  }
  return { subject: name, requests, alarms }
}

export interface Delay {
  readonly subject: string
  readonly factor: number
  readonly n: number
  /** Of those that were seen within `REQUESTS_MAX`: requests until then. */
  readonly p50: number
  readonly p95: number
  readonly missed: number
}

const REQUESTS_MAX = 3_000

export function delay(name: string, draw: Draw, factor: number, historyCount: number, runs: number): Delay {
  const delays: number[] = []
  for (let run = 0; run < runs; run++) {
    const random = seededRandom(run * 7919 + 17)
    const lot = seededRandom(run)
    let watched: Watched = UNWATCHED
    for (let i = 0; i < historyCount; i++) {
      const { watched: next, verdict } = observe(watched, request(draw(random), i), THRESHOLD, lot)
      watched = verdict?.is === 'departed' ? UNWATCHED : next
    }
    for (let i = 1; i <= REQUESTS_MAX; i++) {
      const { watched: next, verdict } = observe(
        watched,
        request(factor * draw(random), historyCount + i),
        THRESHOLD,
        lot,
      )
      watched = next
      if (verdict?.is === 'departed') {
        delays.push(i)
        break
      }
    }
  }
  const sorted = delays.toSorted((a, b) => a - b)
  const at = (q: number): number => sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? Infinity
  return { subject: name, factor, n: runs, p50: at(0.5), p95: at(0.95), missed: runs - delays.length }
}

const request = (value: number, i: number) => ({ value: Math.round(value), atMs: i * 1000, requestId: `req_${i}` })
