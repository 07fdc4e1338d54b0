import type { Clock, Timer } from '../../base/clock.ts'
import { fault, Fault, isRetryable, type Problem, reasonOf, Refusal, refuse, toProblem } from '../../base/errors.ts'
import { newId } from '../../base/ids.ts'
import { isObject, type JsonObject } from '../../base/json.ts'
import type { Log } from '../../base/log.ts'
import type { Random } from '../../base/random.ts'
import { nameRule, PLAIN_NAME } from '../../config/forms.ts'
import type { Index } from '../../store/index.ts'
import type { Job, Queue } from '../../store/queue.ts'
import { type Change, put, remove, scanAll, type Rows } from '../../store/rows.ts'
import { collectionKey, COLLECTIONS, type CollectionRow } from '../document.ts'
import type { Contexts } from '../embedding/context.ts'
import type { Embeddings } from '../embedding/embeddings.ts'
import { Generations } from '../generation/generations.ts'
import { storageOf } from '../generation/row.ts'
import { type Folders, SOURCES } from '../sources.ts'
import { Collections, removeDocuments, type Segment, segmentPrefix } from './collections.ts'
import { rewrite } from './compact.ts'
import { BATCH_DOCUMENTS_MAX, BATCH_UNITS_MAX, type IngestWorker } from './port.ts'
import { QUARANTINE } from './quarantine.ts'
import { FILE_TIMEOUT_MS, Run, type RunOptions } from './run.ts'
import { dropStorage, sweep } from './sweep.ts'
import { ingestKey, INGESTS, type IngestRow, isFinal, newRow, Progress, shownRun } from './state.ts'

export interface IngestOptions {
  readonly rows: Rows
  readonly queue: Queue
  /** Where collections are mounted. Segments are built by the worker, in the same place. */
  readonly index: Index
  readonly worker: IngestWorker
  readonly folders: Folders
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  /** Without it collections are searched by words alone. */
  readonly embeddings?: Embeddings
  /** Without it chunks are searched as they stand. */
  readonly contexts?: Contexts
  /** Of one file, in milliseconds. */
  readonly fileTimeoutMs?: number
  /** Text of one batch, in UTF-16 units. */
  readonly batchUnitsMax?: number
  /** Documents of one batch. */
  readonly batchDocumentsMax?: number
  readonly leaseMs?: number
}

