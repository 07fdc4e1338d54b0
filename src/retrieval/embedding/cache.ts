import { createHash } from 'node:crypto'
import type { Key, Rows } from '../../store/rows.ts'
import { BoundedCache } from './bounded.ts'
import { bytesOfVectors, floatsOf } from './floats.ts'
import type { Embedder, EmbeddingSpace, EmbedOptions, Purpose } from './port.ts'

/** Vectors by what was embedded and with what, so that the same text is paid for once. */

/** All vectors together, as they are kept. */
const CACHE_BYTES_MAX = 512 * 2 ** 20
export interface CacheFigures {
  readonly hits: number
  readonly misses: number
}

export class EmbeddingCache {
  readonly #kept: BoundedCache
  #hits = 0
  #misses = 0

  constructor(rows: Rows, bytesMax: number = CACHE_BYTES_MAX) {
    this.#kept = new BoundedCache(rows, 'embeddings', bytesMax)
  }

  /** Since the start. */
  get figures(): CacheFigures {
    return { hits: this.#hits, misses: this.#misses }
  }

  /** As the embedder, and asks it only for what is not known. The same text twice is asked once. */
  over(embedder: Embedder): Embedder {
    return {
      space: embedder.space,
      embed: (texts, purpose, options) => this.#embed(embedder, texts, purpose, options),
    }
  }

  /** What vectors of these passages are kept under, whatever model made them. */
  async keysOf(prefixes: readonly string[], passages: readonly string[]): Promise<Key[]> {
    const models = await this.#kept.prefixes(2)
    return passages.flatMap((text) =>
      prefixes.flatMap((prefix) => models.map((model): Key => [...model, 'passage', hashOf(prefix, text)])),
    )
  }

  forget(keys: readonly Key[]): Promise<void> {
    return this.#kept.forget(keys)
  }

  async #embed(
    embedder: Embedder,
    texts: readonly string[],
    purpose: Purpose,
    options: EmbedOptions,
  ): Promise<readonly Float32Array[]> {
    const keys = texts.map((text) => cacheKey(embedder.space, purpose, text))
    const known = await this.#known(keys)
    const wanted = new Map<string, string>()
    for (const [at, key] of keys.entries()) if (!known.has(id(key))) wanted.set(id(key), texts[at] ?? '')
    this.#hits += keys.filter((key) => known.has(id(key))).length
    this.#misses += wanted.size
    if (wanted.size > 0) {
      const made = await embedder.embed([...wanted.values()], purpose, options)
      const fresh: { key: Key; value: string }[] = []
      const byId = new Map(keys.map((key) => [id(key), key]))
      for (const [at, name] of [...wanted.keys()].entries()) {
        const [key, vector] = [byId.get(name), made[at]]
        if (key === undefined || vector === undefined) continue
        known.set(name, vector)
        fresh.push({ key, value: Buffer.from(bytesOfVectors([vector])).toString('base64') })
      }
      const kept = this.#kept.keep(fresh)
      // A question does not wait for the disk, nor fail with it: the cache is for the next one.
      if (purpose === 'question') kept.catch(() => {})
      else await kept
    }
    return keys.map((key) => known.get(id(key)) ?? new Float32Array())
  }

  async #known(keys: readonly Key[]): Promise<Map<string, Float32Array>> {
    const known = new Map<string, Float32Array>()
    for (const [at, value] of (await this.#kept.get(keys)).entries()) {
      const key = keys[at]
      if (value !== undefined && key !== undefined) known.set(id(key), floatsOf(Buffer.from(value, 'base64')))
    }
    return known
  }
}

/** Prefixes are part of what is embedded. */
function cacheKey(space: EmbeddingSpace, purpose: Purpose, text: string): Key {
  const prefix = purpose === 'passage' ? space.passagePrefix : space.questionPrefix
  return [space.model, space.revision === '' ? '-' : space.revision, purpose, hashOf(prefix, text)]
}

const hashOf = (prefix: string, text: string): string =>
  createHash('sha256').update(prefix).update('\0').update(text).digest('base64url')

const id = (key: Key): string => key.join('\n')
