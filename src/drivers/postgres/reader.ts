import type { Filter } from '../../store/filter.ts'
import { chooseEffort } from '../../store/vector-probe.ts'
import type { Near, SearchTarget, VectorProbe, VectorQuery, VectorReader } from '../../store/vectors.ts'
import { postgresFault } from './failure.ts'
import type { Table } from './table.ts'

/** Where this few fit a filter, looking at each of them is cheaper than a graph in which they are
 *  far between, and misses none. */
const EXACT_FITTING_MAX = 10_000
/** Filters of which it is remembered whether few fit. */
const FILTERS_KEPT_MAX = 256

export class PostgresReader implements VectorReader {
  readonly probe: VectorProbe
  readonly #table: Table
  readonly #effort: number
  readonly #onClose: () => void
  /** A segment never changes, so neither does how many fit. */
  readonly #selective = new Map<string, boolean>()

  constructor(table: Table, probe: VectorProbe, target: SearchTarget, onClose: () => void) {
    this.probe = probe
    this.#table = table
    this.#effort = chooseEffort(probe, target)
    this.#onClose = onClose
  }

  async search(vector: Float32Array, { k, filter, exact = false }: VectorQuery): Promise<readonly Near[]> {
    const filtered = filter === undefined ? {} : { filter }
    try {
      const all = exact || (filter !== undefined && (await this.#isSelective(filter)))
      return await this.#table.search(vector, { k, ...filtered, effort: all ? 'all' : this.#effort })
    } catch (thrown) {
      throw postgresFault(thrown)
    }
  }

  close(): void {
    this.#onClose()
  }

  async #isSelective(filter: Filter): Promise<boolean> {
    const key = JSON.stringify(filter)
    const known = this.#selective.get(key)
    if (known !== undefined) return known
    const isSelective = (await this.#table.count(filter, EXACT_FITTING_MAX + 1)) <= EXACT_FITTING_MAX
    const [oldest] = this.#selective.keys()
    if (this.#selective.size >= FILTERS_KEPT_MAX && oldest !== undefined) this.#selective.delete(oldest)
    this.#selective.set(key, isSelective)
    return isSelective
  }
}
