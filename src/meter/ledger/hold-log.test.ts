import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CutRows, openNode, wait } from '../../../tests/kit/ledger.ts'
import { ManualClock } from '../../../tests/kit/clock.ts'
import { silentLog } from '../../base/log.ts'
import { MemoryLeases } from '../../drivers/memory/leases.ts'
import type { MemoryRows } from '../../drivers/memory/rows.ts'
import { Accounting } from '../accounting.ts'
import { ACCOUNTS, sumOf } from './account-row.ts'
import { amountsOf } from './amounts.ts'
import type { Budget } from './budget.ts'
import { evidenceOf } from './evidence.ts'
import { HoldLog, holdLogIn } from './hold-log.ts'
import { Hold } from './ledger.ts'

const DAY: Budget = {
  id: 'day',
  scope: 'global',
  unit: 'totalTokens',
  limit: 100_000,
  window: { kind: 'lifetime' },
  action: { kind: 'refuse' },
  warnAt: [],
}
const BOUND = amountsOf(50, 50, 0n)
const USED = amountsOf(10, 10, 0n)

async function open(rows: CutRows, clock: ManualClock, unrecordedShare = 0) {
  const node = await openNode({ budgets: [DAY], rows, clock, evidence: evidenceOf(holdLogIn(rows)), unrecordedShare })
  const log = await HoldLog.open(rows, clock, node.escrow)
  let number = 0
  async function hold(): Promise<Hold> {
    const asked = node.ledger.admit(`req_${++number}`, 0, node.table.bind({}), BOUND)
    await wait(clock, 50)
    const held = await asked
    return held instanceof Hold ? held : assert.fail(held.reason)
  }
  function settle(held: Hold): void {
    node.ledger.settle(held, USED)
    log.end(held)
  }
  function record(held: Hold): Promise<void> | undefined {
    log.enlist(held)
    return log.ready([held])
  }
  return { ...node, log, hold, record, settle }
}

const postedIn = async (rows: MemoryRows): Promise<number> =>
  sumOf((await rows.get(ACCOUNTS, ['day', '', 'totalTokens', 'lifetime']))?.row.posted ?? [])

test('a node that died is posted what it used, and what was open at its bound', async () => {
  const [rows, clock] = [new CutRows(), new ManualClock()]
  const first = await open(rows, clock)
  const [one, two, three] = [await first.hold(), await first.hold(), await first.hold()]
  await Promise.all([one, two, three].map(async (held) => first.record(held)))
  first.settle(one)
  await wait(clock, 50)
  const leased = [...first.escrow.accounts][0]?.lease ?? 0
  assert.ok(leased > 220, 'or the whole lease would be no more')
  await open(rows, clock)
  assert.equal(await postedIn(rows), 20 + 100 + 100)
})

test('what was posted already is not posted again', async () => {
  const [rows, clock] = [new CutRows(), new ManualClock()]
  const first = await open(rows, clock)
  const one = await first.hold()
  await first.record(one)
  first.settle(one)
  await wait(clock, 400)
  assert.equal(await postedIn(rows), 20)
  await open(rows, clock)
  assert.equal(await postedIn(rows), 20)
})

test('a few holds need not be waited for; a crash is posted as much as they may come to', async () => {
  const [rows, clock] = [new CutRows(), new ManualClock()]
  const first = await open(rows, clock, 0.0025)
  const holds = [await first.hold(), await first.hold(), await first.hold()]
  const waits = holds.map((held) => first.record(held))
  assert.deepEqual(
    waits.map((one) => one === undefined),
    [true, true, false],
    'a quarter per cent of the limit is two and a half of them',
  )
  await waits[2]
  assert.equal(first.record(await first.hold()), undefined, 'once they are on record others may go first')
  await open(rows, clock)
  assert.equal(await postedIn(rows), 3 * 100 + 250)
})

test('while the store refuses, a few go on, and whoever waits is refused', async () => {
  const [rows, clock] = [new CutRows(), new ManualClock()]
  const first = await open(rows, clock, 0.001)
  const [one, two, three] = [await first.hold(), await first.hold(), await first.hold()]
  rows.cut = true
  assert.equal(first.record(one), undefined)
  const refused = first.record(two)
  assert.ok(refused !== undefined)
  await assert.rejects(refused, { code: 'store_unavailable' })
  first.ledger.void(two)
  first.log.end(two)
  rows.cut = false
  first.settle(one)
  await wait(clock, 50)
  assert.equal(first.record(three), undefined, 'the end of the first is on record')
  assert.equal([...first.escrow.accounts][0]?.unrecorded, 100)
})

