import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ManualClock, settled } from '../../tests/kit/clock.ts'
import { silentLog } from '../base/log.ts'
import { seededRandom } from '../base/random.ts'
import { MemoryEvents } from '../drivers/memory/events.ts'
import { MemoryRows } from '../drivers/memory/rows.ts'
import { Alerts } from '../meter/alerts/alerts.ts'
import { ACCOUNTS } from '../meter/ledger/account-row.ts'
import { UsageBook } from '../meter/usage-book.ts'
import { put } from '../store/rows.ts'
import { keepUp } from './upkeep.ts'

test('accounts long over go, and warnings about periods that ended are closed', async () => {
  const clock = new ManualClock(Date.UTC(2026, 5, 1))
  const rows = new MemoryRows()
  const alerts = new Alerts({ clock, random: seededRandom(1), rows })
  const used = { posted: [[0, 5]] as const, leases: {} }
  const account = (start: string): string[] => ['b', 'ann', 'totalTokens', `day ${start}T00:00:00Z`]
  await rows.commit([put(ACCOUNTS, account('2026-01-01'), used), put(ACCOUNTS, account('2026-05-31'), used)])
  const warn = (key: string, resetsAt: string | null): Promise<void> =>
    alerts.raise({ kind: 'budget_warning', subject: { budget: 'b' }, key, evidence: { resetsAt } })
  await warn('over', '2026-06-01T00:00:00.000Z')
  await warn('runs', '2026-06-02T00:00:00.000Z')
  await warn('never', null)
  const book = new UsageBook({ clock, rows, events: new MemoryEvents() })
  const declared = () => ({ budgets: [], rateLimits: [], spentStatus: 429 }) as const
  let looked = 0
  const stop = keepUp({
    sweepFiles: async () => {},
    clock,
    log: silentLog,
    rows,
    alerts,
    book,
    declared,
    settleDeletions: async () => void looked++,
    lookForDrift: async () => {},
  })
  for (let at = 0; at < 10; at++) {
    clock.advance(60_000)
    await settled()
  }
  clock.advance(1_000)
  await stop()
  assert.equal(looked, 1)
  const left = await rows.scan(ACCOUNTS, { limit: 10 })
  assert.deepEqual(
    left.map(({ key }) => key),
    [account('2026-05-31')],
  )
  const open = await alerts.list({ limit: 10, fits: ({ closed }) => closed === undefined })
  assert.deepEqual(open.alerts.map(({ key }) => key).toSorted(), ['never', 'runs'])
  assert.equal(clock.pending, 0)
})
