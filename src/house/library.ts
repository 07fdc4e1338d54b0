import { join } from 'node:path'
import type { Clock } from '../base/clock.ts'
import { fault, reasonOf, Refusal, sentenceOf } from '../base/errors.ts'
import type { JsonObject } from '../base/json.ts'
import type { Log } from '../base/log.ts'
import type { Random } from '../base/random.ts'
import type { Analyzer } from '../base/words.ts'
import type { HouseEvent } from '../cli/house.ts'
import { readProgress } from '../cli/ingest.ts'
import type { Config } from '../config/schema.ts'
import { folders } from '../drivers/filesystem/folder.ts'
import { openProcessIndex } from '../drivers/process/index.ts'
import { openProcessIngest } from '../drivers/process/ingest.ts'
import type { SqliteStore } from '../drivers/sqlite/store.ts'
import { Contexts } from '../retrieval/embedding/context.ts'
import { EmbeddingCache } from '../retrieval/embedding/cache.ts'
import { Embeddings } from '../retrieval/embedding/embeddings.ts'
import { type EmbeddingChoice, LSA } from '../retrieval/embedding/port.ts'
import { Vectors } from '../retrieval/embedding/vectors.ts'
import { createIngest, type Ingest } from '../retrieval/ingest/ingest.ts'
import { collectionKey, COLLECTIONS } from '../retrieval/document.ts'
import type { Generations } from '../retrieval/generation/generations.ts'
import { Questions } from '../retrieval/generation/questions.ts'
import { storageOf } from '../retrieval/generation/row.ts'
import { searchLive } from '../retrieval/generation/search.ts'
import { createSearch, type Search } from '../retrieval/search.ts'
import type { Blobs } from '../store/blobs.ts'
import type { Index, IndexQuery } from '../store/index.ts'
import { scanAll, type Rows } from '../store/rows.ts'
import type { OpenSpan } from '../trace/trace.ts'

import type { OwnCalls } from './gateway.ts'

/** Retrieval as the running process has it: the index in one child process, the reading of
 *  documents in another, truth in the store. */

export interface LibraryParts {
  readonly data: string
  readonly entry: string
  readonly store: SqliteStore
  readonly blobs: Blobs
  /** Of the configuration in force. */
  readonly collections: () => Config['collections']
  readonly analyzer: Analyzer
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly onEvent: (event: HouseEvent) => void
}

const SEARCH_HEAP_MB = 4096
const INGEST_HEAP_MB = 768
/** Reading is rare; its process need not stay for it. */
const INGEST_IDLE_MS = 30_000

export class Library {
  readonly search: Search
  readonly ingest: Ingest
  readonly #embeddings: Embeddings
  readonly #questions = new Questions()
  /** Collections are mounted before there are models to call. */
  readonly #models = Promise.withResolvers<OwnCalls>()
  readonly #index: Index
  readonly #rows: Rows
  readonly #log: Log
  readonly #onEvent: LibraryParts['onEvent']
  readonly #stopped = Promise.withResolvers<void>()
  #isStopped = false
  /** Grows with every `begin`: an earlier one then has nothing more to start. */
  #turn = 0
  #reading: Promise<void> = Promise.resolve()

