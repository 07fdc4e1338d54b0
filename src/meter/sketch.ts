/** Percentiles that can be added up: a DDSketch (Masson, Rim, Lee 2019) with relative error
 *  `ALPHA`. A value falls into the bucket of its logarithm, so two sketches merge by adding their
 *  counts, and any quantile is off by at most 1 % of its value. */
export interface Sketch {
  /** Values of 0 or less. */
  readonly zeros: number
  /** Counts by bucket index, in the order of the indexes. */
  readonly buckets: readonly (readonly [index: number, count: number])[]
}

export const ALPHA = 0.01

/** The ratio of a bucket's bounds, for quantiles that are off by at most `alpha`. All sketches that
 *  are merged have the same. */
export const gammaOf = (alpha: number): number => (1 + alpha) / (1 - alpha)
const GAMMA = gammaOf(ALPHA)

/** Smaller values count as this one: a thousandth of a nanosecond, of a nano-dollar. */
const LEAST = 1e-12

export const EMPTY_SKETCH: Sketch = { zeros: 0, buckets: [] }

export const sketchOf = (value: number): Sketch => sketchWith(GAMMA, value)

export function sketchWith(gamma: number, value: number): Sketch {
  if (!(value > 0)) return { zeros: 1, buckets: [] }
  return { zeros: 0, buckets: [[Math.ceil(Math.log(Math.max(value, LEAST)) / Math.log(gamma)), 1]] }
}

export function mergeSketches(a: Sketch, b: Sketch): Sketch {
  const buckets: (readonly [number, number])[] = []
  let i = 0
  let j = 0
  while (i < a.buckets.length || j < b.buckets.length) {
    const left = a.buckets[i]
    const right = b.buckets[j]
    if (left !== undefined && (right === undefined || left[0] < right[0])) {
      buckets.push(left)
      i++
    } else if (right !== undefined && (left === undefined || right[0] < left[0])) {
      buckets.push(right)
      j++
    } else if (left !== undefined && right !== undefined) {
      buckets.push([left[0], left[1] + right[1]])
      i++
      j++
    }
  }
  return { zeros: a.zeros + b.zeros, buckets }
}

export const countOf = (sketch: Sketch): number => sketch.buckets.reduce((sum, [, count]) => sum + count, sketch.zeros)

/** The value that a share `q` (0 to 1) of all values do not exceed, by nearest rank; undefined where
 *  there are none. */
export function quantile(sketch: Sketch, q: number, gamma = GAMMA): number | undefined {
  const n = countOf(sketch)
  if (n === 0) return undefined
  let left = Math.max(1, Math.ceil(q * n)) - sketch.zeros
  if (left <= 0) return 0
  for (const [index, count] of sketch.buckets) {
    left -= count
    if (left <= 0) return (2 * gamma ** index) / (gamma + 1)
  }
  return undefined
}
