import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import { formatCount } from '../../src/base/units.ts'
import { showAttack } from './attack.ts'
import { LEDGER_INVARIANTS } from './invariants.ts'
import { runNightly, runPart } from './nightly.ts'
import { PLANTS } from './plants.ts'
import { makeScenario } from './scenario.ts'
import { Tally } from './tally.ts'
import { World } from './world.ts'

const USAGE = `npm run sim:ledger -- [options]
  --seeds N      how many seeds to run (default 1000); a seed is one interleaving: a schedule of
                 requests, crashes, partitions, lost and doubled messages, clocks and new limits
  --seed S       the first one (default 1); one seed always makes the same run
  --verbose      what came to pass, and the trace where there is one seed only
  --nightly      1,000,000 seeds if nothing else is said, on all cores
  --processes N  on so many cores
  --plant NAME   with a fault planted; exit 1 means that it was found
  --attack       the overspend table: this ledger and check-then-add under the same load
Planted faults:
${Object.keys(PLANTS)
  .map((name) => `  ${name}`)
  .join('\n')}
`

const NIGHTLY_SEEDS = 1_000_000

function readOptions() {
  const { values } = parseArgs({
    options: {
      seeds: { type: 'string' },
      seed: { type: 'string', default: '1' },
      verbose: { type: 'boolean', default: false },
      nightly: { type: 'boolean', default: false },
      processes: { type: 'string' },
      part: { type: 'string' },
      plant: { type: 'string' },
      attack: { type: 'boolean', default: false },
    },
  })
  const planted = values.plant === undefined ? undefined : PLANTS[values.plant]
  const seeds = Number(values.seeds ?? (values.nightly ? NIGHTLY_SEEDS : values.attack ? 100 : 1_000))
  const first = Number(values.seed)
  const processes = Number(values.processes ?? (values.nightly ? availableParallelism() : 1))
  if (!(seeds >= 1 && first >= 0 && processes >= 1) || (values.plant !== undefined && planted === undefined))
    return undefined
  return { ...values, seeds, first, processes, plant: planted?.plant ?? {} }
}

async function main(): Promise<number> {
  const options = readOptions()
  if (options === undefined) {
    process.stderr.write(USAGE)
    return 2
  }
  const { seeds, first, processes, part } = options
  if (options.attack) return showAttack(first, seeds)
  if (part !== undefined) {
    await runPart(first, seeds, Number(part), processes)
    return 0
  }
  return options.nightly || processes > 1 ? runNightly(first, seeds, processes) : runHere(options)
}

async function runHere({ seeds, first, verbose, plant }: NonNullable<ReturnType<typeof readOptions>>): Promise<number> {
  const tally = new Tally()
  const before = process.cpuUsage()
  for (let seed = first; seed < first + seeds; seed++) {
    const world = new World(makeScenario(seed), plant, verbose && seeds === 1)
    const { violation, steps } = await world.run()
    tally.add(world, steps)
    for (const { step, atMs, text } of world.kernel.trace) process.stdout.write(`${step} ${atMs} ms  ${text}\n`)
    if (violation === undefined) continue
    process.stdout.write(
      `seed ${seed} breaks "${violation.invariant}": ${violation.detail}\nagain: npm run sim:ledger -- --seeds 1 --seed ${seed} --verbose\n`,
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

process.exitCode = await main()
