import type { Connection } from '@lancedb/lancedb'
import { Fault, fault } from '../../base/errors.ts'
import { GraphReader } from '../../store/graph-reader.ts'
import type { SegmentName } from '../../store/index.ts'
import { Readers } from '../../store/readers.ts'
import { EFFORTS } from '../../store/vector-probe.ts'
import type { SearchTarget, VectorReader, Vectors, VectorWriter } from '../../store/vectors.ts'
import { arrowRows } from './arrow.ts'
import { lanceFault, lanceReason, unavailable, unwritable } from './failure.ts'
import { segmentOf, tableOf } from './name.ts'
import { askOf, countOf } from './search.ts'
import { type Lance, LanceWriter, type Published, PUBLISHED } from './writer.ts'

/** Vectors in LanceDB, in a folder or an object store: a table for each segment, with an HNSW graph
 *  of 8-bit vectors and the full ones beside them. */

export interface LanceVectorsOptions {
  /** A folder, or `s3://bucket/prefix`, `gs://`, `az://`. */
  readonly uri: string
  /** Of the object store, as LanceDB names them: `aws_access_key_id`, `aws_endpoint` and so on. */
  readonly storage?: { readonly [name: string]: string }
  /** Of the parts of graphs kept in memory. */
  readonly cacheBytesMax?: number
}

const CACHE_BYTES_MAX = 4 * 2 ** 30
const METADATA_BYTES_MAX = 256 * 2 ** 20
/** Few enough that fit a filter to compare each: each row is fetched by itself. */
const COMPARED_MAX = 200
const TABLES_PER_PAGE = 1_000

/** Rejects with a `Fault` (`index_unavailable`) where a package is missing or there is no way to the
 *  place. */
export async function openLanceVectors(options: LanceVectorsOptions): Promise<Vectors & { close(): Promise<void> }> {
  const [lance, arrow] = await Promise.all([import('@lancedb/lancedb'), import('apache-arrow')]).catch(
    (cause: unknown) => {
      throw unavailable('the packages `@lancedb/lancedb` and `apache-arrow` are not installed', cause)
    },
  )
  const { uri, storage, cacheBytesMax = CACHE_BYTES_MAX } = options
  try {
    const connection = await lance.connect(uri, {
      session: new lance.Session(BigInt(cacheBytesMax), BigInt(METADATA_BYTES_MAX)),
      ...(storage === undefined ? {} : { storageOptions: { ...storage } }),
    })
    return new LanceVectors({ connection, arrow, Index: lance.Index })
  } catch (thrown) {
    throw lanceFault(thrown)
  }
}

class LanceVectors implements Vectors {
  readonly #lance: Lance
  readonly #readers = new Readers((table) => this.#connection.dropTable(table))

  constructor(lance: Lance) {
    this.#lance = lance
  }

  get #connection(): Connection {
    return this.#lance.connection
  }

  async write(segment: SegmentName, dimension: number): Promise<VectorWriter> {
    const name = tableOf(segment)
    try {
      if ((await this.#tables()).includes(name))
        throw fault('internal', { reason: `the segment ${segment} was built before` })
      const { schema } = arrowRows(this.#lance.arrow, 0, dimension, new Float32Array(0), [])
      return new LanceWriter(this.#lance, await this.#connection.createEmptyTable(name, schema), segment, dimension)
    } catch (thrown) {
      throw unwritable(thrown)
    }
  }

  async open(segment: SegmentName, target: SearchTarget): Promise<VectorReader> {
    const name = tableOf(segment)
    const refuse = (how: string, cause?: unknown): Error =>
      unavailable(`the vectors of the segment ${segment} ${how}`, cause)
    if (this.#readers.isLeaving(name)) throw refuse('were dropped')
    try {
      if (!(await this.#tables()).includes(name)) throw refuse('are missing')
      const table = await this.#connection.openTable(name)
      const { fields } = await table.schema()
      const published = fields.find((field) => field.name === PUBLISHED.column)?.metadata.get(PUBLISHED.key)
      if (published === undefined) throw refuse('are unfinished')
      const { dimension, probe } = JSON.parse(published) as Published
      const count = await table.countRows()
      if (count !== probe.vectors) throw refuse(`are damaged: ${count} of ${probe.vectors} are there`)
      const ask = askOf(table)
      // Brings the graph to memory, or shows that it cannot be read.
      const any = Float32Array.from({ length: dimension }, () => 1)
      if (count > 0) await ask(any, { k: 1, effort: EFFORTS[0] ?? 1 })
      this.#readers.enter(name)
      const onClose = (): void => {
        table.close()
        this.#readers.leave(name)
      }
      return new GraphReader(
        { ask, count: countOf(table), comparedMax: COMPARED_MAX, faultOf: lanceFault, onClose },
        probe,
        target,
      )
    } catch (thrown) {
      throw thrown instanceof Fault ? thrown : refuse(`cannot be read: ${lanceReason(thrown)}`, thrown)
    }
  }

  async segments(): Promise<SegmentName[]> {
    try {
      return (await this.#tables()).flatMap((table) => {
        const segment = segmentOf(table)
        return segment === undefined || this.#readers.isLeaving(table) ? [] : [segment]
      })
    } catch (thrown) {
      throw lanceFault(thrown)
    }
  }

  async drop(segment: SegmentName): Promise<void> {
    const name = tableOf(segment)
    try {
      if ((await this.#tables()).includes(name)) await this.#readers.drop(name)
    } catch (thrown) {
      throw unwritable(thrown)
    }
  }

  async close(): Promise<void> {
    await this.#readers.settled()
    this.#connection.close()
  }

  async #tables(): Promise<string[]> {
    const names: string[] = []
    let pageToken: string | undefined
    do {
      const page = await this.#connection.listTables({
        limit: TABLES_PER_PAGE,
        ...(pageToken === undefined ? {} : { pageToken }),
      })
      names.push(...page.tables)
      pageToken = page.pageToken ?? undefined
    } while (pageToken !== undefined)
    return names
  }
}
