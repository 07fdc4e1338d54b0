import type { Clock } from '../../base/clock.ts'
import { fault } from '../../base/errors.ts'
import type { Account, Binding } from './account.ts'
import { type Amounts, isAmount, NO_AMOUNTS, UNITS } from './amounts.ts'
import { isSoft } from './budget.ts'
import type { Escrow } from './escrow.ts'
import { overRequest, type Short, Shortfall, shortOf } from './shortfall.ts'

/** What a request may use at most, put aside in every account that binds it. */
export class Hold {
  /** Unique in the node's epoch. */
  readonly number: number
  readonly requestId: string
  readonly attempt: number
  /** `amounts[i]` is held in `accounts[i]`. */
  readonly accounts: readonly Account[]
  readonly amounts: readonly number[]
  /** What was used, once it has ended. */
  actual: Amounts = NO_AMOUNTS
  /** The escrow's last order before the end; see `EndEntry`. */
  endedAfter = 0
  state: 'open' | 'settled' | 'void' = 'open'

  constructor(
    number: number,
    requestId: string,
    attempt: number,
    accounts: readonly Account[],
    amounts: readonly number[],
  ) {
    this.number = number
    this.requestId = requestId
    this.attempt = attempt
    this.accounts = accounts
    this.amounts = amounts
  }
}

/** A call used more than it was held at: the cap was not sent upstream, or an engine ignored it.
 *  A bound that holds makes it impossible, so it is an alarm; what was used is posted all the
 *  same. */
export interface Overrun {
  readonly hold: Hold
  readonly account: Account
  readonly held: number
  readonly actual: number
}

export interface LedgerReports {
  overrun(overrun: Overrun): void
  /** A soft budget let pass what is beyond its limit. */
  exceeded(account: Account, requestId: string): void
}

/** How long a request waits for headroom that others have leased but not used, or for the store. */
const DRAW_WAIT_MS = 1_000
/** Rounds of drawing and asking again before a request is told to come back later: more than two
 *  are needed only where others take what was drawn. */
const ADMIT_ROUNDS_MAX = 8

/** The node's double entry over what it leased. Reserve, settle and void touch memory only. A
 *  hold ends by `settle` or `void`, or with the node's epoch; never by a timer. */
export class Ledger {
  readonly #clock: Clock
  readonly #escrow: Escrow
  readonly #reports: LedgerReports
  readonly #open = new Map<string, Hold>()

  constructor(clock: Clock, escrow: Escrow, reports: LedgerReports) {
    this.#clock = clock
    this.#escrow = escrow
    this.#reports = reports
  }

  get openHolds(): Iterable<Hold> {
    return this.#open.values()
  }

