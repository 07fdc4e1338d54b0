import type { Clock, Timer } from '../../base/clock.ts'
import { fault, Fault, isRetryable, type Problem, reasonOf, Refusal, refuse, toProblem } from '../../base/errors.ts'
import { newId } from '../../base/ids.ts'
import { isObject, type Json, type JsonObject } from '../../base/json.ts'
import type { Log } from '../../base/log.ts'
import type { Random } from '../../base/random.ts'
import { Turns } from '../../base/turns.ts'
import { nameRule, PLAIN_NAME } from '../../config/forms.ts'
import type { SourceConfig } from '../../config/schema.ts'
import type { Index } from '../../store/index.ts'
import type { Job, Queue } from '../../store/queue.ts'
import { type Change, put, remove, scanAll, type Rows } from '../../store/rows.ts'
import { collectionKey, COLLECTIONS, type CollectionRow } from '../document.ts'
import type { Contexts } from '../embedding/context.ts'
import type { Embeddings } from '../embedding/embeddings.ts'
import { Generations } from '../generation/generations.ts'
import type { Recipe } from '../recipe.ts'
import { Recipes } from '../generation/recipes.ts'
import { storageOf } from '../generation/row.ts'
import { type Folders, type Sources, SOURCES, sourceText } from '../sources.ts'
import { Collections, removeDocuments, type Segment, segmentPrefix } from './collections.ts'
import { rewrite } from './compact.ts'
import { Merges } from './merge.ts'
import { DEAD_LETTERS, letterKey } from './dead-letters.ts'
import { BATCH_DOCUMENTS_MAX, BATCH_UNITS_MAX, type IngestWorker } from './port.ts'
import { Pushes, type PushOptions } from './pushes.ts'
import { QUARANTINE } from './quarantine.ts'
import { FILE_TIMEOUT_MS, Run, type RunOptions } from './run.ts'
import { readSent } from './sent.ts'
import { dropStorage, sweep } from './sweep.ts'
import { ingestKey, INGESTS, type IngestRow, isFinal, newRow, Progress, shownRun } from './state.ts'
import { FULL_CHUNKS, segmentsToErase } from './tiers.ts'

export interface IngestOptions {
  readonly rows: Rows
  readonly queue: Queue
  /** Where collections are mounted. Segments are built by the worker, in the same place. */
  readonly index: Index
  readonly worker: IngestWorker
  /** Builds what many segments are searched in; default: `index`. */
  readonly builder?: Pick<Index, 'build'>
  /** Each reads another collection at the same time. */
  readonly moreWorkers?: readonly IngestWorker[]
  /** Reads what is sent, whatever the others are at. */
  readonly pushWorker: IngestWorker
  readonly folders: Folders
  readonly sources: Sources
  /** Default: `config.ingest`'s. */
  readonly push?: Omit<PushOptions, 'run' | 'onKept'>
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  /** Without it collections are searched by words alone. */
  readonly embeddings?: Embeddings
  /** Without it chunks are searched as they stand. */
  readonly contexts?: Contexts
  /** What the configuration says of a collection. Default: `RECIPE`. */
  readonly recipe?: (collection: string) => Recipe
  /** Of one file, in milliseconds. */
  readonly fileTimeoutMs?: number
  /** Text of one batch, in UTF-16 units. */
  readonly batchUnitsMax?: number
  /** Documents of one batch. */
  readonly batchDocumentsMax?: number
  /** Chunks of a segment that is not rewritten any more; default `FULL_CHUNKS`. */
  readonly fullChunks?: number
  readonly leaseMs?: number
  /** Chunks of a collection that gets other vectors as a whole. */
  readonly movedChunksMax?: number
}

