import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PLANTS } from './plants/all.ts'
import { makeScenario, type Scenario } from './scenario.ts'
import { shrink } from './shrink.ts'
import { World } from './world.ts'

async function firstFailure(plantName: string): Promise<Scenario> {
  for (let seed = 1; seed < 200; seed++) {
    const scenario = makeScenario(seed)
    if (scenario.requests.length < 3) continue
    const { violation } = await new World(scenario, PLANTS[plantName]?.plant()).run()
    if (violation !== undefined) return scenario
  }
  return assert.fail(`${plantName} was not found`)
}

test('a failing scenario shrinks to what it needs, and still fails in the same way', async () => {
  const plant = PLANTS['lost chunk']?.plant ?? assert.fail('no such plant')
  const scenario = await firstFailure('lost chunk')
  const { violation } = await new World(scenario, plant()).run()
  assert.ok(violation !== undefined)
  const shrunk = await shrink(scenario, violation, plant)
  assert.equal(shrunk.scenario.requests.length, 1)
  const [request] = shrunk.scenario.requests
  assert.equal(request?.answers.length, 1)
  assert.ok((request?.answers[0]?.frames.length ?? 99) <= 3, 'every third chunk is lost: three are enough')
  assert.deepEqual(shrunk.scenario.crashes, [])
  const again = await new World(shrunk.scenario, plant()).run()
  assert.deepEqual(again.violation, shrunk.violation)
})

test('what a fault needs is not shrunk away', async () => {
  const plant = PLANTS['deaf to leaving']?.plant ?? assert.fail('no such plant')
  const scenario = await firstFailure('deaf to leaving')
  const { violation } = await new World(scenario, plant()).run()
  assert.ok(violation !== undefined)
  const shrunk = await shrink(scenario, violation, plant)
  assert.equal(shrunk.scenario.requests.length, 1)
  assert.notEqual(shrunk.scenario.requests[0]?.leaves, undefined)
})
