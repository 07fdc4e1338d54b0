import { type Clock } from '../../base/clock.ts'
import { fault } from '../../base/errors.ts'
import { bytesOfVectors, cosine, floatsOf } from './floats.ts'
import type { Embedder, EmbedOptions, SpaceRow } from './port.ts'

/** One fixed text says whether a model is still the one it was: names and revisions can be wrong. */
export const GOLDEN_TEXT = 'The quick brown fox jumps over the lazy dog near the headworks of the canal, 3.14 km away.'

/** Cosine of the golden vector then and now, at least. The same weights differ by less in half
 *  precision and in another batch; another model, or another pooling of it, by far more. */
const GOLDEN_COSINE_MIN = 0.995

/** A space is checked when it is first used after a start or a reload, and again after this long. */
export const GOLDEN_CHECK_MS = 3_600_000

export const goldenOf = (vector: Float32Array): string => Buffer.from(bytesOfVectors([vector])).toString('base64')

/** Remembers when each space was last seen to be itself. */
export class GoldenChecks {
  readonly #clock: Clock
  readonly #checked = new Map<string, { readonly atMs: number; readonly done: Promise<void> }>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Rejects with a `Fault` (`embedding_changed`) where the model is another one by now. */
  async check(collection: string, row: SpaceRow, embedder: Embedder, options: EmbedOptions): Promise<void> {
    const { golden } = row
    if (golden === undefined) return
    const key = `${collection}/${row.id}`
    const known = this.#checked.get(key)
    if (known !== undefined && this.#clock.monotonicMs() - known.atMs < GOLDEN_CHECK_MS) return await known.done
    const done = this.#compare(collection, row, golden, embedder, options)
    this.#checked.set(key, { atMs: this.#clock.monotonicMs(), done })
    try {
      await done
    } catch (thrown) {
      // Asked again the next time: it may be mended.
      this.#checked.delete(key)
      throw thrown
    }
  }

  /** After a reload nothing is taken for granted. */
  forget(): void {
    this.#checked.clear()
  }

  async #compare(
    collection: string,
    { space }: SpaceRow,
    golden: string,
    embedder: Embedder,
    options: EmbedOptions,
  ): Promise<void> {
    const then = floatsOf(Buffer.from(golden, 'base64'))
    const [now = new Float32Array()] = await embedder.embed([GOLDEN_TEXT], 'passage', options)
    const agreement = now.length === then.length ? cosine(then, now) : 0
    if (agreement >= GOLDEN_COSINE_MIN) return
    throw fault('embedding_changed', {
      collection,
      reason: `the model "${space.model}" embeds the same text elsewhere than when the collection was embedded (cosine ${agreement.toFixed(3)}, at least ${GOLDEN_COSINE_MIN})`,
    })
  }
}
