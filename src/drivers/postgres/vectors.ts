import type pg from 'pg'
import { fault } from '../../base/errors.ts'
import { GraphReader } from '../../store/graph-reader.ts'
import type { SegmentName } from '../../store/index.ts'
import { Readers } from '../../store/readers.ts'
import type { SearchTarget, VectorProbe, VectorReader, Vectors, VectorWriter } from '../../store/vectors.ts'
import { Connections } from './connections.ts'
import { isMissing, postgresFault, unavailable, unwritable } from './failure.ts'
import { Table } from './table.ts'
import { PostgresWriter } from './writer.ts'

/** Vectors in a Postgres with pgvector: a table and an HNSW index for each segment, so that
 *  dropping one is dropping a table, and no graph ever holds what is gone. A row of `segments`
 *  publishes a table, in the transaction that filled it: what is unfinished is not there. */

export interface PostgresVectorsOptions {
  /** `postgres://user:password@host:port/database`. */
  readonly url: string
  /** Holds our tables and nothing else; made when it is missing. */
  readonly schema: string
}

/** Searches at the same time; more wait. One more connection for each segment being written. */
const CONNECTIONS_MAX = 16
const CONNECT_TIMEOUT_MS = 5_000
/** A search this late serves nobody. */
const SEARCH_TIMEOUT_MS = 10_000
/** Iterative scans, without which a filter leaves fewer hits than fit. */
const PGVECTOR_MIN = [0, 8] as const
/** Few enough that fit a filter to compare each: a table's rows lie close together. */
const COMPARED_MAX = 2_000
/** A table dropped while it was read outlives its name, but not by this much. */
const LEAVING_HOURS_MAX = 1
/** Any number: locks the making of a schema against another that makes it. */
const MAKING_LOCK = 7_275_001

/** How connections that search are set. `relaxed_order`, since candidates are put into order after;
 *  a scan goes on until enough fit, whatever it takes; compiling a query costs more than running it. */
const SEARCH_SETTINGS = {
  'hnsw.iterative_scan': 'relaxed_order',
  'hnsw.max_scan_tuples': '2147483647',
  'hnsw.scan_mem_multiplier': '16',
  jit: 'off',
  statement_timeout: String(SEARCH_TIMEOUT_MS),
} as const

/** Rejects with a `Fault` (`index_unavailable`) where the server, the extension or the package `pg`
 *  is missing. */
export async function openPostgresVectors(
  options: PostgresVectorsOptions,
): Promise<Vectors & { close(): Promise<void> }> {
  if (!/^[a-z_][a-z0-9_]{0,62}$/.test(options.schema))
    throw fault('internal', { reason: `"${options.schema}" is no name of a schema` })
  const { default: driver } = await import('pg').catch((cause: unknown) => {
    throw unavailable('the package `pg` is not installed', cause)
  })
  const settings = {
    connectionString: options.url,
    application_name: 'headworks',
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
  }
  const searching = new driver.Pool({
    ...settings,
    max: CONNECTIONS_MAX,
    options: Object.entries(SEARCH_SETTINGS)
      .map(([name, value]) => `-c ${name}=${value}`)
      .join(' '),
  })
  const writing = new driver.Pool({ ...settings, max: CONNECTIONS_MAX })
  const vectors = new PostgresVectors(options.schema, searching, writing)
  for (const pool of [searching, writing]) {
    // A connection that breaks is replaced; whoever asks next is told what is wrong.
    pool.on('error', () => {})
    pool.on('connect', (client) => client.on('error', () => {}))
  }
  try {
    await vectors.prepare()
    return vectors
  } catch (thrown) {
    await vectors.close()
    throw thrown
  }
}

class PostgresVectors implements Vectors {
  readonly #schema: string
  readonly #searching: pg.Pool
  readonly #writing: pg.Pool
  readonly #connections: Connections
  readonly #readers = new Readers((table) => this.#remove(table))

  constructor(schema: string, searching: pg.Pool, writing: pg.Pool) {
    this.#schema = schema
    this.#searching = searching
    this.#writing = writing
    this.#connections = new Connections(searching)
  }

  /** Makes what is missing, and clears what a crash left between unpublishing and dropping. */
  async prepare(): Promise<void> {
    await this.#transaction(async (client) => {
      await client.query('SELECT pg_advisory_xact_lock($1)', [MAKING_LOCK])
      await prepareExtension(client)
      const { rowCount } = await client.query('SELECT 1 FROM pg_namespace WHERE nspname = $1', [this.#schema])
      if (rowCount === 0) await client.query(`CREATE SCHEMA ${this.#schema}`)
      await client.query(`CREATE TABLE IF NOT EXISTS ${this.#schema}.segments (
        id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        name text COLLATE "C" UNIQUE,
        dimension integer NOT NULL,
        chunks integer NOT NULL,
        probe jsonb NOT NULL,
        dropped_at timestamptz)`)
      const { rows } = await client.query<{ id: number }>(
        `DELETE FROM ${this.#schema}.segments WHERE dropped_at < now() - interval '${LEAVING_HOURS_MAX} hours' RETURNING id`,
      )
      for (const { id } of rows) await client.query(`DROP TABLE IF EXISTS ${this.#table(id)}`)
    }).catch((thrown: unknown) => {
      throw postgresFault(thrown)
    })
  }

