/** Which traces are kept for long. The choice is made once a trace is over, on the whole of it, so
 *  that what is kept is whole and what is worth keeping is kept; everything is counted before. */

export interface SamplingRules {
  /** The share of ordinary traces that is kept, 0 to 1. */
  readonly share: number
  /** Slower, or dearer, is kept always; undefined: no such rule. Errors and what was flagged by a
   *  score or feedback are kept always. */
  readonly slowMs?: number | undefined
  readonly costNanoUsd?: bigint | undefined
}

export interface SampledTrace {
  /** 32 hexadecimal digits. */
  readonly traceId: string
  readonly errors: number
  readonly durationUs: number
  readonly costNanoUsd: number
  readonly isFlagged: boolean
}

/** The chance that this trace had of being kept, which goes with it; 0: it is not kept. */
export function samplingOf(trace: SampledTrace, { share, slowMs, costNanoUsd }: SamplingRules): number {
  if (share >= 1 || trace.errors > 0 || trace.isFlagged) return 1
  if (slowMs !== undefined && trace.durationUs >= slowMs * 1000) return 1
  if (costNanoUsd !== undefined && trace.costNanoUsd >= Number(costNanoUsd)) return 1
  return isWithin(trace.traceId, share) ? share : 0
}

const RANDOM_DIGITS = 14
const RANDOM_RANGE = 16 ** RANDOM_DIGITS

/** By the last 56 bits of the trace id alone, as W3C Trace Context 2 and OpenTelemetry's consistent
 *  sampling have it: every program chooses alike, and what a smaller share keeps a larger one keeps
 *  too. */
export function isWithin(traceId: string, share: number): boolean {
  const threshold = Math.round((1 - share) * RANDOM_RANGE)
  return Number.parseInt(traceId.slice(-RANDOM_DIGITS), 16) >= threshold
}
