import type { Clock, Timer } from '../../base/clock.ts'
import { type Fault, toFault } from '../../base/errors.ts'
import type { Leases } from '../../store/leases.ts'
import { put, type Rows } from '../../store/rows.ts'
import { Account, accountKey, type Binding, type Drawn } from './account.ts'
import { ACCOUNTS, NODES } from './account-row.ts'
import { type Evidence, fence, storeOffset } from './recover.ts'
import { adopt, answerAll, expire, IDLE_TICKS_MAX, type Moment, sharesPassed, type Step, stepOf } from './step.ts'
import type { BudgetTable } from './table.ts'
import { periodAt } from './window.ts'

/** The node's leases on the headroom of durable accounts. Everything between memory and store
 *  goes through one pump, one batch after another: what was used is posted, spare headroom goes
 *  back, and slices are drawn, all by compare-and-set, all exactly once. */

export interface EscrowOptions {
  readonly rows: Rows
  /** Tell the store's time, by which rolling windows count on every node. */
  readonly leases: Pick<Leases, 'acquire'>
  readonly clock: Clock
  /** Unique among the processes that share the store; the same again after a restart. */
  readonly node: string
  /** What the log of this node's holds proves; see `evidenceOf`. */
  readonly evidence: Evidence
  /** The part of each limit, between 0 and 1, that may be held before it is on record; a crash is
   *  posted so much more. */
  readonly unrecordedShare?: number
  readonly reports: EscrowReports
}

export interface EscrowReports {
  /** The posted total passed a share of the limit. Told by the node whose posting passed it. */
  warned(account: Account, share: number): void
  /** The store did not take what was due; it is tried again at the next tick. */
  failed(fault: Fault): void
  /** Another took this node for dead. It holds nothing any more and must be opened anew. */
  fenced(): void
}

/** How often what was used is posted, and how soon a node notices that another needs headroom. */
const TICK_MS = 250
/** How often a request that waits for what others give back looks whether it is there. */
const LOOK_MS = 50
/** Accounts in one commit. */
const BATCH_MAX = 1_000
/** Attempts at one batch where others keep changing the same accounts, before the next tick. */
const CONFLICTS_MAX = 10
/** A lease ends in two rounds: what was used is posted, then nothing is left. */
const CLOSE_ROUNDS = 4

export class Escrow {
  readonly node: string
  readonly epoch: number
  readonly #rows: Rows
  readonly #clock: Clock
  readonly #reports: EscrowReports
  readonly #unrecordedShare: number
  readonly #accounts = new Map<string, Account>()
  /** From the clock that never jumps to the store's. */
  readonly #storeOffsetMs: number
  #queue: Account[] = []
  #pumping = false
  #pumped: Promise<void> = Promise.resolve()
  #fenced = false
  #closed = false
  #timer: Timer | undefined
  #table: BudgetTable | undefined
  /** Accounts that requests wait for, and when to look again. */
  #awaited: Account[] = []
  #lookTimer: Timer | undefined
  /** Of terms, orders and holds. */
  #number = 0

  private constructor(options: EscrowOptions, epoch: number, storeOffsetMs: number) {
    this.node = options.node
    this.epoch = epoch
    this.#rows = options.rows
    this.#clock = options.clock
    this.#reports = options.reports
    this.#unrecordedShare = options.unrecordedShare ?? 0
    this.#storeOffsetMs = storeOffsetMs
  }

  /** Fences the node's last epoch, recovers what it left, and begins a new one. Throws a `Fault`
   *  (`store_unavailable`) where the store does not answer. */
  static async open(options: EscrowOptions): Promise<Escrow> {
    const { rows, leases, node, clock, evidence } = options
    const offsetMs = await storeOffset(leases, clock, node)
    const epoch = await fence(rows, node, () => offsetMs + clock.monotonicMs(), evidence)
    return new Escrow(options, epoch, offsetMs)
  }

  get fenced(): boolean {
    return this.#fenced
  }

  /** Of the last term, order or hold. */
  get number(): number {
    return this.#number
  }

  nextNumber(): number {
    return ++this.#number
  }

  get accounts(): Iterable<Account> {
    return this.#accounts.values()
  }

