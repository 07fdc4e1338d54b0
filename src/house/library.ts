import { join } from 'node:path'
import type { Clock } from '../base/clock.ts'
import { fault, reasonOf, Refusal, sentenceOf } from '../base/errors.ts'
import { newId } from '../base/ids.ts'
import type { JsonObject } from '../base/json.ts'
import type { Log } from '../base/log.ts'
import type { Random } from '../base/random.ts'
import type { Analyzer } from '../base/words.ts'
import type { HouseEvent } from '../cli/house.ts'
import { readProgress } from '../cli/ingest.ts'
import type { Config, SourceConfig } from '../config/schema.ts'
import type { Secrets } from '../config/secret.ts'
import { folders } from '../drivers/filesystem/folder.ts'
import { openProcessIndex } from '../drivers/process/index.ts'
import { openProcessIngest } from '../drivers/process/ingest.ts'
import type { HouseStore } from './store.ts'
import { Alerts } from '../meter/alerts/alerts.ts'
import { Attachments } from '../retrieval/attach/attachments.ts'
import { createIngest, type Ingest } from '../retrieval/ingest/ingest.ts'
import { collectionKey, COLLECTIONS } from '../retrieval/document.ts'
import { Derived } from '../retrieval/deletion/derived.ts'
import { Deletions } from '../retrieval/deletion/receipts.ts'
import { QualityBook, type QualityTargets } from '../retrieval/recall/book.ts'
import { timed } from '../retrieval/recall/timed.ts'
import { FreshnessWatch } from '../retrieval/recall/progress.ts'
import { DriftWatch } from '../retrieval/recall/drift.ts'
import { RecallSampler } from '../retrieval/recall/sampler.ts'
import { Contexts } from '../retrieval/embedding/context.ts'
import { type CacheFigures, EmbeddingCache } from '../retrieval/embedding/cache.ts'
import { Embeddings } from '../retrieval/embedding/embeddings.ts'
import { type EmbeddingChoice, LSA } from '../retrieval/embedding/port.ts'
import { Vectors } from '../retrieval/embedding/vectors.ts'
import { listen } from '../retrieval/ingest/listen.ts'
import { Schedules } from '../retrieval/ingest/schedules.ts'
import type { IngestWorker } from '../retrieval/ingest/port.ts'
import { CHUNKING } from '../parse/chunk.ts'
import type { Files } from '../files/files.ts'
import { FILE_BYTES_MAX } from '../parse/limits.ts'
import { sourceText } from '../retrieval/sources.ts'
import { isStream, type Streams } from '../retrieval/streams.ts'
import { openSources, openStreams } from './sources.ts'
import type { Generations } from '../retrieval/generation/generations.ts'
import { Questions } from '../retrieval/generation/questions.ts'
import { collectionOf, storageOf } from '../retrieval/generation/row.ts'
import { searchLive } from '../retrieval/generation/search.ts'
import { createSearch, type Search } from '../retrieval/search.ts'
import { admitted } from '../retrieval/search/admitted.ts'
import type { Blobs } from '../store/blobs.ts'
import type { Index, IndexQuery } from '../store/index.ts'
import { scanAll, type Rows } from '../store/rows.ts'
import type { OwnCalls } from './gateway.ts'
import { VECTORS_VARIABLE } from './vectors.ts'

/** Retrieval as the running process has it: the index in one child process, the reading of
 *  documents in another, truth in the store. */

export interface LibraryParts {
  readonly data: string
  /** Whether documents are read here. */
  readonly reads: boolean
  /** As `vectorsFor` tells it. */
  readonly vectors: string
  /** The vectors lie in the memory of this machine. */
  readonly isEmbedded: () => boolean
  readonly entry: string
  readonly store: HouseStore
  /** In force at the start. */
  readonly reading: Config['ingest']
  readonly secrets: () => Secrets
  readonly blobs: Blobs
  /** What callers sent. */
  readonly files: Files
  /** Of the configuration in force. */
  readonly collections: () => Config['collections']
  readonly analyzer: Analyzer
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  /** Answers kept for whoever asks again are forgotten where they name the document. */
  readonly forgetAnswers: (document: string) => Promise<unknown>
  readonly onEvent: (event: HouseEvent) => void
}

/** Of collections that the configuration does not name. */
const RECALL_SAMPLE = 0.01
const TARGETS: QualityTargets = { recallAt10: 0.95, searchP95Ms: 50, freshnessMs: 2_000 }

