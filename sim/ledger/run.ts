import { parseArgs } from 'node:util'
import { LEDGER_INVARIANTS } from './invariants.ts'
import { makeScenario } from './scenario.ts'
import { World } from './world.ts'

const { values } = parseArgs({
  options: { seeds: { type: 'string' }, seed: { type: 'string' }, verbose: { type: 'boolean' } },
})
const seeds = Number(values.seeds ?? 1000)
const first = Number(values.seed ?? 1)
let steps = 0
let unusable = 0
const before = process.cpuUsage()
for (let seed = first; seed < first + seeds; seed++) {
  const world = new World(makeScenario(seed), {}, values.verbose)
  const outcome = await world.run()
  steps += outcome.steps
  unusable = Math.max(unusable, world.judge.unusable)
  if (outcome.violation !== undefined) {
    console.log(`seed ${seed} breaks`, outcome.violation)
    if (values.verbose) for (const t of world.kernel.trace) console.log(t.step, t.atMs, t.text)
    process.exitCode = 1
    break
  }
}
const cpu = process.cpuUsage(before)
console.log(seeds, 'seeds', steps, 'steps', (cpu.user + cpu.system) / 1e6, 'cpu s', unusable, LEDGER_INVARIANTS.length)
