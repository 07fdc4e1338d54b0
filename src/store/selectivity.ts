import type { Filter } from './filter.ts'

/** Where this few fit a filter, looking at each of them is cheaper than a graph in which they are
 *  far between, and misses none. */
const EXACT_FITTING_MAX = 10_000
/** Filters of which it is remembered whether few fit. */
const FILTERS_KEPT_MAX = 256

/** Tells which filters leave so few vectors of one segment that all of them should be compared. A
 *  segment never changes, so each filter is counted once. */
export class Selectivity {
  readonly #count: (filter: Filter, most: number) => Promise<number>
  readonly #known = new Map<string, boolean>()

  /** `count` may stop at `most`. */
  constructor(count: (filter: Filter, most: number) => Promise<number>) {
    this.#count = count
  }

  async isSelective(filter: Filter): Promise<boolean> {
    const key = JSON.stringify(filter)
    const known = this.#known.get(key)
    if (known !== undefined) return known
    const isSelective = (await this.#count(filter, EXACT_FITTING_MAX + 1)) <= EXACT_FITTING_MAX
    const [oldest] = this.#known.keys()
    if (this.#known.size >= FILTERS_KEPT_MAX && oldest !== undefined) this.#known.delete(oldest)
    this.#known.set(key, isSelective)
    return isSelective
  }
}
