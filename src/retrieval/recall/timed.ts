import type { Clock } from '../../base/clock.ts'
import type { Search } from '../search.ts'
import type { QualityBook } from './book.ts'

/** The search, and what each took, by the collection that was asked. */
export function timed(search: Search, clock: Clock, book: Pick<QualityBook, 'searched'>): Search {
  return {
    ...search,
    async search(collection, question, options) {
      const begunMs = clock.monotonicMs()
      const answer = await search.search(collection, question, options)
      book.searched(collection, clock.monotonicMs() - begunMs)
      return answer
    },
  }
}
