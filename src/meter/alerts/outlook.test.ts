import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ManualClock } from '../../../tests/kit/clock.ts'
import { seededRandom } from '../../base/random.ts'
import { MemoryEvents } from '../../drivers/memory/events.ts'
import { MemoryRows } from '../../drivers/memory/rows.ts'
import { put } from '../../store/rows.ts'
import { ACCOUNTS } from '../ledger/account-row.ts'
import type { Budget } from '../ledger/budget.ts'
import { UsageBook } from '../usage-book.ts'
import { Alerts } from './alerts.ts'
import { lookAhead } from './outlook.ts'

const HOUR_MS = 3_600_000
const NOW_MS = Date.UTC(2026, 5, 20, 12)
const MONTH: Budget = {
  id: 'month',
  scope: 'user',
  match: '*',
  unit: 'totalTokens',
  limit: 100_000,
  window: { kind: 'calendar', unit: 'month', zone: 'UTC' },
  action: { kind: 'refuse' },
  warnAt: [],
}

/** 30 days of a steady load, of which the last 19 and a half are this month's. */
async function open(tokensAnHour: number, posted: number, budget = MONTH) {
  const clock = new ManualClock(NOW_MS)
  const rows = new MemoryRows()
  const events = new MemoryEvents()
  for (let hour = 30 * 24; hour > 0; hour--) {
    const id = `req_${hour}`
    const body = {
      user: 'ann',
      outcome: 'answered',
      usage: {
        inputTokens: tokensAnHour + (hour % 5),
        cachedInputTokens: 0,
        outputTokens: 0,
        reasoningTokens: 0,
        estimated: false,
      },
      costNanoUsd: '0',
    }
    const atMs = NOW_MS - hour * HOUR_MS + 1000
    await events.append([
      { id, phase: 'open', kind: 'request', atMs, body },
      { id, phase: 'close', kind: 'request', atMs, body },
    ])
  }
  await rows.commit([
    put(ACCOUNTS, ['month', 'ann', 'totalTokens', 'month 2026-06-01T00:00:00Z'], { posted: [[0, posted]], leases: {} }),
  ])
  const alerts = new Alerts({ clock, random: seededRandom(1), rows })
  const book = new UsageBook({ clock, rows, events })
  const declared = { budgets: [budget], rateLimits: [], spentStatus: 429 } as const
  const look = (): Promise<void> => lookAhead({ clock, rows, book, alerts, declared: () => declared })
  const list = async () => (await alerts.list({ limit: 10, fits: () => true })).alerts
  return { look, list, rows }
}

test('a budget that will not last raises an alert once, with the figures', async () => {
  const { look, list } = await open(150, 70_000)
  await look()
  await look()
  const [alert, ...more] = await list()
  assert.deepEqual(more, [])
  assert.deepEqual(
    [alert?.kind, alert?.subject, alert?.times],
    ['budget_forecast', { budget: 'month', user: 'ann' }, 1],
  )
  const { probability, p50, spent, limit, resetsAt, historyHours } = alert?.evidence ?? {}
  assert.ok(Number(probability) >= 0.95 && Number(p50) > 100_000, JSON.stringify(alert?.evidence))
  assert.deepEqual([spent, limit, resetsAt], [70_000, 100_000, '2026-07-01T00:00:00.000Z'])
  assert.ok(Number(historyHours) > 24 * 14)
})

test('one that lasts raises none, and one that lasts after all is closed', async () => {
  const calm = await open(20, 30_000)
  await calm.look()
  assert.deepEqual(await calm.list(), [])
  const eased = await open(150, 70_000)
  await eased.look()
  const key = ['month', 'ann', 'totalTokens', 'month 2026-06-01T00:00:00Z']
  await eased.rows.commit([put(ACCOUNTS, key, { posted: [[0, 21_000]], leases: {} })])
  await eased.look()
  assert.equal((await eased.list())[0]?.closed?.because, 'it will probably last')
})

test('budgets that only warn, and those of which little is used, are left alone', async () => {
  const soft = await open(150, 70_000, { ...MONTH, action: { kind: 'warn' } })
  await soft.look()
  assert.deepEqual(await soft.list(), [])
  const little = await open(150, 10_000)
  await little.look()
  assert.deepEqual(await little.list(), [])
})