  /** The account of a budget and subject for the period of an instant. */
  account(asked: Binding, wallMs: number): Account {
    const { subject } = asked
    // A request that waits since before a change gets to the next period by what is in force there.
    const stale = this.#table !== undefined && asked.generation < this.#table.generation
    const binding = (stale ? this.#table?.bindingOf(asked.budget, subject) : undefined) ?? asked
    const { budget, generation } = binding
    const period = periodAt(budget.window, wallMs)
    const name = accountKey(budget, subject, period).join('\0')
    const present = this.#accounts.get(name)
    if (present !== undefined) {
      if (present.budget !== budget && present.generation <= generation) this.#change(present, binding)
      return present
    }
    const account = new Account(binding, name, period, this.nextNumber())
    account.unrecordedMax = Math.floor(budget.limit * this.#unrecordedShare)
    this.#accounts.set(name, account)
    this.#arm()
    return account
  }

  /** A new table is in force. Requests bring it to the accounts they use; this brings it to all, so
   *  that no limit is gone by that was lowered. */
  configure(table: BudgetTable): void {
    this.#table = table
    for (const account of this.#accounts.values()) {
      const [, subject = '', , period] = account.key
      const binding = table.bindingOf(account.budget, subject)
      if (binding !== undefined && periodAt(binding.budget.window, Math.max(0, account.startMs)).key === period)
        this.#change(account, binding)
    }
  }

  /** The configuration changed: what was refused may be affordable now, and what is at hand beyond a
   *  lower limit goes back at once. */
  #change(account: Account, { budget, generation }: Binding): void {
    account.generation = generation
    account.headroom += budget.limit - account.budget.limit
    account.change(budget)
    if (!account.soft) account.setAside(Math.min(account.available, -account.headroom))
    if (account.relabelled || account.returning > 0 || account.waiting.length > 0) this.#enqueue(account)
  }

  /** Leases at least `amount`, waiting for other nodes to give back what they do not use; until
   *  the deadline (monotonic) has passed and the store has answered once more. */
  draw(account: Account, amount: number, deadlineMs: number): Promise<Drawn> {
    if (this.#fenced || this.#closed) return Promise.resolve('fenced')
    return new Promise((resolve) => {
      account.wait({ amount, deadlineMs, resolve })
      this.#enqueue(account)
    })
  }

  /** Leases the next slice before anybody has to wait for it. */
  drawAhead(account: Account): void {
    account.lowWater = -1
    account.ahead = true
    this.#enqueue(account)
  }

  /** A hold ended while others wait. */
  comesFree(account: Account): void {
    if (!account.soft) account.setAside(account.available)
    this.#enqueue(account)
  }

  /** Posts everything and gives back what is not held. False where something is still held, or
   *  the store did not take all of it: then it is recovered when the node is opened again. */
  async close(): Promise<boolean> {
    this.#closed = true
    this.#disarm()
    this.#lookTimer?.cancel()
    for (const account of this.#accounts.values()) answerAll(account, 'fenced')
    for (let round = 0; round < CLOSE_ROUNDS && this.#accounts.size > 0 && !this.#fenced; round++) {
      for (const account of this.#accounts.values()) {
        account.idleTicks = IDLE_TICKS_MAX
        this.#enqueue(account)
      }
      await this.#pumped
    }
    return this.#accounts.size === 0
  }

  /** A node without accounts has nothing to post, and sleeps. */
  #arm(): void {
    if (this.#fenced || this.#closed) return
    this.#timer ??= this.#clock.after(TICK_MS, () => {
      this.#timer = undefined
      this.#arm()
      this.#tick()
    })
  }

  #disarm(): void {
    this.#timer?.cancel()
    this.#timer = undefined
  }

  #tick(): void {
    const nowMs = this.#clock.monotonicMs()
    for (const account of this.#accounts.values()) {
      account.idleTicks++
      if (account.waiting.length > 0) expire(account, nowMs)
      this.#enqueue(account)
    }
  }

  #enqueue(account: Account): void {
    if (!account.queued) {
      account.queued = true
      this.#queue.push(account)
    }
    if (!this.#pumping && !this.#fenced) this.#pumped = this.#pump()
  }

  async #pump(): Promise<void> {
    this.#pumping = true
    try {
      // What is asked for in one turn goes in one batch.
      await Promise.resolve()
      while (this.#queue.length > 0 && !this.#fenced) {
        const batch = this.#queue.splice(0, BATCH_MAX).filter((account) => !account.retired)
        for (const account of batch) account.queued = false
        if (batch.length > 0) await this.#carry(batch, 0)
      }
    } catch (thrown) {
      for (const account of this.#queue.splice(0)) account.queued = false
      this.#reports.failed(toFault(thrown))
    } finally {
      this.#pumping = false
    }
  }

  /** One batch, as one commit; halved where another node got in between. */
  async #carry(batch: readonly Account[], conflicts: number): Promise<void> {
    const [guard, stored] = await Promise.all([
      this.#rows.get(NODES, [this.node]),
      this.#rows.getMany(
        ACCOUNTS,
        batch.map(({ key }) => key),
      ),
    ])
    if (guard?.row.epoch !== this.epoch) return this.#fence()
    const now = this.#now()
    const steps = batch.map((account, at) => stepOf(account, stored[at], now))
    const changes = steps.flatMap(({ changes }) => changes)
    // The guard: an epoch that was fenced changes nothing any more.
    if (changes.length > 0) changes.push(put(NODES, [this.node], guard.row, guard.version))
    if (changes.length === 0 || (await this.#rows.commit(changes))) {
      for (const step of steps) this.#adopt(step)
      return
    }
    if (conflicts >= CONFLICTS_MAX) return
    if (conflicts === 0 || batch.length === 1) return this.#carry(batch, conflicts + 1)
    const middle = batch.length >> 1
    await this.#carry(batch.slice(0, middle), conflicts + 1)
    await this.#carry(batch.slice(middle), conflicts + 1)
  }

  #adopt(step: Step): void {
    const { account } = step
    const again = adopt(step, this.#now())
    for (const share of sharesPassed(step)) this.#reports.warned(account, share)
    if (account.retired) {
      this.#accounts.delete(account.name)
      if (this.#accounts.size === 0) this.#disarm()
    } else if (again) this.#enqueue(account)
    else if (account.waiting.length > 0) this.#await(account)
  }

  #await(account: Account): void {
    this.#awaited.push(account)
    if (this.#closed) return
    this.#lookTimer ??= this.#clock.after(LOOK_MS, () => {
      this.#lookTimer = undefined
      for (const one of this.#awaited.splice(0)) this.#enqueue(one)
    })
  }

  #now(): Moment {
    return {
      node: this.node,
      epoch: this.epoch,
      monotonicMs: this.#clock.monotonicMs(),
      rollingMs: this.#storeOffsetMs + this.#clock.monotonicMs(),
      number: () => this.nextNumber(),
    }
  }

  #fence(): void {
    this.#fenced = true
    this.#disarm()
    this.#lookTimer?.cancel()
    for (const account of this.#accounts.values()) {
      answerAll(account, 'fenced')
      // Bindings outlive the escrow and must not come back to it.
      account.retired = true
    }
    this.#reports.fenced()
  }
}
