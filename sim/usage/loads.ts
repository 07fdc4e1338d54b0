import { type Random, uniform } from '../../src/base/random.ts'

/** Made-up loads of a gateway, hour by hour, in nano-USD. None is made by the model that forecasts
 *  it. */

export interface Load {
  readonly name: string
  /** One run of it. */
  hours(count: number, random: Random): number[]
}

const REQUEST_NANOUSD = 2_000_000

/** A total of so many requests on average, each log-normal with a long tail (sigma 1.2). */
function hour(rate: number, random: Random): number {
  let total = 0
  for (let left = poisson(rate, random); left > 0; left--)
    total += REQUEST_NANOUSD * Math.exp(1.2 * normal(random) - 0.72)
  return Math.round(total)
}

const daily = (at: number): number => 1 + 0.8 * Math.sin(((at % 24) / 24) * 2 * Math.PI)
const weekly = (at: number): number => (Math.floor(at / 24) % 7 >= 5 ? 0.3 : 1.28)

const load = (name: string, rateAt: (random: Random) => (at: number) => number): Load => ({
  name,
  hours(count, random) {
    const rate = rateAt(random)
    return Array.from({ length: count }, (_, at) => hour(rate(at), random))
  },
})

export const LOADS: readonly Load[] = [
  load('steady', () => () => 40),
  load('sparse', () => () => 0.5),
  load('day', () => (at) => 40 * daily(at)),
  load('day and week', () => (at) => 40 * daily(at) * weekly(at)),
  // Batches of some hours, on average one every second day, each ten times the load.
  load('bursts', (random) => {
    let left = 0
    return () => {
      if (left === 0 && uniform(random) < 1 / 48) left = 1 + Math.floor(uniform(random) * 6)
      if (left > 0) left--
      return left > 0 ? 300 : 30
    }
  }),
  load('grows 2 % a day', () => (at) => 30 * daily(at) * 1.02 ** (at / 24)),
  load('shrinks 2 % a day', () => (at) => 60 * daily(at) * weekly(at) * 0.98 ** (at / 24)),
  // Days that are busy or quiet of themselves, and remember it.
  load('wandering', (random) => {
    let level = 0
    return (at) => {
      if (at % 24 === 0) level = 0.7 * level + 0.25 * normal(random)
      return 40 * Math.exp(level) * daily(at)
    }
  }),
]

/** Box and Muller 1958. */
export function normal(random: Random): number {
  return Math.sqrt(-2 * Math.log(1 - uniform(random))) * Math.cos(2 * Math.PI * uniform(random))
}

/** Knuth's for small means, the normal approximation for large ones. */
function poisson(mean: number, random: Random): number {
  if (mean > 60) return Math.max(0, Math.round(mean + Math.sqrt(mean) * normal(random)))
  const limit = Math.exp(-mean)
  let count = 0
  for (let product = uniform(random); product > limit; product *= uniform(random)) count++
  return count
}
