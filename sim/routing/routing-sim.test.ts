import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ROUTING_INVARIANTS } from './invariants.ts'
import { PLANTS } from './plants.ts'
import { makeBlackout, makeScenario } from './scenario.ts'
import { World } from './world.ts'

const SEEDS = 300
/** Seeds in which a planted fault must be found. */
const PLANTED_SEEDS = 300

test(`${SEEDS} seeds of outages ask nobody too often, lose nobody, and come back`, async () => {
  const seen = { answered: 0, failed: 0, left: 0, further: 0, probes: 0 }
  for (let seed = 1; seed <= SEEDS; seed++) {
    const world = new World(makeScenario(seed))
    const { violation } = await world.run()
    assert.equal(
      violation,
      undefined,
      `seed ${seed} breaks "${violation?.invariant}": ${violation?.detail}\nnpm run sim:routing -- --seeds 1 --seed ${seed} --verbose`,
    )
    for (const outcome of world.judge.outcomes.values()) seen[outcome]++
    seen.further += world.judge.further
    seen.probes += world.judge.probes
  }
  for (const [situation, count] of Object.entries(seen)) assert.ok(count > 100, `${situation}: ${count}`)
})

test('when everything fails there are at most 1.1 calls a request', async () => {
  for (let seed = 1; seed <= 10; seed++) {
    const world = new World(makeBlackout(seed, 1_000, 20))
    const { violation } = await world.run()
    assert.equal(violation, undefined, `seed ${seed}: ${violation?.detail}`)
    const { calls, outcomes } = world.judge
    assert.ok(calls <= 1.1 * outcomes.size, `seed ${seed}: ${calls} calls for ${outcomes.size} requests`)
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

/** Which of its invariants a plant breaks first is the seed's choice. */
test('every invariant was seen broken', async () => {
  for (const invariant of ROUTING_INVARIANTS) {
    const suspects = Object.values(PLANTS).filter(({ breaks }) => breaks.includes(invariant))
    for (let seed = 1; seed <= PLANTED_SEEDS && !found.has(invariant); seed++) {
      for (const { plant } of suspects) {
        const { violation } = await new World(makeScenario(seed), plant).run()
        if (violation !== undefined) found.add(violation.invariant)
      }
    }
  }
  assert.deepEqual(
    ROUTING_INVARIANTS.filter((one) => !found.has(one)),
    [],
  )
})
