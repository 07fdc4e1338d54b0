/** A logarithmic scale, for what is as often ten times as long as twice as long. */

export interface LogScale {
  readonly low: number
  readonly high: number
}

/** From a power of ten at or below the least to one above the most; of nothing: one decade. */
export function logScale(values: readonly number[]): LogScale {
  const known = values.filter((value) => value > 0)
  if (known.length === 0) return { low: 1, high: 10 }
  const least = known.reduce((a, b) => Math.min(a, b))
  const most = known.reduce((a, b) => Math.max(a, b))
  const low = 10 ** Math.floor(Math.log10(least))
  return { low, high: Math.max(low * 10, 10 ** Math.ceil(Math.log10(most) - 1e-12)) }
}

/** Position on the scale, 0 to 1; what lies beyond an end stands at it. */
export function placeOf({ low, high }: LogScale, value: number): number {
  if (value <= low) return 0
  return Math.min(1, Math.log(value / low) / Math.log(high / low))
}

/** What stands at a position. */
export const valueAt = ({ low, high }: LogScale, place: number): number => low * (high / low) ** place

/** Its powers of ten. */
export function decadesOf({ low, high }: LogScale): number[] {
  const count = Math.round(Math.log10(high / low))
  return Array.from({ length: count + 1 }, (_, at) => Number((low * 10 ** at).toPrecision(12)))
}