export interface Ingest {
  /** Absent where collections are searched by words alone. */
  readonly generations: Generations | undefined
  /** A segment that is searched was found damaged: it is built again in the background, out of what the store
   *  holds, and answers until then. */
  restore(segment: string): void
  /** Begins a run over a path or a source, which is durable when this resolves to its id. */
  start(collection: string, what: string | SourceConfig): Promise<string | Refusal>
  /** As `Pushes.take`. */
  push: Pushes['take']
  /** Reads again what is on the list of dead letters: all, or one. Resolves to the runs that do it;
   *  what had been sent is read at once. */
  replay(collection: string, document?: string): Promise<readonly string[] | Refusal>
  status(run: string): Promise<JsonObject | undefined>
  /** Newest first, of one collection or of all. */
  list(collection?: string): Promise<JsonObject[]>
  /** Mounts every collection as `resume` does, and nothing more: of a process that only searches. */
  mount(): Promise<void>
  /** Once, before anything else: mounts every collection (building again what the index lost),
   *  sweeps what a crash left behind, and takes up runs that a stop interrupted. */
  resume(): Promise<void>
  /** Ends the worker; the run it was at is taken up by the next start. */
  stop(): Promise<void>
  /** Told of every change of a run. Returns the way to stop being told. */
  onProgress(listener: (run: JsonObject) => void): () => void
  removeDocument(collection: string, document: string): Promise<Refusal | undefined>
  /** Rewrites every file of the index that holds what was removed from the collection. */
  erase(collection: string): Promise<void>
  /** With everything in it; its runs are cancelled. */
  dropCollection(collection: string): Promise<Refusal | undefined>
}

export const createIngest = (options: IngestOptions): Ingest => new Runs(options)

const QUEUE = 'ingest'
/** A run goes on this long after its process was killed. Longer than the event loop is ever held
 *  up, since a lease that ran out costs the batch at hand. */
const LEASE_MS = 3_000
/** Between looks at a job that someone else may still hold. */
const POLL_MS = 500
/** Of a run that our own trouble ended: a full disk, the index. */
const ATTEMPTS_MAX = 5
/** Starts of a run in all, each ended by the end of the whole process. */
const STARTS_MAX = 20
const RETRY_MS = 2_000
/** Finished runs that are kept to be looked at. */
const RUNS_KEPT = 500
const PATH_UNITS_MAX = 4_096
/** What is sent, unless told otherwise: as the configuration has it. */
const PUSH: Omit<PushOptions, 'run' | 'onKept'> = { documentsMax: 10_000, bytesMax: 256 * 2 ** 20, waitMs: 200 }
/** No collection can have this name. */
const TRIAL = '/trial'

class Runs implements Ingest {
  readonly generations: Generations | undefined
  readonly #options: IngestOptions
  readonly #run: RunOptions
  readonly #collections: Collections
  readonly #leaseMs: number
  readonly #listeners = new Set<(run: JsonObject) => void>()
  readonly #live = new Map<
    string,
    { readonly progress: Progress; readonly abort: AbortController; readonly ended: Promise<void> }
  >()
  #stopped = false
  readonly #stop = new AbortController()
  #looping: Promise<unknown> | undefined
  #again = false
  readonly #asleep = new Set<() => void>()
  /** Runs of one collection take turns. */
  readonly #turns = new Turns()
  readonly #pushes: Pushes
  readonly #merges: Merges

