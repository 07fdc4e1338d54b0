import type { Clock } from '../../base/clock.ts'
import { fault } from '../../base/errors.ts'
import type { Events } from '../../store/events.ts'
import type { Leases } from '../../store/leases.ts'
import type { Rows } from '../../store/rows.ts'
import { SqliteEvents } from './events.ts'
import { SqliteLeases } from './leases.ts'
import type { CallName, StoreCaller } from './protocol.ts'
import { SqliteRows } from './rows.ts'

/** The store as another process of the house sees it. Its calls are the same flat lists that the
 *  store's thread takes, checked where they are asked, so the process in the middle passes them on
 *  as they are and neither reads nor writes their JSON. */

/** One call on its way. */
export interface DistantCall {
  readonly name: string
  readonly values: readonly unknown[]
}

/** What a gateway needs of a store, wherever that is. */
export interface DistantStore {
  readonly rows: Rows
  readonly leases: Leases
  readonly events: Events
}

/** The asking side. `ask` carries a call to the process that has the store, and rejects with its
 *  `Fault`, or with `store_unavailable` where that process is gone. */
export function openDistant(
  ask: (call: DistantCall) => Promise<unknown>,
  clock: Clock,
): DistantStore & { readonly events: SqliteEvents } {
  const caller = new DistantCaller(ask)
  return { rows: new SqliteRows(caller), leases: new SqliteLeases(caller, clock), events: new SqliteEvents(caller) }
}

class DistantCaller implements StoreCaller {
  readonly #ask: (call: DistantCall) => Promise<unknown>
  #closed = false

  constructor(ask: (call: DistantCall) => Promise<unknown>) {
    this.#ask = ask
  }

  call: StoreCaller['call'] = (name, ...values) => {
    if (this.#closed) return Promise.reject(fault('store_unavailable', { reason: 'it is closed' }))
    return this.#ask({ name, values }) as Promise<never>
  }

  async close(): Promise<void> {
    this.#closed = true
  }
}

/** What another process may ask: the ports it is given, and no job of ours. */
const ASKED = /^(?:rows|leases|events)\./

/** The answering side. */
export const answerDistant =
  (store: StoreCaller) =>
  ({ name, values }: DistantCall): Promise<unknown> => {
    if (!ASKED.test(name))
      return Promise.reject(fault('internal', { reason: `no store is asked for ${name} from here` }))
    return store.call(name as CallName, ...(values as never))
  }
