import { wilson } from './interval.ts'

/** What searches by vector aim at, so that the recall that live searches have is the one that was
 *  asked for. A segment was probed with questions made of what it holds; live ones may be harder,
 *  and become so. */

/** Queries between two looks. */
const QUERIES_MIN = 50
/** Beyond it a search might as well look at everything. */
const AIM_MAX = 0.999
/** Recall above the target that is not given back: effort that falls and rises again and again helps
 *  nobody. */
const SPARE = 0.02

export class Aims {
  readonly #targetOf: (collection: string) => number
  readonly #aims = new Map<string, Aim>()

  constructor(targetOf: (collection: string) => number) {
    this.#targetOf = targetOf
  }

  /** For the next search. */
  of(collection: string): number {
    return this.#of(collection).aim
  }

  /** Of one unfiltered query that was replayed. True where the aim changed: what was measured before
   *  says nothing about what comes. */
  measured(collection: string, recall: number): boolean {
    const target = this.#targetOf(collection)
    const { aim, queries, sum } = this.#of(collection)
    const now = { target, aim, queries: queries + 1, sum: sum + recall }
    this.#aims.set(collection, now)
    if (now.queries < QUERIES_MIN) return false
    const mean = now.sum / now.queries
    const { low, high } = wilson(mean, now.queries)
    const next = high < target ? aim + (target - mean) : low > target + SPARE ? aim - (mean - target) / 2 : aim
    const bounded = Math.min(AIM_MAX, Math.max(target, next))
    if (bounded === aim) return false
    this.#aims.set(collection, { target, aim: bounded, queries: 0, sum: 0 })
    return true
  }

  /** A new target begins anew. */
  #of(collection: string): Aim {
    const target = this.#targetOf(collection)
    const known = this.#aims.get(collection)
    return known?.target === target ? known : { target, aim: target, queries: 0, sum: 0 }
  }
}

interface Aim {
  readonly target: number
  readonly aim: number
  /** Since the aim was set. */
  readonly queries: number
  readonly sum: number
}
