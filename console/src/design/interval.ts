/** Where an estimated share and its interval stand on a scale that ends at 1. */

const STEP = 0.1
/** Left of what is shown, so that nothing begins at the very edge. */
const MARGIN = 0.05

/** Where the scale begins: a round share that leaves room for what is shown. It is written beneath the
 *  drawing: what matters lies close to 1, where a scale from 0 would show nothing. */
export function scaleFrom(...shown: readonly number[]): number {
  const least = Math.min(...shown, 1 - STEP) - MARGIN
  return Math.max(0, Math.round(Math.floor(least / STEP) * STEP * 10) / 10)
}

/** Position on the scale, 0 to 1. */
export const placeOn = (from: number, share: number): number => Math.min(1, Math.max(0, (share - from) / (1 - from)))

const Z95 = 1.959964

/** The 95 % interval of a share of `n` (Wilson 1927). */
export function wilson(share: number, n: number): { readonly low: number; readonly high: number } {
  if (n === 0) return { low: 0, high: 1 }
  const squared = Z95 * Z95
  const centre = (share + squared / (2 * n)) / (1 + squared / n)
  const half = (Z95 / (1 + squared / n)) * Math.sqrt((share * (1 - share)) / n + squared / (4 * n * n))
  return { low: Math.max(0, centre - half), high: Math.min(1, centre + half) }
}