test('what the store never took on record holds nobody up once it is posted', async () => {
  const [rows, clock] = [new CutRows(), new ManualClock()]
  const first = await open(rows, clock, 0.001)
  const held = await first.hold()
  rows.cut = true
  assert.equal(first.record(held), undefined)
  first.settle(held)
  await wait(clock, 50)
  rows.cut = false
  await wait(clock, 1_500)
  assert.equal(await postedIn(rows), 20)
  assert.equal([...first.escrow.accounts][0]?.unrecorded, 0)
})

test('the log keeps what is open or not yet posted, and forgets epochs before', async () => {
  const [rows, clock] = [new CutRows(), new ManualClock()]
  const first = await open(rows, clock)
  const entries = async () =>
    [...((await holdLogIn(rows)('a', first.escrow.epoch)) ?? [])].map(({ kind }) => kind).toSorted()
  for (let at = 0; at < 5; at++) {
    const held = await first.hold()
    await first.record(held)
    if (at > 0) first.settle(held)
  }
  await wait(clock, 50)
  assert.deepEqual(await entries(), ['begin', 'end', 'end', 'end', 'end', 'hold', 'hold', 'hold', 'hold', 'hold'])
  await wait(clock, 2_000)
  assert.deepEqual(await entries(), ['begin', 'hold'])
  await open(rows, clock)
  assert.deepEqual(await entries(), [])
})

test('while few are not on record, ends are summed up: one entry for any number of requests', async () => {
  const [rows, clock] = [new CutRows(), new ManualClock()]
  const first = await open(rows, clock, 0.0061)
  const read = holdLogIn(rows)
  const kinds = async () => [...((await read('a', first.escrow.epoch)) ?? [])].map(({ kind }) => kind).toSorted()
  const holds = [await first.hold(), await first.hold(), await first.hold()]
  for (const held of holds) assert.equal(first.record(held), undefined)
  await wait(clock, 110)
  assert.deepEqual(await kinds(), ['begin'], 'an open one among few is not written')
  first.settle(holds[0] ?? assert.fail())
  first.settle(holds[1] ?? assert.fail())
  await wait(clock, 110)
  assert.deepEqual(await kinds(), ['begin', 'used'])
  assert.equal([...first.escrow.accounts][0]?.unrecorded, 100, 'the open one')
  assert.ok(([...first.escrow.accounts][0]?.lease ?? 0) > 650, 'or the whole lease would be no more')
  await open(rows, clock)
  assert.equal(await postedIn(rows), 2 * 20 + 610, 'what was used, and the share that may be missing')
})

test('of ends before and after an order, those that it posted are not posted again', async () => {
  const [rows, clock] = [new CutRows(), new ManualClock()]
  const first = await open(rows, clock, 0.001)
  const end = async (): Promise<void> => {
    const held = await first.hold()
    void first.record(held)
    first.settle(held)
  }
  await end()
  await wait(clock, 300)
  assert.equal(await postedIn(rows), 20)
  await end()
  await end()
  await wait(clock, 30)
  await first.log.close()
  const before = await postedIn(rows)
  assert.ok(before === 20 || before === 60, 'a tick may have posted them')
  await open(rows, clock)
  assert.equal(await postedIn(rows), 60 + 100)
})

test('a hold whose record is on its way is waited for, not called at once', async () => {
  const [rows, clock] = [new CutRows(), new ManualClock()]
  const first = await open(rows, clock)
  const one = await first.hold()
  let durable = false
  const commit = rows.commit.bind(rows)
  let release = (): void => {}
  const gate = new Promise<void>((resolve) => (release = resolve))
  rows.commit = async (changes) => {
    await gate
    durable = true
    return commit(changes)
  }
  first.log.enlist(one)
  await wait(clock, 50)
  const ready = first.log.ready([one])
  assert.ok(ready !== undefined)
  setImmediate(release)
  await ready
  assert.ok(durable)
})

test('what nodes held that run no more is taken over by whoever comes', async () => {
  const [rows, clock] = [new CutRows(), new ManualClock()]
  const gone = await open(rows, clock)
  await gone.record(await gone.hold())
  const accounting = new Accounting({
    rows,
    leases: new MemoryLeases(clock),
    clock,
    log: silentLog,
    node: 'b',
    onWarning: () => {},
  })
  assert.deepEqual(await accounting.takeOver(new Set(['a', 'b'])), [], 'it runs')
  assert.deepEqual(await accounting.takeOver(new Set(['b'])), ['a'])
  assert.equal(await postedIn(rows), 100)
  const account = await rows.get(ACCOUNTS, ['day', '', 'totalTokens', 'lifetime'])
  assert.deepEqual(account?.row.leases, {})
  assert.deepEqual(await accounting.takeOver(new Set(['b'])), [])
})
