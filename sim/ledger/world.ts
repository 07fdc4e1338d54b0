import type { Change } from '../../src/store/rows.ts'
import { Dice } from '../dice.ts'
import { Kernel, type Outcome } from '../kernel.ts'
import { Life } from '../life.ts'
import type { LedgerInvariant } from './invariants.ts'
import { Judge } from './judge.ts'
import { SimNode, type Scene } from './node.ts'
import type { Plant } from './plants.ts'
import type { Scenario } from './scenario.ts'
import { SimStore, STORE_EPOCH_MS } from './store.ts'
import { Truth } from './truth.ts'

const STEPS_MAX = 100_000
/** After the last request: calls end, partitions heal, nodes come back. */
const REST_MS = 5_000

/** Everything of one run. */
export class World {
  readonly kernel: Kernel<LedgerInvariant>
  readonly judge: Judge
  readonly store: SimStore
  readonly nodes: readonly SimNode[]
  readonly #scenario: Scenario
  readonly truth = new Truth()

  constructor(scenario: Scenario, plant: Plant = {}, keepTrace = false) {
    this.#scenario = scenario
    const { seed, weather } = scenario
    const kernel = (this.kernel = new Kernel<LedgerInvariant>(seed, keepTrace))
    const judge = (this.judge = new Judge(kernel, scenario, this.truth))
    const dice = new Dice(seed)
    const sound = (changes: readonly Change[]): readonly Change[] => changes
    this.store = new SimStore(
      kernel,
      weather,
      dice.fork('store'),
      (name, row) => judge.durable(name, row),
      plant.store ?? sound,
    )
    const scene: Scene = {
      kernel,
      scenario,
      store: this.store,
      truth: this.truth,
      plant,
      refused: (request, shortfall) => judge.refused(request, shortfall, this.nodes),
    }
    this.nodes = scenario.nodes.map((_, index) => new SimNode(scene, index, dice.fork(`node ${index}`)))
  }

  async run(): Promise<Outcome<LedgerInvariant | 'comes to rest' | 'nothing throws into a port'>> {
    const { kernel, nodes, store, judge } = this
    const { requests, fences, endMs } = this.#scenario
    for (const node of nodes) node.start()
    for (const [index, { crashAtMs }] of this.#scenario.nodes.entries())
      for (const atMs of crashAtMs) kernel.after(atMs, `crash ${index}`, () => nodes[index]?.kill('crash'))
    for (const request of requests)
      kernel.after(request.atMs, `request ${request.id}`, () => void nodes[request.node]?.serve(request))
    const operator = new Life(kernel, { number: 9_999, crashAtEffect: Infinity, skewMs: 0, onCrash: () => {} })
    for (const { node, atMs } of fences)
      kernel.after(atMs, `fence ${node}`, () => {
        void nodes[node]?.fencedBy(store.ports(-1, operator), STORE_EPOCH_MS + kernel.nowMs)
      })
    kernel.after(endMs + REST_MS, 'close', () => {
      store.heal()
      for (const node of nodes) void node.close()
    })
    kernel.afterEveryStep(() => judge.step(nodes))
    const outcome = await kernel.run(STEPS_MAX)
    if (outcome.violation !== undefined) return outcome
    await judge.final(store.image, nodes)
    return kernel.outcome()
  }
}
