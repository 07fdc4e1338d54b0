/** What a budget counts. Every amount is a safe integer, money too, as nano-USD: over five scopes
 *  a `bigint` costs 33 ns a step where a number costs 10 (measured), and allocates. The price is a
 *  ceiling of $9,000,000 for one budget and period, beyond which a limit is refused. */
export const UNITS = ['inputTokens', 'outputTokens', 'totalTokens', 'nanoUsd', 'requests', 'concurrent'] as const

export type Unit = (typeof UNITS)[number]

/** Whether use adds up. Requests that run at the same time do not: each holds 1 while it runs,
 *  nothing is posted when it ends, and with a node its running requests end too. */
export const isPosted = (unit: Unit): boolean => unit !== 'concurrent'

/** One amount for every unit, so that all of them have one shape for the compiler. */
export type Amounts = { readonly [unit in Unit]: number }

/** The greatest limit and the greatest amount of one request: below 2^53 by more than a thousand
 *  requests' rounding, so that no sum of a posted total and a bound is inexact. */
export const AMOUNT_MAX = 9_000_000_000_000_000

export const NO_AMOUNTS: Amounts = {
  inputTokens: 0,
  outputTokens: 0,
  totalTokens: 0,
  nanoUsd: 0,
  requests: 0,
  concurrent: 0,
}

export const isAmount = (value: number): boolean => Number.isSafeInteger(value) && value >= 0 && value <= AMOUNT_MAX

/** A posted total only ever grows; where no limit holds it (a warning only) it stops at the
 *  greatest exact integer rather than lose one. */
export const addPosted = (total: number, amount: number): number => Math.min(Number.MAX_SAFE_INTEGER, total + amount)

/** Tokens as the units count them, for one request. `nanoUsd` comes from `costOf`, which rounds
 *  up. */
export function amountsOf(inputTokens: number, outputTokens: number, nanoUsd: bigint): Amounts {
  const cost = nanoUsd > BigInt(AMOUNT_MAX) ? AMOUNT_MAX : Number(nanoUsd)
  return {
    inputTokens,
    outputTokens,
    totalTokens: inputTokens + outputTokens,
    nanoUsd: cost,
    requests: 1,
    concurrent: 1,
  }
}
