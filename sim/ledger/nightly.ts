import { fork } from 'node:child_process'
import { join } from 'node:path'
import { formatCount } from '../../src/base/units.ts'
import { LEDGER_INVARIANTS } from './invariants.ts'
import { makeScenario, makeSteady } from './scenario.ts'
import { type Counted, Tally } from './tally.ts'
import { World } from './world.ts'

/** Very many interleavings, over several processes. */

interface Broken {
  readonly seed: number
  readonly invariant: string
  readonly detail: string
}

interface Report {
  readonly counted: Counted
  readonly broken: readonly Broken[]
  readonly cpuSeconds: number
}

/** Seeds between two reports. */
const REPORT_EVERY = 500
/** One steady run, of 2,000 requests, beside so many others. */
const STEADY_EVERY = 2_000

/** In a child process: every `of`-th seed. Ends the process. */
export async function runPart(first: number, seeds: number, part: number, of: number): Promise<void> {
  const tally = new Tally()
  let broken: Broken[] = []
  const report = (): void => {
    const { user, system } = process.cpuUsage()
    process.send?.({ counted: tally.take(), broken, cpuSeconds: (user + system) / 1e6 } satisfies Report)
    broken = []
  }
  for (let at = part; at < seeds; at += of) {
    const seed = first + at
    const scenarios = seed % STEADY_EVERY === 0 ? [makeScenario(seed), makeSteady(seed)] : [makeScenario(seed)]
    for (const scenario of scenarios) {
      const world = new World(scenario)
      const { violation, steps } = await world.run()
      tally.add(world, steps)
      if (violation !== undefined) broken.push({ seed, ...violation })
    }
    if (tally.runs >= REPORT_EVERY) report()
  }
  report()
  process.disconnect?.()
}

/** Runs all of them, shows how far it is, and prints what came to pass. 1: something broke. */
export async function runNightly(first: number, seeds: number, processes: number): Promise<number> {
  const tally = new Tally()
  const broken: Broken[] = []
  const cpuSeconds: number[] = []
  const bar = new Bar(seeds)
  const codes = await Promise.all(
    Array.from({ length: processes }, (_, part) => {
      const options = ['--part', `${part}`, '--processes', `${processes}`, '--seeds', `${seeds}`, '--seed', `${first}`]
      const child = fork(join(import.meta.dirname, 'run.ts'), options)
      child.on('message', (message: unknown) => {
        const report = message as Report
        tally.merge(report.counted)
        broken.push(...report.broken)
        cpuSeconds[part] = report.cpuSeconds
        bar.show(tally.runs, broken.length)
      })
      return new Promise<number | null>((resolve) => void child.on('exit', resolve))
    }),
  )
  bar.end()
  if (codes.some((code) => code !== 0)) {
    process.stdout.write('A process of the simulation failed; what it ran does not count.\n')
    return 1
  }
  const seconds = cpuSeconds.reduce((sum, one) => sum + one, 0)
  process.stdout.write(summary(tally, broken, seconds))
  return broken.length === 0 ? 0 : 1
}

function summary(tally: Tally, broken: readonly Broken[], cpuSeconds: number): string {
  const lines = [
    `${formatCount(tally.runs)} interleavings, ${formatCount(tally.steps)} steps, ${formatCount(Math.round(cpuSeconds))} CPU seconds; ${LEDGER_INVARIANTS.length} invariants; broken in ${broken.length}`,
    ...[...tally.counts].map(([situation, count]) => `${formatCount(count).padStart(14)}  ${situation}`),
    usableLine(tally.usable),
    ...broken.slice(0, 10).map(({ seed, invariant, detail }) => `seed ${seed} breaks "${invariant}": ${detail}`),
  ]
  return `${lines.join('\n')}\n`
}

function usableLine(usable: readonly number[]): string {
  const sorted = usable.toSorted((a, b) => a - b)
  const at = (share: number): string =>
    `${((sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0) * 100).toFixed(2)} %`
  return `used of a budget before its first refusal, in ${formatCount(sorted.length)} calm runs: worst ${at(0)}, p1 ${at(0.01)}, p5 ${at(0.05)}, p50 ${at(0.5)}`
}

const WIDTH = 30
const SHARES = 20

/** A bar on a terminal; elsewhere a line for every twentieth. */
class Bar {
  readonly #of: number
  #told = 0

  constructor(of: number) {
    this.#of = of
  }

  show(done: number, broken: number): void {
    const share = Math.min(1, done / this.#of)
    const text = `${formatCount(done)} of ${formatCount(this.#of)} interleavings, broken in ${broken}`
    if (process.stderr.isTTY) {
      const filled = Math.round(share * WIDTH)
      process.stderr.write(`\r\x1b[K${'█'.repeat(filled)}${'░'.repeat(WIDTH - filled)} ${text}`)
    } else if (Math.floor(share * SHARES) > this.#told) {
      this.#told = Math.floor(share * SHARES)
      process.stderr.write(`${text}\n`)
    }
  }

  end(): void {
    if (process.stderr.isTTY) process.stderr.write('\r\x1b[K')
  }
}
