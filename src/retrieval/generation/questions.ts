import type { Search } from '../search.ts'

/** Of one collection, in memory alone: enough to compare two generations by, and gone with the
 *  process. */
const QUESTIONS_MAX = 200
const COLLECTIONS_MAX = 1_000
const QUESTION_UNITS_MAX = 1_000

/** What was asked lately. */
export class Questions {
  readonly #asked = new Map<string, Set<string>>()

  /** The same search, overheard. */
  listening(search: Search): Search {
    return {
      search: (collection, question, options) => {
        this.#hear(collection, question)
        return search.search(collection, question, options)
      },
    }
  }

  /** Newest first, each once. */
  recent(collection: string): readonly string[] {
    return [...(this.#asked.get(collection) ?? [])].toReversed()
  }

  #hear(collection: string, question: string): void {
    // What names a generation is a comparison.
    if (question.length > QUESTION_UNITS_MAX || collection.includes('@')) return
    const asked = this.#asked.get(collection) ?? new Set()
    asked.delete(question)
    asked.add(question)
    const [oldest] = asked
    if (asked.size > QUESTIONS_MAX && oldest !== undefined) asked.delete(oldest)
    if (this.#asked.size < COLLECTIONS_MAX || this.#asked.has(collection)) this.#asked.set(collection, asked)
  }
}
