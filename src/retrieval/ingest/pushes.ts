import { sleep, type Timer } from '../../base/clock.ts'
import { Fault, fault, type Problem, reasonOf, Refusal, refuse } from '../../base/errors.ts'
import type { Provenance } from '../document.ts'
import { storageOf } from '../generation/row.ts'
import { hintedName } from '../media.ts'
import { tenantOf } from '../search/access.ts'
import { LETTER_UNITS_MAX, post } from './dead-letters.ts'
import type { Listed } from './listing.ts'
import { Run, type RunOptions } from './run.ts'
import { type SentDocument, sentText } from './sent.ts'
import { newRow, Progress } from './state.ts'

/** Documents that are sent one by one. What comes while others are made durable is made durable
 *  together: one segment, one commit. A document is acknowledged once it is durable and searchable. */

export type Kept =
  | { readonly id: string; readonly status: 'kept' | 'unchanged' }
  | { readonly id: string; readonly status: 'refused'; readonly problem: Problem }

export interface PushOptions {
  readonly run: RunOptions
  /** Of what was sent and is not durable, in all. */
  readonly documentsMax: number
  readonly bytesMax: number
  /** A document waits this long for others to come, unless as many are there as one commit takes. */
  readonly waitMs: number
  /** A collection has more than it had. */
  readonly onKept: (collection: string) => void
}

/** Documents of one commit: about half a second of reading. */
const GROUP_DOCUMENTS_MAX = 1_000
const GROUP_BYTES_MAX = 16 * 2 ** 20
/** Nothing was sent for so long: time for what would hold senders up. */
const QUIET_MS = 2_000
/** When to send again what found no room. */
const RETRY_MS = 1_000

interface Waiting {
  readonly collection: string
  readonly document: SentDocument
  readonly origin: Provenance
  readonly sinceMs: number
  readonly kept: (outcome: Kept) => void
  readonly failed: (cause: unknown) => void
}

export class Pushes {
  readonly #options: PushOptions
  readonly #stop = new AbortController()
  #queue: Waiting[] = []
  /** Waiting or at work. */
  #documents = 0
  #bytes = 0
  #working: Promise<void> | undefined
  /** Collections that have had documents since they were last seen to. */
  readonly #stirred = new Set<string>()
  #rest: Timer | undefined
  #filled = new AbortController()

  constructor(options: PushOptions) {
    this.#options = options
  }

