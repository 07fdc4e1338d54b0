import type { Clock } from '../base/clock.ts'
import { fault, refuse, type Refusal } from '../base/errors.ts'
import type { UnboundedInput } from './bound.ts'
import { type Bill, type Charge, sumOfCharges } from './charge.ts'
import type { Account, Binding } from './ledger/account.ts'
import { AMOUNT_MAX, type Amounts, amountsOf, NO_AMOUNTS, type Unit, UNITS } from './ledger/amounts.ts'
import { isSoft } from './ledger/budget.ts'
import type { HoldLog } from './ledger/hold-log.ts'
import { Hold, type Ledger } from './ledger/ledger.ts'
import { overRequest, Shortfall } from './ledger/shortfall.ts'
import type { BudgetTable, RequestScopes } from './ledger/table.ts'
import { costBound, costOf, type VersionedPrice } from './prices.ts'
import { refusalOf, type Terms } from './shortage.ts'
import { inputTokensOf, outputTokensOf, type Usage } from './usage.ts'

/** What one request spends: held before each of its calls, charged after it. A retry, a fallback
 *  and each call that a workflow makes hold and charge separately; the request costs their sum. */

/** The budgets in force and the books they are kept in. */
export interface Books {
  readonly ledger: Ledger
  readonly log: HoldLog
  /** Of the configuration, and of the key. */
  readonly tables: readonly BudgetTable[]
  readonly terms: Terms
}

/** A call that is about to be made. */
export interface CallPlan {
  /** What callers name it. */
  readonly model: string
  /** `engine/model`. */
  readonly deployment: string
  readonly price: VersionedPrice | undefined
  /** Asked only where a budget wants to know. */
  readonly input: () => InputBound
  /** The cap to be sent, of each choice. */
  readonly outputTokensMax: number
  readonly choices: number
  /** Of what is not counted in tokens. */
  readonly units?: number
}

export interface InputBound {
  /** What its input cannot pass. */
  readonly tokensMax: number
  /** Something in it that no bound can be given for. */
  readonly unbounded: UnboundedInput | undefined
}

/** Another model is to be called instead. */
export class Degrade {
  readonly to: string
  /** What to say where that cannot be. */
  readonly otherwise: Refusal

  constructor(to: string, otherwise: Refusal) {
    this.to = to
    this.otherwise = otherwise
  }
}

/** A call that may be made. It ends by `settle` or `cancel`, once; what comes later changes
 *  nothing. */
export class HeldCall {
  /** The cap to send: lower than planned where a budget clamps. */
  readonly outputTokensMax: number
  readonly #end: (usage: Usage | undefined) => void
  #over = false

  constructor(outputTokensMax: number, end: (usage: Usage | undefined) => void) {
    this.outputTokensMax = outputTokensMax
    this.#end = end
  }

  /** Charges what was used and frees the rest. */
  settle(usage: Usage): void {
    this.#once(usage)
  }

  /** Nothing was used. */
  cancel(): void {
    this.#once(undefined)
  }

  #once(usage: Usage | undefined): void {
    if (this.#over) return
    this.#over = true
    this.#end(usage)
  }
}

/** What is left of a budget, as far as this process knows. */
export interface Remaining {
  readonly budget: string
  /** It limits how fast, and not how much. */
  readonly isRate: boolean
  readonly unit: Unit
  readonly limit: number
  readonly remaining: number
  /** Wall time in milliseconds; Infinity: it does not reset by time. */
  readonly resetsAtMs: number
}

/** A clamp lowers the cap until everything fits; headroom can only shrink so often meanwhile. */
const CLAMPS_MAX = 4

export class Spending {
  /** When the request came in, in wall milliseconds: whose prices hold to its end. */
  readonly atMs: number
  readonly charges: Charge[] = []
  readonly #clock: Clock
  readonly #books: Books | undefined
  readonly #requestId: string
  readonly #scopes: RequestScopes
  #entry: Hold | undefined
  #calls = 0
  #refused = false
  #begun = false
  /** Held and used by its calls so far, for limits on the request alone. */
  readonly #used: { [unit in Unit]: number } = { ...NO_AMOUNTS }
  /** Accounts that its calls were held in. */
  readonly #accounts = new Set<Account>()
  #reserved: Amounts = NO_AMOUNTS

  /** `scopes.model` is what the caller named. */
  constructor(clock: Clock, books: Books | undefined, requestId: string, scopes: RequestScopes) {
    this.#clock = clock
    this.atMs = clock.wallMs()
    this.#books = books
    this.#requestId = requestId
    this.#scopes = scopes
  }

  /** Whose documents it may be answered from, beside those of nobody. */
  get tenant(): string | undefined {
    return this.#scopes.tenant
  }

