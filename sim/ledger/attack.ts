import { sleep } from '../../src/base/clock.ts'
import { Dice } from '../dice.ts'
import { Kernel } from '../kernel.ts'
import { Life } from '../life.ts'
import { makeSteady } from './scenario.ts'
import { World } from './world.ts'

/** The same load twice: on this ledger, and on check-then-add, the way of gateways that look at
 *  what was spent before a call and add to it afterwards. It stands here to be compared with; no
 *  part of the product. */

export interface Overspend {
  readonly limit: number
  /** What the engines used. */
  readonly ledger: number
  readonly checkThenAdd: number
}

/** Milliseconds to and from the store, as for every node of a calm run. */
const STORE_MS_MAX = 3

export async function attack(seed: number): Promise<Overspend> {
  const scenario = makeSteady(seed)
  const world = new World(scenario)
  const { violation } = await world.run()
  if (violation !== undefined) throw new Error(`seed ${seed} breaks "${violation.invariant}": ${violation.detail}`)
  const limit = scenario.budgets.find(({ id }) => id === 'all')?.limit ?? 0
  const kept = [...world.truth.accounts.keys()].find((name) => name.startsWith('all\0')) ?? ''
  return { limit, ledger: world.truth.used(kept, Infinity), checkThenAdd: await checkThenAdd(seed, limit) }
}

/** One shared, exact counter, which is more than most have; read before the call, added to after. */
async function checkThenAdd(seed: number, limit: number): Promise<number> {
  const kernel = new Kernel(seed)
  const dice = new Dice(seed).fork('check then add')
  const { clock } = new Life(kernel, { number: 0, crashAtEffect: Infinity, skewMs: 0, onCrash: () => {} })
  let spent = 0
  for (const { id, atMs, actual, callMs, voided } of makeSteady(seed).requests)
    kernel.after(atMs, id, () => {
      const call = async (): Promise<void> => {
        await sleep(clock, dice.int(0, STORE_MS_MAX))
        const refused = spent >= limit
        await sleep(clock, dice.int(0, STORE_MS_MAX))
        if (refused || voided) return
        await sleep(clock, callMs + dice.int(0, STORE_MS_MAX))
        spent += actual.totalTokens
      }
      void call()
    })
  await kernel.run(1_000_000)
  return spent
}
