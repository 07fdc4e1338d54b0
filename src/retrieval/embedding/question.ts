import type { Clock } from '../../base/clock.ts'
import { fault, isRetryable, toFault } from '../../base/errors.ts'
import type { Log } from '../../base/log.ts'
import type { EmbedWith } from '../../engine/port.ts'
import type { Rows } from '../../store/rows.ts'
import { collectionKey, COLLECTIONS } from '../document.ts'
import { collectionOf, storageOf } from '../generation/row.ts'
import type { EmbeddingCache } from './cache.ts'
import { EngineEmbedder } from './engine.ts'
import { GoldenChecks } from './golden.ts'
import { type Embedder, type EmbedOptions, LSA, SPACES, spaceKey, type SpaceRow } from './port.ts'

/** Where questions are among the vectors of collections. Apart from what embeds passages, so that each
 *  process that is asked has its questions embedded on the account of who asks. */

export interface QuestionVectorsOptions {
  readonly rows: Rows
  readonly cache: EmbeddingCache
  readonly embedWith: EmbedWith
  readonly clock: Clock
  readonly log: Log
  /** By fitted directions; undefined where they know no word of it. */
  readonly fold: (storage: string, space: string, question: string) => Promise<Float32Array | undefined>
}

export class QuestionVectors {
  readonly #options: QuestionVectorsOptions
  readonly #checks: GoldenChecks

  constructor(options: QuestionVectorsOptions) {
    this.#options = options
    this.#checks = new GoldenChecks(options.clock)
  }

  /** Undefined where the collection has no vectors, and where its fitted directions know no word of the
   *  question. */
  async of(
    collection: string,
    question: string,
    { signal = new AbortController().signal, ...rest }: Partial<EmbedOptions> = {},
  ): Promise<Float32Array | undefined> {
    const { rows, fold } = this.#options
    const storage = await storageOf(rows, collection)
    const id = (await rows.get(COLLECTIONS, collectionKey(storage)))?.row.space
    if (id === undefined) return undefined
    const row = await this.space(storage, id)
    if (row.space.model === LSA) return await fold(storage, id, question)
    const options = { collection: collectionOf(storage), ...rest, signal }
    const [vector] = await (await this.embedder(storage, row, options)).embed([question], 'question', options)
    return vector
  }

  async space(collection: string, id: string): Promise<SpaceRow> {
    const stored = await this.#options.rows.get(SPACES, spaceKey(collection, id))
    if (stored === undefined)
      throw fault('index_unavailable', { reason: `the space ${id} of ${collection} is missing` })
    return stored.row
  }

  /** Of a space that was just seen to be the one it was. The check never asks the cache, and is on nobody's
   *  account: what it finds holds for all who ask. */
  async embedder(collection: string, row: SpaceRow, { signal, span }: EmbedOptions): Promise<Embedder> {
    const { embedWith, clock, cache, log } = this.#options
    const engine = new EngineEmbedder(row.space, embedWith, clock)
    try {
      await this.#checks.check(collection, row, engine, span === undefined ? { signal } : { signal, span })
    } catch (thrown) {
      const cause = toFault(thrown)
      if (!isRetryable(cause)) log.write('error', 'a collection is not embedded', { collection, reason: cause.message })
      throw cause
    }
    return cache.over(engine)
  }

  /** After a reload: every space is checked again before it is used. */
  forget(): void {
    this.#checks.forget()
  }
}
