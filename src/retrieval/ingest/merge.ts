import type { Clock, Timer } from '../../base/clock.ts'
import { Fault, reasonOf } from '../../base/errors.ts'
import type { Log } from '../../base/log.ts'
import type { Held, Index, IndexChunk } from '../../store/index.ts'
import { getAll, type Rows, scanAll } from '../../store/rows.ts'
import {
  chunkKey,
  CHUNKS,
  collectionKey,
  COLLECTIONS,
  type CollectionRow,
  documentKey,
  DOCUMENTS,
  type IndexPart,
} from '../document.ts'
import type { Embeddings } from '../embedding/embeddings.ts'
import type { Collections, Segment } from './collections.ts'
import { deadParts, liveRuns, partToBuild } from './parts.ts'
import { indexChunk } from './worker.ts'

/** Builds parts in the background, so that collections of any size are searched in few of them. */

export interface MergeOptions {
  readonly clock: Clock
  readonly rows: Rows
  readonly collections: Collections
  /** Builds what may take minutes and gigabytes, away from searches and from hostile files. */
  readonly builder: Pick<Index, 'build'>
  readonly newSegment: (collection: string) => string
  /** Of a segment that goes into parts: smaller ones are rewritten first. */
  readonly fullChunks: number
  /** Without it collections are searched by words alone. */
  readonly embeddings?: Embeddings
  readonly log: Log
}

/** Chunks that are read and handed over at once. */
const PAGE_CHUNKS = 1_024
/** How often it is tried whether a full disk has room again. */
const ROOM_EVERY_MS = 60_000

export class Merges {
  readonly #options: MergeOptions
  readonly #wanted = new Set<string>()
  readonly #damaged = new Set<string>()
  readonly #retries = new Set<Timer>()
  readonly #stop = new AbortController()
  #working: Promise<void> | undefined

  constructor(options: MergeOptions) {
    this.#options = options
  }