  /** Holds the bound in every account, or in none, drawing from the durable accounts where the
   *  lease does not suffice. Waits only then, for about `DRAW_WAIT_MS` at most. */
  async admit(
    requestId: string,
    attempt: number,
    bindings: readonly Binding[],
    bound: Amounts,
  ): Promise<Hold | Shortfall> {
    let deadlineMs: number | undefined
    for (let round = 0; ; round++) {
      const result = this.reserve(requestId, attempt, bindings, bound)
      if (result instanceof Hold || result.reason !== 'unleased') return result
      if (round === ADMIT_ROUNDS_MAX) return result.withReason('contended')
      const untilMs = (deadlineMs ??= this.#clock.monotonicMs() + DRAW_WAIT_MS)
      const drawn = await Promise.all(
        result.short.flatMap(({ account, needed }) =>
          account === undefined ? [] : this.#escrow.draw(account, needed, untilMs),
        ),
      )
      // What is spent the next round finds spent, unless a hold has ended meanwhile.
      const failed = (['fenced', 'store_unavailable'] as const).find((one) => drawn.includes(one))
      if (failed === undefined) continue
      const last = this.reserve(requestId, attempt, bindings, bound)
      if (last instanceof Hold || last.reason !== 'unleased') return last
      return last.withReason(failed)
    }
  }

  /** Holds the bound in every account, or in none, without waiting. The bound is what the request
   *  cannot pass: its input counted from above, and the output cap that is sent upstream. Throws a
   *  `Fault` (`internal`) where it is no amount. */
  reserve(requestId: string, attempt: number, bindings: readonly Binding[], bound: Amounts): Hold | Shortfall {
    const name = nameOf(requestId, attempt)
    if (this.#open.has(name)) return new Shortfall('duplicate', [])
    if (this.#escrow.fenced) return new Shortfall('fenced', [])
    const nowMs = this.#clock.wallMs()
    checkAmounts(bound)
    const accounts: Account[] = []
    const amounts: number[] = []
    for (const binding of bindings) {
      const amount = bound[binding.unit]
      if (binding.perRequest) {
        if (amount <= binding.budget.limit || isSoft(binding.budget.action)) continue
        return this.#short(bindings, bound, nowMs, accounts, amounts)
      }
      const account = this.#accountOf(binding, nowMs)
      if (!account.soft) {
        if (amount > Math.max(0, account.available)) return this.#short(bindings, bound, nowMs, accounts, amounts)
        account.available -= amount
      }
      account.pending += amount
      accounts.push(account)
      amounts.push(amount)
    }
    for (const account of accounts) {
      account.holds++
      account.idleTicks = 0
      if (account.soft) this.#noteExceeded(account, requestId)
      else if (account.available < account.lowWater) this.#escrow.drawAhead(account)
    }
    const hold = new Hold(this.#escrow.nextNumber(), requestId, attempt, accounts, amounts)
    this.#open.set(name, hold)
    return hold
  }

  /** Posts what was used and frees the rest; false, with nothing changed, where the hold has
   *  ended already. Throws a `Fault` (`internal`), and the hold stays open, where it is no amount. */
  settle(hold: Hold, actual: Amounts): boolean {
    if (hold.state !== 'open') return false
    checkAmounts(actual)
    hold.state = 'settled'
    return this.#end(hold, actual)
  }

  /** Frees the whole hold: the engine was never called. */
  void(hold: Hold): boolean {
    if (hold.state !== 'open') return false
    hold.state = 'void'
    return this.#end(hold, NO_AMOUNTS)
  }

  #end(hold: Hold, actual: Amounts): boolean {
    this.#open.delete(nameOf(hold.requestId, hold.attempt))
    const { accounts, amounts } = hold
    const nowMs = this.#clock.monotonicMs()
    hold.endedAfter = this.#escrow.number
    hold.actual = actual
    for (let at = 0; at < accounts.length; at++) {
      const account = accounts[at]
      const held = amounts[at]
      if (account === undefined || held === undefined) continue
      const used = account.posts ? actual[account.budget.unit] : 0
      account.pending -= held
      account.unposted += used
      account.holds--
      account.idleTicks = 0
      // Below zero after an overrun: then nothing is held until the store has made up for it.
      if (!account.soft) account.available += held - used
      if (used > held) this.#reports.overrun({ hold, account, held, actual: used })
      if (nowMs < account.firmUntilMs) this.#escrow.comesFree(account)
    }
    return true
  }

  #accountOf(binding: Binding, nowMs: number): Account {
    const current = binding.current
    if (
      current !== undefined &&
      !current.retired &&
      (current.budget === binding.budget || binding.generation < current.generation) &&
      nowMs >= current.startMs &&
      nowMs < current.endMs
    )
      return current
    return (binding.current = this.#escrow.account(binding, nowMs))
  }

  #noteExceeded(account: Account, requestId: string): void {
    if (account.posted + account.unposted + account.pending > account.budget.limit)
      this.#reports.exceeded(account, requestId)
  }

  /** Puts back what was taken so far, and finds every budget that is short. */
  #short(
    bindings: readonly Binding[],
    bound: Amounts,
    nowMs: number,
    accounts: readonly Account[],
    amounts: readonly number[],
  ): Shortfall {
    accounts.forEach((account, at) => {
      const amount = amounts[at] ?? 0
      account.pending -= amount
      if (!account.soft) account.available += amount
    })
    const monotonicMs = this.#clock.monotonicMs()
    const short: Short[] = []
    for (const binding of bindings) {
      const amount = bound[binding.unit]
      if (isSoft(binding.budget.action)) continue
      if (binding.perRequest) {
        if (amount > binding.budget.limit) short.push(overRequest(binding, amount))
        continue
      }
      const account = this.#accountOf(binding, nowMs)
      if (amount > Math.max(0, account.available)) short.push(shortOf(binding, account, amount, monotonicMs))
    }
    const reasons = short.map(({ reason }) => reason)
    const reason = (['over_limit', 'spent'] as const).find((one) => reasons.includes(one)) ?? 'unleased'
    return new Shortfall(
      reason,
      short.filter((one) => one.reason === reason),
    )
  }
}

/** One wrong number would stay in the books for ever. */
function checkAmounts(amounts: Amounts): void {
  for (const unit of UNITS)
    if (!isAmount(amounts[unit])) throw fault('internal', { reason: `${amounts[unit]} ${unit} are no amount` })
}

const nameOf = (requestId: string, attempt: number): string => (attempt === 0 ? requestId : `${requestId}\0${attempt}`)
