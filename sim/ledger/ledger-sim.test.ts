import assert from 'node:assert/strict'
import { test } from 'node:test'
import { attack } from './attack.ts'
import { LEDGER_INVARIANTS } from './invariants.ts'
import { PLANTS } from './plants.ts'
import { makeScenario, makeSteady } from './scenario.ts'
import { Tally } from './tally.ts'
import { World } from './world.ts'

const SEEDS = 2_000
/** Seeds in which a planted fault must be found. */
const PLANTED_SEEDS = 2_000

test(`${SEEDS} interleavings overspend nothing and lose nothing, and reach every situation`, async () => {
  const tally = new Tally()
  for (let seed = 1; seed <= SEEDS; seed++) {
    const world = new World(makeScenario(seed))
    const { violation, steps } = await world.run()
    const again = `npm run sim:ledger -- --seeds 1 --seed ${seed} --verbose`
    assert.equal(violation, undefined, `seed ${seed} breaks "${violation?.invariant}": ${violation?.detail}\n${again}`)
    tally.add(world, steps)
  }
  const unseen = [...tally.counts].filter(([, count]) => count === 0).map(([situation]) => situation)
  assert.deepEqual(unseen, [], 'situations that never came to pass')
})

test('under a steady load at least 99 % of a budget is used before anybody is refused', async () => {
  for (let seed = 1; seed <= 8; seed++) {
    const world = new World(makeSteady(seed))
    const { violation } = await world.run()
    assert.equal(violation, undefined, `seed ${seed}: ${violation?.detail}`)
    assert.ok(world.judge.refusals > 0, 'the load must reach the limit')
  }
})

test('the same seed makes the same run, to the last step', async () => {
  const [one, two, other] = [3, 3, 4].map((seed) => new World(makeScenario(seed)))
  const [first, second, third] = [await one?.run(), await two?.run(), await other?.run()]
  assert.deepEqual(first, second)
  assert.notEqual(first?.hash, third?.hash)
})

const found = new Set<string>()

for (const [name, { plant, breaks }] of Object.entries(PLANTS))
  test(`sees ${name}`, async () => {
    for (let seed = 1; seed <= PLANTED_SEEDS; seed++) {
      const { violation } = await new World(makeScenario(seed), plant).run()
      if (violation === undefined) continue
      found.add(violation.invariant)
      assert.ok(
        breaks.some((one) => one === violation.invariant),
        `breaks "${violation.invariant}": ${violation.detail}`,
      )
      return
    }
    assert.fail(`${PLANTED_SEEDS} seeds did not see it`)
  })

/** What no plant broke first is looked for in further seeds. */
test('every invariant was seen broken', async () => {
  for (const invariant of LEDGER_INVARIANTS) {
    const suspects = Object.values(PLANTS).filter(({ breaks }) => breaks.includes(invariant))
    for (let seed = 1; seed <= PLANTED_SEEDS && !found.has(invariant); seed++)
      for (const { plant } of suspects) {
        const { violation } = await new World(makeScenario(seed), plant).run()
        if (violation !== undefined) found.add(violation.invariant)
      }
  }
  assert.deepEqual(
    LEDGER_INVARIANTS.filter((one) => !found.has(one)),
    [],
  )
})

test('check-then-add overspends under the load that this ledger withstands', async () => {
  const { limit, ledger, shared, replicas } = await attack(1)
  assert.ok(ledger <= limit && ledger >= limit * 0.95, `${ledger} of ${limit}`)
  assert.ok(shared > limit && replicas > limit, `${shared} and ${replicas} of ${limit}`)
})
