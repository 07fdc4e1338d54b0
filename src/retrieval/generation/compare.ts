import { Fault, Refusal } from '../../base/errors.ts'
import type { Passage } from '../passage.ts'
import type { Search } from '../search.ts'

/** How far two generations find the same. */

/** Of the ranks that are compared: what a person looks at. */
const DEPTH = 10
/** How much the second rank counts of the first, the third of the second, and so on. */
const PERSISTENCE = 0.9
const EXAMPLES_MAX = 20
export const COMPARED_QUESTIONS_MAX = 500

export interface Comparison {
  readonly questions: number
  /** Those whose first ten are not the same passages in the same order. */
  readonly changed: number
  /** Mean over the questions: 1 the same, 0 nothing in common. */
  readonly overlap: number
  /** Generations whose model does not embed any more as it did: their vectors cannot be asked. */
  readonly byWordsAlone: { readonly live: boolean; readonly other: boolean }
  /** The most changed, most changed first. */
  readonly examples: readonly {
    readonly question: string
    readonly overlap: number
    readonly live: readonly Found[]
    readonly other: readonly Found[]
  }[]
}

interface Found {
  readonly document: string
  readonly title: string
  readonly start: number
  readonly end: number
  readonly score: number
}

/** `live` and `other` as a search names them. */
export async function compare(
  search: Search,
  live: string,
  other: string,
  questions: readonly string[],
): Promise<Comparison> {
  const compared: (Comparison['examples'][number] & { readonly isChanged: boolean })[] = []
  const sides = [new Side(search, live), new Side(search, other)] as const
  for (const question of questions) {
    const [live, other] = [await sides[0].find(question), await sides[1].find(question)]
    compared.push({ question, ...compareLists(live, other), live, other })
  }
  const changed = compared.filter(({ isChanged }) => isChanged)
  const sum = compared.reduce((total, { overlap }) => total + overlap, 0)
  return {
    questions: compared.length,
    changed: changed.length,
    overlap: compared.length === 0 ? 1 : sum / compared.length,
    byWordsAlone: { live: sides[0].byWordsAlone, other: sides[1].byWordsAlone },
    examples: changed
      .toSorted((a, b) => a.overlap - b.overlap)
      .slice(0, EXAMPLES_MAX)
      .map(({ question, overlap, live: a, other: b }) => ({ question, overlap, live: a, other: b })),
  }
}

class Side {
  readonly #search: Search
  readonly #collection: string
  #byWordsAlone = false

  constructor(search: Search, collection: string) {
    this.#search = search
    this.#collection = collection
  }

  get byWordsAlone(): boolean {
    return this.#byWordsAlone
  }

  /** A new generation is made above all where the model of the present one is gone, and is to be
   *  compared with it all the same. */
  async find(question: string): Promise<Found[]> {
    try {
      return await this.#ask(question)
    } catch (thrown) {
      if (this.#byWordsAlone || !(thrown instanceof Refusal || thrown instanceof Fault)) throw thrown
      if (thrown.code !== 'embedding_changed') throw thrown
      this.#byWordsAlone = true
      return await this.#ask(question)
    }
  }

  async #ask(question: string): Promise<Found[]> {
    const mode = this.#byWordsAlone ? 'words' : 'hybrid'
    const { passages } = await this.#search.search(this.#collection, question, { k: DEPTH, mode })
    return passages.map(({ document, title, start, end, score }: Passage) => ({ document, title, start, end, score }))
  }
}

/** Documents that are cut otherwise give other passages, which are the same when they overlap by half of
 *  the shorter one: each passage of `other` counts as the one of `live` that it is the same as. */
function compareLists(
  live: readonly Found[],
  other: readonly Found[],
): { readonly overlap: number; readonly isChanged: boolean } {
  const keys = live.map(keyOf)
  const aligned = new Set(other.map((passage) => keyOf(live.find((one) => isSame(one, passage)) ?? passage)))
  return {
    overlap: rankBiasedOverlap(keys, [...aligned]),
    isChanged: keys.join('\n') !== [...aligned].join('\n'),
  }
}

const SAME_SHARE = 0.5

function isSame(a: Found, b: Found): boolean {
  if (a.document !== b.document) return false
  const shared = Math.min(a.end, b.end) - Math.max(a.start, b.start)
  return shared >= SAME_SHARE * Math.min(a.end - a.start, b.end - b.start)
}

const keyOf = ({ document, start, end }: Found): string => `${document} ${start} ${end}`

/** Rank-biased overlap, extrapolated from the depth that was seen (Webber, Moffat and Zobel 2010,
 *  equation 23). A list that is shorter has nothing at the ranks it lacks. */
export function rankBiasedOverlap(a: readonly string[], b: readonly string[]): number {
  const depth = Math.max(a.length, b.length)
  if (depth === 0) return 1
  const [seenA, seenB] = [new Set<string>(), new Set<string>()]
  let shared = 0
  let sum = 0
  let weight = 1
  for (let rank = 1; rank <= depth; rank++) {
    const [one, other] = [a[rank - 1], b[rank - 1]]
    if (one !== undefined) seenA.add(one)
    if (other !== undefined) seenB.add(other)
    if (one !== undefined && seenB.has(one)) shared++
    if (other !== undefined && other !== one && seenA.has(other)) shared++
    weight *= PERSISTENCE
    sum += (shared / rank) * weight
  }
  return (shared / depth) * weight + ((1 - PERSISTENCE) / PERSISTENCE) * sum
}
