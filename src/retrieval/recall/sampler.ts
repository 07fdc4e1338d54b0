import { type Clock, sleep } from '../../base/clock.ts'
import { base32 } from '../../base/ids.ts'
import { type Random, uniform } from '../../base/random.ts'
import { type Filter, matches } from '../../store/filter.ts'
import type { Hit, Index, IndexQuery } from '../../store/index.ts'
import type { Rows } from '../../store/rows.ts'
import { collectionKey, DOCUMENTS } from '../document.ts'
import { collectionOf } from '../generation/row.ts'
import { attributesOf } from '../search/access.ts'
import type { QualityBook, Selectivity } from './book.ts'

/** Asks some live vector queries again, once as they are asked and once by looking at every vector,
 *  and takes down how many of the ten nearest the first way finds. In the background: a query never
 *  waits for it, and it is left out while there is much to do. */

/** Sampled queries that wait; beyond, the newest is skipped. */
const WAITING_MAX = 16
/** One that waited longer says nothing of now. */
const WAIT_MS_MAX = 30_000
/** Live searches in flight at which replays are left out. */
const BUSY_SEARCHES = 8
/** Looking at every vector may take this part of the time: after a replay of 50 ms none for 950. */
const TIME_SHARE = 0.05
const PAUSE_MS_MIN = 20
const NEIGHBOURS = 10
/** Looked at beyond the tenth, since what is as near as that one is as good. */
const SPARE_NEIGHBOURS = 10
/** Cosines that differ by less are the same. */
const EPSILON = 1e-6
/** Documents drawn to see what share of them a filter lets through. */
const DRAWS = 4
const DRAWN = 100

type Searching = Pick<Index, 'search'>

export interface RecallSamplerDependencies {
  readonly clock: Clock
  readonly random: Random
  readonly index: Searching
  readonly rows: Rows
  readonly book: Pick<QualityBook, 'measured' | 'skipped' | 'aims'>
  /** Of a collection's vector queries, 0 to 1. */
  readonly shareOf: (collection: string) => number
  readonly onTrouble: (cause: unknown) => void
}

interface Sampled {
  readonly collection: string
  readonly vector: Float32Array
  readonly filter: Filter | undefined
  readonly atMs: number
}

export class RecallSampler {
  readonly #dependencies: RecallSamplerDependencies
  readonly #waiting: Sampled[] = []
  readonly #stop = new AbortController()
  #inFlight = 0
  #working: Promise<void> | undefined

  constructor(dependencies: RecallSamplerDependencies) {
    this.#dependencies = dependencies
  }

  /** The index for live searches: watched, and as fast. */
  readonly search: Searching['search'] = async (collection, query) => {
    this.#inFlight++
    try {
      return await this.#dependencies.index.search(collection, this.#aimed(collection, query))
    } finally {
      this.#inFlight--
      this.#sample(collection, query)
    }
  }

  #aimed(collection: string, query: IndexQuery): IndexQuery {
    if (query.vector === undefined) return query
    return { ...query, recallAt10: this.#dependencies.book.aims.of(collectionOf(collection)) }
  }

  async stop(): Promise<void> {
    this.#stop.abort()
    await this.#working
  }

  #sample(collection: string, { vector, filter, exact }: IndexQuery): void {
    const { clock, random, shareOf, book } = this.#dependencies
    if (vector === undefined || exact === true || this.#stop.signal.aborted) return
    const share = shareOf(collection)
    if (share <= 0 || uniform(random) >= share) return
    if (this.#waiting.length >= WAITING_MAX) return book.skipped(collectionOf(collection))
    this.#waiting.push({ collection, vector, filter, atMs: clock.monotonicMs() })
    this.#working ??= this.#work().finally(() => (this.#working = undefined))
  }

  async #work(): Promise<void> {
    const { clock, book, onTrouble } = this.#dependencies
    const { signal } = this.#stop
    let pauseMs = PAUSE_MS_MIN
    for (;;) {
      await sleep(clock, pauseMs, signal)
      const next = this.#waiting.shift()
      if (next === undefined || signal.aborted) return
      const begunMs = clock.monotonicMs()
      if (this.#inFlight >= BUSY_SEARCHES || begunMs - next.atMs > WAIT_MS_MAX) {
        book.skipped(collectionOf(next.collection))
        pauseMs = PAUSE_MS_MIN
        continue
      }
      await this.#replay(next).catch(onTrouble)
      pauseMs = Math.max(PAUSE_MS_MIN, (clock.monotonicMs() - begunMs) * (1 / TIME_SHARE - 1))
    }
  }

  async #replay({ collection, vector, filter }: Sampled): Promise<void> {
    const { index, book } = this.#dependencies
    const filtered = filter === undefined ? {} : { filter }
    const exact = await index.search(collection, {
      vector,
      ...filtered,
      k: NEIGHBOURS + SPARE_NEIGHBOURS,
      exact: true,
    })
    // Once more instead of what was answered: something may have come or gone since.
    const again = this.#aimed(collection, { vector, ...filtered, k: NEIGHBOURS })
    const found = await index.search(collection, again)
    const recall = recallOf(found, exact)
    if (recall !== undefined)
      book.measured(collectionOf(collection), await this.#selectivity(collection, filter), recall)
  }

  /** By documents drawn: their ids are hashes, so those next to a random one are a random sample. */
  async #selectivity(collection: string, filter: Filter | undefined): Promise<Selectivity> {
    if (filter === undefined) return '10..100'
    const { rows, random } = this.#dependencies
    let [fitting, all] = [0, 0]
    for (let draw = 0; draw < DRAWS; draw++) {
      const after = [collection, `doc_${base32(random.bytes(8))}`]
      const prefix = collectionKey(collection)
      // Past the last comes the first.
      const page = await rows.scan(DOCUMENTS, { prefix, after, limit: DRAWN })
      const more = page.length < DRAWN ? await rows.scan(DOCUMENTS, { prefix, limit: DRAWN - page.length }) : []
      for (const { row } of [...page, ...more]) {
        all += row.chunkCount
        if (matches(filter, attributesOf(row))) fitting += row.chunkCount
      }
    }
    const share = fitting / Math.max(1, all)
    return share >= 0.1 ? '10..100' : share >= 0.01 ? '1..10' : '0..1'
  }
}

/** Of the ten nearest, the share that was found; undefined where there are none. */
export function recallOf(found: readonly Hit[], exact: readonly Hit[]): number | undefined {
  const nearest = exact.slice(0, NEIGHBOURS)
  const last = nearest.at(-1)
  if (last === undefined) return undefined
  const good = new Set(exact.filter(({ score }) => score >= last.score - EPSILON).map(nameOf))
  const matched = new Set(found.slice(0, NEIGHBOURS).map(nameOf)).intersection(good).size
  return Math.min(1, matched / nearest.length)
}

const nameOf = ({ segment, chunk }: Hit): string => `${segment}\0${chunk}`
