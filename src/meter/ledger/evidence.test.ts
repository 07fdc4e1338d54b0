import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ManualClock } from '../../../tests/kit/clock.ts'
import { openNode, postedIn, timed, wait } from '../../../tests/kit/ledger.ts'
import { fault } from '../../base/errors.ts'
import { MemoryRows } from '../../drivers/memory/rows.ts'
import { amountsOf } from './amounts.ts'
import type { Budget } from './budget.ts'
import {
  beginEntry,
  endEntry,
  type EndEntry,
  evidenceOf,
  type HoldEntry,
  holdEntry,
  type HoldLogEntry,
} from './evidence.ts'
import { Hold } from './ledger.ts'
import type { Orphan, Proof } from './recover.ts'

const ACCOUNT = ['b', 'k', 'totalTokens', 'lifetime']
const NODE = { node: 'a', epoch: 3 }
const BEGIN = beginEntry(NODE)
const ORPHAN: Orphan = { ...NODE, term: 0, sequence: 20, account: ACCOUNT }

const hold = (number: number, amount: number, more: Partial<HoldEntry> = {}): HoldEntry => ({
  kind: 'hold',
  ...NODE,
  hold: number,
  request: `r${number}`,
  attempt: 0,
  parts: [{ account: ACCOUNT, amount }],
  ...more,
})
const end = (number: number, amount: number, after: number, more: Partial<EndEntry> = {}): EndEntry => ({
  ...hold(number, amount),
  kind: 'end',
  after,
  ...more,
})
const proofOf = async (entries: readonly HoldLogEntry[] | undefined, orphan = ORPHAN): Promise<Proof | undefined> =>
  evidenceOf(() => Promise.resolve(entries))(orphan)

test('an open hold counts at its bound, one that ended at what it used, unless that is posted', async () => {
  const entries = [BEGIN, hold(1, 100), hold(2, 50), end(2, 30, 20), hold(3, 40), end(3, 7, 19)]
  assert.deepEqual(await proofOf(entries), { settled: 30, open: 100 })
})

test('entries may come twice and in any order', async () => {
  const entries = [end(2, 30, 20), hold(2, 50), hold(1, 100), BEGIN, end(2, 30, 20), hold(1, 100), hold(2, 50), BEGIN]
  assert.deepEqual(await proofOf(entries), { settled: 30, open: 100 })
})

test('of two ends the first stands', async () => {
  assert.deepEqual(await proofOf([BEGIN, hold(1, 100), end(1, 30, 20), end(1, 100, 25)]), { settled: 30, open: 0 })
})

test('an end without its hold counts as what it used', async () => {
  assert.deepEqual(await proofOf([BEGIN, end(1, 30, 20)]), { settled: 30, open: 0 })
})

test('each attempt counts, and so does a second hold of the same attempt', async () => {
  const same = { request: 'r', attempt: 0 }
  const entries = [
    BEGIN,
    hold(1, 10, same),
    hold(2, 10, { ...same, attempt: 1 }),
    end(1, 0, 20, same),
    hold(3, 5, same),
  ]
  assert.deepEqual(await proofOf(entries), { settled: 0, open: 15 })
})

test('sums count once however often they come, unless they are posted or of an earlier term', async () => {
  const sum = (number: number, amount: number, after: number): HoldLogEntry => ({
    kind: 'used',
    ...NODE,
    hold: number,
    after,
    part: { account: ACCOUNT, amount },
  })
  const entries = [BEGIN, sum(21, 30, 25), sum(21, 30, 25), sum(18, 5, 19), sum(23, 4, 24), hold(26, 100)]
  assert.deepEqual(await proofOf(entries), { settled: 34, open: 100 })
  assert.deepEqual(await proofOf(entries, { ...ORPHAN, term: 22 }), { settled: 4, open: 100 })
})

test('a log that lost its beginning, or that nobody can read whole, proves nothing', async () => {
  assert.equal(await proofOf([hold(1, 100)]), undefined)
  assert.equal(await proofOf([beginEntry({ ...NODE, epoch: 2 }), hold(1, 100)]), undefined)
  assert.equal(await proofOf(undefined), undefined)
})

