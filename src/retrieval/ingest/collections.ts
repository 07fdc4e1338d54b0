import type { Clock } from '../../base/clock.ts'
import { fault } from '../../base/errors.ts'
import type { Log } from '../../base/log.ts'
import { Turns } from '../../base/turns.ts'
import { mountOf } from './parts.ts'
import { answering } from './tiers.ts'
import type { Vectors } from '../embedding/vectors.ts'
import type { Index } from '../../store/index.ts'
import { put, remove, scanAll, type Change, type Rows } from '../../store/rows.ts'
import {
  chunkKeys,
  CHUNKS,
  collectionKey,
  documentKey,
  COLLECTIONS,
  type CollectionRow,
  DOCUMENTS,
  type DocumentRow,
} from '../document.ts'

/** Changes to what a collection answers from. Each is one commit, held together by a
 *  compare-and-set on the collection's row, and is then mounted. */

export type Segment = CollectionRow['segments'][number]

/** What a change is made of, worked out anew from the present row at each attempt. Undefined:
 *  nothing to do after all. */
export type Plan = (
  row: CollectionRow,
) => Promise<{ readonly row: CollectionRow; readonly changes: readonly Change[] } | undefined>

/** Others change the collection at the same time rarely, and never for long. */
const ATTEMPTS_MAX = 20

export class Collections {
  readonly #rows: Rows
  readonly #index: Index
  readonly #clock: Clock
  readonly #log: Log
  readonly #turns = new Turns()
  readonly #listeners: ((name: string) => void)[] = []
  readonly #vectors: Vectors | undefined
  /** Mounts take turns, so that the last one mounted is the last one committed. */
  #mounting: Promise<void> = Promise.resolve()

  constructor(options: {
    readonly rows: Rows
    readonly index: Index
    readonly clock: Clock
    readonly log: Log
    readonly vectors?: Vectors
  }) {
    this.#vectors = options.vectors
    this.#rows = options.rows
    this.#index = options.index
    this.#clock = options.clock
    this.#log = options.log
  }

  /** Resolves when the change is durable and mounted; false where the plan had nothing to do. `clear`
   *  is called with every segment that is needed no more, before it goes. Changes of one collection
   *  take turns: a plan that takes long would be overtaken again and again. */
  change(name: string, plan: Plan, clear?: (segment: string) => Promise<void>): Promise<boolean> {
    return this.#turns.take(name, () => this.#change(name, plan, clear))
  }

