import { type Clock, sleep } from '../../src/base/clock.ts'
import { Escrow } from '../../src/meter/ledger/escrow.ts'
import { beginEntry, endEntry, evidenceOf, holdEntry } from '../../src/meter/ledger/evidence.ts'
import { Hold, Ledger, type LedgerReports } from '../../src/meter/ledger/ledger.ts'
import { type Evidence, fence, NO_EVIDENCE } from '../../src/meter/ledger/recover.ts'
import type { Shortfall } from '../../src/meter/ledger/shortfall.ts'
import type { BudgetTable } from '../../src/meter/ledger/table.ts'
import type { Rows } from '../../src/store/rows.ts'
import type { Dice } from '../dice.ts'
import type { Kernel } from '../kernel.ts'
import { Life } from '../life.ts'
import { HoldLog } from './hold-log.ts'
import type { LedgerInvariant } from './invariants.ts'
import type { Plant } from './plants.ts'
import type { RequestPlan, Scenario } from './scenario.ts'
import type { SimStore } from './store.ts'
import type { Entry, Truth, Use } from './truth.ts'

/** What every part of a run has at hand. */
export interface Scene {
  readonly kernel: Kernel<LedgerInvariant>
  readonly scenario: Scenario
  readonly store: SimStore
  readonly truth: Truth
  readonly plant: Plant
  /** The table of a configuration, by its number. */
  readonly tableOf: (generation: number) => BudgetTable
  /** A budget turned a request away. */
  readonly refused: (request: RequestPlan, shortfall: Shortfall) => void
  /** An engine is at work for an account. */
  readonly used: (account: string) => void
}

export type Answer = 'held' | 'refused' | 'unserved'

/** A gateway process, as far as the ledger can tell: it opens, serves requests, dies, and opens
 *  again. */
export class SimNode {
  readonly index: number
  readonly name: string
  readonly answers = new Map<string, Answer>()
  lives = 0
  fencings = 0
  jumps = 0
  readonly #scene: Scene
  readonly #dice: Dice
  readonly #log: HoldLog
  #table: BudgetTable
  #generation = 0
  #life: Life | undefined
  #escrow: Escrow | undefined
  #ledger: Ledger | undefined
  /** What engines are at work on for the present life. */
  #running = new Set<Use>()
  /** When another took the present life for dead. What it uses after that has been counted by
   *  then, so for rolling windows it dates from then. */
  #fencedAtMs = Infinity
  /** Requests that wait for an answer. */
  #asking = new Set<string>()
  closed = false
  #closing = false
  /** Something happened to it since the judge looked. */
  touched = true

  constructor(scene: Scene, index: number, dice: Dice) {
    this.#scene = scene
    this.index = index
    this.name = `node-${index}`
    this.#dice = dice
    this.#log = new HoldLog(scene.kernel, dice.fork('log'))
    this.#table = scene.tableOf(0)
  }

  get escrow(): Escrow | undefined {
    return this.#escrow
  }

  get ledger(): Ledger | undefined {
    return this.#ledger
  }

  start(): void {
    const { kernel, scenario, tableOf } = this.#scene
    const plan = scenario.nodes[this.index]
    const life = new Life(kernel, {
      number: this.lives + this.index * 100,
      crashAtEffect: plan?.crashAtEffects[this.lives] ?? Infinity,
      skewMs: plan?.skewMs ?? 0,
      onCrash: () => this.#died(),
    })
    this.lives++
    this.#life = life
    this.#fencedAtMs = Infinity
    this.#table = tableOf(this.#generation)
    void this.#open(life)
  }

  /** Whatever it is doing. */
  kill(why: string): void {
    this.#life?.end(why)
  }

