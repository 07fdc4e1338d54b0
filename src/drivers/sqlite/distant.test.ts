import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { systemClock } from '../../base/clock.ts'
import { fault } from '../../base/errors.ts'
import { silentLog } from '../../base/log.ts'
import { durableEventsContract, eventsContract } from '../../store/contract/events.ts'
import { durableLeasesContract, leasesContract } from '../../store/contract/leases.ts'
import type { OpenDurable } from '../../store/contract/opened.ts'
import { durableRowsContract, rowsContract } from '../../store/contract/rows.ts'
import { put, table } from '../../store/rows.ts'
import { Child } from '../process/child.ts'
import { type DistantStore, openDistant } from './distant.ts'
import { openSqlite } from './store.ts'

/** The contract suites against a store in another process, over real IPC. */

const ENTRY = fileURLToPath(new URL('../../../tests/fixtures/store.ts', import.meta.url))

let other: Child
let folder = ''
let opened = 0

const startOther = () => new Child({ entry: ENTRY, role: 'store', heapMb: 256, clock: systemClock, log: silentLog })

describe('a store in another process', () => {
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'headworks-distant-'))
    other = startOther()
  })
  after(async () => {
    await other.stop()
    await rm(folder, { recursive: true })
  })

  const temporary =
    <Port>(portOf: (store: DistantStore) => Port): OpenDurable<Port> =>
    async (clock) => {
      const path = join(folder, `${opened++}.db`)
      const open = async () => {
        await other.call('open', path)
        return portOf(openDistant((call) => other.call('store', { path, call }), clock))
      }
      return {
        port: await open(),
        async reopen() {
          await other.call('close', path)
          return open()
        },
        close: () => other.call('close', path),
      }
    }
  const [rows, leases, events] = [
    temporary((store) => store.rows),
    temporary((store) => store.leases),
    temporary((store) => store.events),
  ]
  rowsContract('distant', rows)
  durableRowsContract('distant', rows)
  leasesContract('distant', leases)
  durableLeasesContract('distant', leases)
  eventsContract('distant', events)
  durableEventsContract('distant', events)
})

test('a call whose answerer dies fails, and so does every later one', async (t) => {
  const path = join(await mkdtemp(join(tmpdir(), 'headworks-distant-')), 'store.db')
  t.after(() => rm(join(path, '..'), { recursive: true }))
  const dying = startOther()
  t.after(() => dying.stop())
  await dying.call('open', path)
  const gone = (): never => {
    throw fault('store_unavailable', { reason: 'the main process is gone' })
  }
  const { rows } = openDistant((call) => dying.call('store', { path, call }).catch(gone), systemClock)
  assert.equal(await rows.commit([put(table('notes'), ['a'], 1)]), true)
  const death = dying.call('die', undefined).catch(() => {})
  await assert.rejects(rows.commit([put(table('notes'), ['b'], 1)]), { code: 'store_unavailable' })
  await death
})

test('another process is answered for rows, leases and events, and for nothing else', async (t) => {
  const path = join(await mkdtemp(join(tmpdir(), 'headworks-distant-')), 'store.db')
  const store = await openSqlite({ path, clock: systemClock, log: silentLog })
  t.after(async () => {
    await store.close()
    await rm(join(path, '..'), { recursive: true })
  })
  for (const name of ['queue.lease', 'store.open', 'constructor', 'rows'])
    await assert.rejects(store.answer({ name, values: [] }), { code: 'internal' })
  await assert.rejects(store.answer({ name: 'rows.nothing', values: [] }), { code: 'internal' })
  assert.deepEqual(await store.answer({ name: 'events.unclosed', values: [1] }), [])
})
