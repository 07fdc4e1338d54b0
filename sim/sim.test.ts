import assert from 'node:assert/strict'
import { test } from 'node:test'
import { makeScenario } from './scenario.ts'
import { Tally } from './tally.ts'
import { World } from './world.ts'

const SEEDS = 2000

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
  const requests = [1, 2, 3, 4, 5, 6].flatMap((seed) => makeScenario(seed).requests).slice(0, 12)
  const calm = {
    ...makeScenario(1),
    diskFull: [],
    diskSlow: false,
    skewMs: 0,
    requests: requests.map((plan, at) => ({ ...plan, name: `r${at}` })),
  }
  let crashed = 0
  for (let effect = 1; effect <= 60; effect++) {
    const world = new World({ ...calm, crashes: [effect, 61 - effect] })
    const { violation } = await world.run()
    assert.equal(violation, undefined, `a crash before effect ${effect}: ${violation?.invariant}: ${violation?.detail}`)
    if (world.lives > 2) crashed++
  }
  assert.ok(crashed > 50, `${crashed} of 60 places were reached`)
})
