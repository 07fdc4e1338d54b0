import { isObject } from '../src/base/json.ts'
import type { Budget } from '../src/meter/ledger/budget.ts'
import { isHard, mayBind, mostOf, used } from './bounds.ts'
import { budgetsOf } from './budgets.ts'
import type { Caller } from './caller.ts'
import type { Invariant } from './invariants.ts'
import type { Life } from './life.ts'
import { namesShort, refusalOf } from './refusal.ts'
import type { Recorded, Scene } from './scene.ts'

/** Whether a budget that turned a request away had to, and said so. */

/** A part of each limit that a crash may waste; the house's own promise. */
export const UNRECORDED_SHARE = 0.001

/** A request is closed, and a moment later over. */
const LEFT_AFTER_MS = 200

/** What the books know. */
export interface Books {
  closedAtMs(id: string): number
  overrunOf(budget: Budget): number
  endedWell(life: Life): boolean
}

export class RefusalJudge {
  readonly #scene: Scene
  readonly #journal: ReadonlyMap<string, Recorded>
  readonly #books: Books
  readonly #broken: (invariant: Invariant, detail: string) => void
  readonly #budgets: readonly Budget[]
  readonly #judged = new Set<Caller>()

  constructor(scene: Scene, journal: ReadonlyMap<string, Recorded>, books: Books) {
    this.#scene = scene
    this.#journal = journal
    this.#books = books
    this.#broken = (invariant, detail) => scene.kernel.violate(invariant, detail)
    this.#budgets = budgetsOf(scene.scenario.budgets)
  }

  /** A caller has its whole answer. */
  heard(caller: Caller): void {
    const refusal = refusalOf(caller)
    if (refusal === undefined || this.#judged.has(caller)) return
    this.#judged.add(caller)
    const { name } = caller.plan
    const { code, short, message } = refusal
    const asked = this.#scene.engine.attemptsFor(name)
    if (asked > 0) this.#broken('the refused reach no engine', `${name} was passed on ${asked} times, then ${code}`)
    if (code === 'budgets_unavailable') return this.#storeIsLate(caller, message)
    const budget = this.#budgets.find(({ id }) =>
      short === undefined ? message.includes(`"${id}"`) : id === short['id'],
    )
    if (budget === undefined || !isHard(budget) || !mayBind(budget, caller.plan))
      return this.#broken('a refusal names its budget', `${name}: ${message}`)
    const due = this.#statusOf(code)
    const afterMs = Number(caller.headers['retry-after-ms'] ?? Infinity)
    const retries = caller.headers['x-should-retry'] !== 'false' && afterMs < Infinity
    // Clients take no notice of a longer wait, and come back at once.
    const mayRetry = (due === 503 || code === 'rate_limit_exceeded') && afterMs <= 60_000
    if (caller.status !== due || retries !== mayRetry)
      this.#broken('a refusal names its budget', `${name} got ${caller.status} for ${code}, retries: ${retries}`)
    if (!namesShort(code)) return
    if (short === undefined) return this.#broken('a refusal names its budget', `${name}: ${caller.text()}`)
    const needed = Number(short['needed'])
    const most = this.#mostUsed(budget, caller)
    if (most + needed <= budget.limit)
      this.#broken(
        'a budget refuses only what it cannot afford',
        `${budget.id} of ${budget.limit} refused ${needed} to ${name}, and others use at most ${most}`,
      )
    if (!(needed > Number(short['available'])) || short['limit'] !== budget.limit)
      this.#broken('a refusal names its budget', `${name} was told ${JSON.stringify(short)} of ${budget.limit}`)
  }

  #statusOf(code: string): number {
    if (code === 'rate_limit_exceeded') return 429
    if (code === 'budget_contended') return 503
    return namesShort(code) ? this.#scene.scenario.budgets.spentStatus : 400
  }

  #storeIsLate({ plan }: Caller, message: string): void {
    const { diskSlow, diskFull } = this.#scene.scenario
    if (this.#budgets.length === 0 || !(diskSlow || diskFull.length > 0))
      this.#broken('a budget refuses only what it cannot afford', `${plan.name}: ${message}`)
  }

  /** What all others may have held or used when this one was refused. */
  #mostUsed(budget: Budget, refused: Caller): number {
    let most = this.#scene.lives * Math.floor(budget.limit * UNRECORDED_SHARE) + this.#books.overrunOf(budget)
    if (budget.window.kind === 'request') return most
    for (const caller of this.#scene.callers) {
      const { plan, life, recordedAs } = caller
      if (caller === refused || life === undefined || !mayBind(budget, plan)) continue
      if (budget.scope === 'key' && plan.credential !== refused.plan.credential) continue
      const close = this.#journal.get(recordedAs ?? '')?.close
      const closedAtMs = this.#books.closedAtMs(recordedAs ?? '')
      const over = closedAtMs + LEFT_AFTER_MS < refused.calledMs && this.#books.endedWell(life)
      most += over && close !== undefined ? used(budget, close) : mostOf(budget, plan)
    }
    return most
  }

  /** After one more restart. */
  afterRecovery(): void {
    for (const caller of this.#scene.callers) this.#isRecorded(caller)
  }

  /** What was refused is on record as that. */
  #isRecorded(caller: Caller): void {
    const refusal = refusalOf(caller)
    const { plan, life, connection } = caller
    if (refusal === undefined || life === undefined || !this.#books.endedWell(life)) return
    const close = this.#journal.get(connection?.answered?.requestId ?? '')?.close
    const budget = close?.body['budget']
    const id = isObject(budget) ? budget['id'] : undefined
    if (close?.body['outcome'] !== 'refused' || id !== refusal.short?.['id'])
      this.#broken(
        'a refusal is on record',
        `${plan.name} was told ${refusal.code}; recorded is ${JSON.stringify(close?.body['outcome'])} by ${JSON.stringify(id)}`,
      )
  }
}