/** The process that searches nothing and builds for the one that does. */
const BUILD = 'build'
const SEARCH_HEAP_MB = 4096
/** Reading is rare; its process need not stay for it. */
const INGEST_IDLE_MS = 30_000

export class Library {
  readonly search: Search
  readonly ingest: Ingest
  readonly deletions: Deletions
  readonly schedules: Schedules
  readonly files: Files
  readonly attachments: Attachments
  readonly #embeddings: Embeddings
  readonly #cache: EmbeddingCache
  readonly #questions = new Questions()
  /** Collections are mounted before there are models to call. */
  readonly #models = Promise.withResolvers<OwnCalls>()
  readonly #index: Index
  readonly #book: QualityBook
  readonly #sampler: RecallSampler
  readonly #drift: DriftWatch
  /** Makes parts of many segments, so that neither a search nor the reading of a file waits for it. */
  readonly #builder: Index
  readonly #rows: Rows
  readonly #log: Log
  readonly #onEvent: LibraryParts['onEvent']
  readonly #clock: Clock
  readonly #sources: ReturnType<typeof openSources>
  readonly #streams: Streams
  #collections: Config['collections'] = {}
  #listening: Promise<void> = Promise.resolve()
  /** Ends the listening to streams. */
  #deaf = new AbortController()
  readonly #stopped = Promise.withResolvers<void>()
  #isStopped = false
  /** Grows with every `begin`: an earlier one then has nothing more to start. */
  #turn = 0
  #reading: Promise<void> = Promise.resolve()

