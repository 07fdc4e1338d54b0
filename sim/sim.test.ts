import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Declared } from '../src/meter/declared.ts'
import { type Budget, checkBudgets } from '../src/meter/ledger/budget.ts'
import { budgetsOf, NO_BUDGETS } from './budgets.ts'
import { makeScenario, type Scenario } from './scenario.ts'
import { Tally } from './tally.ts'
import { World } from './world.ts'

const SEEDS = 2000

const TOKENS: Budget = {
  id: 'tokens',
  scope: 'global',
  unit: 'totalTokens',
  limit: 100_000_000,
  window: { kind: 'lifetime' },
  action: { kind: 'refuse' },
  warnAt: [],
}
const ROOM: Budget = { ...TOKENS, id: 'room', unit: 'concurrent', limit: 64 }
const AMPLE: Declared = { budgets: [TOKENS], rateLimits: [ROOM], spentStatus: 429 }
const BUDGETS: Declared = { ...AMPLE, budgets: [{ ...TOKENS, limit: 5_000 }] }

test(`${SEEDS} seeds keep every invariant, and reach every situation`, async () => {
  const tally = new Tally()
  for (let seed = 1; seed <= SEEDS; seed++) {
    const world = new World(makeScenario(seed))
    const { violation, steps } = await world.run()
    assert.equal(
      violation,
      undefined,
      `seed ${seed} breaks "${violation?.invariant}": ${violation?.detail}\nnpm run sim -- --seeds 1 --seed ${seed}`,
    )
    tally.add(world, steps)
  }
  const unseen = [...tally.counts].filter(([, count]) => count === 0).map(([situation]) => situation)
  assert.deepEqual(unseen, [], 'situations that never came to pass')
})

test('the same seed makes the same run, to the last step', async () => {
  for (const seed of [3, 58, 404]) {
    const [first, second] = [new World(makeScenario(seed)), new World(makeScenario(seed), {}, true)]
    const [one, two] = [await first.run(), await second.run()]
    assert.ok(one.steps > 10)
    assert.deepEqual(one, two)
  }
  const [a, b] = [await new World(makeScenario(1)).run(), await new World({ ...makeScenario(1), seed: 2 }).run()]
  assert.notEqual(a.hash, b.hash, 'another seed must make another run of the same scenario')
})

test('a crash may fall between any two effects of a start, a request and a recovery', async () => {
  for (const [budgets, effects] of [
    [NO_BUDGETS, 60],
    [BUDGETS, 120],
  ] as const) {
    const requests = [1, 2, 3, 4, 5, 6].flatMap((seed) => makeScenario(seed).requests).slice(0, 12)
    const calm = {
      ...makeScenario(1),
      diskFull: [],
      diskSlow: false,
      skewMs: 0,
      budgets,
      requests: requests.map((plan, at) => ({ ...plan, name: `r${at}` })),
    }
    let crashed = 0
    for (let effect = 1; effect <= effects; effect++) {
      const world = new World({ ...calm, crashes: [effect, effects + 1 - effect] })
      const { violation } = await world.run()
      assert.equal(
        violation,
        undefined,
        `a crash before effect ${effect}: ${violation?.invariant}: ${violation?.detail}`,
      )
      if (world.lives > 2) crashed++
    }
    assert.ok(crashed > 0.8 * effects, `${crashed} of ${effects} places were reached`)
  }
})

test('the budgets that are made up are budgets', () => {
  let some = 0
  for (let seed = 1; seed <= 500; seed++) {
    const budgets = budgetsOf(makeScenario(seed).budgets)
    if (budgets.length > 0) some++
    assert.deepEqual(checkBudgets(budgets), [], `seed ${seed}`)
  }
  assert.ok(some > 150 && some < 250, `${some} of 500`)
})

test('under ample budgets everybody hears what they hear without', async () => {
  const heard = async (scenario: Scenario): Promise<unknown[]> => {
    const world = new World(scenario)
    assert.equal((await world.run()).violation, undefined)
    return world.callers.map(({ plan, status, state }) => [plan.name, status, state])
  }
  for (let seed = 1; seed <= 60; seed++) {
    const scenario = makeScenario(seed)
    const requests = scenario.requests.map(({ leaves: _leaves, ...plan }) => ({ ...plan, reads: 'steadily' as const }))
    const calm = { ...scenario, requests, crashes: [], stopsAtMs: [], diskFull: [], diskSlow: false }
    const without = await heard({ ...calm, budgets: NO_BUDGETS })
    assert.deepEqual(await heard({ ...calm, budgets: AMPLE }), without, `seed ${seed}`)
  }
})
