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

/** A sketch that is being filled: adding costs a logarithm, merging a pass over the counts. Those between
 *  the least and the greatest index lie side by side: values from a nanosecond to a year fill 1,900. */
export class SketchSum {
  #zeros = 0
  /** The index of the first count. */
  #first = 0
  #counts = new Float64Array(0)

  /** `weight`: how many values it stands for, as those of a sample do. */
  add(value: number, weight = 1): void {
    if (value > 0) this.#count(Math.ceil(Math.log(Math.max(value, LEAST)) / LOG_GAMMA), weight)
    else this.#zeros += weight
  }

  merge({ zeros, buckets }: Sketch): void {
    this.#zeros += zeros
    for (const [index, count] of buckets) this.#count(index, count)
  }

  /** Adds what `sketchBytes` made of a sketch. */
  mergeBytes(bytes: Uint8Array): void {
    eachCount(
      bytes,
      (zeros) => (this.#zeros += zeros),
      (index, count) => this.#count(index, count),
    )
  }

  sketch(): Sketch {
    return { zeros: this.#zeros, buckets: [...this.#buckets()] }
  }

  /** As `sketchBytes` makes them of the sketch. */
  bytes(): Uint8Array {
    return bytesOf(this.#zeros, this.#buckets())
  }

  *#buckets(): Generator<[number, number]> {
    for (let at = 0; at < this.#counts.length; at++) {
      const count = this.#counts[at] ?? 0
      if (count > 0) yield [this.#first + at, count]
    }
  }

  #count(index: number, count: number): void {
    const at = index - this.#first
    if (at < 0 || at >= this.#counts.length) this.#widen(index)
    const here = index - this.#first
    this.#counts[here] = (this.#counts[here] ?? 0) + count
  }

  /** So that `index` and some around it have their place. */
  #widen(index: number): void {
    const counts = this.#counts
    const isFirst = counts.length === 0
    const first = isFirst ? index - ROOM : Math.min(this.#first, index - ROOM)
    const end = isFirst ? index + ROOM : Math.max(this.#first + counts.length, index + ROOM)
    const wider = new Float64Array(end - first)
    if (!isFirst) wider.set(counts, this.#first - first)
    this.#first = first
    this.#counts = wider
  }
}

/** Indexes for which there is room on either side of a new one: a factor of 1.9. */
const ROOM = 32
const LOG_GAMMA = Math.log(GAMMA)

/** A sketch in a few bytes, for those that lie in their thousands: its counts, which are whole numbers,
 *  as LEB128, each after its distance from the index before; the first index in zigzag. */
export const sketchBytes = ({ zeros, buckets }: Sketch): Uint8Array => bytesOf(zeros, buckets)

function bytesOf(zeros: number, buckets: Iterable<readonly [index: number, count: number]>): Uint8Array {
  const bytes: number[] = []
  const put = (value: number): void => {
    let rest = value
    for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128)
    bytes.push(rest)
  }
  put(zeros)
  let last: number | undefined
  for (const [index, count] of buckets) {
    put(last === undefined ? (index < 0 ? -2 * index - 1 : 2 * index) : index - last)
    put(count)
    last = index
  }
  return Uint8Array.from(bytes)
}

/** The inverse of `sketchBytes`. */
export function sketchFrom(bytes: Uint8Array): Sketch {
  const buckets: [number, number][] = []
  let zeros = 0
  eachCount(
    bytes,
    (count) => (zeros = count),
    (index, count) => buckets.push([index, count]),
  )
  return { zeros, buckets }
}

function eachCount(bytes: Uint8Array, zeros: (count: number) => void, bucket: (index: number, count: number) => void) {
  let at = 0
  const next = (): number => {
    let value = 0
    for (let scale = 1; at < bytes.length; scale *= 128) {
      const byte = bytes[at++] ?? 0
      if (byte < 128) return value + byte * scale
      value += (byte - 128) * scale
    }
    return value
  }
  zeros(next())
  if (at >= bytes.length) return
  const zigzag = next()
  let index = zigzag % 2 === 0 ? zigzag / 2 : -(zigzag + 1) / 2
  bucket(index, next())
  while (at < bytes.length) {
    index += next()
    bucket(index, next())
  }
}

/** The inverse of the text that older indexes hold: zeros, then index and count in turn. */
export function sketchFromText(text: string): Sketch {
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
