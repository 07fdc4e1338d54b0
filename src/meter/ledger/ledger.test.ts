import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CutRows, openNode, postedIn, timed, wait } from '../../../tests/kit/ledger.ts'
import { ACCOUNTS, type AccountRow } from './account-row.ts'
import { type Amounts, NO_AMOUNTS } from './amounts.ts'
import type { Budget } from './budget.ts'
import { Hold } from './ledger.ts'
import { type Evidence, fence, NO_EVIDENCE } from './recover.ts'
import { Shortfall } from './shortfall.ts'
import { BudgetTable } from './table.ts'

const TOKENS: Budget = {
  id: 'team-day',
  scope: 'team',
  match: 'red',
  unit: 'totalTokens',
  limit: 1_000,
  window: { kind: 'calendar', unit: 'day', zone: 'UTC' },
  action: { kind: 'refuse' },
  warnAt: [0.5, 0.9],
}
const RED = { team: 'red', key: 'k1', user: 'ann' }
const tokens = (totalTokens: number): Amounts => ({ ...NO_AMOUNTS, totalTokens, requests: 1 })

const open = (budgets: readonly Budget[], rows = new CutRows(), node = 'a', evidence: Evidence = NO_EVIDENCE) =>
  openNode({ budgets, rows, node, evidence })

function held(result: Hold | Shortfall): Hold {
  assert.ok(result instanceof Hold, `refused: ${JSON.stringify(result)}`)
  return result
}

function refused(result: Hold | Shortfall): Shortfall {
  assert.ok(result instanceof Shortfall)
  return result
}

test('a request holds its bound, posts what it used, and frees the rest', async () => {
  const { ledger, table, escrow, rows, wait } = await open([TOKENS])
  const hold = held(await ledger.admit('r1', 0, table.bind(RED), tokens(600)))
  const second = refused(
    await (async () => {
      const asked = ledger.admit('r2', 0, table.bind(RED), tokens(600))
      await wait(1_000)
      return asked
    })(),
  )
  assert.equal(second.reason, 'spent')
  assert.deepEqual([second.short[0]?.needed, second.short[0]?.available, second.action.kind], [600, 400, 'refuse'])
  assert.equal(second.short[0]?.resetsAtMs, Date.UTC(2026, 0, 2))
  assert.ok(ledger.settle(hold, tokens(100)))
  held(await ledger.admit('r3', 0, table.bind(RED), tokens(600)))
  await wait(500)
  assert.equal(await postedIn(rows), 100)
  assert.equal([...escrow.accounts][0]?.pending, 600)
})

test('a hold ends once', async () => {
  const { ledger, table, rows, wait } = await open([TOKENS])
  const hold = held(await ledger.admit('r1', 0, table.bind(RED), tokens(10)))
  assert.equal(refused(await ledger.admit('r1', 0, table.bind(RED), tokens(10))).reason, 'duplicate')
  const retry = held(await ledger.admit('r1', 1, table.bind(RED), tokens(10)))
  assert.deepEqual([...ledger.openHolds], [hold, retry])
  assert.deepEqual(
    [ledger.settle(hold, tokens(7)), ledger.settle(hold, tokens(7)), ledger.void(hold)],
    [true, false, false],
  )
  assert.deepEqual([ledger.void(retry), ledger.settle(retry, tokens(9))], [true, false])
  await wait(500)
  assert.equal(await postedIn(rows), 7)
})

test('what is no amount is refused by name, and leaves the books alone', async () => {
  const { ledger, table, escrow } = await open([TOKENS])
  const hold = held(await ledger.admit('r1', 0, table.bind(RED), tokens(10)))
  for (const wrong of [NaN, -1, 0.5, Infinity, 2 ** 53]) {
    assert.throws(() => ledger.reserve('r2', 0, table.bind(RED), tokens(wrong)), { code: 'internal' })
    assert.throws(() => ledger.settle(hold, tokens(wrong)), { code: 'internal' })
  }
  assert.deepEqual([hold.state, [...escrow.accounts][0]?.pending], ['open', 10])
  assert.ok(ledger.settle(hold, tokens(1)))
})

test('all scopes are held or none', async () => {
  const wide: Budget = { ...TOKENS, id: 'all', scope: 'global', limit: 50 }
  const { match: _, ...global } = wide
  const { ledger, table, escrow, wait } = await open([TOKENS, global])
  const asked = ledger.admit('r1', 0, table.bind(RED), tokens(60))
  await wait(1_000)
  const shortfall = refused(await asked)
  assert.deepEqual([shortfall.reason, shortfall.short.map(({ budget }) => budget.id)], ['over_limit', ['all']])
  for (const account of escrow.accounts) assert.deepEqual([account.pending, account.holds], [0, 0])
})

