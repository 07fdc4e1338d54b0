import type { Clock } from '../../base/clock.ts'
import { type Problem, Refusal, refuse, sentenceOf } from '../../base/errors.ts'
import { isObject } from '../../base/json.ts'
import type { Log } from '../../base/log.ts'
import { Slots } from '../../base/slots.ts'
import type { FileRow } from '../../files/file.ts'
import type { Files } from '../../files/files.ts'
import { FILE_BYTES_MAX } from '../../parse/limits.ts'
import { type JobEnd, Jobs } from '../../store/jobs.ts'
import type { Job, Queue } from '../../store/queue.ts'
import { type Change, put, remove, type Rows, scanAll, type Stored } from '../../store/rows.ts'
import { collectionKey, COLLECTIONS, type Metadata } from '../document.ts'
import { storageOf } from '../generation/row.ts'
import type { Ingest } from '../ingest/ingest.ts'
import { uriOf } from '../sources.ts'
import { attachmentKey, type AttachmentRow, ATTACHMENTS } from './rows.ts'

/** Puts files that were sent into collections, each as a document under the file's own id. The file is
 *  read when its turn comes; what was asked for survives a crash. */

const QUEUE = 'attachments'
/** Files read at once, so that they are made durable together, and their bytes in memory. */
const AT_ONCE = 64
const BYTES_MAX = FILE_BYTES_MAX
/** Of our own trouble: a full disk, the index. */
const ATTEMPTS_MAX = 5
/** Where more is sent than can be kept. */
const FULL_MS = 1_000

export interface AttachmentsDependencies {
  readonly clock: Clock
  readonly rows: Rows
  readonly queue: Queue
  readonly log: Log
  readonly files: Pick<Files, 'find' | 'read'>
  readonly ingest: Pick<Ingest, 'push' | 'removeDocument'>
}

export interface Attached {
  readonly file: FileRow
  readonly attributes: Metadata
}

export class Attachments {
  readonly #dependencies: AttachmentsDependencies
  readonly #jobs: Jobs
  readonly #room = new Slots(() => BYTES_MAX)

  constructor(dependencies: AttachmentsDependencies) {
    this.#dependencies = dependencies
    const { queue, clock, log } = dependencies
    this.#jobs = new Jobs({ queue, clock, log, name: QUEUE, atOnce: AT_ONCE, work: (...job) => this.#work(...job) })
  }

  /** Durable when it resolves, together with `also`; the files arrive later. One that is there already is
   *  read anew. */
  async attach(
    collection: string,
    files: readonly Attached[],
    also: readonly Change[] = [],
  ): Promise<readonly AttachmentRow[]> {
    const { rows, clock } = this.#dependencies
    const begun = files.map(({ file, attributes }): AttachmentRow => ({
      collection,
      file: file.id,
      owner: file.owner,
      attributes,
      createdAtMs: clock.wallMs(),
      state: 'in_progress',
    }))
    await rows.commit([...also, ...begun.map((row) => put(ATTACHMENTS, attachmentKey(collection, row.file), row))])
    for (const row of begun) await this.#add(row)
    return begun
  }

  /** Of those that are still on their way. */
  async cancel(collection: string, files: readonly string[]): Promise<void> {
    const { rows } = this.#dependencies
    const stored = await rows.getMany(
      ATTACHMENTS,
      files.map((file) => attachmentKey(collection, file)),
    )
    for (const one of stored)
      if (one?.row.state === 'in_progress')
        await rows.commit([put(ATTACHMENTS, one.key, { ...one.row, state: 'cancelled' }, one.version)])
  }

  /** At the start, and now and then: takes up what was interrupted, and what the store took while it said
   *  that it did not. */
  async resume(): Promise<void> {
    for await (const { row } of scanAll(this.#dependencies.rows, ATTACHMENTS))
      if (row.state === 'in_progress') await this.#add(row)
  }

  stop(): Promise<void> {
    return this.#jobs.stop()
  }

  #add({ collection, file }: AttachmentRow): Promise<void> {
    return this.#jobs.add(`${collection}/${file}`, { collection, file })
  }

  async #work(job: Job, signal: AbortSignal): Promise<JobEnd> {
    const { rows } = this.#dependencies
    const { collection, file } = isObject(job.payload) ? job.payload : {}
    const stored = await rows.get(ATTACHMENTS, attachmentKey(String(collection), String(file)))
    if (stored?.row.state !== 'in_progress') return 'done'
    try {
      const problem = await this.#arrive(stored.row, signal)
      if (signal.aborted) return { againMs: 0, reason: 'stopped' }
      if (problem?.code === 'ingest_full') return { againMs: FULL_MS, reason: problem.code }
      return await this.#end(stored, problem)
    } catch (thrown) {
      if (signal.aborted || job.attempt < ATTEMPTS_MAX) throw thrown
      return await this.#end(stored, refuse('internal', { reason: 'the store or the index failed again and again' }))
    }
  }

  /** What kept it from arriving; undefined where it is searchable. */
  async #arrive(row: AttachmentRow, signal: AbortSignal): Promise<Problem | undefined> {
    const { rows, files, ingest } = this.#dependencies
    const { collection, owner } = row
    const file = await files.find(owner, row.file)
    if (file === undefined) return refuse('document_absent', { reason: `the file ${row.file} was removed` })
    if (file.bytes > FILE_BYTES_MAX) return refuse('document_too_large', { limitBytes: FILE_BYTES_MAX, detail: '' })
    // What is pushed would make it again.
    if ((await rows.get(COLLECTIONS, collectionKey(await storageOf(rows, collection)))) === undefined)
      return refuse('collection_unknown', { collection })
    const giveBack = await this.#room.take(file.bytes, signal)
    if (giveBack === undefined) return undefined
    try {
      const bytes = Buffer.concat(await Array.fromAsync(files.read(file)))
      const document = {
        id: file.id,
        uri: uriOf('files', file.id, file.name),
        bytes,
        metadata: row.attributes,
        // What a client does not know it calls this; the name then tells more.
        ...(file.mediaType === 'application/octet-stream' ? {} : { mediaType: file.mediaType }),
      }
      const kept = await ingest.push(collection, [document], { kind: 'file', source: file.id })
      if (kept instanceof Refusal) return kept
      return kept[0]?.status === 'refused' ? kept[0].problem : undefined
    } finally {
      giveBack()
    }
  }

  async #end({ key, row, version }: Stored<AttachmentRow>, problem: Problem | undefined): Promise<JobEnd> {
    const { rows, ingest } = this.#dependencies
    const change =
      problem === undefined
        ? remove(ATTACHMENTS, key, version)
        : put(
            ATTACHMENTS,
            key,
            { ...row, state: 'failed', problem: { code: problem.code, message: sentenceOf(problem) } },
            version,
          )
    // Cancelled, taken out or attached anew while it was read.
    if (!(await rows.commit([change])) && problem === undefined) {
      const now = await rows.get(ATTACHMENTS, key)
      if (now?.row.state === 'in_progress') return { againMs: 0, reason: 'attached anew' }
      await ingest.removeDocument(row.collection, row.file)
    }
    return 'done'
  }
}