  async #change(name: string, plan: Plan, clear?: (segment: string) => Promise<void>): Promise<boolean> {
    for (let attempt = 1; attempt <= ATTEMPTS_MAX; attempt++) {
      const stored = await this.#rows.get(COLLECTIONS, collectionKey(name))
      const before = stored?.row ?? { name, segments: [], documents: 0, chunks: 0, bytes: 0, updatedAtMs: 0 }
      const planned = await plan(before)
      if (planned === undefined) return false
      const row = { ...planned.row, updatedAtMs: this.#clock.wallMs() }
      const changes = [...planned.changes, put(COLLECTIONS, collectionKey(name), row, stored?.version ?? 0)]
      if (!(await this.#rows.commit(changes))) continue
      const kept = new Set(row.segments.map(({ segment }) => segment))
      await this.publish(
        name,
        before.segments.filter(({ segment }) => !kept.has(segment)),
        clear,
      )
      for (const listener of this.#listeners) listener(name)
      return true
    }
    throw fault('store_unavailable', { reason: `the collection ${name} is being changed by others without a pause` })
  }

  /** Told of every collection that was changed. */
  onChange(listener: (name: string) => void): void {
    this.#listeners.push(listener)
  }

  /** Mounts what the collection answers from now, then drops segments it no longer needs. */
  publish(
    name: string,
    obsolete: readonly Segment[] = [],
    clear: (segment: string) => Promise<void> = async () => {},
  ): Promise<void> {
    const mounted = this.#mounting.then(async () => {
      const stored = await this.#rows.get(COLLECTIONS, collectionKey(name))
      await this.#index.mount(name, stored === undefined ? [] : mountOf(stored.row))
      for (const { segment } of obsolete) {
        await clear(segment)
        await this.drop(segment)
      }
    })
    this.#mounting = mounted.catch(() => {})
    return mounted
  }

  /** A segment that stays behind is swept at the next start. */
  async drop(segment: string): Promise<void> {
    try {
      // The file last: its name is what tells the next sweep that something may be left.
      await this.#vectors?.drop(segment)
      await this.#index.drop(segment)
    } catch (error) {
      this.#log.write('warn', 'segment not removed', { segment, reason: String(error) })
    }
  }

  /** Of a segment that is searched in a part, or a part that another took the place of. */
  async dropIndex(segment: string): Promise<void> {
    try {
      await this.#index.drop(segment)
    } catch (error) {
      this.#log.write('warn', 'segment not removed', { segment, reason: String(error) })
    }
  }

  async documents(name: string, wanted: (row: DocumentRow) => boolean): Promise<DocumentRow[]> {
    const found: DocumentRow[] = []
    for await (const { row } of scanAll(this.#rows, DOCUMENTS, collectionKey(name))) if (wanted(row)) found.push(row)
    return found
  }
}

export const segmentPrefix = (collection: string): string => `${collection}/`

/** The row after documents came and went: counts, and what of each segment no longer answers. A
 *  segment with nothing left is gone from it. */
export function revised(
  row: CollectionRow,
  gone: readonly DocumentRow[],
  come: readonly DocumentRow[],
  segment?: Segment,
): CollectionRow {
  const removed = new Map<string, { first: number; count: number }[]>()
  for (const { segment: name, firstChunk, chunkCount } of gone) {
    const ranges = removed.get(name) ?? []
    ranges.push({ first: firstChunk, count: chunkCount })
    removed.set(name, ranges)
  }
  const segments = (segment === undefined ? row.segments : [...row.segments, segment]).map((one) => {
    const more = removed.get(one.segment)
    return more === undefined ? one : { ...one, removed: joined([...one.removed, ...more]) }
  })
  const sum = (documents: readonly DocumentRow[], of: (document: DocumentRow) => number): number =>
    documents.reduce((total, document) => total + of(document), 0)
  const cutBefore = (documents: readonly DocumentRow[]): number => sum(documents, (one) => (one.cutBefore ? 1 : 0))
  const before = (row.cutBefore ?? 0) + cutBefore(come) - cutBefore(gone)
  return {
    ...row,
    ...(row.cutBefore === undefined && before === 0 ? {} : { cutBefore: before }),
    segments: segments.filter((one) => answering(one) > 0),
    documents: row.documents + come.length - gone.length,
    chunks: row.chunks + sum(come, ({ chunkCount }) => chunkCount) - sum(gone, ({ chunkCount }) => chunkCount),
    bytes: row.bytes + sum(come, ({ bytes }) => bytes) - sum(gone, ({ bytes }) => bytes),
  }
}

/** In order, with neighbours and overlaps made one. */
function joined(
  ranges: readonly { readonly first: number; readonly count: number }[],
): { first: number; count: number }[] {
  const sorted = ranges.toSorted((a, b) => a.first - b.first)
  const out: { first: number; count: number }[] = []
  for (const { first, count } of sorted) {
    const last = out.at(-1)
    if (last !== undefined && first <= last.first + last.count)
      last.count = Math.max(last.count, first + count - last.first)
    else out.push({ first, count })
  }
  return out
}

export function chunkRemovals(documents: readonly DocumentRow[]): Change[] {
  return documents.flatMap(chunkKeys).map((key) => remove(CHUNKS, key))
}

/** False where none of them was there. */
export async function removeDocuments(
  rows: Rows,
  collections: Collections,
  collection: string,
  ids: readonly string[],
): Promise<boolean> {
  return await collections.change(collection, async (row) => {
    const stored = await rows.getMany(
      DOCUMENTS,
      ids.map((id) => documentKey(collection, id)),
    )
    const gone = stored.flatMap((one) => (one === undefined ? [] : [one.row]))
    if (gone.length === 0) return undefined
    return {
      row: revised(row, gone, []),
      changes: [...chunkRemovals(gone), ...gone.map(({ id }) => remove(DOCUMENTS, documentKey(collection, id)))],
    }
  })
}
