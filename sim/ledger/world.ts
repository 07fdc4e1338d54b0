import { ACCOUNTS } from '../../src/meter/ledger/account-row.ts'
import { reset, sweep } from '../../src/meter/ledger/administer.ts'
import type { Change } from '../../src/store/rows.ts'
import { Dice } from '../dice.ts'
import { Kernel, type Outcome } from '../kernel.ts'
import { Life } from '../life.ts'
import { Configurations, NOTICE_MS_MAX } from './configurations.ts'
import type { LedgerInvariant } from './invariants.ts'
import { Judge } from './judge.ts'
import { SimNode, type Scene } from './node.ts'
import type { Plant } from './plants.ts'
import type { Scenario } from './scenario.ts'
import { OPERATOR, RESETTER, SimStore, STORE_EPOCH_MS } from './store.ts'
import { Truth } from './truth.ts'

const STEPS_MAX = 100_000

/** Everything of one run. */
export class World {
  readonly kernel: Kernel<LedgerInvariant>
  readonly judge: Judge
  readonly store: SimStore
  readonly nodes: readonly SimNode[]
  readonly scenario: Scenario
  readonly truth = new Truth()
  readonly #configurations: Configurations
  readonly #dice: Dice

  constructor(scenario: Scenario, plant: Plant = {}, keepTrace = false) {
    this.scenario = scenario
    const { seed, weather } = scenario
    const kernel = (this.kernel = new Kernel<LedgerInvariant>(seed, keepTrace))
    const configurations = (this.#configurations = new Configurations(scenario))
    const judge = (this.judge = new Judge(kernel, scenario, this.truth, configurations))
    const dice = (this.#dice = new Dice(seed))
    const sound = (changes: readonly Change[]): readonly Change[] => changes
    this.store = new SimStore(
      kernel,
      weather,
      dice.fork('store'),
      (name, row, by) => judge.durable(name, row, by),
      plant.store ?? sound,
    )
    const scene: Scene = {
      kernel,
      scenario,
      store: this.store,
      truth: this.truth,
      plant,
      tableOf: (generation) => configurations.tableOf(plant.stale === true ? 0 : generation),
      refused: (request, shortfall) => judge.refused(request, shortfall, this.nodes),
      used: (account) => judge.cover(account),
    }
    this.nodes = scenario.nodes.map((_, index) => new SimNode(scene, index, dice.fork(`node ${index}`)))
  }

  async run(): Promise<Outcome<LedgerInvariant | 'comes to rest' | 'nothing throws into a port'>> {
    const { kernel, nodes, store, judge } = this
    const { requests, endMs, restMs } = this.scenario
    for (const node of nodes) node.start()
    for (const [index, { crashAtMs }] of this.scenario.nodes.entries())
      for (const atMs of crashAtMs) kernel.after(atMs, `crash ${index}`, () => nodes[index]?.kill('crash'))
    for (const request of requests)
      kernel.after(request.atMs, `request ${request.id}`, () => void nodes[request.node]?.serve(request))
    this.#operate()
    kernel.after(endMs + restMs, 'close', () => {
      store.heal()
      for (const node of nodes) void node.close()
    })
    kernel.afterEveryStep(() => judge.step(nodes))
    const outcome = await kernel.run(STEPS_MAX)
    if (outcome.violation !== undefined) return outcome
    await judge.final(store.image, nodes)
    return kernel.outcome()
  }

  /** What people and the house do beside the nodes. */
  #operate(): void {
    const { kernel, nodes, store } = this
    const dice = this.#dice.fork('operator')
    const operator = new Life(kernel, { number: 9_999, crashAtEffect: Infinity, skewMs: 0, onCrash: () => {} })
    for (const { node, atMs } of this.scenario.fences)
      kernel.after(atMs, `fence ${node}`, () => {
        void nodes[node]?.fencedBy(store.ports(OPERATOR, operator), () => STORE_EPOCH_MS + kernel.nowMs)
      })
    this.#configurations.changesMs.forEach((atMs, at) => {
      for (const node of nodes)
        kernel.after(atMs + dice.int(0, NOTICE_MS_MAX), `configure ${node.index}`, () => node.configure(at + 1))
    })
    for (const { kind, atMs } of this.scenario.chores)
      kernel.after(atMs, kind, () => void (kind === 'reset' ? this.#reset(dice, operator) : this.#sweep(operator)))
  }

  async #reset(dice: Dice, operator: Life): Promise<void> {
    const accounts = await this.store.image.scan(ACCOUNTS, { limit: 100 })
    if (accounts.length === 0) return
    try {
      await reset(this.store.ports(RESETTER, operator), dice.pick(accounts).key)
    } catch {
      // The store does not answer: the administrator is told so.
    }
  }

  async #sweep(operator: Life): Promise<void> {
    try {
      const storeMs = STORE_EPOCH_MS + this.kernel.nowMs
      await sweep(this.store.ports(OPERATOR, operator), { limit: 100, storeMs })
    } catch {
      // It goes on the next time.
    }
  }
}
