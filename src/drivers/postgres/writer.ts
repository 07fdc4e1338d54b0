import type pg from 'pg'
import type { CopyStreamQuery } from 'pg-copy-streams'
import { fault } from '../../base/errors.ts'
import type { Attributes } from '../../store/filter.ts'
import type { SegmentName } from '../../store/index.ts'
import { checkProbe, EFFORTS, probeVectors, Samples } from '../../store/vector-probe.ts'
import type { VectorProbe, VectorWriter } from '../../store/vectors.ts'
import { Connections } from './connections.ts'
import { COPY_END, COPY_HEAD, copyRows } from './copy.ts'
import { isTaken, unavailable, unwritable } from './failure.ts'
import { Table } from './table.ts'

/** Fewer vectors need no graph. */
const FLAT_CHUNKS_MAX = 4_000
/** pgvector indexes halves of up to this many dimensions. */
const INDEXED_DIMENSIONS_MAX = 4_000
/** Rows up to this size stay in the table's own pages, where a search reads them at once. */
const INLINE_DIMENSIONS_MAX = 1_900

/** Neighbours of a vector, and candidates while it is linked: pgvector's M and ef_construction. */
const NEIGHBOURS = 16
const BUILD_CANDIDATES = 100

/** Beside its halves a vector takes this in the graph: neighbours, twice as many on the ground
 *  floor, and pgvector's own. */
const GRAPH_BYTES_PER_VECTOR = 500
const BUILD_MEMORY_MB_MIN = 64
/** A larger graph is built on disk, several times slower. */
const BUILD_MEMORY_MB_MAX = 4_096
const MIB = 2 ** 20

/** One transaction from the first row to the last look: a crash leaves nothing. */
export class PostgresWriter implements VectorWriter {
  readonly #client: pg.PoolClient
  readonly #copy: CopyStreamQuery
  readonly #schema: string
  readonly #segment: SegmentName
  readonly #id: number
  readonly #dimension: number
  readonly #samples: Samples
  readonly #failed = Promise.withResolvers<never>()
  #chunks = 0
  #isOver = false

  private constructor(client: pg.PoolClient, copy: CopyStreamQuery, { schema, segment, id, dimension }: Place) {
    this.#client = client
    this.#copy = copy
    this.#schema = schema
    this.#segment = segment
    this.#id = id
    this.#dimension = dimension
    this.#samples = new Samples(dimension)
    // The server may refuse a row long after it was sent, and whatever is sent then is not answered.
    copy.on('error', (error) => this.#failed.reject(error))
    this.#failed.promise.catch(() => {})
  }

  static async begin(
    client: pg.PoolClient,
    schema: string,
    segment: SegmentName,
    dimension: number,
  ): Promise<PostgresWriter> {
    try {
      const { from } = await import('pg-copy-streams').catch((cause: unknown) => {
        throw unavailable('the package `pg-copy-streams` is not installed', cause)
      })
      await client.query('BEGIN')
      const id = await publish(client, schema, segment, dimension)
      const table = `${schema}.segment_${id}`
      const storage = dimension <= INLINE_DIMENSIONS_MAX ? 'PLAIN' : 'EXTERNAL'
      await client.query(`CREATE TABLE ${table} (
        chunk integer NOT NULL,
        vector vector(${dimension}) NOT NULL,
        tokens text[] NOT NULL,
        numbers jsonb)`)
      await client.query(`ALTER TABLE ${table} ALTER COLUMN vector SET STORAGE ${storage}`)
      const copy = client.query(from(`COPY ${table} FROM STDIN (FORMAT binary, FREEZE)`))
      const writer = new PostgresWriter(client, copy, { schema, segment, id, dimension })
      await writer.#send(COPY_HEAD)
      return writer
    } catch (thrown) {
      client.release(true)
      throw unwritable(thrown)
    }
  }

  async add(rows: Float32Array, attributes: readonly Attributes[]): Promise<void> {
    try {
      await this.#send(copyRows(this.#chunks, this.#dimension, rows, attributes))
    } catch (thrown) {
      throw unwritable(thrown)
    }
    this.#samples.add(rows, attributes)
    this.#chunks += attributes.length
  }

  async finish(): Promise<VectorProbe> {
    try {
      await this.#send(COPY_END)
      const finished = new Promise<void>((resolve) => this.#copy.once('finish', resolve))
      this.#copy.end()
      await Promise.race([finished, this.#failed.promise])
      await this.#index()
      const probe = await this.#probe()
      checkProbe(this.#segment, probe)
      const row = [this.#id, this.#chunks, JSON.stringify(probe)]
      await this.#client.query(`UPDATE ${this.#schema}.segments SET chunks = $2, probe = $3 WHERE id = $1`, row)
      await this.#client.query('COMMIT')
      return probe
    } catch (thrown) {
      throw unwritable(thrown)
    } finally {
      await this.abandon()
    }
  }

  async abandon(): Promise<void> {
    // What is not committed goes with its connection, and so does what was set for building.
    if (!this.#isOver) this.#client.release(true)
    this.#isOver = true
  }

  get #table(): string {
    return `${this.#schema}.segment_${this.#id}`
  }

  get #isFlat(): boolean {
    return this.#chunks <= FLAT_CHUNKS_MAX || this.#dimension > INDEXED_DIMENSIONS_MAX
  }

  #send(bytes: Uint8Array): Promise<void> {
    const taken = new Promise<void>((resolve, reject) => {
      this.#copy.write(bytes, (error) => (error == null ? resolve() : reject(error)))
    })
    return Promise.race([taken, this.#failed.promise])
  }

  async #index(): Promise<void> {
    const [client, table] = [this.#client, this.#table]
    const bytes = this.#chunks * (GRAPH_BYTES_PER_VECTOR + 2 * this.#dimension)
    const memoryMb = Math.min(BUILD_MEMORY_MB_MAX, BUILD_MEMORY_MB_MIN + Math.ceil(bytes / MIB))
    await client.query(`SET LOCAL maintenance_work_mem = '${memoryMb}MB'`)
    if (!this.#isFlat) {
      await client.query(`CREATE INDEX ON ${table}
        USING hnsw ((vector::halfvec(${this.#dimension})) halfvec_ip_ops)
        WITH (m = ${NEIGHBOURS}, ef_construction = ${BUILD_CANDIDATES})`)
    }
    await client.query(`CREATE INDEX ON ${table} USING gin (tokens)`)
    await client.query(`ANALYZE ${table}`)
  }

  #probe(): Promise<VectorProbe> {
    // The transaction's own connection: nobody else sees the table yet.
    const table = new Table(new Connections(this.#client), this.#table, this.#dimension)
    return probeVectors(this.#samples, this.#isFlat ? [] : EFFORTS, (vector, query) => table.search(vector, query))
  }
}

interface Place {
  readonly schema: string
  readonly segment: SegmentName
  readonly id: number
  readonly dimension: number
}

/** Takes the name; what is taken there is seen by others when the transaction ends. */
async function publish(
  client: pg.PoolClient,
  schema: string,
  segment: SegmentName,
  dimension: number,
): Promise<number> {
  try {
    const { rows } = await client.query<{ id: number }>(
      `INSERT INTO ${schema}.segments (name, dimension, chunks, probe) VALUES ($1, $2, 0, '{}') RETURNING id`,
      [segment, dimension],
    )
    return rows[0]?.id ?? 0
  } catch (thrown) {
    if (isTaken(thrown)) throw fault('internal', { reason: `the segment ${segment} was built before` }, thrown)
    throw thrown
  }
}
