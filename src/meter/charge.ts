import { addUsage, NO_USAGE, type Usage } from './usage.ts'

/** What a call, or several, came to. */
export interface Bill {
  readonly usage: Usage
  /** Absent: something has no price, so the cost is unknown, which is not the same as free. */
  readonly costNanoUsd?: bigint
  /** Which price it is. Absent where several were applied, or none. */
  readonly priceVersion?: string
}

/** One call of one deployment. */
export interface Charge extends Bill {
  readonly deployment: string
}

/** The sum; nothing used costs nothing. */
export function sumOfCharges(charges: readonly Charge[]): Bill {
  const [first] = charges
  if (first === undefined) return { usage: NO_USAGE, costNanoUsd: 0n }
  if (charges.length === 1) return first
  let usage: Usage = NO_USAGE
  let costNanoUsd: bigint | undefined = 0n
  for (const charge of charges) {
    usage = addUsage(usage, charge.usage)
    costNanoUsd =
      costNanoUsd === undefined || charge.costNanoUsd === undefined ? undefined : costNanoUsd + charge.costNanoUsd
  }
  const { priceVersion } = first
  const isOne = priceVersion !== undefined && charges.every((charge) => charge.priceVersion === priceVersion)
  return {
    usage,
    ...(costNanoUsd === undefined ? {} : { costNanoUsd }),
    ...(isOne ? { priceVersion } : {}),
  }
}
