import pg, { type Client, type QueryConfig, type QueryResult } from 'pg'
import { fault, reasonOf, type Refusal, refuse } from '../../base/errors.ts'
import { Turns } from '../../base/turns.ts'
import type { Database, Row } from '../../retrieval/queries.ts'

/** A PostgreSQL database, read in transactions that cannot write. */

/** For one statement. */
const STATEMENT_MS = 300_000
const CONNECT_MS = 10_000
/** Rows fetched at once. */
const PAGE_ROWS = 200

/** Rejects with a `Fault` (`source_unavailable`). */
export async function openPostgres(name: string, url: string): Promise<Database> {
  const source = `postgres:${name}`
  const options = {
    types: parsers(),
    connectionString: url,
    connectionTimeoutMillis: CONNECT_MS,
    statement_timeout: STATEMENT_MS,
  }
  const [reader, finder] = [new pg.Client(options), new pg.Client(options)]
  const database = new PostgresDatabase(source, reader, finder)
  try {
    await database.open()
    return database
  } catch (thrown) {
    await database.close()
    throw fault('source_unavailable', { source, reason: reasonOf(thrown) }, thrown)
  }
}

/** One statement and no more, which is all that the extended protocol takes. */
const single = (text: string): QueryConfig => ({ text, queryMode: 'extended' }) as QueryConfig

/** Times as the server writes them, with their microseconds; large integers as numbers where they are
 *  exact. */
function parsers(): pg.TypeOverrides {
  const { DATE, TIMESTAMP, TIMESTAMPTZ, INT8 } = pg.types.builtins
  const overrides = new pg.TypeOverrides()
  for (const time of [DATE, TIMESTAMP, TIMESTAMPTZ]) overrides.setTypeParser(time, (text) => text)
  overrides.setTypeParser(INT8, (text) => (Number.isSafeInteger(Number(text)) ? Number(text) : text))
  return overrides
}

class PostgresDatabase implements Database {
  readonly placeholder = '$1'
  readonly #source: string
  /** Goes through the rows, in one view of them. */
  readonly #reader: Client
  /** Reads single ones meanwhile. */
  readonly #finder: Client
  /** A connection answers one question at a time. */
  readonly #turns = new Turns()

  constructor(source: string, reader: Client, finder: Client) {
    this.#source = source
    this.#reader = reader
    this.#finder = finder
    // A connection that is lost fails its next query.
    for (const client of [reader, finder]) client.on('error', () => {})
  }

  async open(): Promise<void> {
    for (const client of [this.#reader, this.#finder]) {
      await client.connect()
      await client.query('SET default_transaction_read_only = on')
    }
  }

  async columns(query: string): Promise<readonly string[] | Refusal> {
    try {
      return (await this.#finder.query(single(query))).fields.map(({ name }) => name)
    } catch (thrown) {
      return refuse('source_unreadable', { source: this.#source, reason: reasonOf(thrown) })
    }
  }

  async *pages(query: string, signal: AbortSignal): AsyncGenerator<readonly Row[]> {
    await this.#run(() => this.#reader.query('BEGIN READ ONLY'))
    try {
      await this.#run(() => this.#reader.query(single(`DECLARE documents_cursor NO SCROLL CURSOR FOR ${query}`)))
      for (;;) {
        if (signal.aborted) throw fault('stopping', {})
        const { rows } = await this.#run(() => this.#reader.query<Row>(`FETCH ${PAGE_ROWS} FROM documents_cursor`))
        if (rows.length === 0) return
        yield rows
      }
    } finally {
      await this.#reader.query('ROLLBACK').catch(() => {})
    }
  }

  async row(query: string, value: unknown): Promise<Row | undefined> {
    const found = (): Promise<QueryResult<Row>> => this.#run(() => this.#finder.query<Row>(query, [value]))
    return (await this.#turns.take('finder', found)).rows[0]
  }

  async close(): Promise<void> {
    await Promise.allSettled([this.#reader.end(), this.#finder.end()])
  }

  async #run<Value>(work: () => Promise<Value>): Promise<Value> {
    try {
      return await work()
    } catch (thrown) {
      throw fault('source_unavailable', { source: this.#source, reason: reasonOf(thrown) }, thrown)
    }
  }
}
