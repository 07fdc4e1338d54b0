import { Fault, fault, reasonOf } from '../../base/errors.ts'
import { GraphReader } from '../../store/graph-reader.ts'
import type { SegmentName } from '../../store/index.ts'
import { Readers } from '../../store/readers.ts'
import type { SearchTarget, VectorReader, Vectors, VectorWriter } from '../../store/vectors.ts'
import { Collection } from './collection.ts'
import { type Entry, Registry } from './registry.ts'
import { Rest, type RestOptions, unavailable } from './rest.ts'
import { QdrantWriter, unwritable } from './writer.ts'

/** Vectors in Qdrant 1.10 or newer: a collection for each segment, so that its graph never holds
 *  what is gone, and one collection that says which are finished. */

export interface QdrantVectorsOptions extends RestOptions {
  /** What the names of our collections begin with. */
  readonly prefix: string
}

/** Below its `full_scan_threshold` Qdrant compares by itself. */
const COMPARED_MAX = 200

/** Rejects with a `Fault` (`index_unavailable`) where the server does not answer. */
export async function openQdrantVectors(options: QdrantVectorsOptions): Promise<Vectors & { close(): Promise<void> }> {
  const rest = new Rest(options)
  const registry = new Registry(rest, options.prefix)
  await registry.prepare()
  return new QdrantVectors(rest, registry)
}

class QdrantVectors implements Vectors {
  readonly #rest: Rest
  readonly #registry: Registry
  /** By segment. */
  readonly #readers = new Readers((segment) => this.#remove(segment))

  constructor(rest: Rest, registry: Registry) {
    this.#rest = rest
    this.#registry = registry
  }

  async write(segment: SegmentName, dimension: number): Promise<VectorWriter> {
    try {
      if ((await this.#registry.get(segment)) !== undefined)
        throw fault('internal', { reason: `the segment ${segment} was built before` })
      const entry: Entry = { segment, collection: this.#registry.collectionOf(segment), dimension }
      // Told first: what a crash leaves is then listed, and somebody drops it.
      await this.#registry.put(entry)
      const collection = this.#collection(entry)
      await collection.create()
      return new QdrantWriter(this.#registry, collection, entry)
    } catch (thrown) {
      throw unwritable(thrown)
    }
  }

  async open(segment: SegmentName, target: SearchTarget): Promise<VectorReader> {
    const refuse = (how: string): Fault => unavailable(`the vectors of the segment ${segment} ${how}`)
    const entry = this.#readers.isLeaving(segment) ? undefined : await this.#registry.get(segment)
    if (entry === undefined) throw refuse('are missing')
    if (entry.probe === undefined) throw refuse('are unfinished')
    const collection = this.#collection(entry)
    const info = await collection.info()
    if (info === undefined) throw refuse('are damaged: their collection is gone')
    const count = await collection.count()
    if (count !== entry.probe.vectors) throw refuse(`are damaged: ${count} of ${entry.probe.vectors} are there`)
    this.#readers.enter(segment)
    const { ask, count: fitting } = collection
    const onClose = (): void => this.#readers.leave(segment)
    return new GraphReader(
      { ask, count: fitting, comparedMax: COMPARED_MAX, faultOf: asFault, onClose },
      entry.probe,
      target,
    )
  }

  async segments(): Promise<SegmentName[]> {
    const names = (await this.#registry.list()).map(({ segment }) => segment)
    return names.filter((segment) => !this.#readers.isLeaving(segment)).sort()
  }

  async drop(segment: SegmentName): Promise<void> {
    try {
      if ((await this.#registry.get(segment)) !== undefined) await this.#readers.drop(segment)
    } catch (thrown) {
      throw unwritable(thrown)
    }
  }

  close(): Promise<void> {
    return this.#readers.settled()
  }

  #collection({ collection, dimension }: Entry): Collection {
    return new Collection(this.#rest, collection, dimension)
  }

  /** The entry goes last: a crash in between leaves something to drop again. */
  async #remove(segment: SegmentName): Promise<void> {
    const entry = await this.#registry.get(segment)
    if (entry === undefined) return
    await this.#collection(entry).remove()
    await this.#registry.remove(segment)
  }
}

const asFault = (thrown: unknown): Fault =>
  thrown instanceof Fault ? thrown : unavailable(`Qdrant: ${reasonOf(thrown)}`, thrown)
