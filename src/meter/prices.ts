import type { Usage } from './usage.ts'

/** Nano-USD per million tokens, by bucket: `$0.15 / M` is 150,000,000. Reasoning is charged as
 *  output. */
export interface Price {
  readonly inputNanoUsd: bigint
  readonly cachedInputNanoUsd: bigint
  readonly outputNanoUsd: bigint
}

export const FREE: Price = { inputNanoUsd: 0n, cachedInputNanoUsd: 0n, outputNanoUsd: 0n }

const PER = 1_000_000n

/** The cost in nano-USD, rounded up once: never less than what the provider will charge. */
export function costOf(usage: Usage, price: Price): bigint {
  const product =
    BigInt(usage.inputTokens) * price.inputNanoUsd +
    BigInt(usage.cachedInputTokens) * price.cachedInputNanoUsd +
    BigInt(usage.outputTokens + usage.reasoningTokens) * price.outputNanoUsd
  return (product + PER - 1n) / PER
}
