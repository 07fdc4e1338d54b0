import type { Usage } from './usage.ts'

/** Nano-USD per million tokens, by bucket: `$0.15 / M` is 150,000,000. Reasoning is charged as
 *  output. */
export interface Rates {
  readonly inputNanoUsd: bigint
  readonly cachedInputNanoUsd: bigint
  readonly outputNanoUsd: bigint
}

export interface Price extends Rates {
  /** Rates of the whole request, output included, once its input (cached included) is longer than
   *  this many tokens. */
  readonly long?: { readonly overInputTokens: number; readonly rates: Rates }
}

/** A price and where it comes from, as it is stamped on a charge: the version of the price
 *  catalogue, `config` for a deployment's own price, `embedded` for engines that cost nothing. */
export interface VersionedPrice {
  readonly price: Price
  readonly version: string
}

/** What applies at an instant, in milliseconds since 1970; undefined while nobody knows. */
export type PriceAt = (atMs: number) => VersionedPrice | undefined

export const FREE: Price = { inputNanoUsd: 0n, cachedInputNanoUsd: 0n, outputNanoUsd: 0n }

/** A price that never changes. */
export function always(price: Price, version: string): PriceAt {
  const versioned = { price, version }
  return () => versioned
}

const PER = 1_000_000n

/** The rates for a request with so much input, cached included. */
const ratesFor = (price: Price, inputTokens: number): Rates =>
  price.long !== undefined && inputTokens > price.long.overInputTokens ? price.long.rates : price

/** The cost in nano-USD, rounded up once: never less than what the provider will charge. */
export function costOf(usage: Usage, price: Price): bigint {
  const rates = ratesFor(price, usage.inputTokens + usage.cachedInputTokens)
  const product =
    BigInt(usage.inputTokens) * rates.inputNanoUsd +
    BigInt(usage.cachedInputTokens) * rates.cachedInputNanoUsd +
    BigInt(usage.outputTokens + usage.reasoningTokens) * rates.outputNanoUsd
  return (product + PER - 1n) / PER
}