  /** Counts the request itself; before anything else. A promise only where a lease has to be
   *  drawn. */
  enter(): Refusal | undefined | Promise<Refusal | undefined> {
    const books = this.#books
    if (books === undefined) return undefined
    const bindings = this.#bindings(books, this.#scopes.model, true)
    if (bindings.length === 0) return undefined
    const bound = { ...NO_AMOUNTS, requests: 1, concurrent: 1 }
    const entered = (result: Hold | Shortfall): Refusal | undefined => {
      if (result instanceof Shortfall) return this.#refusal(result)
      this.#entry = result
      for (const account of result.accounts) this.#accounts.add(account)
      if (needsRecord(result)) books.log.enlist(result)
      return undefined
    }
    const result = books.ledger.reserve(this.#requestId, 0, bindings, bound)
    if (result instanceof Hold || result.reason !== 'unleased') return entered(result)
    return books.ledger.admit(this.#requestId, 0, bindings, bound).then(entered)
  }

  /** The request is over. One of which a budget let nothing pass counts as none. */
  leave(): void {
    const entry = this.#entry
    if (entry === undefined) return
    const books = this.#books
    if (this.#refused && !this.#begun) books?.ledger.void(entry)
    else books?.ledger.settle(entry, { ...NO_AMOUNTS, requests: 1 })
    if (needsRecord(entry)) books?.log.end(entry)
  }

  /** Holds what a call can use at most, in every budget that binds it or in none, and has that on
   *  record. A promise only where a lease has to be drawn, or the record waited for. */
  hold(plan: CallPlan): HeldCall | Degrade | Refusal | Promise<HeldCall | Degrade | Refusal> {
    const books = this.#books
    if (books === undefined) return this.#unbound(plan)
    const bindings = this.#bindings(books, plan.model, false)
    if (bindings.length === 0) return this.#once(books, this.#unbound(plan), undefined)
    if (plan.price === undefined) {
      const inMoney = bindings.find(({ unit, budget }) => unit === 'nanoUsd' && !isSoft(budget.action))
      if (inMoney !== undefined) {
        this.#refused = true
        return refuse('price_unknown', { deployment: plan.deployment, budget: inMoney.budget.id })
      }
    }
    const { tokensMax, unbounded } = plan.input()
    if (unbounded !== undefined) {
      const inInput = bindings.find(({ unit, budget }) => unit !== 'outputTokens' && !isSoft(budget.action))
      if (inInput !== undefined) {
        this.#refused = true
        return refuse('input_unbounded', { ...unbounded, budget: inInput.budget.id })
      }
    }
    const attempt = ++this.#calls
    const bounds = { ...plan, inputTokensMax: tokensMax }
    const bound = boundOf(bounds, plan.outputTokensMax)
    const over = this.#overRequest(bindings, bound)
    const result = over ?? books.ledger.reserve(this.#requestId, attempt, bindings, bound)
    if (result instanceof Hold) return this.#held(books, plan, plan.outputTokensMax, bound, result)
    return this.#negotiate(books, bounds, attempt, bindings, result)
  }

  get nowMs(): number {
    return this.#clock.wallMs()
  }

  /** What the request has come to so far. */
  get total(): Bill {
    return sumOfCharges(this.charges)
  }

  /** The most its last call could have used. */
  get reserved(): Amounts {
    return this.#reserved
  }

  /** The hard limits that bind it, the scarcest first. */
  remaining(): Remaining[] {
    const all: Remaining[] = []
    for (const { budget, posted, unposted, pending, soft, freedAtMs } of this.#accounts) {
      const { id, unit, limit, window } = budget
      // What is held or was just used counts for a whole span from now.
      const spanMs = window.kind === 'rolling' ? window.durationMs : Infinity
      if (!soft)
        all.push({
          budget: id,
          isRate: this.#books?.terms.rateLimits.has(id) === true,
          unit,
          limit,
          remaining: Math.max(0, limit - posted - unposted - pending),
          resetsAtMs: Math.min(freedAtMs, this.nowMs + spanMs),
        })
    }
    return all.sort((a, b) => a.remaining / a.limit - b.remaining / b.limit)
  }

  /** Budgets that only warn, and were passed by this request. */
  warnings(): string[] {
    const passed = [...this.#accounts].filter(
      ({ budget, posted, unposted, pending }) =>
        budget.action.kind === 'warn' && posted + unposted + pending > budget.limit,
    )
    return passed.map(({ budget }) => budget.id)
  }

  async #negotiate(
    books: Books,
    plan: BoundedPlan,
    attempt: number,
    bindings: readonly Binding[],
    first: Shortfall,
  ): Promise<HeldCall | Degrade | Refusal> {
    let outputTokensMax = plan.outputTokensMax
    let result: Hold | Shortfall = first
    for (let clamps = 0; ;) {
      const bound = boundOf(plan, outputTokensMax)
      if (result instanceof Shortfall && result.reason === 'unleased')
        result = await books.ledger.admit(this.#requestId, attempt, bindings, bound)
      if (result instanceof Hold) return this.#held(books, plan, outputTokensMax, bound, result)
      const { action } = result
      if (action.kind === 'degrade' && action.to !== plan.model) return new Degrade(action.to, this.#refusal(result))
      if (action.kind !== 'clamp' || clamps++ === CLAMPS_MAX) return this.#refusal(result)
      const affordable = affordableOf(plan, result, outputTokensMax)
      if (affordable < action.minimum) return this.#refusal(result)
      outputTokensMax = affordable
      const lower = boundOf(plan, outputTokensMax)
      result =
        this.#overRequest(bindings, lower) ?? (await books.ledger.admit(this.#requestId, attempt, bindings, lower))
    }
  }

  /** Those of requests, or those of what calls use. */
  #bindings({ tables }: Books, model: string | undefined, ofRequests: boolean): Binding[] {
    const scopes = model === this.#scopes.model || model === undefined ? this.#scopes : { ...this.#scopes, model }
    const all = tables.flatMap((table) => table.bind(scopes))
    return all.filter(({ unit }) => COUNTS_REQUESTS.has(unit) === ofRequests)
  }

  /** Nothing is called that a crash would forget. */
  #once(books: Books, held: HeldCall, hold: Hold | undefined): HeldCall | Promise<HeldCall | Refusal> {
    const begun = (): HeldCall => {
      this.#begun = true
      return held
    }
    const ready = books.log.ready([hold, this.#entry].filter((one) => one !== undefined))
    if (ready === undefined) return begun()
    return ready.then(begun, () => {
      held.cancel()
      return this.#refusal(new Shortfall('store_unavailable', []))
    })
  }

  #held(
    books: Books,
    plan: CallPlan,
    outputTokensMax: number,
    bound: Amounts,
    hold: Hold,
  ): HeldCall | Promise<HeldCall | Refusal> {
    const { ledger, log } = books
    this.#reserved = bound
    for (const account of hold.accounts) this.#accounts.add(account)
    this.#use(bound, 1)
    const isRecorded = needsRecord(hold)
    if (isRecorded) log.enlist(hold)
    const held = new HeldCall(outputTokensMax, (usage) => {
      this.#use(bound, -1)
      if (usage === undefined) ledger.void(hold)
      else {
        const charge = this.#charge(plan, usage)
        const actual = amountsOf(inputTokensOf(usage), outputTokensOf(usage), charge.costNanoUsd ?? 0n)
        this.#use(actual, 1)
        ledger.settle(hold, actual)
      }
      if (isRecorded) log.end(hold)
    })
    return this.#once(books, held, hold)
  }

  #unbound(plan: CallPlan): HeldCall {
    return new HeldCall(plan.outputTokensMax, (usage) => {
      if (usage !== undefined) this.#charge(plan, usage)
    })
  }

  #charge({ deployment, price }: CallPlan, usage: Usage): Charge {
    const cost = price === undefined ? {} : { costNanoUsd: costOf(usage, price.price), priceVersion: price.version }
    const charge: Charge = { deployment, usage, ...cost }
    this.charges.push(charge)
    return charge
  }

  #use(amounts: Amounts, sign: 1 | -1): void {
    for (const unit of UNITS) this.#used[unit] += sign * amounts[unit]
  }

  /** Limits on each request count all its calls together. */
  #overRequest(bindings: readonly Binding[], bound: Amounts): Shortfall | undefined {
    const over = bindings.filter(
      ({ perRequest, unit, budget }) =>
        perRequest && !isSoft(budget.action) && this.#used[unit] + bound[unit] > budget.limit,
    )
    if (over.length === 0) return undefined
    const short = over.map((binding) => {
      const spent = this.#used[binding.unit]
      const available = Math.max(0, binding.budget.limit - spent)
      return { ...overRequest(binding, bound[binding.unit]), spent, available }
    })
    return new Shortfall('over_limit', short)
  }

