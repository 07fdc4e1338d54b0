import assert from 'node:assert/strict'
import { test } from 'node:test'
import { INVARIANTS, type Invariant } from '../invariants.ts'
import { PLANTS } from './all.ts'
import { makeScenario } from '../scenario.ts'
import { World } from '../world.ts'

/** A planted fault that shows only in rare company may need this many runs. */
const SEEDS_MAX = 500

const noticed = new Set<Invariant>()

for (const [name, { breaks, plant }] of Object.entries(PLANTS)) {
  test(`finds a planted fault: ${name}`, async () => {
    for (let seed = 1; seed <= SEEDS_MAX; seed++) {
      const { violation } = await new World(makeScenario(seed), plant()).run()
      if (violation === undefined) continue
      noticed.add(violation.invariant)
      assert.ok(
        breaks.includes(violation.invariant),
        `seed ${seed} noticed "${violation.invariant}" (${violation.detail}), expected one of ${breaks.join(', ')}`,
      )
      return
    }
    assert.fail(`${SEEDS_MAX} seeds went by without notice`)
  })
}

/** Which of its invariants a plant breaks first is the seed's choice: what no first notice named is
 *  looked for in further seeds. */
test('every invariant was broken by a planted fault, and noticed', async () => {
  for (const invariant of INVARIANTS) {
    const suspects = Object.values(PLANTS).filter(({ breaks }) => breaks.includes(invariant))
    for (let seed = 1; seed <= SEEDS_MAX && !noticed.has(invariant); seed++) {
      for (const { plant } of suspects) {
        const { violation } = await new World(makeScenario(seed), plant()).run()
        if (violation !== undefined) noticed.add(violation.invariant)
      }
    }
  }
  assert.deepEqual(
    INVARIANTS.filter((invariant) => !noticed.has(invariant)),
    [],
  )
})
