import { INPUT_BUCKETS, inputTokensOf, OUTPUT_BUCKETS, TOKEN_BUCKETS, type TokenBucket, type Usage } from './usage.ts'

/** Nano-USD per million tokens, by bucket: `$0.15 / M` is 150,000,000. Reasoning is charged as
 *  output.
 *
 *  A bucket without a rate of its own is charged as what it is a part of: sound and pictures read,
 *  and what is written to a cache for five minutes, as input; an hour in the cache as five minutes;
 *  sound written as output. Providers that charge otherwise list a price of their own for it. */
export interface Rates {
  readonly inputNanoUsd: bigint
  readonly cachedInputNanoUsd: bigint
  readonly cacheWrite5mNanoUsd?: bigint
  readonly cacheWrite1hNanoUsd?: bigint
  readonly audioInputNanoUsd?: bigint
  readonly imageInputNanoUsd?: bigint
  readonly outputNanoUsd: bigint
  readonly audioOutputNanoUsd?: bigint
}

export interface Price extends Rates {
  /** For each unit of what is not counted in tokens, in nano-USD; absent: nobody knows. */
  readonly unitNanoUsd?: bigint
  /** Rates of the whole request, output included, once its input (of every kind) is longer than
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

/** What each bucket is charged at. */
const RATE_OF: { readonly [Name in TokenBucket]: (rates: Rates) => bigint } = {
  inputTokens: ({ inputNanoUsd }) => inputNanoUsd,
  cachedInputTokens: ({ cachedInputNanoUsd }) => cachedInputNanoUsd,
  cacheWrite5mTokens: ({ cacheWrite5mNanoUsd, inputNanoUsd }) => cacheWrite5mNanoUsd ?? inputNanoUsd,
  cacheWrite1hTokens: ({ cacheWrite1hNanoUsd, cacheWrite5mNanoUsd, inputNanoUsd }) =>
    cacheWrite1hNanoUsd ?? cacheWrite5mNanoUsd ?? inputNanoUsd,
  audioInputTokens: ({ audioInputNanoUsd, inputNanoUsd }) => audioInputNanoUsd ?? inputNanoUsd,
  imageInputTokens: ({ imageInputNanoUsd, inputNanoUsd }) => imageInputNanoUsd ?? inputNanoUsd,
  outputTokens: ({ outputNanoUsd }) => outputNanoUsd,
  reasoningTokens: ({ outputNanoUsd }) => outputNanoUsd,
  audioOutputTokens: ({ audioOutputNanoUsd, outputNanoUsd }) => audioOutputNanoUsd ?? outputNanoUsd,
}

/** The most a call can cost: every token of its input at the dearest rate that input has, likewise
 *  its output, and the dearer of the rates for short and for long input. */
export function costBound(price: Price, inputTokens: number, outputTokens: number, units = 0): bigint {
  const short = atDearest(price, inputTokens, outputTokens)
  const long = price.long === undefined ? 0n : atDearest(price.long.rates, inputTokens, outputTokens)
  return ((short > long ? short : long) + PER - 1n) / PER + unitCost(price, units)
}

const unitCost = ({ unitNanoUsd = 0n }: Price, units: number): bigint => BigInt(units) * unitNanoUsd

const atDearest = (rates: Rates, inputTokens: number, outputTokens: number): bigint =>
  BigInt(inputTokens) * dearest(rates, INPUT_BUCKETS) + BigInt(outputTokens) * dearest(rates, OUTPUT_BUCKETS)

const dearest = (rates: Rates, buckets: readonly TokenBucket[]): bigint =>
  buckets.map((bucket) => RATE_OF[bucket](rates)).reduce((most, rate) => (rate > most ? rate : most))

/** The rates for a request with so much input, of every kind. */
const ratesFor = (price: Price, inputTokens: number): Rates =>
  price.long !== undefined && inputTokens > price.long.overInputTokens ? price.long.rates : price

/** The cost in nano-USD, rounded up once: never less than what the provider will charge. */
export function costOf(usage: Usage, price: Price): bigint {
  const rates = ratesFor(price, inputTokensOf(usage))
  let product = 0n
  for (const bucket of TOKEN_BUCKETS) {
    const tokens = usage[bucket]
    if (tokens !== undefined && tokens !== 0) product += BigInt(tokens) * RATE_OF[bucket](rates)
  }
  return (product + PER - 1n) / PER + unitCost(price, usage.units ?? 0)
}
