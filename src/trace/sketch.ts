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

/** A sketch that is being filled: adding costs a logarithm and a look-up. */
export class SketchSum {
  #zeros = 0
  readonly #buckets = new Map<number, number>()

  /** `weight`: how many values it stands for, as those of a sample do. */
  add(value: number, weight = 1): void {
    if (!(value > 0)) {
      this.#zeros += weight
      return
    }
    const index = Math.ceil(Math.log(Math.max(value, LEAST)) / LOG_GAMMA)
    this.#buckets.set(index, (this.#buckets.get(index) ?? 0) + weight)
  }

  merge({ zeros, buckets }: Sketch): void {
    this.#zeros += zeros
    for (const [index, count] of buckets) this.#buckets.set(index, (this.#buckets.get(index) ?? 0) + count)
  }

  sketch(): Sketch {
    return { zeros: this.#zeros, buckets: [...this.#buckets].sort(([a], [b]) => a - b) }
  }
}

const LOG_GAMMA = Math.log(GAMMA)

/** A sketch as one line of JSON: zeros, then index and count in turn. */
export const sketchText = ({ zeros, buckets }: Sketch): string => JSON.stringify([zeros, ...buckets.flat()])

/** The inverse of `sketchText`. */
export function sketchFrom(text: string): Sketch {
  const [zeros = 0, ...flat] = JSON.parse(text) as number[]
  const buckets: [number, number][] = []
  for (let i = 0; i + 1 < flat.length; i += 2) buckets.push([flat[i] ?? 0, flat[i + 1] ?? 0])
  return { zeros, buckets }
}

/** How many of the values are at most `bound`: what a histogram with fixed bounds asks. Off by the
 *  values of the one bucket that the bound lies in. */
export function countUpTo({ zeros, buckets }: Sketch, bound: number): number {
  let sum = zeros
  for (const [index, count] of buckets) {
    if ((2 * GAMMA ** index) / (GAMMA + 1) > bound) return sum
    sum += count
  }
  return sum
}

/** The sum of all values, each as the middle of its bucket: off by at most `ALPHA`. */
export const sumOf = ({ buckets }: Sketch): number =>
  buckets.reduce((sum, [index, count]) => sum + (count * 2 * GAMMA ** index) / (GAMMA + 1), 0)
