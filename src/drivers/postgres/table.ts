import type pg from 'pg'
import type { Filter } from '../../store/filter.ts'
import type { Near } from '../../store/vectors.ts'
import type { Ask, ProbeQuery } from '../../store/vector-probe.ts'
import type { Connections } from './connections.ts'
import { vectorParameter } from './copy.ts'
import { conditionOf } from './filter.ts'

/** The graph compares at half precision: of this many times `k` the best at full precision answer. */
const CANDIDATES_PER_HIT = 2

/** Searches the table of one segment. */
export class Table {
  readonly #connections: Connections
  readonly #name: string
  readonly #dimension: number

  constructor(connections: Connections, name: string, dimension: number) {
    this.#connections = connections
    this.#name = name
    this.#dimension = dimension
  }

  readonly search: Ask = (vector, query) =>
    this.#connections.use(query.effort, (client) =>
      query.effort === 'all' ? this.#exact(client, vector, query) : this.#near(client, vector, query),
    )

  /** How many fit, up to `most`. */
  readonly count = (filter: Filter, most: number): Promise<number> =>
    this.#connections.use('all', async (client) => {
      const values: unknown[] = [most]
      const fitting = `SELECT 1 FROM ${this.#name} WHERE ${conditionOf(filter, values)} LIMIT $1`
      const { rows } = await client.query<{ count: string }>(`SELECT count(*) FROM (${fitting}) AS fitting`, values)
      return Number(rows[0]?.count)
    })

  async #near(client: pg.ClientBase, vector: Float32Array, { k, filter }: ProbeQuery): Promise<readonly Near[]> {
    const values: unknown[] = [vectorParameter(vector), k, k * CANDIDATES_PER_HIT]
    const half = `halfvec(${this.#dimension})`
    const { rows } = await client.query<Near>(
      `SELECT chunk, score FROM (
         SELECT chunk, -(vector <#> $1::vector) AS score FROM ${this.#name} ${where(filter, values)}
         ORDER BY vector::${half} <#> $1::vector::${half} LIMIT $3) AS candidates
       ORDER BY score DESC, chunk LIMIT $2`,
      values,
    )
    return rows
  }

  /** No index knows the order by a sum. */
  async #exact(client: pg.ClientBase, vector: Float32Array, { k, filter }: ProbeQuery): Promise<readonly Near[]> {
    const values: unknown[] = [vectorParameter(vector), k]
    const { rows } = await client.query<Near>(
      `SELECT chunk, -(vector <#> $1::vector) AS score FROM ${this.#name} ${where(filter, values)}
       ORDER BY (vector <#> $1::vector) + 0, chunk LIMIT $2`,
      values,
    )
    return rows
  }
}

const where = (filter: Filter | undefined, values: unknown[]): string =>
  filter === undefined ? '' : `WHERE ${conditionOf(filter, values)}`
