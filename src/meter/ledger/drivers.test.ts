import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { temporary } from '../../../tests/kit/sqlite.ts'
import { sleep, systemClock } from '../../base/clock.ts'
import { MemoryLeases } from '../../drivers/memory/leases.ts'
import { MemoryRows } from '../../drivers/memory/rows.ts'
import type { Leases } from '../../store/leases.ts'
import type { Change, Rows } from '../../store/rows.ts'
import { ACCOUNTS, type AccountRow, LEASED, leasedBy, sumOf } from './account-row.ts'
import { accountKey } from './account.ts'
import { reset, standings, sweep } from './administer.ts'
import { type Amounts, amountsOf } from './amounts.ts'
import type { Budget } from './budget.ts'
import { Escrow } from './escrow.ts'
import { Hold, Ledger } from './ledger.ts'
import { listOverrides, putOverride, removeOverride } from './overrides.ts'
import { NO_EVIDENCE } from './recover.ts'
import { BudgetTable } from './table.ts'
import { periodAt } from './window.ts'

/** The ledger on every driver of the rows it is kept in, with the real clock. */

interface Opened {
  readonly rows: Rows
  readonly leases: Leases
  close(): Promise<void>
}

const DRIVERS: readonly (readonly [name: string, open: () => Promise<Opened>])[] = [
  [
    'memory',
    async () => ({ rows: new MemoryRows(), leases: new MemoryLeases(systemClock), close: () => Promise.resolve() }),
  ],
  [
    'sqlite',
    async () => {
      const { port, close } = await temporary((store) => store)(systemClock)
      return { rows: port.rows, leases: port.leases, close }
    },
  ],
]

const hard = { scope: 'key', match: '*', action: { kind: 'refuse' }, warnAt: [] } as const
const BUDGETS: readonly Budget[] = [
  { ...hard, id: 'tokens', unit: 'totalTokens', limit: 500, window: { kind: 'lifetime' } },
  { ...hard, id: 'running', unit: 'concurrent', limit: 3, window: { kind: 'lifetime' } },
  { ...hard, id: 'rate', unit: 'requests', limit: 40, window: { kind: 'rolling', durationMs: 60_000 } },
]
const tokens = (count: number): Amounts => amountsOf(count, 0, 0n)

/** Looks at every version of every account that is written. */
function watched(rows: Rows, seen: string[]): Rows {
  const look = (change: Change): void => {
    if (change.op !== 'put' || change.table !== ACCOUNTS.name) return
    const row = change.row as AccountRow
    const [id] = change.key
    const limit = BUDGETS.find((budget) => budget.id === id)?.limit ?? 0
    const [posted, leased] = [sumOf(row.posted), leasedBy(Object.values(row.leases))]
    if (posted + leased > limit) seen.push(`${change.key.join(' ')}: ${posted} + ${leased} > ${limit}`)
  }
  return {
    get: (from, key) => rows.get(from, key),
    getMany: (from, keys) => rows.getMany(from, keys),
    scan: (from, range) => rows.scan(from, range),
    close: () => rows.close(),
    async commit(changes) {
      const done = await rows.commit(changes)
      if (done) changes.forEach(look)
      return done
    },
  }
}

async function openLedger({ rows, leases }: Opened, node: string): Promise<{ escrow: Escrow; ledger: Ledger }> {
  const escrow = await Escrow.open({
    rows,
    leases,
    clock: systemClock,
    node,
    evidence: NO_EVIDENCE,
    reports: { warned: () => {}, failed: () => {}, fenced: () => {} },
  })
  return { escrow, ledger: new Ledger(systemClock, escrow, { overrun: () => {}, exceeded: () => {} }) }
}

interface Load {
  readonly node: number
  readonly bound: number
  readonly used: number
  readonly pauseMs: number
}

const LOAD: fc.Arbitrary<Load[]> = fc.array(
  fc
    .record({ node: fc.nat(1), bound: fc.integer({ min: 1, max: 60 }), used: fc.nat(60), pauseMs: fc.nat(2) })
    .map((load) => ({ ...load, used: Math.min(load.used, load.bound) })),
  { minLength: 10, maxLength: 60 },
)

