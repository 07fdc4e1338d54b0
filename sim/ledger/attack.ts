import { sleep } from '../../src/base/clock.ts'
import { formatCount } from '../../src/base/units.ts'
import { Dice } from '../dice.ts'
import { Kernel } from '../kernel.ts'
import { Life } from '../life.ts'
import { makeSteady, type Scenario } from './scenario.ts'
import { World } from './world.ts'

/** The same load on this ledger and on what others do: look at what was spent before a call, and
 *  add to it afterwards. They stand here to be compared with; no part of the product. */

export interface Overspend {
  readonly limit: number
  /** What the engines used. */
  readonly ledger: number
  /** One exact counter that all processes share, which is more than most have. */
  readonly shared: number
  /** A counter in each process, brought together every `SYNC_MS`. */
  readonly replicas: number
}

/** Milliseconds to and from the store, as for every node of a calm run. */
const STORE_MS_MAX = 3
const SYNC_MS = 500

export async function attack(seed: number): Promise<Overspend> {
  const scenario = makeSteady(seed)
  const world = new World(scenario)
  const { violation } = await world.run()
  if (violation !== undefined) throw new Error(`seed ${seed} breaks "${violation.invariant}": ${violation.detail}`)
  const limit = scenario.budgets.find(({ id }) => id === 'all')?.limit ?? 0
  const kept = [...world.truth.accounts.keys()].find((name) => name.startsWith('all\0')) ?? ''
  return {
    limit,
    ledger: world.truth.used(kept, Infinity),
    shared: await checkThenAdd(scenario, limit, 'shared'),
    replicas: await checkThenAdd(scenario, limit, 'replicas'),
  }
}

async function checkThenAdd({ seed, requests, nodes }: Scenario, limit: number, counter: Counter): Promise<number> {
  const kernel = new Kernel(seed)
  const dice = new Dice(seed).fork('check then add')
  const { clock } = new Life(kernel, { number: 0, crashAtEffect: Infinity, skewMs: 0, onCrash: () => {} })
  let spent = 0
  /** What each process knows of what the others spent. */
  const known = nodes.map(() => 0)
  const own = nodes.map(() => 0)
  const seenBy = (node: number): number => (counter === 'shared' ? spent : (known[node] ?? 0) + (own[node] ?? 0))
  for (const { id, node, atMs, actual, callMs, voided } of requests)
    kernel.after(atMs, id, () => {
      const call = async (): Promise<void> => {
        await sleep(clock, dice.int(0, STORE_MS_MAX))
        const refused = seenBy(node) >= limit
        await sleep(clock, dice.int(0, STORE_MS_MAX))
        if (refused || voided) return
        await sleep(clock, callMs + dice.int(0, STORE_MS_MAX))
        spent += actual.totalTokens
        own[node] = (own[node] ?? 0) + actual.totalTokens
      }
      void call()
    })
  const untilMs = requests.at(-1)?.atMs ?? 0
  for (let atMs = SYNC_MS; atMs <= untilMs; atMs += SYNC_MS)
    kernel.after(atMs, 'sync', () => nodes.forEach((_, node) => (known[node] = spent - (own[node] ?? 0))))
  await kernel.run(1_000_000)
  return spent
}

type Counter = 'shared' | 'replicas'

const KINDS = [
  ['ledger', 'this ledger'],
  ['shared', 'check-then-add, one shared counter'],
  ['replicas', 'check-then-add, a counter per process'],
] as const

/** The overspend table. 1: the ledger overspent. */
export async function showAttack(first: number, seeds: number): Promise<number> {
  const runs: Overspend[] = []
  for (let seed = first; seed < first + seeds; seed++) runs.push(await attack(seed))
  const row = (cells: readonly string[]): string =>
    cells.map((cell, at) => (at === 0 ? cell.padEnd(40) : cell.padStart(12))).join('')
  const lines = KINDS.map(([kind, name]) => {
    const over = runs.map((run) => ((run[kind] - run.limit) / run.limit) * 100).sort((a, b) => a - b)
    const overspent = over.filter((share) => share > 0)
    const median = overspent[overspent.length >> 1] ?? 0
    const worst = Math.max(0, over.at(-1) ?? 0)
    const cells = [overspent.length, seeds].map((count) => formatCount(count))
    return row([name, cells.join(' of '), `${median.toFixed(2)} %`, `${worst.toFixed(2)} %`])
  })
  process.stdout.write(
    `${formatCount(seeds)} seeds from ${first}, each 2,000 requests on 2 to 4 processes against one budget\n${row(['', 'overspent', 'median', 'worst'])}\n${lines.join('\n')}\n`,
  )
  return runs.some(({ ledger, limit }) => ledger > limit) ? 1 : 0
}
