import type pg from 'pg'

/** How much a search looks at: `hnsw.ef_search`, the candidates kept, or every vector. */
export type Effort = number | 'all'

/** Lends connections whose effort is set. The setting stays with a connection, so it is sent only
 *  where the last search wanted another. */
export class Connections {
  readonly #source: pg.Pool | pg.ClientBase
  readonly #efforts = new WeakMap<pg.ClientBase, number>()

  /** Of a pool, or the one connection of a transaction. */
  constructor(source: pg.Pool | pg.ClientBase) {
    this.#source = source
  }

  async use<Value>(effort: Effort, work: (client: pg.ClientBase) => Promise<Value>): Promise<Value> {
    if (!('totalCount' in this.#source)) return this.#set(this.#source, effort, work)
    const client = await this.#source.connect()
    try {
      return await this.#set(client, effort, work)
    } finally {
      client.release()
    }
  }

  async #set<Value>(
    client: pg.ClientBase,
    effort: Effort,
    work: (client: pg.ClientBase) => Promise<Value>,
  ): Promise<Value> {
    if (effort !== 'all' && this.#efforts.get(client) !== effort) {
      await client.query(`SET hnsw.ef_search = ${effort}`)
      this.#efforts.set(client, effort)
    }
    return work(client)
  }
}
