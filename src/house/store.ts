import { mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { systemClock as clock } from '../base/clock.ts'
import type { Log } from '../base/log.ts'
import type { DistantStore } from '../drivers/sqlite/distant.ts'
import type { SqliteEvents } from '../drivers/sqlite/events.ts'
import { JournaledEvents, takeInJournal } from '../drivers/sqlite/journal.ts'
import { openSqlite, type SqliteStore } from '../drivers/sqlite/store.ts'
import type { Events } from '../store/events.ts'

/** The store of a house: one database, and before it the log of each process that answers requests. */

export interface HouseStore extends Omit<SqliteStore, 'events'> {
  readonly events: Events
  /** Takes into the database what the log of a process has that is gone. Rejects with a `Fault`. */
  takeIn(node: string): Promise<void>
}

/** Of the process `node`, in the data folder. */
export const journalPath = (data: string, node: string): string => join(data, 'journal', node)

/** Takes in all that processes left which run no more, and begins the log of `node`; `others` resolves
 *  when those that run have folded theirs. Rejects with a `Fault`: `data_unusable`, `disk_full`. */
export async function openStore(
  data: string,
  node: string,
  log: Log,
  others: () => Promise<void>,
): Promise<HouseStore> {
  const store = await openSqlite({ path: join(data, 'headworks.db'), clock, log })
  const takeIn = (of: string): Promise<void> => takeInJournal({ path: journalPath(data, of), events: store.events })
  try {
    const folder = join(data, 'journal')
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    for (const of of new Set(readdirSync(folder).map((name) => name.replace(/\.[01]$/, '')))) await takeIn(of)
    const events = await JournaledEvents.open({ path: journalPath(data, node), events: store.events, log, others })
    const close = async (): Promise<void> => {
      await events.close()
      await store.close()
    }
    return { ...store, events, takeIn, close }
  } catch (thrown) {
    await store.close()
    throw thrown
  }
}

/** The store of a gateway in a process of its own, whose log is its own too. */
export async function withJournal(
  store: DistantStore & { readonly events: SqliteEvents },
  path: string,
  log: Log,
): Promise<DistantStore & { readonly events: JournaledEvents }> {
  return { ...store, events: await JournaledEvents.open({ path, events: store.events, log }) }
}