test('more used than held is posted and reported, and nothing is held until it is made up for', async () => {
  const { ledger, table, overruns, rows, wait } = await open([TOKENS])
  const hold = held(await ledger.admit('r1', 0, table.bind(RED), tokens(10)))
  ledger.settle(hold, tokens(1_200))
  assert.deepEqual(
    overruns.map(({ held, actual }) => [held, actual]),
    [[10, 1_200]],
  )
  await wait(500)
  assert.equal(await postedIn(rows), 1_200)
  assert.equal(refused(await ledger.admit('r2', 0, table.bind(RED), tokens(1))).reason, 'spent')
})

test('a budget that is overdrawn holds up no call that needs nothing of it', async () => {
  const output: Budget = { ...TOKENS, id: 'output', unit: 'outputTokens', limit: 100 }
  const { ledger, table, wait } = await open([output])
  const needs = (outputTokens: number): Amounts => ({ ...NO_AMOUNTS, inputTokens: 5, outputTokens, requests: 1 })
  ledger.settle(held(await ledger.admit('chat', 0, table.bind(RED), needs(10))), needs(150))
  held(ledger.reserve('embeddings', 0, table.bind(RED), needs(0)))
  await wait(500)
  assert.equal(refused(await ledger.admit('another', 0, table.bind(RED), needs(1))).reason, 'spent')
})

test('a node with nothing to keep has no timer', async () => {
  const { ledger, table, clock, wait } = await open([TOKENS])
  assert.equal(clock.pending, 0)
  const hold = held(await ledger.admit('r1', 0, table.bind(RED), tokens(10)))
  assert.equal(clock.pending, 1)
  await wait(5_000)
  assert.equal(clock.pending, 1, 'while something is held it may be asked for headroom')
  ledger.settle(hold, tokens(5))
  await wait(3_000)
  assert.equal(clock.pending, 0)
  held(await ledger.admit('r2', 0, table.bind(RED), tokens(10)))
  assert.equal(clock.pending, 1)
})

test('soft budgets count and let pass; shares of a limit are told once', async () => {
  const soft: Budget = { ...TOKENS, id: 'soft', limit: 100, action: { kind: 'dryRun' } }
  const { ledger, table, told, wait } = await open([soft])
  for (const id of ['a', 'b', 'c']) {
    ledger.settle(held(ledger.reserve(id, 0, table.bind(RED), tokens(60))), tokens(60))
    await wait(250)
  }
  assert.deepEqual(told, ['warned soft 0.5', 'exceeded soft b', 'warned soft 0.9', 'exceeded soft c'])
})

test('a limit for each request alone', async () => {
  const each: Budget = {
    ...TOKENS,
    id: 'each',
    window: { kind: 'request' },
    limit: 50,
    action: { kind: 'clamp', minimum: 5 },
  }
  const { ledger, table, escrow } = await open([each])
  held(ledger.reserve('a', 0, table.bind(RED), tokens(50)))
  const shortfall = refused(ledger.reserve('b', 0, table.bind(RED), tokens(51)))
  assert.deepEqual([shortfall.reason, shortfall.action, shortfall.short[0]?.available], ['over_limit', each.action, 50])
  assert.deepEqual([...escrow.accounts], [])
})

test('without the store the lease is used up, then requests are refused for that reason; nothing is lost', async () => {
  const { ledger, table, rows, told, wait } = await open([TOKENS])
  held(await ledger.admit('r0', 0, table.bind(RED), tokens(20)))
  rows.cut = true
  let served = 0
  for (; ; served++) {
    const asked = ledger.admit(`s${served}`, 0, table.bind(RED), tokens(20))
    await wait(2_000)
    const result = await asked
    if (result instanceof Shortfall) {
      assert.equal(result.reason, 'store_unavailable')
      break
    }
    ledger.settle(result, tokens(20))
  }
  assert.ok(served > 0 && told.includes('failed store_unavailable'))
  rows.cut = false
  await wait(1_000)
  assert.equal(await postedIn(rows), served * 20)
})

test('a node gives back what it does not use when another needs it', async () => {
  const a = await open([TOKENS])
  held(await a.ledger.admit('a1', 0, a.table.bind(RED), tokens(100)))
  const b = await open([TOKENS], a.rows, 'b')
  const asked = b.ledger.admit('b1', 0, b.table.bind(RED), tokens(900))
  for (let i = 0; i < 20; i++) {
    await a.wait(50)
    await b.wait(50)
  }
  held(await asked)
})

