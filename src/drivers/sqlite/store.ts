import type { Clock } from '../../base/clock.ts'
import type { Log } from '../../base/log.ts'
import type { Queue } from '../../store/queue.ts'
import { answerDistant, type DistantCall, type DistantStore } from './distant.ts'
import { SqliteEvents } from './events.ts'
import { SqliteLeases } from './leases.ts'
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
  const thread = new StoreThread({ path, bytesMax }, log)
  await thread.call('store.open')
  return {
    rows: new SqliteRows(thread),
    queue: new SqliteQueue(thread, clock),
    leases: new SqliteLeases(thread, clock),
    events: new SqliteEvents(thread),
    answer: answerDistant(thread),
    scrub: () => thread.call('store.scrub'),
    close: () => thread.close(),
  }
}
