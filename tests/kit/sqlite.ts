import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { silentLog } from '../../src/base/log.ts'
import type { OpenDurable } from '../../src/store/contract/opened.ts'
import { openSqlite, type SqliteStore } from '../../src/drivers/sqlite/store.ts'

/** One port of a store in a folder that goes away with it: what the contract suites open. */
export function temporary<Port>(portOf: (store: SqliteStore) => Port): OpenDurable<Port> {
  return async (clock) => {
    const folder = await mkdtemp(join(tmpdir(), 'headworks-sqlite-'))
    const options = { path: join(folder, 'store.db'), clock, log: silentLog }
    let store = await openSqlite(options)
    return {
      port: portOf(store),
      async reopen() {
        await store.close()
        store = await openSqlite(options)
        return portOf(store)
      },
      async close() {
        await store.close()
        await rm(folder, { recursive: true })
      },
    }
  }
}
