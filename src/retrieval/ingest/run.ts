import type { Clock } from '../../base/clock.ts'
import { fault, type Problem, Refusal } from '../../base/errors.ts'
import type { Log } from '../../base/log.ts'
import { put, type Change } from '../../store/rows.ts'
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
import type { Recipe } from '../recipe.ts'
import type { Recipes } from '../generation/recipes.ts'
import { PARSE_MS_MAX } from '../../parse/limits.ts'
import { documentId } from '../sources.ts'
import { chunkRemovals, type Collections, removeDocuments, revised, type Segment } from './collections.ts'
import { rewrite } from './compact.ts'
import { DEAD_LETTERS, letterKey } from './dead-letters.ts'
import { Enrich } from './enrich.ts'
import { fetchAll, grouped, sent } from './fetch.ts'
import { isSameAbout, type Listed, Lister, mayBeSameAbout, type ListingOptions } from './listing.ts'
import { Outcomes } from './outcomes.ts'
import { type Added, type IngestWorker, type SealedDocument } from './port.ts'
import { isDeath, QUARANTINE, QUARANTINE_MS, quarantineKey, reasonForDeath } from './quarantine.ts'
import { revector } from './revector.ts'
import { ingestKey, INGESTS, type Progress } from './state.ts'
import { segmentsToMerge } from './tiers.ts'

export interface RunOptions extends ListingOptions {
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
  /** Of a segment that is not rewritten any more. */
  readonly fullChunks: number
  /** Without it collections are searched by words alone. */
  readonly embeddings?: Embeddings
  /** Without it chunks are searched as they stand. */
  readonly contexts?: Contexts
  readonly recipes: Recipes
  /** Default: `MOVED_CHUNKS_MAX`. */
  readonly movedChunksMax?: number
}

/** The generation that is read into. */
export interface Target {
  readonly storage: string
  readonly recipe: Recipe
}

export const FILE_TIMEOUT_MS = PARSE_MS_MAX + 15_000

/** Files handed to the worker at once. */
const GROUP_FILES = 32
/** Chunk rows removed by one commit. */
const REMOVED_CHUNKS_MAX = 20_000

/** One reading of a source into a collection. What it commits, it commits batch by batch; taken up
 *  again after a stop it meets what is done as unchanged. */
export class Run {
  readonly #options: RunOptions
  readonly #collection: string
  /** Where its live generation is held. */
  readonly #storage: string
  readonly #recipe: Recipe
  readonly #progress: Progress
  readonly #signal: AbortSignal
  /** In the worker's batch and not committed. */
  #batch: Listed[] = []
  #units = 0
  readonly #outcomes: Outcomes
  readonly #enrich: Enrich

  constructor(options: RunOptions, progress: Progress, { storage, recipe }: Target, signal: AbortSignal) {
    this.#options = options
    this.#storage = storage
    this.#recipe = recipe
    this.#enrich = new Enrich(options, storage, recipe, signal)
    this.#collection = progress.row.collection
    this.#progress = progress
    this.#signal = signal
    this.#outcomes = new Outcomes(options, progress, storage)
  }