for (const [name, open] of DRIVERS) {
  test(`${name}: two nodes over one store keep every version of every account within its limit, and lose nothing`, async () => {
    await fc.assert(
      fc.asyncProperty(LOAD, async (load) => {
        const store = await open()
        const broken: string[] = []
        const nodes = await Promise.all(
          ['a', 'b'].map((node) => openLedger({ ...store, rows: watched(store.rows, broken) }, node)),
        )
        const tables = nodes.map(() => new BudgetTable(BUDGETS))
        let used = 0
        let held = 0
        await Promise.all(
          load.map(async (one, at) => {
            await sleep(systemClock, one.pauseMs)
            const { ledger } = nodes[one.node] ?? assert.fail()
            const bindings = tables[one.node]?.bind({ key: 'k' }) ?? []
            const hold = await ledger.admit(`r${at}`, 0, bindings, tokens(one.bound))
            if (!(hold instanceof Hold)) return
            await sleep(systemClock, one.pauseMs)
            used += one.used
            held++
            ledger.settle(hold, tokens(one.used))
          }),
        )
        assert.ok(held > 0)
        const closed = await Promise.all(nodes.map(({ escrow }) => escrow.close()))
        assert.deepEqual([broken, closed], [[], [true, true]])
        const rows = await store.rows.scan(ACCOUNTS, { limit: 10 })
        const posted = Object.fromEntries(rows.map(({ key, row }) => [key[0], sumOf(row.posted)]))
        assert.deepEqual(posted, { tokens: used, running: 0, rate: held })
        assert.deepEqual(await store.rows.scan(LEASED, { limit: 1 }), [])
        await store.close()
      }),
      { numRuns: 3 },
    )
  })

  test(`${name}: a node that was never closed is recovered by its successor`, async () => {
    const store = await open()
    const dead = await openLedger(store, 'a')
    const hold = await dead.ledger.admit('r1', 0, new BudgetTable(BUDGETS).bind({ key: 'k' }), tokens(50))
    assert.ok(hold instanceof Hold)
    const { escrow } = await openLedger(store, 'a')
    const rows = await store.rows.scan(ACCOUNTS, { limit: 10 })
    const posted = Object.fromEntries(rows.map(({ key, row }) => [key[0], sumOf(row.posted)]))
    assert.ok((posted['tokens'] ?? 0) >= 50)
    assert.deepEqual([posted['running'], escrow.epoch], [0, 2])
    assert.equal(await dead.escrow.close(), false)
    assert.ok(dead.escrow.fenced)
    await escrow.close()
    await store.close()
  })

  test(`${name}: overrides, standings, a reset and a sweep`, async () => {
    const store = await open()
    const { rows } = store
    const { escrow, ledger } = await openLedger(store, 'a')
    const hold = await ledger.admit('r1', 0, new BudgetTable(BUDGETS).bind({ key: 'k' }), tokens(50))
    assert.ok(hold instanceof Hold && ledger.settle(hold, tokens(20)))
    await escrow.close()
    const nowMs = systemClock.wallMs()
    const [standing] = await standings(rows, { budget: 'tokens', limit: 10, nowMs })
    assert.deepEqual([standing?.subject, standing?.posted, standing?.leased], ['k', 20, 0])
    const [tokensBudget] = BUDGETS
    assert.ok(tokensBudget)
    assert.equal(await reset(rows, accountKey(tokensBudget, 'k', periodAt(tokensBudget.window, nowMs))), 20)
    assert.deepEqual(await sweep(rows, { limit: 100, storeMs: nowMs }), { removed: 2, next: undefined })
    const override = {
      id: 'o',
      budget: 'tokens',
      subject: 'k',
      limit: 9,
      fromMs: 0,
      untilMs: nowMs,
      reason: 'x',
      by: 'y',
    }
    assert.ok(await putOverride(rows, override))
    assert.deepEqual(await listOverrides(rows), [override])
    assert.deepEqual(await removeOverride(rows, override), override)
    await store.close()
  })
}