  /** The collection has changed: it is looked at, soon, and merged where it is worth it. */
  look(collection: string): void {
    if (this.#stop.signal.aborted) return
    this.#wanted.add(collection)
    this.#working ??= this.#work().finally(() => (this.#working = undefined))
  }

  /** Resolves when nothing is left to merge. */
  async idle(): Promise<void> {
    while (this.#working !== undefined) await this.#working
  }

  async stop(): Promise<void> {
    this.#stop.abort()
    for (const timer of this.#retries) timer.cancel()
    await this.#working
  }

  /** A part whose files are lost is built again, out of what it held and still answers; where that is
   *  nothing, it goes. */
  async rebuild(collection: string, part: IndexPart): Promise<void> {
    const names = new Set(part.holds.map(({ segment }) => segment))
    const held = (row: CollectionRow): Segment[] => row.segments.filter(({ segment }) => names.has(segment))
    if (!(await this.#build(collection, held))) await this.#prune(collection)
  }

  /** A part that is searched was found damaged: it is built again in the background, and answers until then. */
  restore(segment: string): void {
    if (this.#stop.signal.aborted) return
    this.#damaged.add(segment)
    this.#working ??= this.#work().finally(() => (this.#working = undefined))
  }

  async #restoreDamaged(): Promise<void> {
    for (const segment of this.#damaged) {
      this.#damaged.delete(segment)
      try {
        for await (const { row } of scanAll(this.#options.rows, COLLECTIONS, [])) {
          const part = row.parts?.find((one) => one.segment === segment)
          if (part !== undefined) await this.rebuild(row.name, part)
        }
      } catch (thrown) {
        // It is not opened again: the next start finds it.
        this.#options.log.write('warn', 'segment not built again', { segment, reason: reasonOf(thrown) })
        this.#whenThereIsRoom(thrown, () => this.restore(segment))
      }
    }
  }

  async #work(): Promise<void> {
    for (;;) {
      await this.#restoreDamaged()
      const [collection] = this.#wanted
      if (collection === undefined || this.#stop.signal.aborted) return
      this.#wanted.delete(collection)
      try {
        await this.#prune(collection)
        while (!this.#stop.signal.aborted && (await this.#build(collection, this.#choose)));
      } catch (thrown) {
        if (this.#stop.signal.aborted) return
        // Nothing is lost but speed; the next change of the collection has it tried again.
        this.#options.log.write('warn', 'segments not merged', { collection, reason: reasonOf(thrown) })
        this.#whenThereIsRoom(thrown, () => this.look(collection))
      }
    }
  }

  /** What failed for want of room is tried again, since making room changes no collection. */
  #whenThereIsRoom(thrown: unknown, again: () => void): void {
    if (!(thrown instanceof Fault) || thrown.code !== 'disk_full' || this.#stop.signal.aborted) return
    const timer = this.#options.clock.after(ROOM_EVERY_MS, () => {
      this.#retries.delete(timer)
      again()
    })
    this.#retries.add(timer)
  }

  /** False where there is nothing to build. */
  async #build(collection: string, choose: (row: CollectionRow) => readonly Segment[]): Promise<boolean> {
    const { rows, collections, builder, newSegment } = this.#options
    const row = (await rows.get(COLLECTIONS, collectionKey(collection)))?.row
    const chosen = row === undefined ? [] : choose(row)
    if (row === undefined || chosen.length === 0) return false
    const holds = liveRuns(chosen)
    const segment = newSegment(collection)
    let chunks: number
    try {
      chunks = (await builder.build(segment, this.#chunks(collection, row.space, holds))).chunks
    } catch (thrown) {
      // What removals left of a segment was rewritten meanwhile, and its vectors are elsewhere.
      if (!this.#stop.signal.aborted && (await this.#lost(collection, chosen))) return true
      throw thrown
    }
    const part: IndexPart = { segment, chunks, holds }
    const replaced = await this.#publish(collection, part)
    for (const one of replaced) await collections.dropIndex(one)
    return true
  }

  async #lost(collection: string, chosen: readonly Segment[]): Promise<boolean> {
    const row = (await this.#options.rows.get(COLLECTIONS, collectionKey(collection)))?.row
    const present = new Set(row?.segments.map(({ segment }) => segment))
    return !chosen.every(({ segment }) => present.has(segment))
  }

  /** Puts the part in the place of what its chunks were searched in; resolves to that. */
  async #publish(collection: string, part: IndexPart): Promise<readonly string[]> {
    const names = new Set(part.holds.map(({ segment }) => segment))
    let replaced: readonly string[] = [part.segment]
    await this.#options.collections.change(collection, async (row) => {
      // All of it may have gone meanwhile.
      if (!row.segments.some(({ segment }) => names.has(segment))) return undefined
      const [former, others] = partition(row.parts ?? [], ({ holds }) =>
        holds.some(({ segment }) => names.has(segment)),
      )
      replaced = [...former.map(({ segment }) => segment), ...names]
      return { row: { ...row, parts: [...others, part] }, changes: [] }
    })
    return replaced
  }

  readonly #choose = (row: CollectionRow): readonly Segment[] => partToBuild(row, this.#options.fullChunks)

  async #prune(collection: string): Promise<void> {
    const { collections } = this.#options
    let dead: readonly IndexPart[] = []
    await collections.change(collection, async (row) => {
      dead = deadParts(row)
      if (dead.length === 0) return undefined
      return { row: { ...row, parts: (row.parts ?? []).filter((part) => !dead.includes(part)) }, changes: [] }
    })
    for (const { segment } of dead) await collections.dropIndex(segment)
  }

  /** From rows and kept vectors, a page at a time. */
  async *#chunks(
    collection: string,
    space: string | undefined,
    holds: readonly Held[],
  ): AsyncGenerator<readonly IndexChunk[]> {
    for (const { segment, first, count } of holds) {
      for (let at = first; at < first + count; at += PAGE_CHUNKS) {
        this.#stop.signal.throwIfAborted()
        yield await this.#page(collection, space, segment, at, Math.min(PAGE_CHUNKS, first + count - at))
      }
    }
  }

  async #page(
    collection: string,
    space: string | undefined,
    segment: string,
    first: number,
    count: number,
  ): Promise<IndexChunk[]> {
    const { rows, embeddings } = this.#options
    const keys = Array.from({ length: count }, (_, at) => chunkKey(segment, first + at))
    const chunks = await getAll(rows, CHUNKS, keys)
    const ids = [...new Set(chunks.flatMap((chunk) => chunk?.row.document ?? []))]
    const documents = await getAll(
      rows,
      DOCUMENTS,
      ids.map((id) => documentKey(collection, id)),
    )
    const owners = new Map(
      documents.flatMap((document) => (document === undefined ? [] : [[document.row.id, document.row]])),
    )
    const vectors = space === undefined ? undefined : await embeddings?.vectors.read(segment, first, count)
    if (space !== undefined && embeddings !== undefined && vectors?.length !== count)
      throw new Fault('index_unavailable', { reason: `vectors of the segment ${segment} are missing` })
    return chunks.map((chunk, at) => {
      const vector = vectors?.[at]
      // Removed since the part was begun: it keeps its number and answers nothing.
      if (chunk === undefined) return vector === undefined ? { text: '' } : { text: '', vector }
      return indexChunk(chunk.row, owners.get(chunk.row.document), vector)
    })
  }
}

function partition<One>(list: readonly One[], fits: (one: One) => boolean): [One[], One[]] {
  const [yes, no]: [One[], One[]] = [[], []]
  for (const one of list) (fits(one) ? yes : no).push(one)
  return [yes, no]
}
