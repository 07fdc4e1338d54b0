import type { Table } from '@lancedb/lancedb'
import type { Filter } from '../../store/filter.ts'
import type { Ask } from '../../store/vector-probe.ts'
import { conditionOf } from './filter.ts'

/** The graph compares 8-bit vectors: of this many times `k` the best at full precision answer. */
const CANDIDATES_PER_HIT = 2

interface Row {
  readonly chunk: number
  readonly _distance: number
}

export const askOf =
  (table: Table): Ask =>
  async (vector, { k, effort, filter }) => {
    let query = table
      .vectorSearch(vector)
      .column('vector')
      .distanceType('cosine')
      .limit(k)
      .select(['chunk', '_distance'])
    if (filter !== undefined) query = query.where(conditionOf(filter))
    query =
      effort === 'all'
        ? query.bypassVectorIndex()
        : query
            .nprobes(1)
            .ef(Math.max(effort, CANDIDATES_PER_HIT * k))
            .refineFactor(CANDIDATES_PER_HIT)
    const rows = (await query.toArray()) as Row[]
    return rows.map(({ chunk, _distance }) => ({ chunk, score: 1 - _distance }))
  }

export const countOf =
  (table: Table) =>
  (filter: Filter): Promise<number> =>
    table.countRows(conditionOf(filter))
