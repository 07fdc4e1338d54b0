/** A mean with its doubt. */
export interface Mean {
  readonly mean: number
  /** Half the width of the 95 % interval, by the normal approximation; infinite for one value. */
  readonly halfWidth: number
  readonly n: number
}

const Z95 = 1.959964

/** Of values that were drawn independently. */
export function intervalOfMean(values: readonly number[]): Mean {
  const n = values.length
  const mean = values.reduce((sum, value) => sum + value, 0) / n
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0)
  const halfWidth = n < 2 ? Number.POSITIVE_INFINITY : Z95 * Math.sqrt(squares / (n - 1) / n)
  return { mean, halfWidth, n }
}
