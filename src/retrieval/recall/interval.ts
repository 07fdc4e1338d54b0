export interface Interval {
  readonly low: number
  readonly high: number
}

const Z95 = 1.959964

/** The 95 % interval of a mean of `n` values between 0 and 1 (Wilson 1927). A mean of shares varies at
 *  most as much as one of yes and no, so it is rather too wide than too narrow; it says something
 *  sensible also where all values were 1. */
export function wilson(mean: number, n: number): Interval {
  if (n === 0) return { low: 0, high: 1 }
  const squared = Z95 * Z95
  const centre = (mean + squared / (2 * n)) / (1 + squared / n)
  const half = (Z95 / (1 + squared / n)) * Math.sqrt((mean * (1 - mean)) / n + squared / (4 * n * n))
  return { low: Math.max(0, centre - half), high: Math.min(1, centre + half) }
}
