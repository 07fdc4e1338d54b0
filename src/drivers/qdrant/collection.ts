import type { Schemas } from '@qdrant/js-client-rest'
import { tokensOf } from '../../store/attribute-tokens.ts'
import type { Attributes, Filter } from '../../store/filter.ts'
import type { Ask } from '../../store/vector-probe.ts'
import { conditionOf, TOKENS } from './filter.ts'
import { type Rest, unavailable } from './rest.ts'

/** The collection of one segment. */

/** Fewer vectors need no graph: Qdrant's `indexing_threshold`, in kilobytes of vectors. */
const FLAT_CHUNKS_MAX = 4_000
/** Neighbours of a vector, and candidates while it is linked: HNSW's M and ef_construct. */
const NEIGHBOURS = 16
const BUILD_CANDIDATES = 100
/** The graph compares 8-bit vectors: of this many times `k` the best at full precision answer. */
const CANDIDATES_PER_HIT = 2

const SEARCH_TIMEOUT_MS = 10_000
const WRITE_TIMEOUT_MS = 60_000
const INDEX_TIMEOUT_MS = 3_600_000
const POLL_MS = 200

export class Collection {
  readonly #rest: Rest
  readonly #path: string
  readonly #dimension: number

  constructor(rest: Rest, name: string, dimension: number) {
    this.#rest = rest
    this.#path = `/collections/${name}`
    this.#dimension = dimension
  }

  /** The field is indexed before there is a graph, so that the graph gets links for filters. No
   *  graph is made while rows arrive: it would be made again and again. */
  async create(): Promise<void> {
    const body: Schemas['CreateCollection'] = {
      vectors: { size: this.#dimension, distance: 'Cosine' },
      hnsw_config: { m: NEIGHBOURS, ef_construct: BUILD_CANDIDATES },
      quantization_config: { scalar: { type: 'int8', quantile: 0.99, always_ram: true } },
      optimizers_config: { indexing_threshold: 0, default_segment_number: 1 },
    }
    await this.#rest.ask('PUT', this.#path, WRITE_TIMEOUT_MS, body)
    const index: Schemas['CreateFieldIndex'] = { field_name: TOKENS, field_schema: 'keyword' }
    await this.#rest.ask('PUT', `${this.#path}/index?wait=true`, WRITE_TIMEOUT_MS, index)
  }

  async add(first: number, rows: Float32Array, attributes: readonly Attributes[]): Promise<void> {
    const body: Schemas['PointInsertOperations'] = {
      batch: {
        ids: Array.from(attributes.keys(), (at) => first + at),
        vectors: Array.from(attributes.keys(), (at) => [
          ...rows.subarray(at * this.#dimension, (at + 1) * this.#dimension),
        ]),
        payloads: attributes.map((one) => ({ [TOKENS]: tokensOf(one) })),
      },
    }
    await this.#rest.ask('PUT', `${this.#path}/points?wait=true`, WRITE_TIMEOUT_MS, body)
  }

  /** Makes the graph and waits for it. True where there is one. */
  async index(chunks: number): Promise<boolean> {
    if (chunks <= FLAT_CHUNKS_MAX) return false
    const kilobytes = Math.max(1, Math.floor((FLAT_CHUNKS_MAX * this.#dimension * 4) / 1_024))
    const body: Schemas['UpdateCollection'] = { optimizers_config: { indexing_threshold: kilobytes } }
    await this.#rest.ask('PATCH', this.#path, WRITE_TIMEOUT_MS, body)
    for (let waitedMs = 0; waitedMs < INDEX_TIMEOUT_MS; waitedMs += POLL_MS) {
      const info = await this.info()
      if (typeof info?.optimizer_status === 'object')
        throw unavailable(`Qdrant could not index: ${info.optimizer_status.error}`)
      // Green is also what it is before it begins. A rest below the threshold stays without a graph.
      if (info?.status === 'green' && (info.indexed_vectors_count ?? 0) > 0) return true
      await this.#rest.pause(POLL_MS)
    }
    throw unavailable(`Qdrant did not index within ${INDEX_TIMEOUT_MS} ms`)
  }

  info(): Promise<Schemas['CollectionInfo'] | undefined> {
    return this.#rest.ask('GET', this.#path, SEARCH_TIMEOUT_MS)
  }

  async remove(): Promise<void> {
    await this.#rest.ask('DELETE', this.#path, WRITE_TIMEOUT_MS)
  }

  readonly ask: Ask = async (vector, { k, effort, filter }) => {
    const params: Schemas['SearchParams'] =
      effort === 'all'
        ? { exact: true, quantization: { ignore: true } }
        : { hnsw_ef: effort, quantization: { rescore: true, oversampling: CANDIDATES_PER_HIT } }
    const body: Schemas['QueryRequest'] = {
      query: [...vector],
      limit: k,
      params,
      with_payload: false,
      ...(filter === undefined ? {} : { filter: conditionOf(filter) }),
    }
    const answer = await this.#rest.ask<Schemas['QueryResponse']>(
      'POST',
      `${this.#path}/points/query`,
      SEARCH_TIMEOUT_MS,
      body,
    )
    if (answer === undefined) throw unavailable('a collection is gone from Qdrant')
    return answer.points.map(({ id, score }) => ({ chunk: Number(id), score }))
  }

  readonly count = async (filter?: Filter): Promise<number> => {
    const body: Schemas['CountRequest'] = {
      exact: true,
      ...(filter === undefined ? {} : { filter: conditionOf(filter) }),
    }
    const answer = await this.#rest.ask<Schemas['CountResult']>(
      'POST',
      `${this.#path}/points/count`,
      SEARCH_TIMEOUT_MS,
      body,
    )
    if (answer === undefined) throw unavailable('a collection is gone from Qdrant')
    return answer.count
  }
}
