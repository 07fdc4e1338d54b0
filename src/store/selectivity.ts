import type { Filter } from './filter.ts'

/** Filters of which it is remembered whether few fit. */
const FILTERS_KEPT_MAX = 256

/** Tells which filters leave so few vectors of one segment that all of them should be compared. A
 *  segment never changes, so each filter is counted once. */
export class Selectivity {
  readonly #count: (filter: Filter, most: number) => Promise<number>
  readonly #comparedMax: number
  readonly #known = new Map<string, boolean>()

  /** `count` may stop at `most`. Up to `comparedMax` that fit are few. */
  constructor(count: (filter: Filter, most: number) => Promise<number>, comparedMax: number) {
    this.#count = count
    this.#comparedMax = comparedMax
  }

  async isSelective(filter: Filter): Promise<boolean> {
    const key = JSON.stringify(filter)
    const known = this.#known.get(key)
    if (known !== undefined) return known
    const isSelective = (await this.#count(filter, this.#comparedMax + 1)) <= this.#comparedMax
    const [oldest] = this.#known.keys()
    if (this.#known.size >= FILTERS_KEPT_MAX && oldest !== undefined) this.#known.delete(oldest)
    this.#known.set(key, isSelective)
    return isSelective
  }
}
