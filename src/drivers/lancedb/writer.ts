import type { Connection, Table } from '@lancedb/lancedb'
import type { Attributes } from '../../store/filter.ts'
import type { SegmentName } from '../../store/index.ts'
import { checkProbe, EFFORTS, probeVectors, Samples } from '../../store/vector-probe.ts'
import type { VectorProbe, VectorWriter } from '../../store/vectors.ts'
import { type Arrow, arrowRows } from './arrow.ts'
import { unwritable } from './failure.ts'
import { TOKENS } from './filter.ts'
import { askOf } from './search.ts'

/** Fewer vectors need no graph. */
const FLAT_CHUNKS_MAX = 4_000
/** Neighbours of a vector, and candidates while it is linked: HNSW's M and ef_construction. */
const NEIGHBOURS = 16
const BUILD_CANDIDATES = 150
/** Rows of one commit: each makes a version and a file. */
const COMMIT_ROWS = 32_768

/** Where a finished table says so, in the metadata of a column: one commit publishes it. */
export const PUBLISHED = { column: 'chunk', key: 'headworks:published' } as const

export interface Published {
  readonly dimension: number
  readonly probe: VectorProbe
}

export interface Lance {
  readonly connection: Connection
  readonly arrow: Arrow
  readonly Index: typeof import('@lancedb/lancedb').Index
}

export class LanceWriter implements VectorWriter {
  readonly #lance: Lance
  readonly #table: Table
  readonly #segment: SegmentName
  readonly #dimension: number
  readonly #samples: Samples
  readonly #waiting: { readonly rows: Float32Array; readonly attributes: readonly Attributes[] }[] = []
  #waitingRows = 0
  #written = 0

  constructor(lance: Lance, table: Table, segment: SegmentName, dimension: number) {
    this.#lance = lance
    this.#table = table
    this.#segment = segment
    this.#dimension = dimension
    this.#samples = new Samples(dimension)
  }

  async add(rows: Float32Array, attributes: readonly Attributes[]): Promise<void> {
    this.#samples.add(rows, attributes)
    this.#waiting.push({ rows: rows.slice(), attributes })
    this.#waitingRows += attributes.length
    if (this.#waitingRows >= COMMIT_ROWS) await this.#commit()
  }

  async finish(): Promise<VectorProbe> {
    await this.#commit()
    try {
      const isFlat = this.#written <= FLAT_CHUNKS_MAX
      if (!isFlat) await this.#index()
      const probe = await probeVectors(this.#samples, isFlat ? [] : EFFORTS, askOf(this.#table))
      checkProbe(this.#segment, probe)
      const published: Published = { dimension: this.#dimension, probe }
      await this.#table.updateFieldMetadata([
        { path: PUBLISHED.column, metadata: { [PUBLISHED.key]: JSON.stringify(published) } },
      ])
      return probe
    } catch (thrown) {
      throw unwritable(thrown)
    } finally {
      this.#table.close()
    }
  }

  async abandon(): Promise<void> {
    try {
      this.#table.close()
      await this.#lance.connection.dropTable(this.#table.name)
    } catch (thrown) {
      throw unwritable(thrown)
    }
  }

  async #commit(): Promise<void> {
    if (this.#waitingRows === 0) return
    const rows = new Float32Array(this.#waitingRows * this.#dimension)
    let at = 0
    for (const part of this.#waiting) {
      rows.set(part.rows, at)
      at += part.rows.length
    }
    const attributes = this.#waiting.flatMap((part) => part.attributes)
    try {
      await this.#table.add(arrowRows(this.#lance.arrow, this.#written, this.#dimension, rows, attributes))
    } catch (thrown) {
      throw unwritable(thrown)
    }
    this.#written += this.#waitingRows
    this.#waiting.length = 0
    this.#waitingRows = 0
  }

  /** One partition is one graph over all vectors. IVF with product or 1-bit codes would be smaller
   *  and loses a quarter of what a selective filter should find, without a word. */
  async #index(): Promise<void> {
    const { Index } = this.#lance
    await this.#table.createIndex('vector', {
      config: Index.hnswSq({
        distanceType: 'cosine',
        numPartitions: 1,
        m: NEIGHBOURS,
        efConstruction: BUILD_CANDIDATES,
      }),
    })
    await this.#table.createIndex(TOKENS, { config: Index.labelList() })
  }
}
