import type { Clock } from '../../base/clock.ts'
import { fault, reasonOf, type Refusal, refuse } from '../../base/errors.ts'
import type { Log } from '../../base/log.ts'
import { put, remove, scanAll } from '../../store/rows.ts'
import { collectionKey, COLLECTIONS } from '../document.ts'
import { copy, type CopyOptions, difference, removeGone } from './copy.ts'
import { FIRST, type Generation, GENERATIONS, generationsKey, type GenerationsRow, storageName } from './row.ts'

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
    const shown: ShownGeneration[] = []
    for (const { storage, ...generation } of row.all) {
      const held = (await this.#options.rows.get(COLLECTIONS, collectionKey(storage)))?.row
      shown.push({
        ...generation,
        live: generation.id === row.live,
        former: generation.id === row.former,
        documents: held?.documents ?? 0,
        chunks: held?.chunks ?? 0,
      })
    }
    return shown
  }

  /** A generation of what the configuration now says, durable when resolved; it is built in the
   *  background and goes on after a stop. */
  async create(collection: string): Promise<Refusal | string> {
    const { clock, embeddings } = this.#options
    const embedding = embeddings.configured(collection)
    const made = await this.#change(collection, (row) => {
      if (row.all.length > GENERATIONS_MAX)
        return refuse('overloaded', { what: 'the number of generations', limit: GENERATIONS_MAX })
      const id = `g${Math.max(...row.all.map((one) => Number(one.id.slice(1)))) + 1}`
      const storage = storageName(collection, id)
      const next: Generation = { id, storage, embedding, state: 'building', createdAtMs: clock.wallMs() }
      return { ...row, all: [...row.all, next] }
    })
    if (!('all' in made)) return made
    this.follow(collection)
    return made.all.at(-1)?.id ?? ''
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
    const before = await this.#row(collection)
    const dropped = before?.all.find((one) => one.id === id)
    const changed = await this.#change(collection, (row) => {
      if (!row.all.some((one) => one.id === id)) return refuse('not_found', { what: 'generation', id })
      if (row.live === id) return notReady(collection, id, 'it is the one that answers')
      const { former, ...rest } = row
      const all = row.all.filter((one) => one.id !== id)
      return former === undefined || former === id ? { ...rest, all } : { ...rest, former, all }
    })
    if (!('all' in changed)) return changed
    await this.#copying.get(collection)?.done
    if (dropped !== undefined) await this.#options.dropStorage(dropped.storage)
    return undefined
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
    const found = await difference(this.#options, from.storage, to.storage)
    if (whole && found.missing.length > 0)
      return notReady(collection, id, `it lacks ${found.missing.length} documents${to.reason ? `: ${to.reason}` : ''}`)
    await removeGone(this.#options, to.storage, found)
    const switched = await this.#change(collection, (now) =>
      now.live === row.live && now.all.some((one) => one.id === id)
        ? { ...now, live: id, former: row.live }
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
      const live = row?.all.find(({ id }) => id === row.live)
      for (const generation of row?.all ?? [])
        if (live !== undefined && generation !== live) await this.#copy(collection, live, generation)
    }
  }

  async #copy(collection: string, live: Generation, { id, storage }: Generation): Promise<void> {
    try {
      await copy(this.#options, live.storage, storage, this.#stop.signal)
      const { missing } = await difference(this.#options, live.storage, storage)
      if (missing.length === 0) await this.#mark(collection, id, 'ready')
      else this.follow(collection)
    } catch (thrown) {
      if (this.#stop.signal.aborted) return
      const reason = reasonOf(thrown)
      this.#options.log.write('error', 'a generation cannot be built', { collection, generation: id, reason })
      await this.#mark(collection, id, 'failed', reason).catch(() => {})
    }
  }

  async #mark(collection: string, id: string, state: Generation['state'], reason?: string): Promise<void> {
    await this.#change(collection, (row) => ({
      ...row,
      all: row.all.map((one) => {
        if (one.id !== id) return one
        const { storage, embedding, createdAtMs } = one
        return { id, storage, embedding, createdAtMs, state, ...(reason === undefined ? {} : { reason }) }
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

const notReady = (collection: string, generation: string, reason: string): Refusal =>
  refuse('generation_not_ready', { collection, generation, reason })
