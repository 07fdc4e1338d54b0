/** Questions by where they lie: which of those that were asked means nearly the same. Compared one by one
 *  within a group, so that nothing outside of it is ever looked at. */

/** Of one group, so that a look takes no more than about a millisecond; beyond it the oldest is forgotten. */
const QUESTIONS_MAX = 1_000

export interface Near {
  readonly key: string
  /** Cosine, from -1 to 1. */
  readonly similarity: number
}

export class Meanings {
  /** By group, the oldest question first. */
  readonly #groups = new Map<string, Map<string, Float32Array>>()

  /** `vector` has length 1. */
  add(group: string, key: string, vector: Float32Array): void {
    const questions = this.#groups.get(group) ?? new Map<string, Float32Array>()
    this.#groups.set(group, questions)
    questions.delete(key)
    questions.set(key, vector)
    const [oldest] = questions.keys()
    if (questions.size > QUESTIONS_MAX && oldest !== undefined) questions.delete(oldest)
  }

  remove(group: string, key: string): void {
    const questions = this.#groups.get(group)
    questions?.delete(key)
    if (questions?.size === 0) this.#groups.delete(group)
  }

  /** The nearest of those that `may` be taken, at least as near as `similarityMin`. What another model has
   *  measured, in other dimensions, is near to nothing. */
  nearest(group: string, vector: Float32Array, similarityMin: number, may: (key: string) => boolean): Near | undefined {
    let best: Near | undefined
    for (const [key, other] of this.#groups.get(group) ?? []) {
      if (other.length !== vector.length) continue
      const similarity = Math.min(1, dot(other, vector))
      if (similarity >= (best?.similarity ?? similarityMin) && may(key)) best = { key, similarity }
    }
    return best
  }
}

/** Scaled to length 1; undefined for what points nowhere. */
export function direction(vector: Float32Array): Float32Array | undefined {
  const length = Math.sqrt(dot(vector, vector))
  return Number.isFinite(length) && length > 0 ? vector.map((one) => one / length) : undefined
}

/** Four sums at a time, none of which waits for another. */
function dot(a: Float32Array, b: Float32Array): number {
  const whole = a.length - (a.length % 4)
  let [s0, s1, s2, s3] = [0, 0, 0, 0]
  for (let at = 0; at < whole; at += 4) {
    s0 += (a[at] ?? 0) * (b[at] ?? 0)
    s1 += (a[at + 1] ?? 0) * (b[at + 1] ?? 0)
    s2 += (a[at + 2] ?? 0) * (b[at + 2] ?? 0)
    s3 += (a[at + 3] ?? 0) * (b[at + 3] ?? 0)
  }
  for (let at = whole; at < a.length; at++) s0 += (a[at] ?? 0) * (b[at] ?? 0)
  return s0 + s1 + s2 + s3
}
