import type { Clock } from '../../base/clock.ts'
import { fault, reasonOf, Refusal, refuse, sentenceOf } from '../../base/errors.ts'
import type { Log } from '../../base/log.ts'
import { put, remove, scanAll } from '../../store/rows.ts'
import { collectionKey, COLLECTIONS, type CollectionRow, DOCUMENTS } from '../document.ts'
import { MOVED_CHUNKS_MAX, wantsVectors } from '../ingest/revector.ts'
import { copy, type CopyOptions, removeGone } from './copy.ts'
import { countMissing } from './difference.ts'
import {
  FIRST,
  type Generation,
  GENERATIONS,
  generationsKey,
  type GenerationsRow,
  storageName,
  storageOf,
} from './row.ts'

/** Makes generations, keeps them level with the one that answers, and says which one that is. */

export interface GenerationsOptions extends CopyOptions {
  readonly clock: Clock
  readonly log: Log
  /** Whether a run is reading into the collection. */
  readonly isReading: (collection: string) => boolean
  /** Removes everything under a storage. */
  readonly dropStorage: (storage: string) => Promise<void>
}

/** Beside the live one. Each costs as much as the collection. */
const GENERATIONS_MAX = 4
const ATTEMPTS_MAX = 20

export interface ShownGeneration extends Omit<Generation, 'storage'> {
  readonly live: boolean
  readonly former: boolean
  readonly documents: number
  readonly chunks: number
  /** Documents of the one that answers: so many are to be taken over. */
  readonly documentsInAll: number
  /** Documents that have to be read again from their source to be cut as this generation has it. */
  readonly cutBefore: number
}

/** How a generation is made. */
export interface Making {
  /** It answers as soon as it is ready. */
  readonly switchWhenReady?: boolean
  /** Why, where nobody asked for it. */
  readonly because?: string
}

export class Generations {
  readonly #options: GenerationsOptions
  readonly #stop = new AbortController()
  /** Of each collection: one copy at a time, and another one after it where something came since. */
  readonly #copying = new Map<string, { again: boolean; readonly done: Promise<void> }>()

  constructor(options: GenerationsOptions) {
    this.#options = options
  }

  /** Undefined where there is no such collection. */
  async list(collection: string): Promise<ShownGeneration[] | undefined> {
    const row = await this.#row(collection)
    if (row === undefined) return undefined
    const held = new Map<string, CollectionRow | undefined>()
    for (const { id, storage } of row.all)
      held.set(id, (await this.#options.rows.get(COLLECTIONS, collectionKey(storage)))?.row)
    const shown: ShownGeneration[] = []
    for (const { storage, ...generation } of row.all) {
      const { documents = 0, chunks = 0, cutBefore = 0 } = held.get(generation.id) ?? {}
      shown.push({
        ...generation,
        recipe: await this.#options.recipes.of(storage),
        live: generation.id === row.live,
        former: generation.id === row.former,
        documents,
        chunks,
        documentsInAll: held.get(row.live)?.documents ?? 0,
        cutBefore,
      })
    }
    return shown
  }

  /** A generation of what the configuration now says, durable when resolved; it is built in the
   *  background and goes on after a stop. */
  async create(collection: string, { switchWhenReady = false, because }: Making = {}): Promise<Refusal | string> {
    const { clock, embeddings, recipes, rows } = this.#options
    const embedding = embeddings.configured(collection)
    const recipe = recipes.configured(collection)
    // From now on it is held to what it is and no more to the configuration.
    const first = await recipes.of(await storageOf(rows, collection))
    const made = await this.#change(collection, (row) => {
      if (row.all.length > GENERATIONS_MAX)
        return refuse('overloaded', { what: 'the number of generations', limit: GENERATIONS_MAX })
      const id = `g${Math.max(...row.all.map((one) => Number(one.id.slice(1)))) + 1}`
      const storage = storageName(collection, id)
      const next: Generation = {
        id,
        storage,
        embedding,
        recipe,
        state: 'building',
        createdAtMs: clock.wallMs(),
        ...(because === undefined ? {} : { because }),
        ...(switchWhenReady ? { switchWhenReady: true } : {}),
      }
      const all = row.all.map((one) => (one.id === row.live ? { ...one, recipe: one.recipe ?? first } : one))
      return { ...row, all: [...all, next] }
    })
    if (!('all' in made)) return made
    this.follow(collection)
    return made.all.at(-1)?.id ?? ''
  }

  /** Sees to a collection that is to have other vectors and is too large to get them as a whole: beside
   *  itself it gets them batch by batch, and then answers from there. */
  async renew(collection: string): Promise<void> {
    const { rows, embeddings } = this.#options
    const held = (await rows.get(COLLECTIONS, collectionKey(await storageOf(rows, collection))))?.row
    const { movedChunksMax = MOVED_CHUNKS_MAX } = this.#options
    if (held === undefined || held.chunks <= movedChunksMax || !(await wantsVectors(embeddings, held))) return
    await this.replace(collection, 'its passages lack the vectors that the configuration asks for')
  }

