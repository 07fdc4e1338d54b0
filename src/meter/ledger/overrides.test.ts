import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ManualClock } from '../../../tests/kit/clock.ts'
import { CutRows, openNode, timed, wait } from '../../../tests/kit/ledger.ts'
import { MemoryRows } from '../../drivers/memory/rows.ts'
import { AMOUNT_MAX, amountsOf } from './amounts.ts'
import type { Budget } from './budget.ts'
import { Hold } from './ledger.ts'
import {
  checkOverride,
  isInForce,
  listOverrides,
  type Override,
  overridesChangeMs,
  putOverride,
  removeOverride,
} from './overrides.ts'
import { Shortfall } from './shortfall.ts'
import { BudgetTable } from './table.ts'

const NOW_MS = Date.UTC(2026, 5, 1)
const HOUR_MS = 3_600_000

const hard = { unit: 'totalTokens', action: { kind: 'refuse' }, warnAt: [], window: { kind: 'lifetime' } } as const
const BUDGETS: readonly Budget[] = [
  { ...hard, id: 'each-key', scope: 'key', match: '*', limit: 100 },
  { ...hard, id: 'red', scope: 'team', match: 'red', limit: 1_000 },
  { ...hard, id: 'all', scope: 'global', limit: 10_000 },
]
const SOUND: Override = {
  id: 'o1',
  budget: 'each-key',
  subject: 'k1',
  limit: 500,
  fromMs: NOW_MS,
  untilMs: NOW_MS + HOUR_MS,
  reason: 'a demonstration',
  by: 'ann',
}

const WRONG: readonly (readonly [what: string, override: Override, part: keyof Override])[] = [
  ['an unknown budget', { ...SOUND, budget: 'every-key' }, 'budget'],
  ['a negative limit', { ...SOUND, limit: -1 }, 'limit'],
  ['a fraction', { ...SOUND, limit: 0.5 }, 'limit'],
  ['an absurd limit', { ...SOUND, limit: AMOUNT_MAX + 2 }, 'limit'],
  ['no beginning', { ...SOUND, fromMs: NaN }, 'fromMs'],
  ['no end', { ...SOUND, untilMs: Infinity }, 'untilMs'],
  ['an end in the past', { ...SOUND, fromMs: 0, untilMs: NOW_MS }, 'untilMs'],
  ['an end before its beginning', { ...SOUND, fromMs: NOW_MS + 2 * HOUR_MS }, 'untilMs'],
  ['an exception for ever', { ...SOUND, untilMs: NOW_MS + 400 * 24 * HOUR_MS }, 'untilMs'],
  ['no reason', { ...SOUND, reason: '' }, 'reason'],
  ['a novel', { ...SOUND, reason: 'x'.repeat(501) }, 'reason'],
  ['nobody', { ...SOUND, by: '' }, 'by'],
  ['an id that no key can hold', { ...SOUND, id: 'a\0b' }, 'id'],
  ['a subject that no key can hold', { ...SOUND, subject: 'a\0b' }, 'subject'],
  ['a subject whom the budget is not for', { ...SOUND, budget: 'red', subject: 'blue' }, 'subject'],
  ['a subject of a budget for all', { ...SOUND, budget: 'all', subject: 'k1' }, 'subject'],
]

for (const [what, override, part] of WRONG)
  test(`refuses ${what}`, () => {
    const problems = checkOverride(override, BUDGETS, NOW_MS)
    assert.deepEqual(
      problems.map(({ path }) => path),
      [[part]],
    )
    assert.ok(problems[0]?.remedy)
  })

test('sound overrides pass: of one subject, of all of them, and of a budget for all', () => {
  for (const sound of [
    SOUND,
    { ...SOUND, subject: '*', limit: 0 },
    { ...SOUND, budget: 'red', subject: 'red' },
    { ...SOUND, budget: 'all', subject: '' },
  ])
    assert.deepEqual(checkOverride(sound, BUDGETS, NOW_MS), [])
})

test('overrides are kept, listed by budget, and removed once', async () => {
  const rows = new MemoryRows()
  const other = { ...SOUND, id: 'o2', budget: 'red', subject: 'red' }
  assert.deepEqual([await putOverride(rows, SOUND), await putOverride(rows, other)], [true, true])
  assert.equal(await putOverride(rows, { ...SOUND, limit: 7 }), false, 'the id is taken')
  assert.deepEqual(await listOverrides(rows), [SOUND, other])
  assert.deepEqual(await listOverrides(rows, 'red'), [other])
  assert.deepEqual(await removeOverride(rows, SOUND), SOUND)
  assert.equal(await removeOverride(rows, SOUND), undefined)
})

test('tells when the next one begins or ends', () => {
  const later = { ...SOUND, fromMs: NOW_MS + 5, untilMs: NOW_MS + 9 }
  const changes = [NOW_MS - 1, NOW_MS, NOW_MS + 5, NOW_MS + 9, NOW_MS + HOUR_MS].map((atMs) =>
    overridesChangeMs([SOUND, later], atMs),
  )
  assert.deepEqual(changes, [NOW_MS, NOW_MS + 5, NOW_MS + 9, NOW_MS + HOUR_MS, Infinity])
  assert.deepEqual(
    [NOW_MS - 1, NOW_MS, NOW_MS + HOUR_MS - 1, NOW_MS + HOUR_MS].map((atMs) => isInForce(SOUND, atMs)),
    [false, true, true, false],
  )
})

