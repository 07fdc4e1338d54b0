import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ManualClock } from '../../../tests/kit/clock.ts'
import { openNode, postedIn, timed, wait } from '../../../tests/kit/ledger.ts'
import { MemoryRows } from '../../drivers/memory/rows.ts'
import { ACCOUNTS, leasedBy } from './account-row.ts'
import { amountsOf } from './amounts.ts'
import type { Budget } from './budget.ts'
import { Hold } from './ledger.ts'
import { Shortfall } from './shortfall.ts'

/** Small limits that two nodes share. */

const hard = { scope: 'key', match: '*', action: { kind: 'refuse' }, warnAt: [] } as const
const TWO: Budget = { ...hard, id: 'two', unit: 'concurrent', limit: 2, window: { kind: 'lifetime' } }
const FIVE: Budget = {
  ...hard,
  id: 'five',
  unit: 'requests',
  limit: 5,
  window: { kind: 'rolling', durationMs: 60_000 },
}
const ONE = amountsOf(10, 10, 10n)
/** A tick of the other node, a look of ours, and what the clock's steps add. */
const PROMPT_MS = 450

async function openTwo(budgets: readonly Budget[]) {
  const clock = new ManualClock()
  const rows = new MemoryRows()
  const [a, b] = [
    await openNode({ budgets, rows, clock, node: 'a' }),
    await openNode({ budgets, rows, clock, node: 'b' }),
  ]
  let number = 0
  const ask = (node: typeof a): Promise<[Hold | Shortfall, number]> =>
    timed(clock, node.ledger.admit(`r${number++}`, 0, node.table.bind({ key: 'k' }), ONE))
  const leased = async (): Promise<number> => {
    const stored = await rows.scan(ACCOUNTS, { limit: 10 })
    return stored.reduce((sum, { row }) => sum + leasedBy(Object.values(row.leases)), 0)
  }
  return { a, b, clock, rows, ask, leased }
}

function held([result]: [Hold | Shortfall, number]): Hold {
  assert.ok(result instanceof Hold, `refused: ${JSON.stringify(result)}`)
  return result
}

test('a running request holds 1 of a concurrency limit and posts nothing, however it ends', async () => {
  const { a, clock, rows, ask } = await openTwo([TWO])
  const [first, second] = [held(await ask(a)), held(await ask(a))]
  const [third, tookMs] = await ask(a)
  assert.ok(third instanceof Shortfall)
  assert.deepEqual([third.reason, third.short[0]?.spent, third.short[0]?.available, tookMs], ['spent', 2, 0, 0])
  a.ledger.settle(first, ONE)
  held(await ask(a))
  a.ledger.void(second)
  held(await ask(a))
  await wait(clock, 1_000)
  assert.equal(await postedIn(rows), 0)
  assert.deepEqual(a.overruns, [])
})

test('a concurrency limit that the other node uses up refuses promptly, and at once when asked again', async () => {
  const { a, b, clock, ask } = await openTwo([TWO])
  const holds = [held(await ask(a)), held(await ask(a))]
  const [refused, tookMs] = await ask(b)
  assert.ok(refused instanceof Shortfall && refused.reason === 'spent' && tookMs <= PROMPT_MS, `${tookMs} ms`)
  await wait(clock, 300)
  const [, againMs] = await ask(b)
  assert.equal(againMs, 0)
  for (const hold of holds) a.ledger.settle(hold, ONE)
  await wait(clock, 300)
  const [granted, grantedMs] = await ask(b)
  assert.ok(granted instanceof Hold && grantedMs === 0, 'what comes free goes back at once')
})

test('a node that does not use its lease leaves it to the other', async () => {
  const { a, b, ask } = await openTwo([TWO])
  const holds = [held(await ask(a)), held(await ask(a))]
  for (const hold of holds) a.ledger.settle(hold, ONE)
  const [granted, tookMs] = await ask(b)
  assert.ok(granted instanceof Hold && tookMs <= PROMPT_MS, `${tookMs} ms`)
})

test('two busy nodes share a small concurrency limit, and neither starves', async () => {
  const { a, b, clock } = await openTwo([TWO])
  const served = [0, 0]
  let over = false
  const callers = [a, b].flatMap((node, at) =>
    Array.from({ length: 4 }, async (_, caller) => {
      for (let round = 0; !over; round++) {
        const result = await node.ledger.admit(`${at}-${caller}-${round}`, 0, node.table.bind({ key: 'k' }), ONE)
        if (result instanceof Hold) {
          served[at]!++
          await new Promise<void>((resolve) => void clock.after(100, resolve))
          node.ledger.settle(result, ONE)
        } else await new Promise<void>((resolve) => void clock.after(50, resolve))
      }
    }),
  )
  await wait(clock, 30_000)
  over = true
  await wait(clock, 5_000)
  await Promise.all(callers)
  const [byA = 0, byB = 0] = served
  assert.ok(Math.min(byA, byB) >= 0.3 * (byA + byB), `${byA} and ${byB}`)
  assert.ok(byA + byB >= 200, `${byA + byB} of 600 in 30 seconds`)
})

test("a dead node's running requests are free again once it is recovered", async () => {
  const { a, b, rows, clock, ask, leased } = await openTwo([TWO, FIVE])
  held(await ask(a))
  held(await ask(a))
  assert.equal(await leased(), 4)
  const next = await openNode({ budgets: [TWO, FIVE], rows, clock, node: 'a' })
  assert.deepEqual([await leased(), await postedIn(rows)], [0, 2], 'requests are posted, running ones are gone')
  held(await ask(b))
  held(await ask(next))
})

test('five requests a minute over two nodes are five, and are free again after a minute', async () => {
  const { a, b, clock, rows, ask } = await openTwo([FIVE])
  for (const node of [a, b, a, b, a]) node.ledger.settle(held(await ask(node)), ONE)
  for (const node of [a, b]) {
    const [refused, tookMs] = await ask(node)
    assert.ok(refused instanceof Shortfall && refused.reason === 'spent' && tookMs <= PROMPT_MS, `${tookMs} ms`)
    assert.ok(Math.abs((refused.short[0]?.resetsAtMs ?? 0) - clock.wallMs() - 63_000) < 3_000)
  }
  await wait(clock, 500)
  assert.equal(await postedIn(rows), 5)
  await wait(clock, 64_000)
  for (const node of [a, b, a, b, a]) node.ledger.settle(held(await ask(node)), ONE)
})

test('requests that run for long refuse others promptly, though they may give something back', async () => {
  const { a, b, ask } = await openTwo([FIVE])
  for (let at = 0; at < 5; at++) held(await ask(a))
  const [refused, tookMs] = await ask(b)
  assert.ok(refused instanceof Shortfall && refused.reason === 'spent' && tookMs <= PROMPT_MS, `${tookMs} ms`)
})
