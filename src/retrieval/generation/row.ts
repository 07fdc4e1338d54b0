import { type Key, type Rows, table } from '../../store/rows.ts'
import type { EmbeddingChoice } from '../embedding/port.ts'
import type { Recipe } from '../recipe.ts'

/** Several ways to hold one collection, side by side: the same documents, cut or embedded otherwise.
 *  One of them answers. */

export interface Generation {
  /** `g1` is the one a collection begins with. */
  readonly id: string
  /** The name its rows and segments stand under. */
  readonly storage: string
  readonly embedding: EmbeddingChoice
  /** Absent in those that were made before there was a choice. */
  readonly recipe?: Recipe
  /** It was made for this reason, without being asked for. */
  readonly because?: string
  /** It answers as soon as it is ready. */
  readonly switchWhenReady?: true
  /** `building`: it lacks documents of the live one. */
  readonly state: 'building' | 'ready' | 'failed'
  readonly createdAtMs: number
  /** Why it failed, as a sentence. */
  readonly reason?: string
}

export interface GenerationsRow {
  readonly collection: string
  /** The id of the one that answers. */
  readonly live: string
  /** The one that answered before, to go back to. */
  readonly former?: string
  readonly all: readonly Generation[]
}

export const GENERATIONS = table<GenerationsRow>('generations')
export const generationsKey = (collection: string): Key => [collection]

export const FIRST = 'g1'

/** No collection's own name has a slash. */
export const storageName = (collection: string, id: string): string =>
  id === FIRST ? collection : `${collection}/${id}`

/** The collection that a storage belongs to. */
export const collectionOf = (storage: string): string => storage.split('/', 1)[0] ?? storage

/** The generation whose segment it is: segments stand under the name of their storage. */
export const generationOf = (segment: string): string => {
  const [, id, more] = segment.split('/')
  return more === undefined || id === undefined ? FIRST : id
}

/** Where a collection is held: its live generation; with `name@g2` that one. A storage is itself. */
export async function storageOf(rows: Rows, name: string): Promise<string> {
  if (name.includes('/')) return name
  const [collection = name, wanted] = name.split('@', 2)
  const row = (await rows.get(GENERATIONS, generationsKey(collection)))?.row
  if (row === undefined) return wanted === FIRST ? collection : name
  const id = wanted ?? row.live
  return row.all.find((one) => one.id === id)?.storage ?? name
}