  /** Resolves once all are durable or refused, in their order. A refusal (`ingest_full`): none was
   *  taken. Rejects with a `Fault` where what was taken could not be kept: some of it may be. */
  async take(
    collection: string,
    documents: readonly SentDocument[],
    origin: Provenance = { kind: 'push', source: 'push' },
  ): Promise<readonly Kept[] | Refusal> {
    if (this.#stop.signal.aborted) return refuse('stopping', {})
    const { documentsMax, bytesMax, run } = this.#options
    const bytes = documents.reduce((sum, one) => sum + one.bytes.length, 0)
    // What is too much by itself must get through when nothing else waits.
    if (this.#documents > 0) {
      const full = (limit: string, field: string): Refusal =>
        refuse('ingest_full', { limit, field, retryAfterMs: RETRY_MS })
      if (this.#documents + documents.length > documentsMax)
        return full(`${documentsMax} documents`, 'pushDocumentsMax')
      if (this.#bytes + bytes > bytesMax) return full(`${bytesMax} bytes`, 'pushMiBMax')
    }
    this.#documents += documents.length
    this.#bytes += bytes
    const sinceMs = run.clock.monotonicMs()
    const outcomes = documents.map(
      (document) =>
        new Promise<Kept>((kept, failed) => this.#queue.push({ collection, document, origin, sinceMs, kept, failed })),
    )
    if (this.#queue.length >= GROUP_DOCUMENTS_MAX) this.#filled.abort()
    this.#rest?.cancel()
    this.#working ??= this.#work()
    try {
      return await Promise.all(outcomes)
    } finally {
      this.#documents -= documents.length
      this.#bytes -= bytes
    }
  }

  /** What is not durable is not acknowledged. */
  async stop(): Promise<void> {
    this.#stop.abort()
    this.#filled.abort()
    this.#rest?.cancel()
    await this.#working
  }

  async #work(): Promise<void> {
    for (let first = this.#queue[0]; first !== undefined; first = this.#queue[0]) {
      await this.#gather(first.sinceMs)
      const group = this.#group(first.collection)
      try {
        if (this.#stop.signal.aborted) throw fault('stopping', {})
        await this.#keepTwice(first.collection, group)
      } catch (thrown) {
        for (const { failed } of group) failed(thrown)
      }
    }
    this.#working = undefined
    if (this.#stirred.size > 0 && !this.#stop.signal.aborted)
      this.#rest = this.#options.run.clock.after(QUIET_MS, () => {
        this.#working ??= this.#tidy()
      })
  }

  /** What comes meanwhile waits: a collection that changes cannot be embedded as a whole. */
  async #tidy(): Promise<void> {
    for (const collection of this.#stirred) {
      this.#stirred.delete(collection)
      try {
        await (await this.#run(collection)).run.tidy()
      } catch (thrown) {
        this.#warn(collection, thrown)
      }
    }
    await this.#work()
  }

  /** Once more where a run gave the collection other vectors at the same moment. */
  async #keepTwice(collection: string, group: readonly Waiting[]): Promise<void> {
    try {
      await this.#keep(collection, group)
    } catch (thrown) {
      if (!(thrown instanceof Fault) || thrown.code !== 'store_unavailable') throw thrown
      await this.#keep(collection, group)
    }
  }

  async #run(collection: string): Promise<{ readonly run: Run; readonly storage: string }> {
    const { run: options } = this.#options
    const row = newRow({ run: 'push', collection, path: 'push' }, options.clock.wallMs())
    const storage = await storageOf(options.rows, collection)
    const target = { storage, recipe: await options.recipes.toRead(storage) }
    return { storage, run: new Run(options, new Progress(row, () => {}, false), target, this.#stop.signal) }
  }

  #warn(collection: string, thrown: unknown): void {
    const { log } = this.#options.run
    log.write('warn', 'a collection was not tidied up', { collection, reason: reasonOf(thrown) })
  }

  async #gather(sinceMs: number): Promise<void> {
    const { run, waitMs } = this.#options
    const restMs = sinceMs + waitMs - run.clock.monotonicMs()
    if (restMs <= 0 || this.#queue.length >= GROUP_DOCUMENTS_MAX || this.#stop.signal.aborted) return
    this.#filled = new AbortController()
    await sleep(run.clock, restMs, this.#filled.signal)
  }

  /** Takes the next of a collection off the queue; of one document only its first version. */
  #group(collection: string): Waiting[] {
    const group: Waiting[] = []
    const ids = new Set<string>()
    const left: Waiting[] = []
    let bytes = 0
    for (const [at, one] of this.#queue.entries()) {
      const isNext =
        one.collection === collection &&
        !ids.has(one.document.id) &&
        (group.length === 0 || (group.length < GROUP_DOCUMENTS_MAX && bytes < GROUP_BYTES_MAX))
      if (!isNext) {
        left.push(one)
        // A later version of what is left must not overtake it.
        if (one.collection === collection) ids.add(one.document.id)
        if (group.length >= GROUP_DOCUMENTS_MAX) {
          left.push(...this.#queue.slice(at + 1))
          break
        }
        continue
      }
      group.push(one)
      ids.add(one.document.id)
      bytes += one.document.bytes.length
    }
    this.#queue = left
    return group
  }

  async #keep(collection: string, group: readonly Waiting[]): Promise<void> {
    const { run: options } = this.#options
    const { run, storage } = await this.#run(collection)
    const left = await run.take(group.map(listed))
    if (left instanceof Refusal) throw new Fault(left.code, left.details)
    // Another generation answers by now, which knows nothing of what was kept.
    if ((await storageOf(options.rows, collection)) !== storage) return await this.#keep(collection, group)
    const letters = group.flatMap(({ document }) => {
      const problem = left.get(document.id)
      if (problem === undefined) return []
      const sent = sentText(document)
      return [
        {
          document: document.id,
          uri: document.uri,
          ...tenantOf(document),
          problem,
          ...(sent.length > LETTER_UNITS_MAX ? {} : { from: { sent } }),
        },
      ]
    })
    if (letters.length > 0) await post(options.rows, collection, letters, [], options.clock.wallMs())
    for (const { document, kept } of group) kept(outcomeOf(document.id, left))
    this.#stirred.add(collection)
    this.#options.onKept(collection)
    try {
      await run.compact()
    } catch (thrown) {
      this.#warn(collection, thrown)
    }
  }
}

function outcomeOf(id: string, left: ReadonlyMap<string, Problem | undefined>): Kept {
  if (!left.has(id)) return { id, status: 'kept' }
  const problem = left.get(id)
  return problem === undefined ? { id, status: 'unchanged' } : { id, status: 'refused', problem }
}

const listed = ({
  document: { id, uri, bytes, title, mediaType, metadata, trust = 'internal' },
  origin,
}: Waiting): Listed => ({
  document: id,
  uri,
  name: hintedName(decodeURIComponentSafely(uri.slice(uri.lastIndexOf('/') + 1)), mediaType),
  about: {
    trust,
    provenance: origin,
    ...(title === undefined ? {} : { title }),
    ...(metadata === undefined ? {} : { metadata }),
  },
  care: 'group',
  read: async () => ({ bytes }),
})

function decodeURIComponentSafely(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