  private constructor(parts: LibraryParts) {
    const { data, entry, store, blobs, collections, reading, secrets, analyzer, clock, random, log, onEvent } = parts
    const segments = join(data, 'index')
    const child = { entry, arguments: [segments], environment: { [VECTORS_VARIABLE]: parts.vectors }, clock, log }
    this.#log = log
    this.#onEvent = onEvent
    this.#rows = store.rows
    const builder = openProcessIndex({
      ...child,
      arguments: [segments, '', BUILD],
      role: 'search',
      name: BUILD,
      heapMb: SEARCH_HEAP_MB,
      idleMs: INGEST_IDLE_MS,
    })
    this.#builder = builder
    this.#index = openProcessIndex({
      ...child,
      role: 'search',
      heapMb: SEARCH_HEAP_MB,
      onDamage: ({ segment, reason }) => {
        log.write('warn', 'segment is built again', { segment, reason })
        this.ingest.restore(segment)
      },
    })
    const worker = (name: string): IngestWorker =>
      openProcessIngest({ ...child, role: 'ingest', name, heapMb: reading.heapMb, idleMs: INGEST_IDLE_MS })
    const first = worker('ingest')
    this.#clock = clock
    this.#streams = openStreams(clock, secrets)
    this.#sources = openSources({
      data,
      clock,
      privateHosts: reading.privateHosts,
      secrets,
      bytesMax: FILE_BYTES_MAX,
    })
    const onTrouble = (cause: unknown): void =>
      log.write('warn', 'what searches find cannot be measured', { reason: reasonOf(cause) })
    this.#book = new QualityBook({
      clock,
      rows: store.rows,
      alerts: new Alerts({ clock, random, rows: store.rows }),
      targetsOf: (collection) => collections()[collectionOf(collection)]?.targets ?? TARGETS,
      onTrouble,
    })
    this.#sampler = new RecallSampler({
      clock,
      random,
      index: this.#index,
      rows: store.rows,
      book: this.#book,
      shareOf: (collection) => collections()[collectionOf(collection)]?.recallSample ?? RECALL_SAMPLE,
      onTrouble,
    })
    const ownerOf = (collection: string): string | undefined => collections()[collectionOf(collection)]?.tenant
    const questionVector: Library['questionVector'] = (...asked) => this.questionVector(...asked)
    const search = createSearch({ index: this.#sampler, rows: store.rows, analyzer, questionVector, ownerOf })
    this.search = this.#questions.listening(timed(admitted(searchLive(search, store.rows), clock), clock, this.#book))
    this.#models.promise.catch(() => {})
    this.#cache = new EmbeddingCache(store.rows)
    this.#embeddings = new Embeddings({
      rows: store.rows,
      blobs,
      vectors: new Vectors(blobs),
      cache: this.#cache,
      folding: first,
      embedWith: async (model, call) => await (await this.#models.promise).embedWith(model, call),
      analyzer,
      clock,
      random,
      log,
      choice: (collection) => choiceOf(collections()[collection]),
      memoryBytesMax: (collection) =>
        parts.isEmbedded() ? collections()[collection]?.targets.memoryBytesMax : undefined,
    })
    const contexts = new Contexts({
      rows: store.rows,
      clock,
      askWith: async (model, call) => await (await this.#models.promise).askWith(model, call),
    })
    this.ingest = createIngest({
      embeddings: this.#embeddings,
      contexts,
      recipe: (collection) => {
        const { chunks = CHUNKING, context = 'none' } = collections()[collection] ?? {}
        return { chunking: chunks, context }
      },
      rows: store.rows,
      queue: store.queue,
      index: this.#index,
      builder,
      worker: first,
      moreWorkers: Array.from({ length: reading.parallel - 1 }, (_, at) => worker(`ingest-${at + 2}`)),
      pushWorker: worker('ingest-push'),
      push: {
        documentsMax: reading.pushDocumentsMax,
        bytesMax: reading.pushMiBMax * 2 ** 20,
        waitMs: reading.pushWaitMs,
      },
      folders,
      sources: this.#sources,
      clock,
      random,
      log,
    })
    this.deletions = new Deletions({
      clock,
      random,
      rows: store.rows,
      index: this.#index,
      analyzer,
      removeDocument: (collection, document) => this.ingest.removeDocument(collection, document),
      derived: new Derived({
        rows: store.rows,
        index: this.#index,
        analyzer,
        embeddings: this.#cache,
        contexts,
        prefixesOf: (collection) => this.#embeddings.passagePrefixes(collection),
      }),
      forgetAnswers: parts.forgetAnswers,
      erase: (collection) => this.ingest.erase(collection),
      forgetWords: (...asked) => this.#embeddings.forgetWords(...asked),
      scrub: () => store.scrub(),
    })
    this.#drift = new DriftWatch({
      rows: store.rows,
      embeddings: this.#embeddings,
      alerts: new Alerts({ clock, random, rows: store.rows }),
      refitOf: (collection) => collections()[collection]?.refit ?? 'propose',
      replace: (collection, because) => this.generations.replace(collection, because),
    })
    this.schedules = new Schedules({
      rows: store.rows,
      leases: store.leases,
      holder: newId('sched', clock, random),
      ingest: this.ingest,
      clock,
      random,
      log,
    })
    this.files = parts.files
    this.attachments = new Attachments({
      clock,
      rows: store.rows,
      queue: store.queue,
      log,
      files: parts.files,
      ingest: this.ingest,
    })
    this.ingest.onProgress(new FreshnessWatch(clock, this.#book).told)
  }

  async lookForDrift(): Promise<void> {
    const names = new Set<string>()
    for await (const { row } of scanAll(this.#rows, COLLECTIONS)) names.add(collectionOf(row.name))
    for (const name of names) if (!this.#isStopped) await this.#drift.look(name)
  }

  /** Mounts the collections and takes up what the last stop interrupted. */
  static async open(parts: LibraryParts): Promise<Library> {
    const library = new Library(parts)
    try {
      if (parts.reads) await library.ingest.resume()
      else await library.ingest.mount()
      if (parts.reads) await library.attachments.resume()
      await library.#forget()
      return library
    } catch (cause) {
      // Its processes are known to nobody else, and would keep ours alive.
      await Promise.allSettled([library.stop(), library.close()])
      throw cause
    }
  }

  /** What was measured of collections that are gone, or long ago. */
  async #forget(): Promise<void> {
    const known = new Set<string>()
    for await (const { row } of scanAll(this.#rows, COLLECTIONS)) known.add(collectionOf(row.name))
    await this.#book.prune((collection) => known.has(collection))
  }

  /** Reads the configured sources, one after the other, and tells how it goes. Resolves when all
   *  are read or the library stops; what fails is told, not thrown. A later call takes over: the
   *  earlier one ends with the source it is at. */
  begin(collections: Config['collections']): Promise<void> {
    const turn = ++this.#turn
    this.#listen(collections)
    if (!this.#isStopped) this.schedules.follow(collections)
    this.#reading = this.#reading.then(() => this.#read(collections, turn))
    return this.#reading
  }

  /** As `Index.search`: what a gateway in another process cannot ask the index itself. */
  match(collection: string, query: IndexQuery): ReturnType<Index['search']> {
    return this.#sampler.search(collection, query)
  }

  /** How well a collection answers, by what was measured, and whether it answers from all it holds. */
  async quality(collection: string): Promise<JsonObject> {
    const storage = await storageOf(this.#rows, collection)
    const [figures, stored, searchable] = await Promise.all([
      this.#book.figures(collectionOf(storage)),
      this.#rows.get(COLLECTIONS, collectionKey(storage)),
      this.#index.statistics(storage, []).then(
        ({ chunks }) => chunks,
        () => 0,
      ),
    ])
    const { documents = 0, chunks = 0 } = stored?.row ?? {}
    const row = stored?.row
    const memory = row === undefined ? {} : { memory: { vectorBytes: await this.#embeddings.memoryBytes(row) } }
    const drift = this.#drift.last(collectionOf(storage))
    const drifted = drift === undefined ? {} : { drift: { ...drift, texts: { ...drift.texts } } }
    return { ...figures, ...drifted, completeness: { documents, chunks, searchableChunks: searchable }, ...memory }
  }

  /** As `Embeddings.question`. */
  questionVector: Embeddings['question'] = (...asked) => this.#embeddings.question(...asked)

  /** As `Embeddings.fold`: for processes without the directions. */
  fold: Embeddings['fold'] = (...asked) => this.#embeddings.fold(...asked)

  get generations(): Generations {
    const { generations } = this.ingest
    if (generations === undefined) throw fault('internal', { reason: 'the ingest was made without embeddings' })
    return generations
  }

  /** What was asked of a collection lately, newest first. */
  recentQuestions(collection: string): readonly string[] {
    return this.#questions.recent(collection)
  }

  /** Of the cache of embeddings, since the start. */
  get embeddingCache(): CacheFigures {
    return this.#cache.figures
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
    this.#deaf.abort()
    // What it was building is built by the next start; waiting for it could take minutes.
    const ending = [this.schedules.stop(), this.ingest.stop(), this.attachments.stop(), this.#builder.close()]
    return Promise.all(ending).then(() => {})
  }

  async close(): Promise<void> {
    await this.#sampler.stop()
    await this.#book.save()
    await this.#listening
    await this.#sources.close()
    await this.#index.close()
  }

  /** As the configuration in force names them. */
  sourcesOf(collection: string): readonly SourceConfig[] {
    return this.#collections[collection]?.sources ?? []
  }

  /** Reads the configured sources of one collection again; resolves to the runs. */
  async again(collection: string): Promise<readonly string[] | Refusal> {
    const runs: string[] = []
    for (const source of this.#collections[collection]?.sources ?? []) {
      if (isStream(source)) continue
      const run = await this.ingest.start(collection, source)
      if (run instanceof Refusal) return run
      runs.push(run)
    }
    return runs
  }

  /** The sources of a collection one after the other, collections side by side: how many are really
   *  read at once, the ingest decides. */
  async #read(collections: Config['collections'], turn: number): Promise<void> {
    const reading = Object.entries(collections).map(async ([collection, { sources }]) => {
      for (const source of sources) {
        if (this.#isStopped || turn !== this.#turn) return
        if (!isStream(source)) await this.#readOne(collection, source)
      }
    })
    await Promise.all(reading)
  }

  async #readOne(collection: string, source: SourceConfig): Promise<void> {
    try {
      const run = await this.ingest.start(collection, source)
      if (run instanceof Refusal) this.#warn(collection, sourceText(source), sentenceOf(run))
      else await this.#follow(run)
    } catch (thrown) {
      this.#warn(collection, sourceText(source), reasonOf(thrown))
    }
  }

  /** To the streams that are declared now, and no others. */
  #listen(collections: Config['collections']): void {
    this.#collections = collections
    this.#deaf.abort()
    this.#deaf = new AbortController()
    if (this.#isStopped) return
    const { signal } = this.#deaf
    const before = this.#listening
    const options = {
      streams: this.#streams,
      ingest: this.ingest,
      rows: this.#rows,
      clock: this.#clock,
      log: this.#log,
    }
    this.#listening = before.then(async () => {
      const all = Object.entries(collections).flatMap(([name, { sources }]) =>
        sources.filter(isStream).map((source) => listen(name, source, options, signal)),
      )
      await Promise.all(all)
    })
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