test("a subject's own override goes before one for each, and a later one before an earlier", () => {
  const table = new BudgetTable(BUDGETS, [
    { ...SOUND, id: 'o3', fromMs: NOW_MS - 5, limit: 400 },
    SOUND,
    { ...SOUND, id: 'o2', subject: '*', limit: 50 },
    { ...SOUND, id: 'o4', budget: 'all', subject: '', limit: 9 },
    { ...SOUND, id: 'o5', budget: 'red', subject: 'red', limit: 8 },
  ])
  const limits = (key: string): number[] => table.bind({ key, team: 'red' }).map(({ budget }) => budget.limit)
  assert.deepEqual(
    [limits('k1'), limits('k2')],
    [
      [9, 500, 8],
      [9, 50, 8],
    ],
  )
})

const tokens = (count: number) => amountsOf(count, 0, 0n)

test('an account lives on under an override: raised it affords more, lowered it affords nothing and leases go back', async () => {
  const clock = new ManualClock()
  const [budget] = BUDGETS
  assert.ok(budget)
  const { ledger, escrow, table, rows } = await openNode({ budgets: [budget], rows: new MemoryRows(), clock })
  const key = { key: 'k1' }
  const ask = async (id: string, amount: number, of: BudgetTable): Promise<Hold | Shortfall> => {
    const [result] = await timed(clock, ledger.admit(id, 0, of.bind(key), tokens(amount)))
    return result
  }
  const first = await ask('r1', 90, table)
  assert.ok(first instanceof Hold && ledger.settle(first, tokens(90)))
  assert.ok((await ask('r2', 20, table)) instanceof Shortfall)
  const raised = new BudgetTable([budget], [SOUND])
  const second = await ask('r3', 300, raised)
  assert.ok(second instanceof Hold, 'at once, though the budget was spent a moment ago')
  assert.ok((await ask('r4', 200, raised)) instanceof Shortfall)
  const lowered = new BudgetTable([budget], [{ ...SOUND, limit: 10 }])
  const refused = await ask('r5', 1, lowered)
  assert.ok(refused instanceof Shortfall && refused.reason === 'spent')
  ledger.settle(second, tokens(100))
  await wait(clock, 500)
  const [account] = escrow.accounts
  assert.deepEqual([account?.available, account?.lease, account?.posted], [0, 0, 190])
  const again = await ask('r6', 300, raised)
  assert.ok(again instanceof Hold)
  await escrow.close()
  assert.ok(rows)
})

test('a request that was bound before an override does not bring the old limit back', async () => {
  const clock = new ManualClock()
  const [budget] = BUDGETS
  assert.ok(budget)
  const { ledger, table } = await openNode({ budgets: [budget], rows: new MemoryRows(), clock })
  const lowered = new BudgetTable([budget], [{ ...SOUND, limit: 10 }], 1)
  const ask = (id: string, of: BudgetTable) => timed(clock, ledger.admit(id, 0, of.bind({ key: 'k1' }), tokens(11)))
  assert.ok((await ask('new', lowered))[0] instanceof Shortfall)
  assert.ok((await ask('a retry of an old request', table))[0] instanceof Shortfall)
  assert.ok((await ask('newer', lowered))[0] instanceof Shortfall)
})

test('a new table reaches accounts that no request uses just now, and what is at hand beyond it goes back', async () => {
  const clock = new ManualClock()
  const [budget] = BUDGETS
  assert.ok(budget)
  const { ledger, escrow, table } = await openNode({ budgets: [budget], rows: new MemoryRows(), clock })
  const [first] = await timed(clock, ledger.admit('r1', 0, table.bind({ key: 'k1' }), tokens(5)))
  assert.ok(first instanceof Hold && ledger.settle(first, tokens(5)))
  const [account] = escrow.accounts
  assert.ok((account?.available ?? 0) > 0)
  escrow.configure(new BudgetTable([budget], [{ ...SOUND, limit: 4 }], 1))
  assert.deepEqual([account?.budget.limit, account?.available], [4, 0])
  await wait(clock, 500)
  assert.deepEqual([account?.lease, account?.posted], [0, 5])
})

test('a request that waits while the limit is lowered and the day ends draws by the new limit (seed 3163)', async () => {
  const clock = new ManualClock()
  const day: Budget = {
    ...hard,
    id: 'day',
    scope: 'key',
    match: '*',
    limit: 1_000,
    window: { kind: 'calendar', unit: 'day', zone: 'UTC' },
  }
  const rows = new CutRows()
  const { ledger, escrow, table } = await openNode({ budgets: [day], rows, clock })
  clock.advance(24 * HOUR_MS - 300)
  rows.cut = true
  const asked = ledger.admit('r1', 0, table.bind({ key: 'k1' }), tokens(500))
  await wait(clock, 250)
  escrow.configure(new BudgetTable([{ ...day, limit: 100 }], [], 1))
  rows.cut = false
  const [refused] = await timed(clock, asked)
  assert.ok(refused instanceof Shortfall && refused.reason === 'over_limit', 'the new day has the new limit')
})
