import { parseArgs } from 'node:util'
import { formatCount } from '../../src/base/units.ts'
import { ROUTING_INVARIANTS } from './invariants.ts'
import { PLANTS } from './plants.ts'
import { makeBlackout, makeScenario } from './scenario.ts'
import { World } from './world.ts'

const USAGE = `npm run sim:routing -- [options]
  --seeds N      how many seeds to run (default 1000)
  --seed S       the first one (default 1); one seed always makes the same run
  --verbose      the trace, where there is one seed only
  --blackout     every engine fails, 1,000 requests a seed: how many calls a request makes
  --plant NAME   with a fault planted; exit 1 means that it was found
Planted faults:
${Object.keys(PLANTS)
  .map((name) => `  ${name}`)
  .join('\n')}
`

const BLACKOUT = { requests: 1_000, perSecond: 20 } as const

function readOptions() {
  const { values } = parseArgs({
    options: {
      seeds: { type: 'string', default: '1000' },
      seed: { type: 'string', default: '1' },
      verbose: { type: 'boolean', default: false },
      blackout: { type: 'boolean', default: false },
      plant: { type: 'string' },
    },
  })
  const planted = values.plant === undefined ? undefined : PLANTS[values.plant]
  const [seeds, first] = [Number(values.seeds), Number(values.seed)]
  if (!(seeds >= 1 && first >= 0) || (values.plant !== undefined && planted === undefined)) return undefined
  return { ...values, seeds, first, plant: planted?.plant ?? {} }
}

async function main(): Promise<number> {
  const options = readOptions()
  if (options === undefined) {
    process.stderr.write(USAGE)
    return 2
  }
  const { seeds, first, plant, verbose, blackout } = options
  const sum = { steps: 0, requests: 0, calls: 0, probes: 0 }
  let worst = 0
  for (let seed = first; seed < first + seeds; seed++) {
    const scenario = blackout ? makeBlackout(seed, BLACKOUT.requests, BLACKOUT.perSecond) : makeScenario(seed)
    const world = new World(scenario, plant, verbose && seeds === 1)
    const { violation, steps } = await world.run()
    const { calls, probes, outcomes } = world.judge
    sum.steps += steps
    sum.requests += outcomes.size
    sum.calls += calls
    sum.probes += probes
    worst = Math.max(worst, calls / outcomes.size)
    for (const { step, atMs, text } of world.kernel.trace) process.stdout.write(`${step} ${atMs} ms  ${text}\n`)
    if (violation === undefined) continue
    process.stdout.write(
      `seed ${seed} breaks "${violation.invariant}": ${violation.detail}\nagain: npm run sim:routing -- --seeds 1 --seed ${seed} --verbose\n`,
    )
    return 1
  }
  process.stdout.write(
    `${formatCount(seeds)} seeds from ${first}, ${formatCount(sum.steps)} steps: all ${ROUTING_INVARIANTS.length} invariants held\n` +
      `${formatCount(sum.requests)} requests, ${formatCount(sum.calls)} calls, ${formatCount(sum.probes)} of them probes; calls a request: ${(sum.calls / sum.requests).toFixed(3)}, in the worst seed ${worst.toFixed(3)}\n`,
  )
  return 0
}

process.exitCode = await main()