  #refusal(shortfall: Shortfall): Refusal {
    this.#refused = true
    const terms = this.#books?.terms
    if (terms === undefined) throw fault('internal', { reason: 'a request without budgets was short of one' })
    return refusalOf(shortfall, terms, this.#clock.wallMs())
  }
}

/** Half of the greatest amount, so that input and output together are one. */
const BOUND_TOKENS_MAX = AMOUNT_MAX / 2

const COUNTS_REQUESTS: ReadonlySet<Unit> = new Set<Unit>(['requests', 'concurrent'])

/** Whether a crash would have to know of it. */
const needsRecord = ({ accounts }: Hold): boolean => accounts.some(({ posts, soft }) => posts && !soft)

interface BoundedPlan extends CallPlan {
  readonly inputTokensMax: number
}

function boundOf({ price, inputTokensMax, choices, units = 0 }: BoundedPlan, outputTokensMax: number): Amounts {
  // Beyond what can be counted it is beyond any limit.
  const output = Math.min(BOUND_TOKENS_MAX, outputTokensMax * choices)
  const cost = price === undefined ? 0n : costBound(price.price, inputTokensMax, output, units)
  return amountsOf(inputTokensMax, output, cost)
}

/** The greatest cap with which every budget that is short could pay for the call: found by halving,
 *  since costs round up and have two rates. 0: not even the input. */
function affordableOf(plan: BoundedPlan, { short }: Shortfall, outputTokensMax: number): number {
  const fits = (cap: number): boolean => {
    const bound = boundOf(plan, cap)
    return short.every(({ budget, available }) => bound[budget.unit] <= available)
  }
  let least = 0
  let most = outputTokensMax
  while (least < most) {
    const middle = Math.ceil((least + most) / 2)
    if (fits(middle)) least = middle
    else most = middle - 1
  }
  return least
}
