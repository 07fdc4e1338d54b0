import { fault } from '../base/errors.ts'
import { intervalOfMean } from '../base/statistics.ts'
import type { Attributes, AttributeValue, Filter } from './filter.ts'
import type { SegmentName } from './index.ts'
import type { Near, RecallAt, SearchTarget, VectorProbe } from './vectors.ts'

/** What is measured of a segment before it is published: whether vectors find themselves, and what
 *  share of the true nearest a search finds for what it costs. */

/** Vectors sampled to be asked with. */
const SAMPLES_MAX = 200
/** Of them, how many are asked with under a filter. */
const FILTERED_MAX = 64
const SHARES = [0.01, 0.1]
/** Different attributes that are counted, to find some to filter by. */
const ATTRIBUTES_MAX = 20_000
const NEAREST = 10
/** Of how many nearest the recall is measured. */
const DEPTHS = [1, 2, 3, 5, NEAREST]
/** How far a question lies from the vector it was made of, towards another. */
const OTHER_SHARE = 0.35
/** Of vectors that 8-bit numbers hardly tell apart. */
const EQUAL_SCORE = 0.999
/** Efforts that every index of this kind can be asked with: candidates kept during a search. */
export const EFFORTS: readonly number[] = [16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512]

/** What every one of them can be asked with: pgvector's bound. */
const EFFORT_MAX = 1_000

/** A sample of the vectors as they are written, spread over all of them by their number alone, and
 *  how common attributes are. */
export class Samples {
  readonly #dimension: number
  readonly #attributes = new Map<string, { readonly filter: Filter; count: number }>()
  #kept: Sample[] = []
  #step = 1
  #written = 0

  constructor(dimension: number) {
    this.#dimension = dimension
  }

  get written(): number {
    return this.#written
  }

