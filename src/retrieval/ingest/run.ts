import { basename } from 'node:path'
import type { Clock } from '../../base/clock.ts'
import { fault, Refusal } from '../../base/errors.ts'
import type { Log } from '../../base/log.ts'
import { put, scanAll, type Change, type Rows } from '../../store/rows.ts'
import {
  chunkKey,
  CHUNKS,
  collectionKey,
  COLLECTIONS,
  type CollectionRow,
  documentKey,
  DOCUMENTS,
  type DocumentRow,
} from '../document.ts'
import type { Contexts } from '../embedding/context.ts'
import type { Embeddings } from '../embedding/embeddings.ts'
import { PARSE_MS_MAX } from '../parse/limits.ts'
import { documentId, type Folders, placeSource, type Source, type SourceRow, SOURCES, uriOf } from '../sources.ts'
import { chunkRemovals, type Collections, removeDocuments, revised, type Segment } from './collections.ts'
import { rewrite, segmentsToMerge } from './compact.ts'
import { type Added, type IngestFile, type IngestWorker, type SealedDocument } from './port.ts'
import { isDeath, QUARANTINE, QUARANTINE_MS, quarantineKey, reasonForDeath, type QuarantineRow } from './quarantine.ts'
import { Enrich } from './enrich.ts'
import { revector } from './revector.ts'
import { ingestKey, INGESTS, type Progress } from './state.ts'

export interface RunOptions {
  readonly rows: Rows
  readonly folders: Folders
  readonly worker: IngestWorker
  readonly collections: Collections
  readonly clock: Clock
  readonly log: Log
  readonly newSegment: (collection: string) => string
  /** For one file, from outside: past it its process is ended. Longer than what the parser allows
   *  itself. */
  readonly fileTimeoutMs: number
  /** Of text; the worker's own bound is the same. */
  readonly batchUnitsMax: number
  readonly batchDocumentsMax: number
  /** Without it collections are searched by words alone. */
  readonly embeddings?: Embeddings
  /** Without it chunks are searched as they stand. */
  readonly contexts?: Contexts
}

export const FILE_TIMEOUT_MS = PARSE_MS_MAX + 15_000

/** Files of one run. */
const RUN_FILES_MAX = 1_000_000
/** Files handed to the worker at once. */
const GROUP_FILES = 32
/** Chunk rows removed by one commit. */
const REMOVED_CHUNKS_MAX = 20_000

interface Listed extends IngestFile {
  /** How it is read: with others; alone, keeping nothing, to find the one that ended the process;
   *  alone, because one of its group did and it did not. */
  care: 'group' | 'probe' | 'alone'
  quarantined?: QuarantineRow
  former?: DocumentRow
}

/** One reading of a source into a collection. What it commits, it commits batch by batch; taken up
 *  again after a stop it meets what is done as unchanged. */
export class Run {
  readonly #options: RunOptions
  readonly #collection: string
  /** Where its live generation is held. */
  readonly #storage: string
  readonly #progress: Progress
  readonly #signal: AbortSignal
  /** In the worker's batch and not committed. */
  #batch: Listed[] = []
  #units = 0
  readonly #enrich: Enrich

  constructor(options: RunOptions, progress: Progress, storage: string, signal: AbortSignal) {
    this.#options = options
    this.#storage = storage
    this.#enrich = new Enrich(options, storage, signal)
    this.#collection = progress.row.collection
    this.#progress = progress
    this.#signal = signal
  }

