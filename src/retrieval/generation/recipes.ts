import { CHUNKING } from '../../parse/chunk.ts'
import type { Rows } from '../../store/rows.ts'
import { collectionKey, COLLECTIONS } from '../document.ts'
import { type Recipe, RECIPE } from '../recipe.ts'
import { collectionOf, GENERATIONS, generationsKey } from './row.ts'

/** By what each generation makes passages. */
export class Recipes {
  readonly #rows: Rows
  readonly #configured: (collection: string) => Recipe

  /** @param configured Read anew each time, so that a reload changes it. */
  constructor(rows: Rows, configured: (collection: string) => Recipe = () => RECIPE) {
    this.#rows = rows
    this.#configured = configured
  }

  /** What the configuration says of a collection. */
  configured(collection: string): Recipe {
    return this.#configured(collectionOf(collection))
  }

  /** What is read goes by. A configuration that has nobody write contexts holds at once: nobody is paid
   *  against it. */
  async toRead(storage: string): Promise<Recipe> {
    const recipe = await this.of(storage)
    return this.configured(storage).context === 'none' ? { ...recipe, context: 'none' } : recipe
  }

  /** What a generation goes by, which does not change as long as it holds documents. */
  async of(storage: string): Promise<Recipe> {
    const configured = this.configured(storage)
    const [held, generations] = await Promise.all([
      this.#rows.get(COLLECTIONS, collectionKey(storage)),
      this.#rows.get(GENERATIONS, generationsKey(collectionOf(storage))),
    ])
    const all = generations?.row.all ?? []
    const made = all.length > 1 ? all.find((one) => one.storage === storage) : undefined
    if (held === undefined || held.row.documents === 0) return made?.recipe ?? configured
    return held.row.recipe ?? made?.recipe ?? { ...configured, chunking: CHUNKING }
  }
}
