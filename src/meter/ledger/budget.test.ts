import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AMOUNT_MAX, amountsOf } from './amounts.ts'
import { type Budget, checkBudgets } from './budget.ts'
import { BudgetTable } from './table.ts'

const SOUND: Budget = {
  id: 'a',
  scope: 'team',
  match: 'red',
  unit: 'nanoUsd',
  limit: 1_000,
  window: { kind: 'calendar', unit: 'month', zone: 'Europe/Berlin' },
  action: { kind: 'refuse' },
  warnAt: [0.5, 0.8],
}
const { match: _, ...WITHOUT_MATCH } = SOUND

const RUNNING: Budget = { ...SOUND, unit: 'concurrent', limit: 5, window: { kind: 'lifetime' }, warnAt: [] }

const WRONG: readonly (readonly [what: string, budget: Budget, path: string])[] = [
  ['a negative limit', { ...SOUND, limit: -1 }, 'limit'],
  ['no limit', { ...SOUND, limit: 0 }, 'limit'],
  ['a fraction', { ...SOUND, limit: 1.5 }, 'limit'],
  ['an absurd limit', { ...SOUND, limit: AMOUNT_MAX + 2 }, 'limit'],
  ['an unknown zone', { ...SOUND, window: { kind: 'calendar', unit: 'day', zone: 'Mars/Base' } }, 'window.zone'],
  ['a window without length', { ...SOUND, window: { kind: 'rolling', durationMs: 0 } }, 'window.durationMs'],
  ['a team without a name', WITHOUT_MATCH, 'match'],
  ['a global budget with a match', { ...SOUND, scope: 'global' }, 'match'],
  ['a request with a month', { ...WITHOUT_MATCH, scope: 'request' }, 'window'],
  ['a minimum above the limit', { ...SOUND, action: { kind: 'clamp', minimum: 1_001 } }, 'action.minimum'],
  [
    'a clamp of what cannot be made shorter',
    { ...SOUND, unit: 'requests', action: { kind: 'clamp', minimum: 1 } },
    'action',
  ],
  [
    'a model degraded to itself',
    { ...SOUND, scope: 'model', match: 'big', action: { kind: 'degrade', to: 'big' } },
    'action.to',
  ],
  ['a degradation to nothing', { ...SOUND, action: { kind: 'degrade', to: '' } }, 'action.to'],
  ['a warning at the limit', { ...SOUND, warnAt: [0.5, 1] }, 'warnAt.1'],
  ['warnings out of order', { ...SOUND, warnAt: [0.8, 0.5] }, 'warnAt.1'],
  ['running requests of a month', { ...RUNNING, window: SOUND.window }, 'window'],
  ['a clamp of running requests', { ...RUNNING, action: { kind: 'clamp', minimum: 1 } }, 'action'],
  ['a warning of running requests', { ...RUNNING, action: { kind: 'warn' } }, 'action'],
  ['a share of running requests', { ...RUNNING, warnAt: [0.5] }, 'warnAt'],
  [
    'a degradation that counts as much',
    { ...SOUND, unit: 'requests', action: { kind: 'degrade', to: 'small' } },
    'action',
  ],
  ['an id that no key can hold', { ...SOUND, id: 'a\0b' }, 'id'],
]

test('a sound budget passes', () => assert.deepEqual(checkBudgets([SOUND, { ...RUNNING, id: 'b' }]), []))

for (const [what, budget, path] of WRONG)
  test(`refuses ${what}`, () => {
    const problems = checkBudgets([budget])
    assert.deepEqual(
      problems.map((one) => one.path.join('.')),
      [`0.${path}`],
    )
    assert.ok(problems[0]?.remedy)
  })

test('refuses two limits for the same thing, and one id twice; a soft one beside a hard one is fine', () => {
  assert.match(checkBudgets([SOUND, { ...SOUND, id: 'b', limit: 5 }])[0]?.wrong ?? '', /contradicts budget 0/)
  assert.deepEqual(
    checkBudgets([SOUND, { ...SOUND, unit: 'requests' }]).map(({ path }) => path),
    [[1, 'id']],
  )
  assert.deepEqual(checkBudgets([SOUND, { ...SOUND, id: 'b', action: { kind: 'warn' } }]), [])
})

test('a request is bound by what names it, by what is for each, and by what is for all, each once', () => {
  const table = new BudgetTable([
    SOUND,
    { ...WITHOUT_MATCH, id: 'all', scope: 'global' },
    { ...SOUND, id: 'each-tag', scope: 'tag', match: '*' },
    { ...SOUND, id: 'blue', match: 'blue' },
  ])
  const bound = table.bind({ team: 'red', tags: ['x', 'y', 'x'], user: 'ann' })
  assert.deepEqual(
    bound.map(({ budget, subject }) => [budget.id, subject]),
    [
      ['all', ''],
      ['a', 'red'],
      ['each-tag', 'x'],
      ['each-tag', 'y'],
    ],
  )
  assert.deepEqual(table.bind({ tags: ['y'] })[1], bound[3], 'the same binding every time')
  assert.deepEqual(
    table.bind({}).map(({ budget }) => budget.id),
    ['all'],
  )
})

test('amounts of a request: totals are derived, and a cost beyond all limits stays beyond', () => {
  assert.deepEqual(amountsOf(3, 4, 5n), {
    inputTokens: 3,
    outputTokens: 4,
    totalTokens: 7,
    nanoUsd: 5,
    requests: 1,
    concurrent: 1,
  })
  assert.equal(amountsOf(0, 0, 10n ** 30n).nanoUsd, AMOUNT_MAX)
})
