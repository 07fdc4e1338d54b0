import { parseArgs } from 'node:util'
import { formatCount } from '../../src/base/units.ts'
import { attack } from './attack.ts'
import { LEDGER_INVARIANTS } from './invariants.ts'
import { PLANTS } from './plants.ts'
import { makeScenario } from './scenario.ts'
import { Tally } from './tally.ts'
import { World } from './world.ts'

const USAGE = `node sim/ledger/run.ts [options]
  --seeds N      how many seeds to run (default 1000)
  --seed S       the first one (default 1); one seed always makes the same run
  --verbose      what came to pass, and the trace where there is one seed only
  --plant NAME   with a fault planted; exit 1 means that it was found
  --attack       the overspend table: this ledger and check-then-add under the same load
Planted faults:
${Object.keys(PLANTS)
  .map((name) => `  ${name}`)
  .join('\n')}
`

function readOptions() {
  const { values } = parseArgs({
    options: {
      seeds: { type: 'string', default: '1000' },
      seed: { type: 'string', default: '1' },
      verbose: { type: 'boolean', default: false },
      plant: { type: 'string' },
      attack: { type: 'boolean', default: false },
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
  const { seeds, first, verbose, plant } = options
  if (options.attack) return showAttack(first, seeds)
  const tally = new Tally()
  const before = process.cpuUsage()
  for (let seed = first; seed < first + seeds; seed++) {
    const world = new World(makeScenario(seed), plant, verbose && seeds === 1)
    const { violation, steps } = await world.run()
    tally.add(world, steps)
    for (const { step, atMs, text } of world.kernel.trace) process.stdout.write(`${step} ${atMs} ms  ${text}\n`)
    if (violation === undefined) continue
    process.stdout.write(
      `seed ${seed} breaks "${violation.invariant}": ${violation.detail}\nagain: node sim/ledger/run.ts --seeds 1 --seed ${seed} --verbose\n`,
    )
    return 1
  }
  if (verbose)
    for (const [situation, count] of tally.counts)
      process.stdout.write(`${formatCount(count).padStart(10)}  ${situation}\n`)
  const { user, system } = process.cpuUsage(before)
  process.stdout.write(
    `${formatCount(seeds)} seeds from ${first}, ${formatCount(tally.steps)} steps in ${((user + system) / 1e6).toFixed(1)} CPU seconds: all ${LEDGER_INVARIANTS.length} invariants held\n`,
  )
  return 0
}

async function showAttack(first: number, seeds: number): Promise<number> {
  let worst = [0, 0]
  const over = [0, 0]
  for (let seed = first; seed < first + seeds; seed++) {
    const { limit, ledger, checkThenAdd } = await attack(seed)
    const shares = [ledger, checkThenAdd].map((used) => (used / limit) * 100)
    worst = worst.map((share, at) => Math.max(share, shares[at] ?? 0))
    const used = [ledger, checkThenAdd]
    used.forEach((amount, at) => (over[at] = (over[at] ?? 0) + (amount > limit ? 1 : 0)))
  }
  for (const [at, name] of ['this ledger', 'check-then-add'].entries())
    process.stdout.write(
      `${name.padEnd(16)} overspent in ${over[at]} of ${seeds} runs; at worst ${worst[at]?.toFixed(2)} % of the limit used\n`,
    )
  return 0
}

process.exitCode = await main()
