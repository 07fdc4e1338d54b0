import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ManualClock } from '../../../tests/kit/clock.ts'
import { openNode, postedIn, timed, wait } from '../../../tests/kit/ledger.ts'
import { MemoryRows } from '../../drivers/memory/rows.ts'
import { type Key, put, type Rows } from '../../store/rows.ts'
import { ACCOUNTS, type AccountRow } from './account-row.ts'
import { accountKey } from './account.ts'
import { KEPT_AFTER_END_MS, reset, standings, sweep } from './administer.ts'
import { type Amounts, amountsOf } from './amounts.ts'
import type { Budget } from './budget.ts'
import { Hold } from './ledger.ts'
import { Shortfall } from './shortfall.ts'
import { periodAt } from './window.ts'

const DAY_MS = 24 * 3_600_000
const DAY: Budget = {
  id: 'each-day',
  scope: 'key',
  match: '*',
  unit: 'totalTokens',
  limit: 100,
  window: { kind: 'calendar', unit: 'day', zone: 'Europe/Berlin' },
  action: { kind: 'refuse' },
  warnAt: [],
}
const MINUTE: Budget = { ...DAY, id: 'each-minute', window: { kind: 'rolling', durationMs: 60_000 } }
const tokens = (count: number): Amounts => amountsOf(count, 0, 0n)

async function open(budgets: readonly Budget[]) {
  const clock = new ManualClock()
  const node = await openNode({ budgets, rows: new MemoryRows(), clock })
  const ask = async (id: string, key: string, amount: number): Promise<Hold | Shortfall> => {
    const [result] = await timed(clock, node.ledger.admit(id, 0, node.table.bind({ key }), tokens(amount)))
    return result
  }
  const keyFor = (budget: Budget, subject: string): Key =>
    accountKey(budget, subject, periodAt(budget.window, clock.wallMs()))
  return { ...node, clock, ask, keyFor }
}

test('a reset begins an account afresh, and frees nothing that open holds may use', async () => {
  const { ask, ledger, rows, clock, keyFor } = await open([DAY])
  const spent = await ask('r1', 'k', 60)
  assert.ok(spent instanceof Hold && ledger.settle(spent, tokens(60)))
  await wait(clock, 500)
  const open1 = await ask('r2', 'k', 40)
  assert.ok(open1 instanceof Hold)
  assert.ok((await ask('r3', 'k', 1)) instanceof Shortfall)
  assert.equal(await reset(rows, keyFor(DAY, 'k')), 60)
  await wait(clock, 500)
  const tooMuch = await ask('r4', 'k', 61)
  assert.ok(tooMuch instanceof Shortfall, 'the open hold is leased still')
  assert.ok((await ask('r5', 'k', 60)) instanceof Hold)
  ledger.settle(open1, tokens(40))
  await wait(clock, 500)
  assert.equal(await postedIn(rows), 40)
  assert.equal(await reset(rows, keyFor(DAY, 'nobody')), undefined)
})

test('a reset stands beside a posting that comes at the same time', async () => {
  const { ask, ledger, rows, clock, keyFor } = await open([MINUTE])
  for (let round = 0; round < 5; round++) {
    const hold = await ask(`r${round}`, 'k', 10)
    assert.ok(hold instanceof Hold && ledger.settle(hold, tokens(10)))
    const [, posted] = await Promise.all([wait(clock, 300), reset(rows, keyFor(MINUTE, 'k'))])
    assert.ok(posted !== undefined && posted <= 10)
  }
  assert.ok((await postedIn(rows)) <= 10)
})

test('accounts are read by budget and subject, page by page', async () => {
  const { ask, rows, clock, ledger } = await open([DAY, MINUTE])
  for (const key of ['k1', 'k2', 'k3']) {
    const hold = await ask(key, key, 10)
    assert.ok(hold instanceof Hold && ledger.settle(hold, tokens(4)))
  }
  await wait(clock, 500)
  const nowMs = clock.wallMs()
  const budgets = new Map([[DAY.id, DAY]])
  const first = await standings(rows, { budget: 'each-day', limit: 2, budgets, nowMs })
  const after = first.at(-1)?.key
  assert.ok(after)
  const rest = await standings(rows, { budget: 'each-day', after, limit: 2, budgets, nowMs })
  assert.deepEqual(
    [...first, ...rest].map(({ subject, posted }) => [subject, posted]),
    [
      ['k1', 4],
      ['k2', 4],
      ['k3', 4],
    ],
  )
  const { startMs, endMs, leased, leases } = first[0] ?? assert.fail()
  assert.deepEqual([startMs, endMs], [Date.UTC(2025, 11, 31, 23), Date.UTC(2026, 0, 1, 23)])
  assert.ok(leased >= 0 && leases.every(({ node }) => node === 'a'))
  const [one, ...none] = await standings(rows, { budget: 'each-minute', subject: 'k2', limit: 10, nowMs })
  assert.deepEqual([one?.subject, one?.posted, one?.startMs, one?.endMs, none], ['k2', 4, undefined, undefined, []])
  const later = await standings(rows, { budget: 'each-minute', subject: 'k2', limit: 10, nowMs: nowMs + 70_000 })
  assert.equal(later[0]?.posted, 0, 'what counts no more')
})

