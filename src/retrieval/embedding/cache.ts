import { createHash } from 'node:crypto'
import { type Change, type Key, put, remove, type Rows, type Stored, table } from '../../store/rows.ts'
import { bytesOfVectors, floatsOf } from './floats.ts'
import type { Embedder, EmbeddingSpace, EmbedOptions, Purpose } from './port.ts'

/** Vectors by what was embedded and with what, so that the same text is paid for once. */

interface CachedRow {
  /** Base 64 of little-endian floats. */
  readonly vector: string
  /** Its place in the order of coming. */
  readonly order: number
}

interface ArrivalRow {
  readonly key: Key
  readonly bytes: number
}

interface TotalRow {
  readonly bytes: number
  /** Of the next to come. */
  readonly order: number
}

const CACHED = table<CachedRow>('embeddings')
const ARRIVALS = table<ArrivalRow>('embedding_arrivals')
const TOTAL = table<TotalRow>('embedding_total')
const TOTAL_KEY: Key = ['all']

/** All vectors together, as they are kept. */
export const CACHE_BYTES_MAX = 512 * 2 ** 20
/** Read or forgotten at once. */
const PAGE = 500
/** Beside the vector itself: keys and what the store adds. */
const ROW_BYTES = 250

export interface CacheFigures {
  readonly hits: number
  readonly misses: number
}

export class EmbeddingCache {
  readonly #rows: Rows
  readonly #bytesMax: number
  #hits = 0
  #misses = 0
  /** Writes take turns: each counts on from what the one before it left. */
  #writing: Promise<void> = Promise.resolve()

  constructor(rows: Rows, bytesMax: number = CACHE_BYTES_MAX) {
    this.#rows = rows
    this.#bytesMax = bytesMax
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
      const fresh: { key: Key; vector: Float32Array }[] = []
      const byId = new Map(keys.map((key) => [id(key), key]))
      for (const [at, name] of [...wanted.keys()].entries()) {
        const [key, vector] = [byId.get(name), made[at]]
        if (key === undefined || vector === undefined) continue
        known.set(name, vector)
        fresh.push({ key, vector })
      }
      await this.#keep(fresh)
    }
    return keys.map((key) => known.get(id(key)) ?? new Float32Array())
  }

  async #known(keys: readonly Key[]): Promise<Map<string, Float32Array>> {
    const known = new Map<string, Float32Array>()
    for (let at = 0; at < keys.length; at += PAGE) {
      const page = keys.slice(at, at + PAGE)
      const found: (Stored<CachedRow> | undefined)[] = await this.#rows.getMany(CACHED, page)
      for (const [i, stored] of found.entries()) {
        const key = page[i]
        if (stored !== undefined && key !== undefined)
          known.set(id(key), floatsOf(Buffer.from(stored.row.vector, 'base64')))
      }
    }
    return known
  }

  #keep(fresh: readonly { readonly key: Key; readonly vector: Float32Array }[]): Promise<void> {
    const kept = this.#writing.then(async () => {
      for (let at = 0; at < fresh.length; at += PAGE) await this.#keepPage(fresh.slice(at, at + PAGE))
    })
    this.#writing = kept.catch(() => {})
    return kept
  }

  async #keepPage(page: readonly { readonly key: Key; readonly vector: Float32Array }[]): Promise<void> {
    const total = await this.#rows.get(TOTAL, TOTAL_KEY)
    let { bytes, order } = total?.row ?? { bytes: 0, order: 0 }
    const changes: Change[] = []
    for (const { key, vector } of page) {
      const text = Buffer.from(bytesOfVectors([vector])).toString('base64')
      const size = text.length + ROW_BYTES
      changes.push(put(CACHED, key, { vector: text, order }), put(ARRIVALS, arrivalKey(order), { key, bytes: size }))
      bytes += size
      order++
    }
    while (bytes > this.#bytesMax) {
      const oldest = await this.#rows.scan(ARRIVALS, { limit: PAGE })
      if (oldest.length === 0) break
      const gone: Change[] = []
      for (const { key, row } of oldest) {
        if (bytes <= this.#bytesMax) break
        gone.push(remove(ARRIVALS, key), remove(CACHED, row.key))
        bytes -= row.bytes
      }
      // Before what is new comes in: it must not be what goes.
      await this.#rows.commit([...gone, put(TOTAL, TOTAL_KEY, { bytes, order })])
    }
    // Another process keeps as well: what it counted stands, ours is embedded again one day.
    const now = await this.#rows.get(TOTAL, TOTAL_KEY)
    await this.#rows.commit([...changes, put(TOTAL, TOTAL_KEY, { bytes, order }, now?.version ?? 0)])
  }
}

const arrivalKey = (order: number): Key => [order.toString().padStart(16, '0')]

/** Prefixes are part of what is embedded. */
function cacheKey(space: EmbeddingSpace, purpose: Purpose, text: string): Key {
  const prefix = purpose === 'passage' ? space.passagePrefix : space.questionPrefix
  const hash = createHash('sha256').update(prefix).update('\0').update(text).digest('base64url')
  return [space.model, space.revision === '' ? '-' : space.revision, purpose, hash]
}

const id = (key: Key): string => key.join('\n')
