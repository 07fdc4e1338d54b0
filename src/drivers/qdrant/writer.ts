import { Fault, fault } from '../../base/errors.ts'
import type { Attributes } from '../../store/filter.ts'
import { checkProbe, EFFORTS, probeVectors, Samples } from '../../store/vector-probe.ts'
import type { VectorProbe, VectorWriter } from '../../store/vectors.ts'
import type { Collection } from './collection.ts'
import type { Entry, Registry } from './registry.ts'

/** Numbers in one request: some 5 MB of JSON; Qdrant takes 32. */
const NUMBERS_PER_REQUEST = 400_000

export class QdrantWriter implements VectorWriter {
  readonly #registry: Registry
  readonly #collection: Collection
  readonly #entry: Entry
  readonly #samples: Samples

  constructor(registry: Registry, collection: Collection, entry: Entry) {
    this.#registry = registry
    this.#collection = collection
    this.#entry = entry
    this.#samples = new Samples(entry.dimension)
  }

  async add(rows: Float32Array, attributes: readonly Attributes[]): Promise<void> {
    const { dimension } = this.#entry
    const step = Math.max(1, Math.floor(NUMBERS_PER_REQUEST / dimension))
    try {
      for (let at = 0; at < attributes.length; at += step) {
        const part = attributes.slice(at, at + step)
        const numbers = rows.subarray(at * dimension, (at + part.length) * dimension)
        await this.#collection.add(this.#samples.written + at, numbers, part)
      }
    } catch (thrown) {
      throw unwritable(thrown)
    }
    this.#samples.add(rows, attributes)
  }

  async finish(): Promise<VectorProbe> {
    try {
      const hasGraph = await this.#collection.index(this.#samples.written)
      const probe = await probeVectors(this.#samples, hasGraph ? EFFORTS : [], this.#collection.ask)
      checkProbe(this.#entry.segment, probe)
      await this.#registry.put({ ...this.#entry, probe })
      return probe
    } catch (thrown) {
      throw unwritable(thrown)
    }
  }

  async abandon(): Promise<void> {
    try {
      await this.#collection.remove()
      await this.#registry.remove(this.#entry.segment)
    } catch (thrown) {
      throw unwritable(thrown)
    }
  }
}

/** What cannot be asked cannot be written either, and then it is the store that fails. */
export const unwritable = (thrown: unknown): unknown =>
  thrown instanceof Fault && thrown.code === 'index_unavailable'
    ? fault('store_unavailable', { reason: String(thrown.details['reason']) }, thrown)
    : thrown