const account = (posted: AccountRow['posted'], leases: AccountRow['leases'] = {}): AccountRow => ({ posted, leases })
const LEASE = { epoch: 1, term: 1, sequence: 1, amount: 5, wants: 0, askedAtMs: 0, firmAtMs: 0 }

async function keysOf(rows: Rows): Promise<string[]> {
  return (await rows.scan(ACCOUNTS, { limit: 100 })).map(({ key }) => `${key[0]} ${key[3]}`)
}

test('old accounts go, and one that somebody may still post to stays', async () => {
  const rows = new MemoryRows()
  const nowMs = Date.UTC(2026, 5, 1)
  const old = 'day 2026-01-01T00:00:00Z'
  const recent = `day ${new Date(nowMs - KEPT_AFTER_END_MS).toISOString()}`
  const bucket = Math.floor(nowMs / 1_000)
  const kept: readonly [Key, AccountRow][] = [
    [['a', 'k', 'nanoUsd', recent], account([[0, 7]])],
    [['b', 'k', 'nanoUsd', old], account([[0, 7]], { n: LEASE })],
    [['c', 'k', 'nanoUsd', 'rolling 60000'], account([[bucket - 30, 7]])],
    [['d', 'k', 'nanoUsd', 'lifetime'], account([[0, 7]])],
    [['e', 'k', 'concurrent', 'lifetime'], account([], { n: LEASE })],
  ]
  const over: readonly [Key, AccountRow][] = [
    [['f', 'k', 'nanoUsd', old], account([[0, 7]])],
    [['g', 'k', 'nanoUsd', 'month 2026-01-01T00:00:00Z'], account([[0, 7]])],
    [['h', 'k', 'nanoUsd', 'rolling 60000'], account([[bucket - 100, 7]])],
    [['i', 'k', 'concurrent', 'lifetime'], account([])],
  ]
  await rows.commit([...kept, ...over].map(([key, row]) => put(ACCOUNTS, key, row)))
  let next: Key | undefined
  const removed: number[] = []
  do {
    const swept: Awaited<ReturnType<typeof sweep>> = await sweep(rows, { after: next, limit: 4, storeMs: nowMs })
    removed.push(swept.removed)
    next = swept.next
  } while (next !== undefined)
  assert.deepEqual(removed, [0, 3, 1])
  assert.deepEqual(
    await keysOf(rows),
    kept.map(([key]) => `${key[0]} ${key[3]}`),
  )
})

test('a settlement long after its period ends up in the account of that period, however often it was swept', async () => {
  const { ask, ledger, rows, clock } = await open([DAY])
  const hold = await ask('r1', 'k', 30)
  assert.ok(hold instanceof Hold)
  const storeMs = clock.wallMs() + 60 * DAY_MS
  assert.equal((await sweep(rows, { limit: 100, storeMs })).removed, 0)
  ledger.settle(hold, tokens(20))
  await wait(clock, 500)
  const [stored] = await rows.scan<AccountRow>(ACCOUNTS, { limit: 10 })
  assert.deepEqual([stored?.key[3], stored?.row.posted], ['day 2025-12-31T23:00:00Z', [[0, 20]]])
  await wait(clock, 4_000)
  assert.deepEqual(await sweep(rows, { limit: 100, storeMs }), { removed: 1, next: undefined })
})

test('a sweep leaves alone what changed meanwhile', async () => {
  const rows = new MemoryRows()
  const nowMs = Date.UTC(2026, 5, 1)
  const keys = ['a', 'b', 'c'].map((id): Key => [id, 'k', 'nanoUsd', 'day 2026-01-01T00:00:00Z'])
  await rows.commit(keys.map((key) => put(ACCOUNTS, key, account([[0, 7]]))))
  const racing: Rows = {
    get: (from, key) => rows.get(from, key),
    getMany: (from, all) => rows.getMany(from, all),
    close: () => rows.close(),
    commit: (changes) => rows.commit(changes),
    async scan(from, range) {
      const page = await rows.scan(from, range)
      await rows.commit([put(ACCOUNTS, keys[1] ?? [], account([[0, 9]], { n: LEASE }))])
      return page
    },
  }
  assert.equal((await sweep(racing, { limit: 10, storeMs: nowMs })).removed, 2)
  assert.deepEqual(await keysOf(rows), ['b day 2026-01-01T00:00:00Z'])
})