  add(rows: Float32Array, attributes: readonly Attributes[]): void {
    for (const [at, one] of attributes.entries()) {
      for (const name of Object.keys(one)) this.#count(name, one[name] ?? '')
      const chunk = this.#written++
      if (chunk % this.#step !== 0) continue
      this.#kept.push({ chunk, vector: rows.slice(at * this.#dimension, (at + 1) * this.#dimension) })
      if (this.#kept.length < 2 * SAMPLES_MAX) continue
      // Twice as many as wanted: every other one goes, and from here on fewer come.
      this.#step *= 2
      this.#kept = this.#kept.filter((sample) => sample.chunk % this.#step === 0)
    }
  }

  /** Evenly spread. */
  take(): Sample[] {
    const stride = Math.max(1, Math.ceil(this.#kept.length / SAMPLES_MAX))
    return this.#kept.filter((_, at) => at % stride === 0)
  }

  /** The attribute whose share comes nearest to this one, where there is one within a factor of
   *  three. */
  filterOf(share: number): { readonly filter: Filter; readonly share: number } | undefined {
    let best: { filter: Filter; share: number } | undefined
    const distance = (one: number): number => Math.abs(Math.log(one / share))
    for (const { filter, count } of this.#attributes.values()) {
      const found = count / this.#written
      if (distance(found) < (best === undefined ? Math.log(3) : distance(best.share))) best = { filter, share: found }
    }
    return best
  }

  #count(name: string, value: AttributeValue): void {
    const key = JSON.stringify([name, typeof value, String(value)])
    const counted = this.#attributes.get(key)
    if (counted !== undefined) counted.count++
    else if (this.#attributes.size < ATTRIBUTES_MAX)
      this.#attributes.set(key, { filter: { op: 'in', name, values: [value] }, count: 1 })
  }
}

interface Sample {
  readonly chunk: number
  readonly vector: Float32Array
}

export interface ProbeQuery {
  readonly k: number
  /** `all`: every vector is compared, at full precision. */
  readonly effort: number | 'all'
  readonly filter?: Filter
}

export type Ask = (vector: Float32Array, query: ProbeQuery) => Promise<readonly Near[]>

/** Every question's true neighbours are found once, then compared with what each effort finds. A
 *  segment without a graph has no efforts: it finds all. */
export async function probeVectors(samples: Samples, efforts: readonly number[], ask: Ask): Promise<VectorProbe> {
  const taken = samples.take()
  const of = taken.length
  if (efforts.length === 0) return { vectors: samples.written, found: { of, found: of }, recall: [], filtered: [] }
  const questions = taken.map(({ vector }, at) => between(vector, taken[(at + 1) % of]?.vector ?? vector))
  const recall = await probeEfforts(questions, efforts, ask)
  let found = 0
  for (const { vector, chunk } of taken) {
    const near = await ask(vector, { k: NEAREST, effort: efforts.at(-1) ?? 'all' })
    // Among ten others that equal it, it need not be.
    const isCrowded = near.length === NEAREST && near.every(({ score }) => score > EQUAL_SCORE)
    if (isCrowded || near.some((one) => one.chunk === chunk)) found++
  }
  const probe = { vectors: samples.written, found: { of, found }, recall, filtered: [] }
  return { ...probe, filtered: await probeFilters(samples, questions, chooseEffort(probe, DEFAULT_TARGET), ask) }
}

async function probeEfforts(
  questions: readonly Float32Array[],
  efforts: readonly number[],
  ask: Ask,
): Promise<RecallAt[]> {
  const truth: (readonly number[])[] = []
  for (const question of questions) truth.push(chunksOf(await ask(question, { k: NEAREST, effort: 'all' })))
  const recall: RecallAt[] = []
  for (const effort of efforts) {
    const answers: (readonly Near[])[] = []
    for (const question of questions) answers.push(await ask(question, { k: NEAREST, effort }))
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
  return recall
}

async function probeFilters(
  samples: Samples,
  questions: readonly Float32Array[],
  effort: number,
  ask: Ask,
): Promise<VectorProbe['filtered']> {
  const filtered: VectorProbe['filtered'][number][] = []
  for (const wanted of SHARES) {
    const chosen = samples.filterOf(wanted)
    if (chosen === undefined) continue
    const { filter } = chosen
    const shares: number[] = []
    for (const question of questions.slice(0, FILTERED_MAX)) {
      const exact = new Set(chunksOf(await ask(question, { k: NEAREST, effort: 'all', filter })))
      shares.push(share(await ask(question, { k: NEAREST, effort, filter }), exact))
    }
    filtered.push({ share: chosen.share, recall: intervalOfMean(shares).mean, n: shares.length })
  }
  return filtered
}

const DEFAULT_TARGET: SearchTarget = { recallAt10: 0.95 }

/** The least effort whose recall, with its doubt taken off, reaches the target; the greatest tried
 *  where none does. Of the nearest of all vectors, a segment that holds a share of these holds a
 *  number that is distributed binomially: as many as two standard deviations above its mean are
 *  looked for, with more effort where more than ten are. */
export function chooseEffort(
  { recall }: VectorProbe,
  { recallAt10 }: SearchTarget,
  { k = NEAREST, share: held = 1 }: { readonly k?: number; readonly share?: number } = {},
): number {
  const sought = NEAREST * held + 2 * Math.sqrt(NEAREST * held * (1 - held))
  const depth = DEPTHS.find((one) => one >= sought) ?? NEAREST
  const reached = recall.find((one) => one.nearest === depth && one.recall - one.halfWidth >= recallAt10)
  const effort = (reached ?? recall.at(-1))?.effort ?? EFFORTS.at(-1) ?? NEAREST
  return Math.min(EFFORT_MAX, Math.ceil(effort * Math.max(1, k / NEAREST)))
}

/** With every question answered in full there is no spread to estimate by: then the rule of three. */
function doubtOf(shares: readonly number[]): number {
  const { mean, halfWidth, n } = intervalOfMean(shares)
  return mean === 1 ? Math.min(1, 3 / n) : halfWidth
}

/** A graph may leave a few of a million out of reach; one that misses more has lost them. */
const FOUND_SHARE_MIN = 0.99

/** Throws a `Fault` (`segment_unsound`). */
export function checkProbe(segment: SegmentName, { found: { of, found } }: VectorProbe): void {
  if (found < FOUND_SHARE_MIN * of) throw fault('segment_unsound', { segment, found, of })
}

/** Near a vector that is there, and none that is: the graph was built around those. */
function between(vector: Float32Array, other: Float32Array): Float32Array {
  return vector.map((component, at) => component * (1 - OTHER_SHARE) + (other[at] ?? 0) * OTHER_SHARE)
}

const chunksOf = (near: readonly Near[]): number[] => near.map(({ chunk }) => chunk)

const share = (near: readonly Near[], truth: ReadonlySet<number>): number =>
  truth.size === 0 ? 1 : near.filter(({ chunk }) => truth.has(chunk)).length / truth.size