  /** Resolves to a refusal where the source cannot be read at all. Rejects with a `Fault` of the
   *  store, the index or the source, and when the signal aborts (`stopping`). */
  async go(): Promise<Refusal | undefined> {
    const refused = await this.#admit()
    if (refused !== undefined) return refused
    const listing = await new Lister(this.#options, this.#progress, this.#signal, (uri, problem) =>
      this.#outcomes.refuse({ document: documentId(uri), uri }, problem),
    ).open()
    if (listing instanceof Refusal) return listing
    try {
      await this.#options.worker.discard()
      await this.#read(listing.files)
      if (listing.isGone !== undefined) {
        if (this.#progress.row.replay === undefined) await this.#removeVanished(listing.isGone)
        await this.#outcomes.forget(listing)
        await this.#outcomes.keep(true)
      }
    } finally {
      await listing.close()
    }
    await this.tidy()
    return undefined
  }

  /** Reads what was sent, and makes it durable. Resolves to what was not kept, and why: by document,
   *  undefined where it is there as it is; or to why nothing can be taken. */
  async take(files: readonly Listed[]): Promise<ReadonlyMap<string, Problem | undefined> | Refusal> {
    const refused = await this.#admit()
    if (refused !== undefined) return refused
    await this.#options.worker.discard()
    await this.#read(files)
    return this.#outcomes.left
  }

  /** Merges small segments until none are left to merge. */
  async compact(): Promise<void> {
    const merge = (row: CollectionRow): Segment[] => segmentsToMerge(row, this.#options.fullChunks)
    while (await rewrite(this.#options, this.#storage, merge, this.#signal)) this.#check()
  }

  /** As `compact`, and sees to vectors that the collection lacks, which may take long. */
  async tidy(): Promise<void> {
    await this.compact()
    const { embeddings } = this.#options
    if (embeddings !== undefined) await revector({ ...this.#options, embeddings }, this.#storage, this.#signal)
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

  // Reading

  async #read(files: Iterable<Listed> | AsyncIterable<Listed>): Promise<void> {
    for await (const group of grouped(files, GROUP_FILES)) {
      const queue = await this.#known(group)
      while (queue.length > 0) {
        this.#check()
        await this.#next(queue)
        if (this.#isFull()) await this.#commit()
      }
      await this.#outcomes.keep(this.#batch.length === 0)
    }
    await this.#commit()
    await this.#outcomes.keep(true)
  }

  #isFull(): boolean {
    const { batchUnitsMax, batchDocumentsMax } = this.#options
    return this.#units >= batchUnitsMax || this.#batch.length >= batchDocumentsMax
  }

  /** With what is known of each from before. */
  async #known(files: readonly Listed[]): Promise<Listed[]> {
    const { rows, clock } = this.#options
    const { replay } = this.#progress.row
    const [documents, quarantines, letters] = await Promise.all([
      rows.getMany(
        DOCUMENTS,
        files.map(({ document }) => documentKey(this.#storage, document)),
      ),
      rows.getMany(
        QUARANTINE,
        files.map(({ document }) => quarantineKey(this.#collection, document)),
      ),
      rows.getMany(
        DEAD_LETTERS,
        files.map(({ document }) => letterKey(this.#collection, document)),
      ),
    ])
    const known = files.map((file, at): Listed => {
      const former = documents[at]?.row
      const quarantined = quarantines[at]?.row
      const isDead = letters[at] !== undefined
      if (replay === undefined && quarantined !== undefined && clock.wallMs() - quarantined.atMs < QUARANTINE_MS)
        return { ...file, isDead, quarantined, knownHash: quarantined.contentHash }
      if (former === undefined) return { ...file, isDead }
      const formerVersion = documents[at]?.version ?? 0
      // What could not be cut as this generation has it is read again.
      if (former.cutBefore === true) return { ...file, isDead, former, formerVersion }
      const isSame = (file.read === undefined ? isSameAbout : mayBeSameAbout)(former, file.about)
      const same = isSame ? { knownHash: former.contentHash } : {}
      return { ...file, isDead, former, formerVersion, ...same }
    })
    if (replay === undefined) return known
    return known.filter(({ document, isDead }) => isDead === true && (replay === true || replay === document))
  }

  /** Reads the next of the queue and takes it off. When the process dies, what it held goes back,
   *  each file to be tried alone: the one that kills it alone is put into quarantine. */
  async #next(queue: Listed[]): Promise<void> {
    const { worker, fileTimeoutMs } = this.#options
    const { chunking } = this.#recipe
    const first = queue[0]
    if (first === undefined) return
    const wanted = first.care === 'group' ? queue.filter(({ care }) => care === 'group') : [first]
    const group = await this.#ready(queue, wanted)
    const [leader] = group
    if (leader === undefined) return
    try {
      if (leader.care === 'probe') {
        const answer = await worker.probe(sent(leader, chunking), fileTimeoutMs)
        queue.shift()
        delete leader.bytes
        if (answer.status === 'added') queue.push({ ...leader, care: 'alone' })
        else this.#settle(leader, answer)
        return
      }
      // A group gets the time of one: when that is too short they are tried one by one.
      const answers = await worker.add(
        group.map((file) => sent(file, chunking)),
        fileTimeoutMs,
      )
      for (const [at, answer] of answers.entries()) this.#settle(group[at] ?? leader, answer)
      const done = new Set(group.slice(0, answers.length))
      queue.splice(0, queue.length, ...queue.filter((file) => !done.has(file)))
    } catch (thrown) {
      if (!isDeath(thrown) || this.#signal.aborted) throw thrown
      const lost = this.#batch.map((file): Listed => ({ ...file, care: 'alone' }))
      this.#batch = []
      this.#units = 0
      const left = queue.filter((file) => !group.includes(file))
      if (group.length === 1) await this.#quarantine(leader, reasonForDeath(thrown, fileTimeoutMs))
      const suspects = group.length === 1 ? [] : group.map((file): Listed => ({ ...file, care: 'probe' }))
      queue.splice(0, queue.length, ...lost, ...suspects, ...left)
    }
  }

  /** What the worker can be given of them; what need not be read, or cannot, is taken off the queue. */
  async #ready(queue: Listed[], wanted: readonly Listed[]): Promise<readonly Listed[]> {
    const { ready, settled } = await fetchAll(wanted, this.#signal)
    for (const [file, answer] of settled) {
      queue.splice(queue.indexOf(file), 1)
      this.#settle(file, answer)
    }
    return ready
  }

  #settle(file: Listed, answer: Added): void {
    delete file.bytes
    if (answer.status === 'unchanged' && file.quarantined !== undefined)
      return this.#outcomes.refuse(file, new Refusal(file.quarantined.code, file.quarantined.details))
    if (answer.status !== 'refused') this.#outcomes.readable(file)
    if (answer.status === 'unchanged') {
      this.#outcomes.unchanged(file)
      // Taken up again after a stop: what this run committed before is its own work. Not what the
      // run before it committed in the millisecond that this one began in.
      const mine = (file.former?.ingestedAtMs ?? 0) > this.#progress.row.startedAtMs ? file.former : undefined
      if (mine === undefined) return this.#progress.count({ unchanged: 1 })
      return this.#progress.count({ read: 1 }, { bytes: mine.bytes, chunks: mine.chunkCount, documents: 1 })
    }
    // A document whose file became unreadable goes on answering as it was: the file is still there.
    if (answer.status === 'refused') return this.#outcomes.refuse(file, new Refusal(answer.code, answer.details))
    this.#batch.push(file)
    this.#units += answer.units
    if (answer.note !== undefined) this.#progress.note(file.uri, answer.note)
  }

  async #quarantine(file: Listed, refusal: Refusal): Promise<void> {
    const { rows, worker, clock, log } = this.#options
    log.write('warn', 'file ended its reader', { uri: file.uri, code: refusal.code })
    this.#outcomes.refuse(file, refusal)
    const contentHash =
      file.contentHash ??
      (await worker.hash(file.path ?? '').catch((thrown: unknown) => {
        if (!isDeath(thrown)) throw thrown
        return undefined
      }))
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
          ...(row.documents === 0 ? { recipe: this.#recipe } : {}),
        },
        changes: [
          ...chunkRemovals(replaced),
          ...chunkPuts,
          ...documents.map((document) => put(DOCUMENTS, documentKey(this.#storage, document.id), document)),
          ...(this.#progress.isKept ? [put(INGESTS, ingestKey(this.#progress.row.run), this.#progress.row)] : []),
        ],
      }
    })
    const bytes = documents.reduce((sum, document) => sum + document.bytes, 0)
    this.#progress.count({ read: documents.length }, { bytes, chunks: chunkSum, documents: documents.length })
  }

  async #removeVanished(isGone: (row: DocumentRow) => boolean): Promise<void> {
    const { collections, rows } = this.#options
    const vanished = await collections.documents(this.#storage, isGone)
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