  constructor(options: IngestOptions) {
    this.#options = options
    this.#leaseMs = options.leaseMs ?? LEASE_MS
    const { embeddings } = options
    this.#collections = new Collections(
      embeddings === undefined ? options : { ...options, vectors: embeddings.vectors },
    )
    this.#run = {
      ...options,
      collections: this.#collections,
      recipes: new Recipes(options.rows, options.recipe),
      newSegment: (collection) => segmentPrefix(collection) + newId('seg', options.clock, options.random),
      fileTimeoutMs: options.fileTimeoutMs ?? FILE_TIMEOUT_MS,
      batchUnitsMax: options.batchUnitsMax ?? BATCH_UNITS_MAX,
      batchDocumentsMax: options.batchDocumentsMax ?? BATCH_DOCUMENTS_MAX,
      fullChunks: options.fullChunks ?? FULL_CHUNKS,
    }
    this.#merges = new Merges({ ...this.#run, clock: options.clock, builder: options.builder ?? options.index })
    this.#collections.onChange((storage) => this.#merges.look(storage))
    this.#pushes = new Pushes({
      ...PUSH,
      ...options.push,
      run: { ...this.#run, worker: options.pushWorker },
      onKept: (collection) => this.generations?.follow(collection),
    })
    if (embeddings === undefined) return
    this.generations = new Generations({
      ...this.#run,
      embeddings,
      isReading: (collection) => this.#live.values().some(({ progress }) => progress.row.collection === collection),
      dropStorage: (storage) => dropStorage(this.#run, storage),
    })
  }

  async start(collection: string, what: string | SourceConfig): Promise<string | Refusal> {
    const named = checkName(collection)
    if (named !== undefined) return named
    const source = typeof what === 'string' ? undefined : what
    const path = typeof what === 'string' ? what : sourceText(what)
    if (path.length > PATH_UNITS_MAX || path.includes('\0'))
      return refuse('field_invalid', { field: 'path', problem: 'is no path', remedy: 'Name a folder or file.' })
    if (this.#stopped) return refuse('stopping', {})
    if (source !== undefined && source.kind !== 'folder') return await this.#begin({ collection, path, source })
    const opened = await this.#options.folders.open(path)
    if (opened instanceof Refusal) return opened
    return await this.#begin({ collection, path: opened.path, ...(source === undefined ? {} : { source }) })
  }

  async push(...[collection, documents, origin]: Parameters<Pushes['take']>): ReturnType<Pushes['take']> {
    return checkName(collection) ?? (await this.#pushes.take(collection, documents, origin))
  }

  async replay(collection: string, document?: string): Promise<readonly string[] | Refusal> {
    const { rows } = this.#options
    const runs: string[] = []
    const begun = new Set<string>()
    let found = false
    for await (const { row } of scanAll(rows, DEAD_LETTERS, [collection])) {
      if (document !== undefined && row.document !== document) continue
      found = true
      if (row.from === undefined) continue
      if ('sent' in row.from) {
        const sent = readSent(JSON.parse(row.from.sent) as Json)
        const kept = sent instanceof Refusal ? sent : await this.push(collection, [sent])
        if (kept instanceof Refusal) return kept
        continue
      }
      const key = JSON.stringify(row.from)
      if (begun.has(key)) continue
      begun.add(key)
      const { path, source } =
        'path' in row.from ? { ...row.from, source: undefined } : { path: sourceText(row.from.source), ...row.from }
      runs.push(
        await this.#begin({ collection, path, ...(source === undefined ? {} : { source }), replay: document ?? true }),
      )
    }
    return found || document === undefined ? runs : refuse('not_found', { what: 'dead letter', id: document })
  }

  async #begin(what: Pick<IngestRow, 'collection' | 'path' | 'source' | 'replay'>): Promise<string> {
    const { clock, random, rows, queue } = this.#options
    const run = newId('ing', clock, random)
    await rows.commit([put(INGESTS, ingestKey(run), newRow({ run, ...what }, clock.wallMs()))])
    await queue.enqueue(QUEUE, run, { run, collection: what.collection, path: what.path })
    await this.#forgetOld()
    this.#loop()
    return run
  }

  async status(run: string): Promise<JsonObject | undefined> {
    const row = this.#live.get(run)?.progress.row ?? (await this.#options.rows.get(INGESTS, ingestKey(run)))?.row
    return row === undefined ? undefined : shownRun(row)
  }

  async list(collection?: string): Promise<JsonObject[]> {
    const stored = await this.#options.rows.scan(INGESTS, { limit: RUNS_KEPT * 2, reverse: true })
    const rows = stored.map(({ row }) => this.#live.get(row.run)?.progress.row ?? row)
    return rows.filter((row) => collection === undefined || row.collection === collection).map(shownRun)
  }

  onProgress(listener: (run: JsonObject) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  async mount(): Promise<void> {
    for await (const { row } of scanAll(this.#options.rows, COLLECTIONS)) await this.#mount(row.name)
  }

  async resume(): Promise<void> {
    const { rows, queue } = this.#options
    await this.mount()
    await sweep({ ...this.#run, index: this.#options.index })
    await this.generations?.resume()
    // A stop may have come before what there was to merge was merged.
    for await (const { row } of scanAll(rows, COLLECTIONS)) this.#merges.look(row.name)
    for (const { row } of await rows.scan(INGESTS, { limit: RUNS_KEPT * 2, reverse: true })) {
      if (isFinal(row.state)) continue
      // No effect on a job that is there; it is missing where we stopped between the two writes.
      await queue.enqueue(QUEUE, row.run, { run: row.run, collection: row.collection, path: row.path })
      this.#loop()
    }
  }

  async stop(): Promise<void> {
    this.#stopped = true
    this.#stop.abort(fault('stopping', {}))
    for (const { abort } of this.#live.values()) abort.abort()
    this.#wake()
    const { worker, moreWorkers = [], pushWorker } = this.#options
    const pushed = this.#pushes.stop()
    await Promise.all([worker, ...moreWorkers, pushWorker].map((one) => one.close()))
    await this.generations?.stop()
    await Promise.all([this.#looping, pushed, this.#merges.stop()])
  }

  async removeDocument(collection: string, document: string): Promise<Refusal | undefined> {
    const { rows } = this.#options
    const live = await storageOf(rows, collection)
    if ((await rows.get(COLLECTIONS, collectionKey(live))) === undefined)
      return refuse('collection_unknown', { collection })
    const removed = await removeDocuments(rows, this.#collections, live, [document])
    for (const storage of (await this.generations?.storages(collection)) ?? [])
      if (storage !== live) await removeDocuments(rows, this.#collections, storage, [document])
    await rows.commit([remove(DEAD_LETTERS, letterKey(collection, document))])
    return removed ? undefined : refuse('not_found', { what: 'document', id: document })
  }

  async erase(collection: string): Promise<void> {
    const { rows } = this.#options
    for (const storage of (await this.generations?.storages(collection)) ?? [collection]) {
      while (await rewrite(this.#run, storage, segmentsToErase, this.#stop.signal)) this.#stop.signal.throwIfAborted()
      const row = (await rows.get(COLLECTIONS, collectionKey(storage)))?.row
      const held = new Set(row?.segments.map(({ segment }) => segment))
      for (const part of row?.parts ?? [])
        if (part.holds.some(({ segment }) => !held.has(segment))) await this.#merges.rebuild(storage, part)
    }
  }

  async dropCollection(collection: string): Promise<Refusal | undefined> {
    const { rows } = this.#options
    await this.#cancel(collection)
    const live = await storageOf(rows, collection)
    if ((await rows.get(COLLECTIONS, collectionKey(live))) === undefined)
      return refuse('collection_unknown', { collection })
    const storages = (await this.generations?.storages(collection)) ?? [collection]
    // Without its generations nothing is copied into them any more.
    await this.generations?.forget(collection)
    for (const storage of storages) await dropStorage(this.#run, storage)
    const changes: Change[] = []
    for await (const { key } of scanAll(rows, SOURCES, [collection])) changes.push(remove(SOURCES, key))
    for await (const { key } of scanAll(rows, QUARANTINE, [collection])) changes.push(remove(QUARANTINE, key))
    for await (const { key } of scanAll(rows, DEAD_LETTERS, [collection])) changes.push(remove(DEAD_LETTERS, key))
    await rows.commit(changes)
    return undefined
  }

  /** A part that is searched was found damaged. */
  restore(segment: string): void {
    this.#merges.restore(segment)
  }

  // Starting up

  /** A segment that is missing or damaged is built again from the chunk rows. */
  async #mount(collection: string): Promise<void> {
    const { index, rows, log } = this.#options
    const unavailable = (error: unknown): void => {
      if (!(error instanceof Fault) || error.code !== 'index_unavailable') throw error
    }
    try {
      return await this.#collections.publish(collection)
    } catch (error) {
      unavailable(error)
    }
    const row = (await rows.get(COLLECTIONS, collectionKey(collection)))?.row
    for (const part of row?.parts ?? []) {
      try {
        await index.mount(TRIAL, [{ ...part, removed: [] }])
      } catch (error) {
        unavailable(error)
        log.write('warn', 'segment is built again', { segment: part.segment, reason: reasonOf(error) })
        await this.#merges.rebuild(collection, part).catch(unavailable)
      }
    }
    const inParts = new Set(row?.parts?.flatMap(({ holds }) => holds.map(({ segment }) => segment)))
    for (const { segment } of row?.segments ?? []) {
      if (inParts.has(segment)) continue
      try {
        await index.mount(TRIAL, [{ segment, removed: [] }])
      } catch (error) {
        unavailable(error)
        log.write('warn', 'segment is built again', { segment, reason: reasonOf(error) })
        const lost = (row: CollectionRow): Segment[] => row.segments.filter((one) => one.segment === segment)
        // The collection cannot be mounted before the last of them is there.
        await rewrite(this.#run, collection, lost, this.#stop.signal).catch(unavailable)
      }
    }
    await index.mount(TRIAL, [])
    await this.#collections.publish(collection)
  }

  async #forgetOld(): Promise<void> {
    const { rows } = this.#options
    const old = (await rows.scan(INGESTS, { limit: RUNS_KEPT * 2, reverse: true })).slice(RUNS_KEPT)
    const ended = old.filter(({ row }) => isFinal(row.state))
    if (ended.length > 0) await rows.commit(ended.map(({ key }) => remove(INGESTS, key)))
  }

  // Working

  #loop(): void {
    this.#again = true
    this.#wake()
    const { worker, moreWorkers = [] } = this.#options
    const working = (): Promise<unknown> => Promise.all([worker, ...moreWorkers].map((one) => this.#work(one)))
    this.#looping ??= working().finally(() => {
      this.#looping = undefined
      // Something new may have come after the last look.
      if (this.#again && !this.#stopped) this.#loop()
    })
  }

  /** Runs jobs one after the other until none is left. */
  async #work(worker: IngestWorker): Promise<void> {
    const { queue, log } = this.#options
    while (!this.#stopped) {
      this.#again = false
      try {
        const job = await queue.lease(QUEUE, this.#leaseMs)
        if (job !== undefined) await this.#do(job, worker)
        else if ((await queue.list(QUEUE, RUNS_KEPT)).some(({ state }) => state === 'waiting' || state === 'leased'))
          await this.#pause()
        else if (!this.#again) return
      } catch (error) {
        log.write('error', 'ingest queue', { reason: String(error) })
        await this.#pause()
      }
    }
  }

  /** Until something new is there, `POLL_MS` at most. */
  #pause(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#stopped) return resolve()
      const end = (): void => {
        timer.cancel()
        this.#asleep.delete(end)
        resolve()
      }
      const timer = this.#options.clock.after(POLL_MS, end)
      this.#asleep.add(end)
    })
  }

  #wake(): void {
    for (const end of this.#asleep) end()
  }

  async #do(job: Job, worker: IngestWorker): Promise<void> {
    const { rows, queue, clock } = this.#options
    const run = isObject(job.payload) ? String(job.payload['run']) : ''
    const row = (await rows.get(INGESTS, ingestKey(run)))?.row
    if (row === undefined || isFinal(row.state)) return void (await queue.complete(job))
    const abort = new AbortController()
    const lease = this.#hold(job, abort)
    const progress = new Progress(row, (now) => this.#tell(now))
    const working = this.#turns.take(row.collection, () => this.#attempt(job, progress, abort.signal, worker))
    this.#live.set(run, {
      progress,
      abort,
      ended: working.then(
        () => {},
        () => {},
      ),
    })
    try {
      const outcome = await working
      if (outcome === 'again') return void (await queue.retry(job, this.#stopped ? 0 : RETRY_MS, 'interrupted'))
      progress.end(outcome.end, clock.wallMs(), outcome.problem)
      await rows.commit([put(INGESTS, ingestKey(run), progress.row)])
      await queue.complete(job)
    } finally {
      lease.cancel()
      this.#live.delete(run)
      // None takes the place of another while documents are read.
      this.generations?.follow(row.collection)
    }
  }

  async #attempt(job: Job, progress: Progress, signal: AbortSignal, worker: IngestWorker): Promise<Outcome> {
    const { log } = this.#options
    try {
      if (job.attempt > STARTS_MAX) throw fault('internal', { reason: 'every attempt ended with the process' })
      if (signal.aborted) throw fault('stopping', {})
      const { collection } = progress.row
      const storage = await storageOf(this.#options.rows, collection)
      const target = { storage, recipe: await this.#run.recipes.toRead(storage) }
      const refusal = await new Run({ ...this.#run, worker }, progress, target, signal).go()
      // Another generation answers by now, which knows nothing of what was read.
      if ((await storageOf(this.#options.rows, collection)) !== storage) return 'again'
      this.generations?.follow(collection)
      await this.generations?.renew(collection)
      return refusal === undefined ? { end: 'done' } : { end: 'failed', problem: refusal }
    } catch (thrown) {
      if (this.#stopped) return 'again'
      if (signal.aborted && signal.reason === CANCELLED) return { end: 'cancelled' }
      const problem = toProblem(thrown)
      log.write('error', 'ingest run', { run: progress.row.run, code: problem.code, attempt: job.attempt })
      const passing =
        signal.aborted ||
        isRetryable(problem) ||
        problem.code === 'store_unavailable' ||
        problem.code === 'index_unavailable' ||
        problem.code === 'disk_full'
      return passing && job.attempt < ATTEMPTS_MAX ? 'again' : { end: 'failed', problem }
    }
  }

  /** Keeps the lease; where it is lost, another process has the run and ours ends. */
  #hold(job: Job, abort: AbortController): Timer {
    const { clock, queue } = this.#options
    let timer: Timer
    let over = false
    const extend = async (): Promise<void> => {
      const held = await queue.extend(job, this.#leaseMs).catch(() => true)
      if (over) return
      if (held) timer = clock.after(this.#leaseMs / 3, () => void extend())
      else abort.abort()
    }
    timer = clock.after(this.#leaseMs / 3, () => void extend())
    return {
      cancel() {
        over = true
        timer.cancel()
      },
    }
  }

  async #cancel(collection: string): Promise<void> {
    const { rows, clock } = this.#options
    for (const { row, version } of await rows.scan(INGESTS, { limit: RUNS_KEPT * 2, reverse: true })) {
      if (row.collection !== collection || isFinal(row.state)) continue
      const live = this.#live.get(row.run)
      live?.abort.abort(CANCELLED)
      await live?.ended
      if (live === undefined)
        await rows.commit([
          put(INGESTS, ingestKey(row.run), { ...row, state: 'cancelled', endedAtMs: clock.wallMs() }, version),
        ])
    }
  }

  #tell(row: IngestRow): void {
    if (this.#listeners.size === 0) return
    const shown = shownRun(row)
    for (const listener of this.#listeners) listener(shown)
  }
}

type Outcome = 'again' | { readonly end: 'done' | 'failed' | 'cancelled'; readonly problem?: Problem }

const CANCELLED = Symbol('cancelled')

function checkName(collection: string): Refusal | undefined {
  if (PLAIN_NAME.test(collection)) return undefined
  const remedy = nameRule(PLAIN_NAME) ?? ''
  return refuse('field_invalid', { field: 'collection', problem: 'is no name for a collection', remedy })
}
