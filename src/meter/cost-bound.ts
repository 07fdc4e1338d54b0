import { costOf, type Price, type Rates } from './prices.ts'
import { NO_USAGE } from './usage.ts'

/** The most a call can cost in nano-USD: every input token at the dearest rate that input has,
 *  and the dearer of the rates for short and for long input. */
export function costBound(price: Price, inputTokens: number, outputTokens: number): bigint {
  const { long, ...rates } = price
  const ofShort = dearest(rates, inputTokens, outputTokens)
  const ofLong = long === undefined ? 0n : dearest(long.rates, inputTokens, outputTokens)
  return ofLong > ofShort ? ofLong : ofShort
}

const INPUT_BUCKETS = ['inputTokens', 'cachedInputTokens'] as const

function dearest(price: Rates, inputTokens: number, outputTokens: number): bigint {
  const costs = INPUT_BUCKETS.map((bucket) => costOf({ ...NO_USAGE, outputTokens, [bucket]: inputTokens }, price))
  return costs.reduce((most, cost) => (cost > most ? cost : most), 0n)
}