test('a node that died has its whole lease posted, or what its log proves', async () => {
  for (const [evidence, expected] of [
    [NO_EVIDENCE, 234],
    [() => ({ settled: 0, open: 100 }), 130],
    [async () => ({ settled: 0, open: 100 }), 130],
    // More than was leased: an end that the log lost.
    [() => ({ settled: 0, open: 2_000 }), 234],
  ] as const) {
    const dead = await open([TOKENS])
    const hold = held(await dead.ledger.admit('r1', 0, dead.table.bind(RED), tokens(100)))
    dead.ledger.settle(hold, tokens(30))
    await dead.wait(250)
    held(await dead.ledger.admit('r2', 0, dead.table.bind(RED), tokens(100)))
    const next = await open([TOKENS], dead.rows, 'a', evidence)
    assert.equal(await postedIn(dead.rows), expected)
    await dead.wait(500)
    assert.deepEqual([dead.escrow.fenced, dead.told], [true, ['fenced']])
    assert.equal(refused(dead.ledger.reserve('r3', 0, dead.table.bind(RED), tokens(1))).reason, 'fenced')
    assert.ok(await next.escrow.close())
  }
})

test('a lease that is not used ends, and so does a closed node', async () => {
  const { ledger, table, escrow, rows, wait } = await open([TOKENS])
  ledger.settle(held(await ledger.admit('r1', 0, table.bind(RED), tokens(10))), tokens(4))
  await wait(4_000)
  assert.deepEqual([...escrow.accounts], [])
  const [account] = await rows.scan<AccountRow>(ACCOUNTS, { limit: 10 })
  assert.deepEqual(account?.row, { posted: [[0, 4]], leases: {} })
  ledger.settle(held(await ledger.admit('r2', 0, table.bind(RED), tokens(10))), tokens(5))
  assert.ok(await escrow.close())
  assert.equal(await postedIn(rows), 9)
})

test('a lowered limit calls leases back', async () => {
  const { ledger, table, escrow, wait } = await open([TOKENS])
  ledger.settle(held(await ledger.admit('r1', 0, table.bind(RED), tokens(200))), tokens(50))
  const lower = new BudgetTable([{ ...TOKENS, limit: 60 }])
  held(ledger.reserve('r2', 0, lower.bind(RED), tokens(5)))
  await wait(500)
  const [account] = escrow.accounts
  assert.deepEqual([account?.available, account?.lease], [0, 5])
})

test('a busy budget that becomes hard is enforced at once, and one that becomes soft lets pass', async () => {
  const soft: Budget = { ...TOKENS, limit: 100, action: { kind: 'dryRun' } }
  const { ledger, table, rows, clock, escrow } = await open([soft])
  const hard = new BudgetTable([{ ...soft, action: { kind: 'refuse' } }])
  const running = held(ledger.reserve('r1', 0, table.bind(RED), tokens(60)))
  ledger.settle(held(ledger.reserve('r2', 0, table.bind(RED), tokens(30))), tokens(30))
  const [refusal] = await timed(clock, ledger.admit('r3', 0, hard.bind(RED), tokens(20)))
  assert.equal(refused(refusal).reason, 'spent')
  const [fits] = await timed(clock, ledger.admit('r4', 0, hard.bind(RED), tokens(10)))
  held(fits)
  ledger.settle(running, tokens(60))
  held(ledger.reserve('r5', 0, table.bind(RED), tokens(5_000)))
  const { node, epoch } = escrow
  assert.deepEqual([node, epoch], ['a', 1])
  await wait(clock, 500)
  assert.equal(await postedIn(rows), 90)
  assert.equal([...escrow.accounts][0]?.lease, 0)
})

test('a node that dies after a warning became a limit has what it leased posted', async () => {
  const soft: Budget = { ...TOKENS, limit: 100, action: { kind: 'warn' } }
  const { ledger, table, rows, clock } = await open([soft])
  held(ledger.reserve('r1', 0, table.bind(RED), tokens(1)))
  await wait(clock, 500)
  const hard = new BudgetTable([{ ...soft, action: { kind: 'refuse' } }])
  const [hold] = await timed(clock, ledger.admit('r2', 0, hard.bind(RED), tokens(50)))
  held(hold)
  await open([soft], rows)
  assert.ok((await postedIn(rows)) >= 51)
})

test('what a fenced node used is dated when it is posted, not when somebody thought of fencing (seed 228499)', async () => {
  const rolling: Budget = { ...TOKENS, limit: 100, window: { kind: 'rolling', durationMs: 60_000 } }
  const { ledger, table, rows, clock } = await open([rolling])
  const [hold] = await timed(clock, ledger.admit('r1', 0, table.bind(RED), tokens(100)))
  held(hold)
  let readings = 0
  const storeMs = (): number => clock.wallMs() + ++readings * 30_000
  await fence(rows, 'a', storeMs, NO_EVIDENCE)
  const [stored] = await rows.scan<AccountRow>(ACCOUNTS, { limit: 10 })
  assert.deepEqual(stored?.row.posted, [[Math.floor((clock.wallMs() + 30_000) / 1_000), 100]])
})
