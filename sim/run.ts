import { parseArgs } from 'node:util'
import { systemClock } from '../src/base/clock.ts'
import { formatCount, formatMs } from '../src/base/units.ts'
import type { Plant } from './house.ts'
import { INVARIANTS, type Violation } from './invariants.ts'
import { PLANTS } from './plants/all.ts'
import { makeScenario, type Scenario } from './scenario.ts'
import { shrink } from './shrink.ts'
import { Tally } from './tally.ts'
import { World } from './world.ts'

/** `npm run sim -- [--seeds N] [--seed S] [--verbose] [--plant NAME]` */

const USAGE = `npm run sim -- [options]
  --seeds N      how many seeds to run (default 1000)
  --seed S       the first one (default 1); one seed always makes the same run
  --verbose      what came to pass, and the trace where there is one seed only
  --plant NAME   with a fault planted; exit 1 means that it was found
Planted faults:
${Object.keys(PLANTS)
  .map((name) => `  ${name}`)
  .join('\n')}
`

const BAR_WIDTH = 30
const BAR_EVERY_MS = 100

interface Options {
  readonly seeds: number
  readonly seed: number
  readonly verbose: boolean
  readonly plant: () => Plant
  readonly plantName: string | undefined
}

function readOptions(): Options | undefined {
  try {
    const { values } = parseArgs({
      options: {
        seeds: { type: 'string' },
        seed: { type: 'string' },
        verbose: { type: 'boolean' },
        plant: { type: 'string' },
      },
    })
    const seeds = Number(values.seeds ?? 1000)
    const seed = Number(values.seed ?? 1)
    const planted = values.plant === undefined ? undefined : PLANTS[values.plant]
    if (!Number.isSafeInteger(seeds) || seeds < 1 || !Number.isSafeInteger(seed) || seed < 0) return undefined
    if (values.plant !== undefined && planted === undefined) return undefined
    return {
      seeds,
      seed,
      verbose: values.verbose ?? false,
      plant: planted?.plant ?? (() => ({})),
      plantName: values.plant,
    }
  } catch {
    return undefined
  }
}

async function main(): Promise<number> {
  const options = readOptions()
  if (options === undefined) {
    process.stderr.write(USAGE)
    return 2
  }
  const { seeds, seed, verbose, plant } = options
  const startedMs = systemClock.monotonicMs()
  const tally = new Tally()
  let drawnMs = -Infinity
  for (let at = 0; at < seeds; at++) {
    const world = new World(makeScenario(seed + at), plant(), verbose && seeds === 1)
    const { violation, steps } = await world.run()
    tally.add(world, steps)
    if (seeds === 1 && verbose) printTrace(world)
    if (process.stderr.isTTY && systemClock.monotonicMs() - drawnMs > BAR_EVERY_MS) {
      drawnMs = systemClock.monotonicMs()
      drawBar(at + 1, seeds)
    }
    if (violation !== undefined) {
      await printFailure(makeScenario(seed + at), violation, options)
      return 1
    }
  }
  if (process.stderr.isTTY) process.stderr.write('\r\x1b[K')
  if (verbose)
    for (const [situation, count] of tally.counts)
      process.stdout.write(`${formatCount(count).padStart(8)}  ${situation}\n`)
  const took = formatMs(systemClock.monotonicMs() - startedMs)
  process.stdout.write(
    `${formatCount(seeds)} seeds from ${seed}, ${formatCount(tally.steps)} steps in ${took}: all ${INVARIANTS.length} invariants held\n`,
  )
  return 0
}

function drawBar(done: number, of: number): void {
  const filled = Math.round((done / of) * BAR_WIDTH)
  process.stderr.write(
    `\r\x1b[K${'█'.repeat(filled)}${'░'.repeat(BAR_WIDTH - filled)} ${formatCount(done)} / ${formatCount(of)} seeds`,
  )
}

async function printFailure(scenario: Scenario, violation: Violation, { plant, plantName }: Options): Promise<void> {
  if (process.stderr.isTTY) process.stderr.write('\r\x1b[K')
  process.stdout.write(
    `seed ${scenario.seed} breaks "${violation.invariant}": ${violation.detail}\n\nmaking it smaller ...\n`,
  )
  const shrunk = await shrink(scenario, violation, plant)
  process.stdout.write(
    `after ${formatCount(shrunk.runs)} runs, the least that still breaks it:\n${JSON.stringify(shrunk.scenario, null, 2)}\n\n`,
  )
  const world = new World(shrunk.scenario, plant(), true)
  await world.run()
  printTrace(world)
  const planted = plantName === undefined ? '' : ` --plant "${plantName}"`
  process.stdout.write(`\nagain: npm run sim -- --seeds 1 --seed ${scenario.seed}${planted} --verbose\n`)
}

function printTrace(world: World): void {
  for (const { step, atMs, text } of world.kernel.trace)
    process.stdout.write(`${String(step).padStart(6)} ${atMs.toFixed(1).padStart(9)} ms  ${text}\n`)
}

process.exitCode = await main()