  /** Makes a generation that takes the place of the live one, unless one is being made. */
  async replace(collection: string, because: string): Promise<void> {
    const row = await this.#row(collection)
    if (row === undefined || row.all.some((one) => one.switchWhenReady === true)) return
    const made = await this.create(collection, { switchWhenReady: true, because })
    const { log } = this.#options
    if (made instanceof Refusal) log.write('warn', 'no generation made', { collection, reason: sentenceOf(made) })
    else log.write('info', 'a generation is made', { collection, generation: made, because })
  }

  /** Documents of a generation that have to be read again from their source, in the order of their ids. */
  async cutBefore(collection: string, id: string, limit: number, after?: string): Promise<string[] | undefined> {
    const storage = (await this.#row(collection))?.all.find((one) => one.id === id)?.storage
    if (storage === undefined) return undefined
    const found: string[] = []
    for await (const { row } of scanAll(this.#options.rows, DOCUMENTS, collectionKey(storage))) {
      if (found.length === limit) break
      if (row.cutBefore === true && (after === undefined || row.id > after)) found.push(row.id)
    }
    return found
  }

  /** Makes another generation answer, in one commit. Refused while it lacks documents. */
  async activate(collection: string, id: string): Promise<Refusal | undefined> {
    return await this.#switch(collection, id, true)
  }

  /** Makes the one answer that answered before. What came since is taken over afterwards; what was
   *  removed since stays removed. */
  async rollback(collection: string): Promise<Refusal | string> {
    const row = await this.#row(collection)
    if (row === undefined) return refuse('collection_unknown', { collection })
    if (row.former === undefined) return refuse('not_found', { what: 'former generation', id: collection })
    return (await this.#switch(collection, row.former, false)) ?? row.former
  }

  async drop(collection: string, id: string): Promise<Refusal | undefined> {
    const dropped = await this.#forgetOne(collection, id)
    await this.#copying.get(collection)?.done
    if (dropped instanceof Refusal) return dropped
    await this.#options.dropStorage(dropped)
    return undefined
  }

  /** Resolves to its storage. */
  async #forgetOne(collection: string, id: string): Promise<Refusal | string> {
    const before = await this.#row(collection)
    const dropped = before?.all.find((one) => one.id === id)
    const changed = await this.#change(collection, (row) => {
      if (!row.all.some((one) => one.id === id)) return refuse('not_found', { what: 'generation', id })
      if (row.live === id) return notReady(collection, id, 'it is the one that answers')
      const { former, ...rest } = row
      const all = row.all.filter((one) => one.id !== id)
      return former === undefined || former === id ? { ...rest, all } : { ...rest, former, all }
    })
    return 'all' in changed ? (dropped?.storage ?? '') : changed
  }