  configure(generation: number): void {
    if (generation <= this.#generation) return
    this.#generation = generation
    this.#table = this.#scene.tableOf(generation)
    this.#escrow?.configure(this.#table)
    this.touched = true
  }

  /** The wall clock of a zone's edge, of a node that is off, and that is set. */
  #clock(life: Life): Clock {
    const { kernel, scenario } = this.#scene
    const jump = scenario.nodes[this.index]?.jump
    const shiftMs = scenario.wallShiftMs
    const { clock } = life
    if (shiftMs === 0 && jump === undefined) return this.#touching(clock)
    return this.#touching({
      ...clock,
      wallMs: () => {
        const jumped = jump !== undefined && kernel.nowMs >= jump.atMs
        if (jumped) this.jumps = 1
        return clock.wallMs() + shiftMs + (jumped ? jump.byMs : 0)
      },
    })
  }

  #touching(clock: Clock): Clock {
    return {
      ...clock,
      after: (delayMs, task) =>
        clock.after(delayMs, () => {
          this.touched = true
          task()
        }),
    }
  }

  async #open(life: Life): Promise<void> {
    const { plant, store, truth, scenario } = this.#scene
    const evidence = scenario.logged ? this.#evidence(life) : proveNothing(truth)
    const clock = this.#clock(life)
    for (;;) {
      try {
        const escrow = await Escrow.open({
          rows: this.#rows(life),
          leases: store.leases(this.index, life),
          clock,
          node: this.name,
          evidence: plant.evidence?.(evidence) ?? evidence,
          reports: {
            warned: () => {},
            failed: () => {},
            fenced: () => {
              this.fencings++
              life.end('fenced')
            },
          },
        })
        if (!life.alive) return
        if (scenario.logged) await this.#log.append(life, beginEntry(escrow))
        this.#escrow = escrow
        const ledger = new Ledger(clock, escrow, plant.reports ?? SILENT)
        this.#ledger = plant.ledger?.(ledger) ?? ledger
        this.touched = true
        return
      } catch {
        // The store does not answer: a real process would be started again.
        await sleep(clock, 100)
      }
    }
  }

  /** Its own log, of its own earlier lives, which are over for sure. */
  #evidence(life: Life): Evidence {
    const { plant, truth } = this.#scene
    const read = this.#log.reader(life)
    const evidence = evidenceOf(plant.readLog?.(read) ?? read)
    return async (orphan) => {
      const proof = await evidence(orphan)
      truth.recovered(orphan, proof === undefined ? 'nothing' : 'proved')
      return proof
    }
  }

  #rows(life: Life): Rows {
    const { plant, store } = this.#scene
    const rows = store.ports(this.index, life, () => (this.touched = true))
    return plant.rows?.(rows) ?? rows
  }

  #died(): void {
    for (const use of this.#running) this.#ended(use)
    this.#running = new Set()
    for (const id of this.#asking) this.answers.set(id, 'unserved')
    this.#asking = new Set()
    this.#escrow = undefined
    this.#ledger = undefined
    const { kernel } = this.#scene
    if (!this.closed) kernel.after(this.#dice.int(1, 200), `start ${this.name}`, () => this.start())
    // What its successor finds is settled before the end.
    if (this.#closing && !this.closed) kernel.after(300, `close ${this.name}`, () => void this.close())
  }

  async serve(request: RequestPlan): Promise<void> {
    const ledger = this.#ledger
    const life = this.#life
    const escrow = this.#escrow
    this.touched = true
    this.answers.set(request.id, 'unserved')
    if (ledger === undefined || life === undefined || escrow === undefined) return
    this.answers.delete(request.id)
    this.#asking.add(request.id)
    const admitted = await ledger.admit(request.id, 0, this.#table.bind(request.scopes), request.bound)
    if (!life.alive) return
    this.#asking.delete(request.id)
    this.answers.set(request.id, admitted instanceof Hold ? 'held' : 'refused')
    if (!(admitted instanceof Hold)) return this.#scene.refused(request, admitted)
    const entries = this.#scene.truth.opened(admitted, this.name, escrow.epoch)
    await this.#call(life, { ledger, escrow, hold: admitted, entries }, request)
  }

  /** Logs, calls the engine, settles, logs. */
  async #call(life: Life, { ledger, escrow, hold, entries }: Open, request: RequestPlan): Promise<void> {
    const { plant, truth, scenario } = this.#scene
    if (scenario.logged) {
      for (const entry of entries) entry.logged = true
      const durable = this.#log.append(life, holdEntry(escrow, hold))
      if (plant.logsLate !== true) await durable
    }
    if (!life.alive) return
    for (const entry of entries) entry.opened = true
    const actual = plant.actual?.(request) ?? request.actual
    let uses: Use[] = []
    if (!request.voided) {
      uses = hold.accounts.map((account) => truth.use(account, actual[account.budget.unit]))
      for (const use of uses) {
        this.#running.add(use)
        if (this.#fencedAtMs < Infinity) this.#ended(use)
        this.#scene.used(use.account)
      }
    }
    await sleep(life.clock, 1 + request.callMs)
    if (!life.alive) return
    this.touched = true
    for (const use of uses) {
      this.#ended(use)
      this.#running.delete(use)
    }
    hold.accounts.forEach((account, at) => {
      const entry = entries[at]
      if (entry !== undefined) entry.settled = request.voided ? 0 : actual[account.budget.unit]
    })
    if (request.voided) this.#once(ledger.void(hold), ledger.void(hold))
    else this.#once(ledger.settle(hold, plant.told?.(actual, request) ?? actual), ledger.settle(hold, actual))
    if (!scenario.logged) return
    await this.#log.append(life, endEntry(escrow, hold))
    for (const entry of entries) entry.closed = true
  }

  #ended(use: Use): void {
    use.endMs = Math.min(use.endMs, this.#fencedAtMs, this.#scene.kernel.nowMs)
  }

  #once(first: boolean, second: boolean): void {
    if (!first || second) this.#scene.kernel.violate('a hold ends once', `${first} at first, then ${second}`)
  }

  #isFenced(): void {
    this.#fencedAtMs = this.#scene.kernel.nowMs
    for (const use of this.#running) this.#ended(use)
  }

  /** Another takes the node for dead. Its lease counts as used, for nobody knows. */
  async fencedBy(rows: Rows, storeMs: () => number): Promise<void> {
    let epochs = 0
    const raising: Rows = {
      get: (from, key) => rows.get(from, key),
      getMany: (from, keys) => rows.getMany(from, keys),
      scan: (from, range) => rows.scan(from, range),
      close: () => rows.close(),
      commit: async (changes) => {
        const done = await rows.commit(changes)
        // Its epoch is over, whichever life it is in by now; its leases go after that.
        if (done && epochs++ === 0) this.#isFenced()
        return done
      },
    }
    try {
      await fence(raising, this.name, storeMs, proveNothing(this.#scene.truth))
    } catch {
      // The node itself began anew meanwhile.
    }
  }

  /** In good order: posts, gives back, and is gone. */
  async close(): Promise<void> {
    if (this.closed) return
    const { kernel } = this.#scene
    const escrow = this.#escrow
    this.touched = true
    this.#closing = true
    if (escrow === undefined) {
      kernel.after(100, `close ${this.name}`, () => void this.close())
      return
    }
    const asked = this.#asking
    const clean = await escrow.close()
    if (escrow.fenced) return
    this.closed = true
    for (const hold of this.#ledger?.openHolds ?? [])
      kernel.violate('no hold is orphaned', `${hold.requestId} is held by ${this.name} for ever`)
    if (!clean) kernel.violate('no hold is orphaned', `${this.name} could not give everything back`)
    this.#life?.end('closed')
    for (const id of asked) this.answers.delete(id)
  }
}

interface Open {
  readonly ledger: Ledger
  readonly escrow: Escrow
  readonly hold: Hold
  readonly entries: readonly Entry[]
}

const SILENT: LedgerReports = { overrun: () => {}, exceeded: () => {} }

const proveNothing =
  (truth: Truth): Evidence =>
  (orphan) => {
    truth.recovered(orphan, 'nothing')
    return NO_EVIDENCE(orphan)
  }
