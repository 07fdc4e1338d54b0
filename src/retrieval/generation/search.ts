import type { Rows } from '../../store/rows.ts'
import type { Search } from '../search.ts'
import { storageOf } from './row.ts'

/** Searches whichever generation answers, or the one named by `collection@g2`. */
export const searchLive = (search: Search, rows: Rows): Search => ({
  async search(collection, question, options) {
    const storage = await storageOf(rows, collection)
    const answer = await search.search(storage, question, options)
    if (storage === collection) return answer
    return { ...answer, passages: answer.passages.map((passage) => ({ ...passage, collection })) }
  },
})