  /** Something in the live generation has changed: the others follow. */
  follow(collection: string): void {
    const running = this.#copying.get(collection)
    if (running !== undefined) {
      running.again = true
      return
    }
    if (this.#stop.signal.aborted) return
    const state = { again: true, done: Promise.resolve() }
    state.done = this.#copyWhile(collection, state).finally(() => this.#copying.delete(collection))
    this.#copying.set(collection, state)
  }

  /** Everywhere at once: a removed document answers in no generation. */
  async storages(collection: string): Promise<string[]> {
    return (
      (await this.#options.rows.get(GENERATIONS, generationsKey(collection)))?.row.all.map(
        ({ storage }) => storage,
      ) ?? [collection]
    )
  }

  /** The collection is gone. */
  async forget(collection: string): Promise<void> {
    await this.#options.rows.commit([remove(GENERATIONS, generationsKey(collection))])
  }

  /** Once, after collections are mounted: goes on with what a stop interrupted. */
  async resume(): Promise<void> {
    for await (const { row } of scanAll(this.#options.rows, GENERATIONS))
      if (row.all.length > 1) this.follow(row.collection)
  }

  /** Resolves when nothing is copied any more. */
  async idle(): Promise<void> {
    while (this.#copying.size > 0) await Promise.all(this.#copying.values().map(({ done }) => done))
  }

  async stop(): Promise<void> {
    this.#stop.abort(fault('stopping', {}))
    await this.idle()
  }

  async #switch(collection: string, id: string, whole: boolean): Promise<Refusal | undefined> {
    const row = await this.#row(collection)
    if (row === undefined) return refuse('collection_unknown', { collection })
    const [from, to] = [row.live, id].map((one) => row.all.find((generation) => generation.id === one))
    if (from === undefined || to === undefined) return refuse('not_found', { what: 'generation', id })
    if (from === to) return undefined
    if (whole && this.#options.isReading(collection))
      return notReady(collection, id, 'the collection is being read right now')
    const missing = whole ? await countMissing(this.#options.rows, from.storage, to.storage) : 0
    if (missing > 0)
      return notReady(collection, id, `it lacks ${missing} documents${to.reason ? `: ${to.reason}` : ''}`)
    await removeGone(this.#options, from.storage, to.storage)
    const switched = await this.#change(collection, (now) =>
      now.live === row.live && now.all.some((one) => one.id === id)
        ? { ...now, live: id, former: row.live, all: now.all.map((one) => (one.id === id ? settled(one) : one)) }
        : notReady(collection, id, 'the generations were changed by somebody else at the same moment'),
    )
    if (!('all' in switched)) return switched
    this.follow(collection)
    return undefined
  }

  async #copyWhile(collection: string, state: { again: boolean }): Promise<void> {
    // Not in the same turn: whoever follows has not been entered yet.
    await Promise.resolve()
    while (state.again && !this.#stop.signal.aborted) {
      state.again = false
      const row = await this.#row(collection).catch(() => undefined)
      for (const { id } of row?.all ?? []) {
        // One of them may have taken the place of the live one, or be gone.
        const now = await this.#row(collection).catch(() => undefined)
        const [live, other] = [now?.live, id].map((wanted) => now?.all.find((one) => one.id === wanted))
        if (live !== undefined && other !== undefined && live !== other) await this.#copy(collection, live, other)
      }
    }
  }

  async #copy(collection: string, live: Generation, { id, storage, switchWhenReady }: Generation): Promise<void> {
    try {
      await copy(this.#options, live.storage, storage, this.#stop.signal)
      if ((await countMissing(this.#options.rows, live.storage, storage)) > 0) return this.follow(collection)
      await this.#mark(collection, id, 'ready')
      if (switchWhenReady === true) await this.#take(collection, id)
    } catch (thrown) {
      if (this.#stop.signal.aborted) return
      const reason = reasonOf(thrown)
      this.#options.log.write('error', 'a generation cannot be built', { collection, generation: id, reason })
      await this.#mark(collection, id, 'failed', reason).catch(() => {})
    }
  }

  /** What was made without being asked for and does not answer any more, nor did before this one, goes. */
  async #take(collection: string, id: string): Promise<void> {
    const refusal = await this.#switch(collection, id, true)
    // It is tried again after what is being read, or came in between.
    if (refusal !== undefined) return
    const row = await this.#row(collection)
    for (const one of row?.all ?? []) {
      if (one.id === row?.live || one.id === row?.former || one.because === undefined) continue
      const dropped = await this.#forgetOne(collection, one.id)
      if (!(dropped instanceof Refusal)) await this.#options.dropStorage(dropped)
    }
  }

  async #mark(collection: string, id: string, state: Generation['state'], reason?: string): Promise<void> {
    await this.#change(collection, (row) => ({
      ...row,
      all: row.all.map((one) => {
        if (one.id !== id) return one
        const { reason: _, ...rest } = one
        return { ...rest, state, ...(reason === undefined ? {} : { reason }) }
      }),
    }))
  }

  /** As it stands, or as a collection has it that never had another one. */
  async #row(collection: string): Promise<GenerationsRow | undefined> {
    const { rows, embeddings, clock } = this.#options
    const stored = await rows.get(GENERATIONS, generationsKey(collection))
    if (stored !== undefined) return stored.row
    const held = (await rows.get(COLLECTIONS, collectionKey(collection)))?.row
    if (held === undefined) return undefined
    const embedding = await embeddings.held(held)
    const first = { id: FIRST, storage: collection, embedding, state: 'ready', createdAtMs: clock.wallMs() } as const
    return { collection, live: FIRST, all: [first] }
  }

  async #change(
    collection: string,
    plan: (row: GenerationsRow) => GenerationsRow | Refusal,
  ): Promise<GenerationsRow | Refusal> {
    const { rows } = this.#options
    for (let attempt = 1; attempt <= ATTEMPTS_MAX; attempt++) {
      const version = (await rows.get(GENERATIONS, generationsKey(collection)))?.version ?? 0
      const row = await this.#row(collection)
      if (row === undefined) return refuse('collection_unknown', { collection })
      const next = plan(row)
      if (!('all' in next)) return next
      if (await rows.commit([put(GENERATIONS, generationsKey(collection), next, version)])) return next
    }
    throw fault('store_unavailable', { reason: `the generations of ${collection} are being changed without a pause` })
  }
}

/** Once it answers it does not take the place of another by itself. */
function settled(generation: Generation): Generation {
  const { switchWhenReady: _, ...rest } = generation
  return rest
}

const notReady = (collection: string, generation: string, reason: string): Refusal =>
  refuse('generation_not_ready', { collection, generation, reason })
