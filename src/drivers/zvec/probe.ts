import { intervalOfMean } from '../../base/statistics.ts'
import type { Near, RecallAt, VectorProbe } from '../../store/vectors.ts'
import { tokensOf } from './tokens.ts'
import type { Attributes } from '../../store/filter.ts'

/** What is measured of a segment before it is published: whether vectors find themselves, and what
 *  share of the true nearest a search finds for what it costs. */

/** Vectors sampled to be asked with. */
const SAMPLES_MAX = 200
/** Of them, how many are asked with under a filter. */
const FILTERED_MAX = 64
const SHARES = [0.01, 0.1]
const EFFORTS = [16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512]
/** Different attributes that are counted, to find some to filter by. */
const TOKENS_MAX = 20_000
const NEAREST = 10
/** Of how many nearest the recall is measured. */
const DEPTHS = [1, 2, 3, 5, NEAREST]
/** How far a question lies from the vector it was made of, towards another. */
const OTHER_SHARE = 0.35

/** A sample of the vectors as they are written, spread over all of them by their number alone, and
 *  how common attributes are. */
export class Samples {
  readonly #every: number
  readonly #tokens = new Map<string, number>()
  #kept: Sample[] = []
  #step = 1
  #written = 0

  constructor(samplesMax = SAMPLES_MAX) {
    this.#every = samplesMax
  }

  get written(): number {
    return this.#written
  }

  add(vector: Float32Array, attributes: Attributes): void {
    const chunk = this.#written++
    for (const token of tokensOf(attributes)) {
      const count = this.#tokens.get(token)
      if (count !== undefined || this.#tokens.size < TOKENS_MAX) this.#tokens.set(token, (count ?? 0) + 1)
    }
    if (chunk % this.#step !== 0) return
    this.#kept.push({ chunk, vector: vector.slice() })
    if (this.#kept.length < 2 * this.#every) return
    // Twice as many as wanted: every other one goes, and from here on fewer come.
    this.#step *= 2
    this.#kept = this.#kept.filter((sample) => sample.chunk % this.#step === 0)
  }

  /** At most as many as asked for, evenly spread. */
  take(): Sample[] {
    const stride = Math.max(1, Math.ceil(this.#kept.length / this.#every))
    return this.#kept.filter((_, at) => at % stride === 0)
  }

  /** The attribute whose share comes nearest to this one, where there is one within a factor of
   *  three. */
  tokenOf(share: number): { readonly token: string; readonly share: number } | undefined {
    let best: { token: string; share: number } | undefined
    const distance = (one: number): number => Math.abs(Math.log(one / share))
    for (const [token, count] of this.#tokens) {
      const found = count / this.#written
      if (distance(found) < (best === undefined ? Math.log(3) : distance(best.share))) best = { token, share: found }
    }
    return best
  }
}

export interface Sample {
  readonly chunk: number
  readonly vector: Float32Array
}

/** One way of asking. `effort` absent: exactly. */
export type Ask = (vector: Float32Array, k: number, effort?: number, expression?: string) => Promise<readonly Near[]>

/** Every sample's true neighbours are found once, then compared with what each effort finds. */
export async function probe(samples: Samples, ask: Ask, target: number): Promise<VectorProbe> {
  const taken = samples.take()
  const questions = taken.map(({ vector }, at) => between(vector, taken[(at + 1) % taken.length]?.vector ?? vector))
  const truth: (readonly number[])[] = []
  for (const question of questions) truth.push((await ask(question, NEAREST)).map(({ chunk }) => chunk))
  const recall: RecallAt[] = []
  for (const effort of EFFORTS) {
    const answers: (readonly Near[])[] = []
    for (const question of questions) answers.push(await ask(question, NEAREST, effort))
    for (const nearest of DEPTHS) {
      const shares = answers.map((near, at) => share(near, new Set(truth[at]?.slice(0, nearest))))
      recall.push({
        effort,
        nearest,
        recall: intervalOfMean(shares).mean,
        halfWidth: doubtOf(shares),
        n: shares.length,
      })
    }
    if (recall.at(-1)?.recall === 1) break
  }
  let found = 0
  for (const { vector, chunk } of taken)
    if ((await ask(vector, NEAREST, EFFORTS.at(-1))).some((one) => one.chunk === chunk)) found++
  const filtered: VectorProbe['filtered'][number][] = []
  const effort = effortFor(recall, target, 1)
  for (const wanted of SHARES) {
    const token = samples.tokenOf(wanted)
    if (token === undefined) continue
    const expression = `a contain_any ('${token.token}')`
    const shares: number[] = []
    for (const question of questions.slice(0, FILTERED_MAX)) {
      const exact = new Set((await ask(question, NEAREST, undefined, expression)).map(({ chunk }) => chunk))
      shares.push(share(await ask(question, NEAREST, effort, expression), exact))
    }
    filtered.push({ share: token.share, recall: intervalOfMean(shares).mean, n: shares.length })
  }
  return { vectors: samples.written, found: { of: taken.length, found }, recall, filtered }
}

/** The least effort whose recall, with its doubt taken off, reaches the target; the greatest tried
 *  where none does. Of the nearest of all vectors, a segment that holds a share of these holds a
 *  number that is distributed binomially: as many as two standard deviations above its mean are
 *  looked for. */
export function effortFor(recall: readonly RecallAt[], target: number, share: number): number {
  const held = NEAREST * share + 2 * Math.sqrt(NEAREST * share * (1 - share))
  const depth = DEPTHS.find((one) => one >= held) ?? NEAREST
  const reached = recall.find((one) => one.nearest === depth && one.recall - one.halfWidth >= target)
  return (reached ?? recall.at(-1))?.effort ?? EFFORTS.at(-1) ?? NEAREST
}

/** With every question answered in full there is no spread to estimate by: then the rule of three. */
function doubtOf(shares: readonly number[]): number {
  const { mean, halfWidth, n } = intervalOfMean(shares)
  return mean === 1 ? Math.min(1, 3 / n) : halfWidth
}

/** Near a vector that is there, and none that is: the graph was built around those. */
function between(vector: Float32Array, other: Float32Array): Float32Array {
  return vector.map((component, at) => component * (1 - OTHER_SHARE) + (other[at] ?? 0) * OTHER_SHARE)
}

const share = (near: readonly Near[], truth: ReadonlySet<number>): number =>
  truth.size === 0 ? 1 : near.filter(({ chunk }) => truth.has(chunk)).length / truth.size