test('other nodes, epochs, accounts and terms do not count', async () => {
  const part = { account: ACCOUNT, amount: 9 }
  const entries = [
    BEGIN,
    hold(11, 9, { node: 'b' }),
    hold(12, 9, { epoch: 2 }),
    hold(3, 9),
    hold(14, 9, { parts: [{ ...part, account: ['b', 'other', 'totalTokens', 'lifetime'] }, part] }),
  ]
  assert.deepEqual(await proofOf(entries, { ...ORPHAN, term: 10 }), { settled: 0, open: 9 })
})

test('a log that cannot be read now is read again the next time', async () => {
  let reads = 0
  const evidence = evidenceOf(() =>
    ++reads === 1
      ? Promise.reject(fault('store_unavailable', { reason: 'late' }))
      : Promise.resolve([BEGIN, hold(1, 4)]),
  )
  await assert.rejects(async () => evidence(ORPHAN), { code: 'store_unavailable' })
  assert.deepEqual(await evidence(ORPHAN), { settled: 0, open: 4 })
  assert.deepEqual([await evidence({ ...ORPHAN, term: 2 }), reads], [{ settled: 0, open: 0 }, 2])
})

const BUDGET: Budget = {
  id: 'b',
  scope: 'key',
  match: '*',
  unit: 'totalTokens',
  limit: 10_000,
  window: { kind: 'lifetime' },
  action: { kind: 'refuse' },
  warnAt: [],
}

test('after a crash exactly what was settled is posted, and what was open at its bound', async () => {
  const clock = new ManualClock()
  const rows = new MemoryRows()
  const dead = await openNode({ budgets: [BUDGET], rows, clock })
  const log: HoldLogEntry[] = [beginEntry(dead.escrow)]
  const admit = async (id: string, amount: number): Promise<Hold> => {
    const bindings = dead.table.bind({ key: 'k' })
    const [held] = await timed(clock, dead.ledger.admit(id, 0, bindings, amountsOf(amount, 0, 0n)))
    assert.ok(held instanceof Hold)
    log.push(holdEntry(dead.escrow, held))
    return held
  }
  const settle = (held: Hold, amount: number): void => {
    dead.ledger.settle(held, amountsOf(amount, 0, 0n))
    log.push(endEntry(dead.escrow, held))
  }
  settle(await admit('posted', 500), 100)
  await wait(clock, 500)
  assert.equal(await postedIn(rows), 100)
  const open = await admit('open', 300)
  settle(await admit('settled', 200), 20)
  const voided = await admit('voided', 400)
  dead.ledger.void(voided)
  log.push(endEntry(dead.escrow, voided))
  assert.equal(open.state, 'open')
  const kept = JSON.parse(JSON.stringify(log)) as HoldLogEntry[]
  await openNode({ budgets: [BUDGET], rows, clock, evidence: evidenceOf(() => Promise.resolve(kept)) })
  assert.equal(await postedIn(rows), 100 + 20 + 300)
})

test('what a call used beyond its bound is posted after a crash, and open holds are not cut for it', async () => {
  const clock = new ManualClock()
  const rows = new MemoryRows()
  const dead = await openNode({ budgets: [BUDGET], rows, clock })
  const bindings = dead.table.bind({ key: 'k' })
  const [[over], [open]] = [
    await timed(clock, dead.ledger.admit('over', 0, bindings, amountsOf(10, 0, 0n))),
    await timed(clock, dead.ledger.admit('open', 0, bindings, amountsOf(30, 0, 0n))),
  ]
  assert.ok(over instanceof Hold && open instanceof Hold)
  const log = [beginEntry(dead.escrow), holdEntry(dead.escrow, over), holdEntry(dead.escrow, open)]
  dead.ledger.settle(over, amountsOf(9_000, 0, 0n))
  const kept = [...log, endEntry(dead.escrow, over)]
  await openNode({ budgets: [BUDGET], rows, clock, evidence: evidenceOf(() => Promise.resolve(kept)) })
  assert.equal(await postedIn(rows), 9_030)
})
