import type { Handler } from '../src/base/http.ts'
import { MemoryEvents } from '../src/drivers/memory/events.ts'
import { MemoryLeases } from '../src/drivers/memory/leases.ts'
import { MemoryRows } from '../src/drivers/memory/rows.ts'
import type { Gateway } from '../src/gateway/gateway.ts'
import { budgetsOf } from './budgets.ts'
import { Caller } from './caller.ts'
import { Dice } from './dice.ts'
import { SimDisk, storeClock } from './disk.ts'
import { SimEngine } from './engine.ts'
import { handlerOf, type House, type Plant, startHouse } from './house.ts'
import { Judge } from './judge.ts'
import { Kernel, type Outcome } from './kernel.ts'
import { Life } from './life.ts'
import { Outgoing } from './outgoing.ts'
import { SimSearch } from './search.ts'
import type { Scenario } from './scenario.ts'
import type { Scene } from './scene.ts'

/** Everything a run consists of: the house, its callers, its engines, its disk, and the judge. */

/** Far above what the busiest scenario takes (about 5,000). */
const STEPS_MAX = 40_000

const RESTART_AFTER_MS = 150
const DRAIN_LOOK_MS = 20
const CONNECTS_MAX = 4
/** A house that keeps budgets takes longer to start, on a slow disk two seconds. */
const CONNECTS_WITH_BUDGETS_MAX = 40
const RECONNECT_AFTER_MS = 70

export class World implements Scene {
  readonly kernel: Kernel
  readonly callers: readonly Caller[]
  readonly engine: SimEngine
  readonly outgoing: Outgoing
  readonly disk: SimDisk
  readonly search: SimSearch
  readonly judge: Judge
  life: Life
  #house: House | undefined
  readonly scenario: Scenario
  readonly #plant: Plant
  readonly #dice: Dice
  #handler: Handler | undefined
  #lives = 0
  /** The last restart: no crash, a healthy disk, nothing new to do. */
  #epilogue = false
  #inGoodOrder = false

  constructor(scenario: Scenario, plant: Plant = {}, keepTrace = false) {
    const dice = new Dice(scenario.seed).fork('world')
    this.scenario = scenario
    this.#plant = plant
    this.#dice = dice
    this.kernel = new Kernel(scenario.seed, keepTrace)
    this.engine = new SimEngine(this.kernel, scenario)
    this.outgoing = new Outgoing(this.kernel, dice.fork('outgoing'), () => this.engine)
    this.callers = scenario.requests.map((plan) => new Caller(this.kernel, dice.fork(`caller ${plan.name}`), plan))
    this.judge = new Judge(this)
    const leases = new MemoryLeases(storeClock(this.kernel))
    const image = { events: new MemoryEvents(), rows: new MemoryRows(), leases }
    this.disk = new SimDisk(this.kernel, scenario, image, this.judge, dice.fork('disk'))
    this.search = new SimSearch(this.kernel, scenario, dice.fork('search'))
    this.life = this.#begin()
  }

  get gateway(): Gateway | undefined {
    return this.#house?.gateway
  }

  /** How often the house was started; two starts are without a crash, the last one included. */
  get lives(): number {
    return this.#lives
  }

  async run(): Promise<Outcome> {
    const strays = (thrown: unknown): void =>
      this.kernel.violate('no promise is left to fail alone', String(thrown instanceof Error ? thrown.stack : thrown))
    const others = process.listeners('unhandledRejection')
    process.removeAllListeners('unhandledRejection').on('unhandledRejection', strays)
    try {
      for (const caller of this.callers)
        this.kernel.after(caller.plan.atMs, `${caller.plan.name} calls`, () => this.#call(caller))
      for (const atMs of this.scenario.stopsAtMs)
        this.kernel.after(atMs, 'somebody stops the house', () => this.#stop(this.life))
      let outcome = await this.kernel.run(STEPS_MAX)
      if (outcome.violation === undefined) {
        this.judge.atRest()
        this.#epilogue = true
        this.disk.heal()
        this.#stop(this.life)
        outcome = await this.kernel.run(STEPS_MAX)
      }
      await new Promise((resolve) => setImmediate(resolve)) // Now Node has reported stray rejections.
      if (outcome.violation === undefined) this.judge.afterRecovery()
      return this.kernel.outcome()
    } finally {
      process.off('unhandledRejection', strays)
      for (const other of others) process.on('unhandledRejection', other)
    }
  }

  /** A caller whose connection is refused tries again a few times, as clients do. */
  #call(
    caller: Caller,
    triesLeft = budgetsOf(this.scenario.budgets).length > 0 ? CONNECTS_WITH_BUDGETS_MAX : CONNECTS_MAX,
  ): void {
    if (this.#handler === undefined && triesLeft > 1) {
      return void this.kernel.after(RECONNECT_AFTER_MS, `${caller.plan.name} calls again`, () =>
        this.#call(caller, triesLeft - 1),
      )
    }
    caller.call(this.life, this.#handler, (kind) => this.judge.heard(caller, kind))
  }

  /** As the program does on SIGTERM: no new work, what is under way ends, what the store had refused
   *  is written, what was used is posted, and only then the end. */
  #stop(life: Life): void {
    const house = this.#house
    if (!life.alive || house === undefined) return
    const { gateway, accounting } = house
    gateway.drain()
    this.judge.draining(life)
    const look = (): void => {
      if (!life.alive) return
      if (gateway.inFlight > 0) return void this.kernel.after(DRAIN_LOOK_MS, 'still draining', look)
      void gateway.flush().then(async (wroteAll) => {
        if (!life.alive) return
        if (wroteAll) this.judge.drained(life)
        await accounting.close()
        if (!life.alive) return
        this.judge.closed(life)
        this.#inGoodOrder = true
        life.end('stopped in good order')
        this.#inGoodOrder = false
      })
    }
    look()
  }

  #begin(): Life {
    const number = this.#lives++
    const life = new Life(this.kernel, {
      number,
      crashAtEffect: this.#epilogue ? Infinity : (this.scenario.crashes[number] ?? Infinity),
      skewMs: this.scenario.skewMs,
      onCrash: () => this.#crashed(),
    })
    this.life = life
    this.kernel.after(0, `life ${number} starts`, () => {
      const store = this.disk.ports(life)
      const ports = {
        life,
        client: this.outgoing.client(life),
        store: { ...store, events: this.judge.watch(life, store.events), rows: this.judge.books.watch(store.rows) },
        search: this.search.port(life),
        explainNothing: () => this.search.explainNothing(life),
        log: this.judge.books.log,
        onWarning: () => this.judge.books.warned(),
      }
      startHouse(ports, this.scenario.budgets, this.#plant).then(
        (house) => {
          if (!life.alive) return
          this.#house = house
          this.#handler = handlerOf(house.gateway, this.#plant)
        },
        (cause: unknown) => life.end(`it could not start: ${String(cause)}`),
      )
    })
    return life
  }

  /** The supervisor starts it again. */
  #crashed(): void {
    this.#handler = undefined
    this.#house = undefined
    for (const caller of this.callers) if (caller.state === 'waiting') caller.connection?.crash(this.#inGoodOrder)
    this.outgoing.crash()
    void this.disk.crash().then(() => this.judge.crashed())
    this.kernel.after(this.#epilogue ? 0 : this.#dice.int(1, RESTART_AFTER_MS), 'restart', () => this.#begin())
  }
}