  /** Resolves to a refusal where the source cannot be read at all. Rejects with a `Fault` of the
   *  store or the index, and when the signal aborts (`stopping`). */
  async go(): Promise<Refusal | undefined> {
    const { folders, worker } = this.#options
    const source = await folders.open(this.#progress.row.path)
    if (source instanceof Refusal) return source
    const refused = await this.#admit()
    if (refused !== undefined) return refused
    const root = await this.#place(source)
    const { files, hidden } = await this.#list(source, root)
    await worker.discard()
    await this.#read(files)
    if (source.kind === 'folder')
      await this.#removeVanished(root, new Set(files.map(({ document }) => document)), hidden)
    const merge = (row: CollectionRow): Segment[] => segmentsToMerge(row.segments)
    while (await rewrite(this.#options, this.#storage, merge, this.#signal)) this.#check()
    const { embeddings } = this.#options
    return embeddings && (await revector({ ...this.#options, embeddings }, this.#storage, this.#signal))
  }

  /** Before anything is read: vectors of two models are not mixed. */
  async #admit(): Promise<Refusal | undefined> {
    const { embeddings, rows } = this.#options
    const row = (await rows.get(COLLECTIONS, collectionKey(this.#storage)))?.row
    return row === undefined ? undefined : await embeddings?.admit(row)
  }

  #check(): void {
    if (this.#signal.aborted) throw fault('stopping', {})
  }

  async #place(source: Source): Promise<string> {
    const { rows, folders } = this.#options
    const known: SourceRow[] = []
    for await (const { row } of scanAll(rows, SOURCES, collectionKey(this.#collection))) known.push(row)
    const gone = new Set<string>()
    for (const { path } of known) if ((await folders.open(path)) instanceof Refusal) gone.add(path)
    const { uri, row } = placeSource(source, known, (path) => gone.has(path))
    if (row !== undefined) await rows.commit([put(SOURCES, [this.#collection, row.name], row)])
    return uri
  }

  async #list(source: Source, root: string): Promise<{ files: Listed[]; hidden: string[] }> {
    const files: Listed[] = []
    const hidden: string[] = []
    for await (const found of this.#options.folders.walk(source)) {
      this.#check()
      if (found.kind === 'ignored') {
        this.#progress.count({ ignored: 1 })
        continue
      }
      const uri = source.kind === 'file' || found.relative === '' ? root : `${root}/${uriOf(found.relative)}`
      this.#progress.count({ found: 1 })
      if (found.kind === 'refused') {
        this.#progress.skip(uri, found.refusal)
        // What stands there may still be; only what is seen to be gone is removed.
        hidden.push(found.hides ? `${uri}/` : uri)
        continue
      }
      if (files.length >= RUN_FILES_MAX)
        throw fault('overloaded', { what: 'the number of files in one run', limit: RUN_FILES_MAX })
      files.push({ path: found.path, name: basename(found.relative), document: documentId(uri), uri, care: 'group' })
    }
    return { files, hidden }
  }

  // Reading

  async #read(files: readonly Listed[]): Promise<void> {
    for (let at = 0; at < files.length; at += GROUP_FILES) {
      const queue = await this.#known(files.slice(at, at + GROUP_FILES))
      while (queue.length > 0) {
        this.#check()
        await this.#next(queue)
        if (this.#isFull()) await this.#commit()
      }
    }
    await this.#commit()
  }

  #isFull(): boolean {
    const { batchUnitsMax, batchDocumentsMax } = this.#options
    return this.#units >= batchUnitsMax || this.#batch.length >= batchDocumentsMax
  }

  /** With what is known of each from before. */
  async #known(files: readonly Listed[]): Promise<Listed[]> {
    const { rows, clock } = this.#options
    const documents = await rows.getMany(
      DOCUMENTS,
      files.map(({ document }) => documentKey(this.#storage, document)),
    )
    const quarantines = await rows.getMany(
      QUARANTINE,
      files.map(({ document }) => quarantineKey(this.#collection, document)),
    )
    return files.map((file, at) => {
      const former = documents[at]?.row
      const quarantined = quarantines[at]?.row
      if (quarantined !== undefined && clock.wallMs() - quarantined.atMs < QUARANTINE_MS)
        return { ...file, quarantined, knownHash: quarantined.contentHash }
      return former === undefined ? file : { ...file, former, knownHash: former.contentHash }
    })
  }

  /** Reads the next of the queue and takes it off. When the process dies, what it held goes back,
   *  each file to be tried alone: the one that kills it alone is put into quarantine. */
  async #next(queue: Listed[]): Promise<void> {
    const { worker, fileTimeoutMs } = this.#options
    const first = queue[0]
    if (first === undefined) return
    const group = first.care === 'group' ? queue.filter(({ care }) => care === 'group') : [first]
    try {
      if (first.care === 'probe') {
        const answer = await worker.probe(first, fileTimeoutMs)
        queue.shift()
        if (answer.status === 'added') queue.push({ ...first, care: 'alone' })
        else this.#settle(first, answer)
        return
      }
      // A group gets the time of one: when that is too short they are tried one by one.
      const answers = await worker.add(group, fileTimeoutMs)
      for (const [at, answer] of answers.entries()) this.#settle(group[at] ?? first, answer)
      const done = new Set(group.slice(0, answers.length))
      queue.splice(0, queue.length, ...queue.filter((file) => !done.has(file)))
    } catch (thrown) {
      if (!isDeath(thrown) || this.#signal.aborted) throw thrown
      const lost = this.#batch.map((file): Listed => ({ ...file, care: 'alone' }))
      this.#batch = []
      this.#units = 0
      const left = queue.filter((file) => !group.includes(file))
      if (group.length === 1) await this.#quarantine(first, reasonForDeath(thrown, fileTimeoutMs))
      const suspects = group.length === 1 ? [] : group.map((file): Listed => ({ ...file, care: 'probe' }))
      queue.splice(0, queue.length, ...lost, ...suspects, ...left)
    }
  }

  #settle(file: Listed, answer: Added): void {
    if (answer.status === 'unchanged' && file.quarantined !== undefined)
      return this.#progress.skip(file.uri, new Refusal(file.quarantined.code, file.quarantined.details))
    if (answer.status === 'unchanged') {
      // Taken up again after a stop: what this run committed before is its own work. Not what the
      // run before it committed in the millisecond that this one began in.
      const mine = (file.former?.ingestedAtMs ?? 0) > this.#progress.row.startedAtMs ? file.former : undefined
      if (mine === undefined) return this.#progress.count({ unchanged: 1 })
      return this.#progress.count({ read: 1 }, { bytes: mine.bytes, chunks: mine.chunkCount, documents: 1 })
    }
    // A document whose file became unreadable goes on answering as it was: the file is still there.
    if (answer.status === 'refused') return this.#progress.skip(file.uri, new Refusal(answer.code, answer.details))
    this.#batch.push(file)
    this.#units += answer.units
    if (answer.note !== undefined) this.#progress.note(file.uri, answer.note)
  }

  async #quarantine(file: Listed, refusal: Refusal): Promise<void> {
    const { rows, worker, clock, log } = this.#options
    log.write('warn', 'file ended its reader', { uri: file.uri, code: refusal.code })
    this.#progress.skip(file.uri, refusal)
    const contentHash = await worker.hash(file.path).catch((thrown: unknown) => {
      if (!isDeath(thrown)) throw thrown
      return undefined
    })
    // Without it there is no telling whether the file changed: it is tried again next time.
    if (contentHash === undefined) return
    const row = { contentHash, code: refusal.code, details: refusal.details, atMs: clock.wallMs() }
    await rows.commit([put(QUARANTINE, quarantineKey(this.#collection, file.document), row)])
  }

  // Keeping

  /** Makes the batch part of the collection: one commit. */
  async #commit(): Promise<void> {
    if (this.#batch.length === 0) return
    this.#check()
    const { worker, newSegment } = this.#options
    const segment = newSegment(this.#storage)
    const batch = this.#batch
    this.#batch = []
    this.#units = 0
    try {
      const { documents, chunks: plain } = await worker.batch()
      // A worker that was started anew in between knows nothing of the batch.
      if (documents.length !== batch.length) throw fault('child_died', { what: 'ingest', reason: 'it lost the batch' })
      const { chunks, sealing, space } = await this.#enrich.batch(segment, documents, plain)
      await worker.seal(segment, sealing)
      await this.#keep(
        segment,
        documents,
        chunks.map((row, at) => put(CHUNKS, chunkKey(segment, at), row)),
        space,
      )
    } catch (thrown) {
      if (!isDeath(thrown) || this.#signal.aborted) throw thrown
      await this.#sealApart(batch, thrown)
    }
  }

  /** Building the segment ended the process: half as much each time, down to the one document. */
  async #sealApart(batch: readonly Listed[], death: Parameters<typeof reasonForDeath>[0]): Promise<void> {
    const [only] = batch
    if (batch.length === 1 && only !== undefined)
      return await this.#quarantine(only, reasonForDeath(death, this.#options.fileTimeoutMs))
    const middle = batch.length >> 1
    for (const half of [batch.slice(0, middle), batch.slice(middle)]) {
      const queue = half.map((file): Listed => ({ ...file, care: 'alone' }))
      while (queue.length > 0) await this.#next(queue)
      await this.#commit()
    }
  }

  async #keep(
    segment: string,
    sealed: readonly SealedDocument[],
    chunkPuts: readonly Change[],
    space: string | undefined,
  ): Promise<void> {
    const { rows, collections, clock } = this.#options
    const documents = sealed.map((document): DocumentRow => ({ ...document, segment, ingestedAtMs: clock.wallMs() }))
    const chunkSum = documents.reduce((sum, { chunkCount }) => sum + chunkCount, 0)
    await collections.change(this.#storage, async (row) => {
      if (row.space !== space && row.segments.length > 0)
        throw fault('store_unavailable', { reason: `the collection ${this.#collection} was embedded anew meanwhile` })
      const former = await rows.getMany(
        DOCUMENTS,
        documents.map(({ id }) => documentKey(this.#storage, id)),
      )
      const replaced = former.flatMap((stored) => (stored === undefined ? [] : [stored.row]))
      return {
        row: {
          ...revised(row, replaced, documents, { segment, chunks: chunkSum, removed: [] }),
          ...(space === undefined ? {} : { space }),
        },
        changes: [
          ...chunkRemovals(replaced),
          ...chunkPuts,
          ...documents.map((document) => put(DOCUMENTS, documentKey(this.#storage, document.id), document)),
          put(INGESTS, ingestKey(this.#progress.row.run), this.#progress.row),
        ],
      }
    })
    const bytes = documents.reduce((sum, document) => sum + document.bytes, 0)
    this.#progress.count({ read: documents.length }, { bytes, chunks: chunkSum, documents: documents.length })
  }

  async #removeVanished(root: string, seen: ReadonlySet<string>, hidden: readonly string[]): Promise<void> {
    const { collections, rows } = this.#options
    const isHidden = (uri: string): boolean =>
      hidden.some((one) => uri === one || (one.endsWith('/') && uri.startsWith(one)))
    const inRoot = `${root}/`
    const vanished = await collections.documents(
      this.#storage,
      ({ id, uri }) => uri.startsWith(inRoot) && !seen.has(id) && !isHidden(uri),
    )
    for (let at = 0; at < vanished.length;) {
      this.#check()
      const page: DocumentRow[] = []
      for (let chunks = 0; at < vanished.length && chunks < REMOVED_CHUNKS_MAX; at++) {
        const document = vanished[at]
        if (document === undefined) break
        page.push(document)
        chunks += document.chunkCount + 1
      }
      await removeDocuments(
        rows,
        collections,
        this.#storage,
        page.map(({ id }) => id),
      )
      this.#progress.count({ removed: page.length })
    }
  }
}