export interface Ingest {
  /** Absent where collections are searched by words alone. */
  readonly generations: Generations | undefined
  /** Begins a run, which is durable when this resolves to its id. */
  start(collection: string, path: string): Promise<string | Refusal>
  status(run: string): Promise<JsonObject | undefined>
  /** Newest first, of one collection or of all. */
  list(collection?: string): Promise<JsonObject[]>
  /** Once, before anything else: mounts every collection (building again what the index lost),
   *  sweeps what a crash left behind, and takes up runs that a stop interrupted. */
  resume(): Promise<void>
  /** Ends the worker; the run it was at is taken up by the next start. */
  stop(): Promise<void>
  /** Told of every change of a run. Returns the way to stop being told. */
  onProgress(listener: (run: JsonObject) => void): () => void
  removeDocument(collection: string, document: string): Promise<Refusal | undefined>
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
  #looping: Promise<void> | undefined
  #again = false
  #wake: () => void = () => {}

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
      newSegment: (collection) => segmentPrefix(collection) + newId('seg', options.clock, options.random),
      fileTimeoutMs: options.fileTimeoutMs ?? FILE_TIMEOUT_MS,
      batchUnitsMax: options.batchUnitsMax ?? BATCH_UNITS_MAX,
      batchDocumentsMax: options.batchDocumentsMax ?? BATCH_DOCUMENTS_MAX,
    }
    if (embeddings === undefined) return
    this.generations = new Generations({
      ...this.#run,
      embeddings,
      isReading: (collection) => this.#live.values().some(({ progress }) => progress.row.collection === collection),
      dropStorage: (storage) => dropStorage(this.#run, storage),
    })
  }

  async start(collection: string, path: string): Promise<string | Refusal> {
    if (!PLAIN_NAME.test(collection)) {
      return refuse('field_invalid', {
        field: 'collection',
        problem: 'is no name for a collection',
        remedy: nameRule(PLAIN_NAME) ?? '',
      })
    }
    if (path.length > PATH_UNITS_MAX || path.includes('\0'))
      return refuse('field_invalid', { field: 'path', problem: 'is no path', remedy: 'Name a folder or file.' })
    if (this.#stopped) return refuse('stopping', {})
    const { clock, random, rows, queue, folders } = this.#options
    const source = await folders.open(path)
    if (source instanceof Refusal) return source
    const run = newId('ing', clock, random)
    await rows.commit([put(INGESTS, ingestKey(run), newRow(run, collection, source.path, clock.wallMs()))])
    await queue.enqueue(QUEUE, run, { run, collection, path: source.path })
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

  async resume(): Promise<void> {
    const { rows, queue } = this.#options
    for await (const { row } of scanAll(rows, COLLECTIONS)) await this.#mount(row.name)
    await sweep({ ...this.#run, index: this.#options.index })
    await this.generations?.resume()
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
    await this.#options.worker.close()
    await this.generations?.stop()
    await this.#looping
  }

  async removeDocument(collection: string, document: string): Promise<Refusal | undefined> {
    const { rows } = this.#options
    const live = await storageOf(rows, collection)
    if ((await rows.get(COLLECTIONS, collectionKey(live))) === undefined)
      return refuse('collection_unknown', { collection })
    const removed = await removeDocuments(rows, this.#collections, live, [document])
    for (const storage of (await this.generations?.storages(collection)) ?? [])
      if (storage !== live) await removeDocuments(rows, this.#collections, storage, [document])
    return removed ? undefined : refuse('not_found', { what: 'document', id: document })
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
    await rows.commit(changes)
    return undefined
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
    const segments = (await rows.get(COLLECTIONS, collectionKey(collection)))?.row.segments ?? []
    for (const { segment } of segments) {
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
    this.#looping ??= this.#work().finally(() => {
      this.#looping = undefined
      // Something new may have come after the last look.
      if (this.#again && !this.#stopped) this.#loop()
    })
  }

  /** Runs jobs one after the other until none is left. */
  async #work(): Promise<void> {
    const { queue, log } = this.#options
    while (!this.#stopped) {
      this.#again = false
      try {
        const job = await queue.lease(QUEUE, this.#leaseMs)
        if (job !== undefined) await this.#do(job)
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
      const timer = this.#options.clock.after(POLL_MS, resolve)
      this.#wake = () => {
        timer.cancel()
        resolve()
      }
    })
  }

  async #do(job: Job): Promise<void> {
    const { rows, queue, clock } = this.#options
    const run = isObject(job.payload) ? String(job.payload['run']) : ''
    const row = (await rows.get(INGESTS, ingestKey(run)))?.row
    if (row === undefined || isFinal(row.state)) return void (await queue.complete(job))
    const abort = new AbortController()
    const lease = this.#hold(job, abort)
    const progress = new Progress(row, (now) => this.#tell(now))
    const working = this.#attempt(job, progress, abort.signal)
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
    }
  }

  async #attempt(job: Job, progress: Progress, signal: AbortSignal): Promise<Outcome> {
    const { log } = this.#options
    try {
      if (job.attempt > STARTS_MAX) throw fault('internal', { reason: 'every attempt ended with the process' })
      const { collection } = progress.row
      const storage = await storageOf(this.#options.rows, collection)
      const refusal = await new Run(this.#run, progress, storage, signal).go()
      // Another generation answers by now, which knows nothing of what was read.
      if ((await storageOf(this.#options.rows, collection)) !== storage) return 'again'
      this.generations?.follow(collection)
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
