import { Selectivity } from './selectivity.ts'
import type { Fault } from '../base/errors.ts'
import { type Ask, chooseEffort } from './vector-probe.ts'
import type { Filter } from './filter.ts'
import type { Near, SearchTarget, VectorProbe, VectorQuery, VectorReader } from './vectors.ts'

/** What a reader of one segment needs of its driver. */
export interface GraphSource {
  readonly ask: Ask
  /** How many fit; may stop at `most`. */
  readonly count: (filter: Filter, most: number) => Promise<number>
  /** Where this few fit a filter, comparing each of them is cheaper than a graph in which they are
   *  far between, and misses none. */
  readonly comparedMax: number
  readonly faultOf: (thrown: unknown) => Fault
  readonly onClose: () => void
}

/** Chooses between the graph and comparing: with the effort that the probe found enough for the
 *  target, or every vector where the filter leaves few or the graph came back with fewer than `k`. */
export class GraphReader implements VectorReader {
  readonly probe: VectorProbe
  readonly #source: GraphSource
  readonly #target: SearchTarget
  readonly #selectivity: Selectivity

  constructor(source: GraphSource, probe: VectorProbe, target: SearchTarget) {
    this.probe = probe
    this.#source = source
    this.#target = target
    this.#selectivity = new Selectivity(source.count, source.comparedMax)
  }

  async search(
    vector: Float32Array,
    { k, filter, exact = false, share = 1, target = this.#target }: VectorQuery,
  ): Promise<readonly Near[]> {
    const query = filter === undefined ? { k } : { k, filter }
    try {
      // Where no effort was probed there is no graph.
      const isFlat = this.probe.recall.length === 0
      const all = exact || isFlat || (filter !== undefined && (await this.#selectivity.isSelective(filter)))
      const found = all
        ? []
        : await this.#source.ask(vector, { ...query, effort: chooseEffort(this.probe, target, { k, share }) })
      // A search of a graph may end before enough fit; what fits must be found all the same.
      return found.length >= k ? found : await this.#source.ask(vector, { ...query, effort: 'all' })
    } catch (thrown) {
      throw this.#source.faultOf(thrown)
    }
  }

  close(): void {
    this.#source.onClose()
  }
}