  private constructor({ data, entry, store, blobs, collections, analyzer, clock, random, log, onEvent }: LibraryParts) {
    const segments = join(data, 'index')
    const child = { entry, arguments: [segments], clock, log }
    this.#log = log
    this.#onEvent = onEvent
    this.#rows = store.rows
    this.#index = openProcessIndex({ ...child, role: 'search', heapMb: SEARCH_HEAP_MB })
    const worker = openProcessIngest({ ...child, role: 'ingest', heapMb: INGEST_HEAP_MB, idleMs: INGEST_IDLE_MS })
    const search = searchLive(createSearch({ index: this.#index, rows: store.rows, analyzer }), store.rows)
    this.search = this.#questions.listening(search)
    this.#models.promise.catch(() => {})
    this.#embeddings = new Embeddings({
      rows: store.rows,
      blobs,
      vectors: new Vectors(blobs),
      cache: new EmbeddingCache(store.rows),
      folding: worker,
      embedWith: async (model, call) => await (await this.#models.promise).embedWith(model, call),
      analyzer,
      clock,
      random,
      log,
      choice: (collection) => choiceOf(collections()[collection]),
    })
    this.ingest = createIngest({
      embeddings: this.#embeddings,
      contexts: new Contexts({
        rows: store.rows,
        clock,
        askWith: async (model, call) => await (await this.#models.promise).askWith(model, call),
        model: (collection) => {
          const { context = 'none' } = collections()[collection] ?? {}
          return context === 'none' ? undefined : context
        },
      }),
      rows: store.rows,
      queue: store.queue,
      index: this.#index,
      worker,
      folders,
      clock,
      random,
      log,
    })
  }

  /** Mounts the collections and takes up what the last stop interrupted. */
  static async open(parts: LibraryParts): Promise<Library> {
    const library = new Library(parts)
    try {
      await library.ingest.resume()
      return library
    } catch (cause) {
      // Its processes are known to nobody else, and would keep ours alive.
      await Promise.allSettled([library.stop(), library.close()])
      throw cause
    }
  }

  /** Reads the configured sources, one after the other, and tells how it goes. Resolves when all
   *  are read or the library stops; what fails is told, not thrown. A later call takes over: the
   *  earlier one ends with the source it is at. */
  begin(collections: Config['collections']): Promise<void> {
    const turn = ++this.#turn
    this.#reading = this.#reading.then(() => this.#read(collections, turn))
    return this.#reading
  }

  /** As `Index.search`: what a gateway in another process cannot ask the index itself. */
  match(collection: string, query: IndexQuery): ReturnType<Index['search']> {
    return this.#index.search(collection, query)
  }

  /** As `Embeddings.question`. */
  questionVector(collection: string, question: string, span?: OpenSpan): Promise<Float32Array | undefined> {
    return this.#embeddings.question(collection, question, span === undefined ? {} : { span })
  }

  get generations(): Generations {
    const { generations } = this.ingest
    if (generations === undefined) throw fault('internal', { reason: 'the ingest was made without embeddings' })
    return generations
  }

  /** What was asked of a collection lately, newest first. */
  recentQuestions(collection: string): readonly string[] {
    return this.#questions.recent(collection)
  }

  /** From now on there are models to embed with. */
  connect(calls: OwnCalls): void {
    this.#models.resolve(calls)
  }

  /** A configuration was put in force: whether models are what they were is looked at anew. */
  reconfigured(): void {
    this.#embeddings.forget()
  }

  /** Why a search of the collection found nothing, as a sentence for who asked. */
  async explainNothing(collection: string): Promise<string> {
    const reading = (await this.ingest.list(collection)).some(({ state }) => state === 'waiting' || state === 'running')
    if (reading)
      return `The collection "${collection}" is being read right now and holds nothing about this question yet. Ask again in a moment.`
    const stored = await this.#rows.get(COLLECTIONS, collectionKey(await storageOf(this.#rows, collection)))
    if (stored === undefined || stored.row.chunks === 0)
      return `The collection "${collection}" is empty. Fill it with: npx headworks ingest ${collection} <folder>`
    return `The collection "${collection}" holds nothing about this question.`
  }

  /** One line for each collection that does not answer from all it holds. */
  async damage(): Promise<string[]> {
    const found: string[] = []
    for await (const { row } of scanAll(this.#rows, COLLECTIONS)) {
      try {
        const { chunks } = await this.#index.statistics(row.name, [])
        if (chunks !== row.chunks)
          found.push(`the collection ${row.name} answers from ${chunks} of its ${row.chunks} passages`)
      } catch (thrown) {
        found.push(`the collection ${row.name} does not answer: ${reasonOf(thrown)}`)
      }
    }
    return found
  }

  /** Ends the reading of documents; the run it was at goes on at the next start. */
  stop(): Promise<void> {
    this.#isStopped = true
    this.#models.reject(fault('stopping', {}))
    this.#stopped.resolve()
    return this.ingest.stop()
  }

  close(): Promise<void> {
    return this.#index.close()
  }

  async #read(collections: Config['collections'], turn: number): Promise<void> {
    for (const [collection, { sources }] of Object.entries(collections)) {
      for (const { path } of sources) {
        if (this.#isStopped || turn !== this.#turn) return
        try {
          const run = await this.ingest.start(collection, path)
          if (run instanceof Refusal) this.#warn(collection, path, sentenceOf(run))
          else await this.#follow(run)
        } catch (thrown) {
          this.#warn(collection, path, reasonOf(thrown))
        }
      }
    }
  }

  #warn(collection: string, path: string, reason: string): void {
    this.#log.write('warn', 'a configured source cannot be read', { collection, path, reason })
  }

  /** Until the run has ended or the library stops. */
  async #follow(run: string): Promise<void> {
    const ended = Promise.withResolvers<void>()
    const show = (progress: JsonObject): void => {
      if (progress['run'] !== run) return
      this.#onEvent({ step: 'ingest', progress: readProgress(progress) })
      if (typeof progress['endedAt'] === 'string') ended.resolve()
    }
    const silence = this.ingest.onProgress(show)
    try {
      const now = await this.ingest.status(run)
      if (now !== undefined) show(now)
      await Promise.race([ended.promise, this.#stopped.promise])
    } finally {
      silence()
    }
  }
}

/** One that the configuration does not name is as one that says nothing. */
const choiceOf = (collection: Config['collections'][string] | undefined): EmbeddingChoice => ({
  model: collection?.embedding ?? LSA,
  passagePrefix: collection?.passagePrefix ?? '',
  questionPrefix: collection?.questionPrefix ?? '',
})
