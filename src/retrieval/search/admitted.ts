import type { Clock } from '../../base/clock.ts'
import { type Fault, fault } from '../../base/errors.ts'
import type { Search } from '../search.ts'

/** A bounded queue before the searches: what cannot be answered soon is refused at once, rather than answered
 *  when nobody waits any more, with all that come after it late as well. */

/** Searches at work together: as many as keep the processes busy that each goes through in turn. More
 *  would only share them, and all would end late. */
const AT_WORK_MAX = 16
/** Longer than a search is ever to take; whoever waited so long is refused. */
const WAIT_MS_MAX = 250
/** Refused at once beyond: they would wait longer than that anyway. */
const WAITING_MAX = 256

interface Waiting {
  readonly sinceMs: number
  readonly begin: () => void
  readonly refuse: (reason: unknown) => void
}

/** Rejects with a `Fault` (`overloaded`) where the search would have to wait too long. */
export function admitted(search: Search, clock: Clock): Search {
  let atWork = 0
  const waiting: Waiting[] = []
  const overloaded = (): Fault => fault('overloaded', { what: 'searches', limit: `${WAIT_MS_MAX} ms of waiting` })

  /** In the order they came. Nobody is refused who need not wait any more. */
  const next = (): void => {
    const tooEarlyMs = clock.monotonicMs() - WAIT_MS_MAX
    for (let first = waiting.shift(); first !== undefined; first = waiting.shift()) {
      if (first.sinceMs >= tooEarlyMs) return first.begin()
      first.refuse(overloaded())
    }
    atWork--
  }
  const turn = (): Promise<void> => {
    if (atWork < AT_WORK_MAX) {
      atWork++
      return Promise.resolve()
    }
    if (waiting.length >= WAITING_MAX) return Promise.reject(overloaded())
    return new Promise((begin, refuse) => waiting.push({ sinceMs: clock.monotonicMs(), begin, refuse }))
  }
  return {
    async search(collection, question, options) {
      await turn()
      try {
        return await search.search(collection, question, options)
      } finally {
        next()
      }
    },
  }
}