  async write(segment: SegmentName, dimension: number): Promise<VectorWriter> {
    try {
      return await PostgresWriter.begin(await this.#writing.connect(), this.#schema, segment, dimension)
    } catch (thrown) {
      throw unwritable(thrown)
    }
  }

  async open(segment: SegmentName, target: SearchTarget): Promise<VectorReader> {
    const refuse = (how: string, cause?: unknown): Error =>
      unavailable(`the vectors of the segment ${segment} ${how}`, cause)
    try {
      const { rows } = await this.#searching.query<Published>(
        `SELECT id, dimension, chunks, probe FROM ${this.#schema}.segments WHERE name = $1`,
        [segment],
      )
      const [row] = rows
      if (row === undefined) throw refuse('are missing')
      const table = this.#table(row.id)
      const { rows: counted } = await this.#searching.query<{ count: string }>(`SELECT count(*) FROM ${table}`)
      const count = Number(counted[0]?.count)
      if (count !== row.chunks) throw refuse(`are damaged: ${count} of ${row.chunks} are there`)
      this.#readers.enter(table)
      const { search, count: fitting } = new Table(this.#connections, table, row.dimension)
      const source = {
        ask: search,
        count: fitting,
        comparedMax: COMPARED_MAX,
        faultOf: postgresFault,
        onClose: () => this.#readers.leave(table),
      }
      return new GraphReader(source, row.probe, target)
    } catch (thrown) {
      throw isMissing(thrown) ? refuse('are damaged: their table is gone', thrown) : postgresFault(thrown)
    }
  }

  async segments(): Promise<SegmentName[]> {
    try {
      const { rows } = await this.#searching.query<{ name: string }>(
        `SELECT name FROM ${this.#schema}.segments WHERE name IS NOT NULL ORDER BY name`,
      )
      return rows.map(({ name }) => name)
    } catch (thrown) {
      throw postgresFault(thrown)
    }
  }

  /** Frees the name at once, the space when nobody of ours reads it. */
  async drop(segment: SegmentName): Promise<void> {
    try {
      const { rows } = await this.#writing.query<{ id: number }>(
        `UPDATE ${this.#schema}.segments SET name = NULL, dropped_at = now() WHERE name = $1 RETURNING id`,
        [segment],
      )
      for (const { id } of rows) await this.#readers.drop(this.#table(id))
    } catch (thrown) {
      throw unwritable(thrown)
    }
  }

  async close(): Promise<void> {
    await this.#readers.settled()
    await Promise.all([this.#searching.end(), this.#writing.end()])
  }

  #remove(table: string): Promise<void> {
    return this.#transaction(async (client) => {
      await client.query(`DROP TABLE IF EXISTS ${table}`)
      await client.query(`DELETE FROM ${this.#schema}.segments WHERE id = $1`, [Number(/\d+$/.exec(table)?.[0])])
    })
  }

  async #transaction(work: (client: pg.PoolClient) => Promise<void>): Promise<void> {
    const client = await this.#writing.connect()
    try {
      await client.query('BEGIN')
      await work(client)
      await client.query('COMMIT')
      client.release()
    } catch (thrown) {
      client.release(true)
      throw thrown
    }
  }

  #table(id: number): string {
    return `${this.#schema}.segment_${id}`
  }
}

interface Published {
  readonly id: number
  readonly dimension: number
  readonly chunks: number
  readonly probe: VectorProbe
}

async function prepareExtension(client: pg.PoolClient): Promise<void> {
  const version = async (): Promise<string | undefined> =>
    (await client.query<{ extversion: string }>("SELECT extversion FROM pg_extension WHERE extname = 'vector'")).rows[0]
      ?.extversion
  let found = await version()
  if (found === undefined) {
    await client.query('CREATE EXTENSION vector').catch((cause: unknown) => {
      throw unavailable(`the database has no extension "vector" and it cannot be made: ${String(cause)}`, cause)
    })
    found = await version()
  }
  const [major = 0, minor = 0] = (found ?? '').split('.').map(Number)
  if (major === PGVECTOR_MIN[0] && minor < PGVECTOR_MIN[1])
    throw unavailable(`pgvector ${found} is too old: ${PGVECTOR_MIN.join('.')} or newer is needed`)
}
