import { type Clock, sleep } from '../base/clock.ts'
import { reasonOf } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import type { Alerts } from '../meter/alerts/alerts.ts'
import { lookAhead } from '../meter/alerts/outlook.ts'
import type { Declared } from '../meter/declared.ts'
import { sweep } from '../meter/ledger/administer.ts'
import type { UsageBook } from '../meter/usage-book.ts'
import type { Key, Rows } from '../store/rows.ts'

/** What a house does for itself now and then: accounts of periods long over are cleared away,
 *  warnings about periods that are over are closed, and budgets looked at that will not last. Any
 *  number of processes may do so. */

const EVERY_MS = 10 * 60_000
/** Accounts looked at in one go, and the pause before the next: requests come first. */
const PAGE = 500
const PAUSE_MS = 50

export interface UpkeepDependencies {
  readonly clock: Clock
  readonly log: Log
  readonly rows: Rows
  readonly alerts: Alerts
  readonly book: UsageBook
  readonly declared: () => Declared
  /** Looks what has become of deleted documents. */
  readonly settleDeletions: () => Promise<void>
  /** Looks whether what collections hold has become another thing. */
  readonly lookForDrift: () => Promise<void>
  /** Removes files that have expired, and takes up what is to be done with others. */
  readonly sweepFiles: () => Promise<void>
}

/** Until the function returned is called; it resolves when nothing of it runs. */
export function keepUp({
  clock,
  log,
  rows,
  alerts,
  book,
  declared,
  settleDeletions,
  lookForDrift,
  sweepFiles,
}: UpkeepDependencies): () => Promise<void> {
  const stop = new AbortController()
  const { signal } = stop

  async function clearAway(): Promise<void> {
    let after: Key | undefined
    do {
      const { next } = await sweep(rows, { after, limit: PAGE, storeMs: clock.wallMs() })
      after = next
      await sleep(clock, PAUSE_MS, signal)
    } while (after !== undefined && !signal.aborted)
  }

  async function closeWarnings(): Promise<void> {
    const now = new Date(clock.wallMs()).toISOString()
    const { alerts: over } = await alerts.list({
      limit: PAGE,
      fits: ({ kind, closed, evidence: { resetsAt } }) =>
        (kind === 'budget_warning' || kind === 'budget_forecast') &&
        closed === undefined &&
        typeof resetsAt === 'string' &&
        resetsAt <= now,
    })
    for (const { key } of over) await alerts.close(key, 'its period is over')
  }

  async function run(): Promise<void> {
    while (!signal.aborted) {
      await sleep(clock, EVERY_MS, signal)
      if (signal.aborted) return
      const looked = closeWarnings().then(() => lookAhead({ clock, rows, book, alerts, declared }))
      const swept = [settleDeletions(), lookForDrift(), sweepFiles()]
      await Promise.all([clearAway(), looked, ...swept]).catch((cause: unknown) =>
        log.write('warn', 'what is over could not be cleared away', { reason: reasonOf(cause) }),
      )
    }
  }
  const running = run()
  return async () => {
    stop.abort()
    await running
  }
}
