import type { Clock } from '../../base/clock.ts'
import type { Log } from '../../base/log.ts'
import type { Queue } from '../../store/queue.ts'
import { answerDistant, type DistantCall, type DistantStore } from './distant.ts'
import { SqliteEvents } from './events.ts'
import { SqliteLeases } from './leases.ts'
import { KeptRows } from './kept-rows.ts'
import { type Calls, READS, type StoreCaller } from './protocol.ts'
import { SqliteQueue } from './queue.ts'
import { SqliteRows } from './rows.ts'
import { StoreThread } from './thread.ts'

export interface SqliteOptions {
  /** The database's file; its folder must exist. */
  readonly path: string
  /** Decides when leases end and jobs are ready. */
  readonly clock: Clock
  readonly log: Log
  /** The most the file may grow to, its write-ahead log apart. Beyond it writes are refused
   *  (`disk_full`) until something is removed. Default: the disk decides. */
  readonly bytesMax?: number
}

export interface SqliteStore extends DistantStore {
  readonly queue: Queue
  readonly events: SqliteEvents
  /** Answers a call of another process, as `openDistant` makes them there. */
  readonly answer: (call: DistantCall) => Promise<unknown>
  /** Takes what was removed out of the files: what is free is overwritten as it becomes free, and the
   *  log emptied. False while somebody still reads what it holds: try again later. */
  scrub(): Promise<boolean>
  /** Answers what was asked, then closes the file. */
  close(): Promise<void>
}

/** Opens the store of one machine. Rejects with a `Fault`: `data_unusable`, `disk_full`. */
export async function openSqlite({ path, clock, log, bytesMax }: SqliteOptions): Promise<SqliteStore> {
  const writer = new StoreThread({ path, bytesMax }, log)
  await writer.call('store.open')
  const kept = new KeptRows(true)
  const thread = readingApart(writer, new StoreThread({ path, bytesMax, readOnly: true }, log), kept)
  return {
    rows: new SqliteRows(thread, kept),
    queue: new SqliteQueue(thread, clock),
    leases: new SqliteLeases(thread, clock),
    events: new SqliteEvents(thread),
    answer: answerDistant(thread),
    scrub: () => thread.call('store.scrub'),
    close: () => thread.close(),
  }
}

/** Reads by a thread of their own: what was acknowledged before a read was asked for, it finds. What any commit
 *  changes, of this process or another, is kept no more. */
const readingApart = (writer: StoreThread, reader: StoreThread, kept: KeptRows): StoreCaller => ({
  async call(name, ...values) {
    // What is asked of the store itself is asked of who writes.
    if (READS.has(name) && !name.startsWith('store.')) return await reader.call(name, ...values)
    const changed = name === 'rows.commit' ? keysOf(values as Parameters<Calls['rows.commit']>) : []
    for (const key of changed) kept.change(key)
    try {
      return await writer.call(name, ...values)
    } finally {
      for (const key of changed) kept.change(key)
    }
  },
  close: async () => {
    await reader.close()
    await writer.close()
  },
})

const keysOf = ([changes]: Parameters<Calls['rows.commit']>): string[] => {
  const keys: string[] = []
  for (let at = 0; at < changes.length; at += 3) keys.push(changes[at] as string)
  return keys
}
