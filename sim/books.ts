import type { Fields, Log } from '../src/base/log.ts'
import { ACCOUNTS, type AccountRow, LEASED, leasedBy, sumOf } from '../src/meter/ledger/account-row.ts'
import type { Unit } from '../src/meter/ledger/amounts.ts'
import type { Budget } from '../src/meter/ledger/budget.ts'
import type { Entry } from '../src/store/events.ts'
import type { Change, Key, Rows } from '../src/store/rows.ts'
import { chargesIn, expectedCost, expectedUsage } from './bill.ts'
import { amountOf, capAmount, countsRequests, engineIn, isHard, mayBind, mostOf, stays, subjectOf } from './bounds.ts'
import { budgetsOf } from './budgets.ts'
import type { Caller } from './caller.ts'
import { type AttemptRecord, modelIn, nameIn } from './engine.ts'
import { PRICES } from './house.ts'
import type { Invariant } from './invariants.ts'
import type { Life } from './life.ts'
import type { ExchangeRecord } from './outgoing.ts'
import { RefusalJudge, UNRECORDED_SHARE } from './refusals.ts'
import type { RequestPlan } from './scenario.ts'
import type { Recorded, Scene } from './scene.ts'

/** The books of budgets, held against what requests were charged and what engines were let use. */

export type BudgetSituation =
  | 'a budget was warned of'
  | 'waited for a lease'
  | "a dead life's holds were recovered"
  | 'a call overran its bound'

const HOLDS = 'ledger.holds'

interface Sum {
  least: number
  most: number
}

export class BookJudge {
  readonly saw = new Set<BudgetSituation>()
  readonly #scene: Scene
  readonly #journal: ReadonlyMap<string, Recorded>
  readonly #broken: (invariant: Invariant, detail: string) => void
  readonly #budgets: readonly Budget[]
  /** The durable accounts, by their key. */
  readonly #rows = new Map<string, AccountRow>()
  /** By budget and subject, of all requests that are closed. */
  readonly #charged = new Map<string, Sum>()
  readonly #closedAtMs = new Map<string, number>()
  /** What engines claimed beyond the bounds of their calls, by budget. */
  readonly #overrun = new Map<string, number>()
  /** The ids of the keys. */
  readonly #keyIds = new Map<RequestPlan['credential'], string>()
  /** What the store has of leases and holds, which goes with them. */
  readonly #held = new Set<string>()
  readonly #closedLives = new Set<Life>()
  readonly #refusals: RefusalJudge
  #exchanges = 0

  constructor(scene: Scene, journal: ReadonlyMap<string, Recorded>) {
    this.#scene = scene
    this.#journal = journal
    this.#broken = (invariant, detail) => scene.kernel.violate(invariant, detail)
    this.#budgets = budgetsOf(scene.scenario.budgets)
    this.#refusals = new RefusalJudge(scene, journal, this)
    if (this.#budgets.length > 0) scene.kernel.afterEveryStep(() => this.#engines())
  }

  readonly log: Log = {
    write: (_level, message, fields) => {
      if (message === 'a call used more than the bound it was held at' && fields !== undefined) this.#overran(fields)
    },
  }

  warned(): void {
    this.saw.add('a budget was warned of')
  }

  /** Stands between the house and its rows, and sees what a new life reads of an old one. */
  watch(rows: Rows): Rows {
    return {
      ...rows,
      scan: async (from, range) => {
        const page = await rows.scan(from, range)
        if (from.name === HOLDS && range.prefix?.length === 2 && page.some(({ key }) => key[3] === 'hold'))
          this.saw.add("a dead life's holds were recovered")
        return page
      },
    }
  }

  /** Everything of this life is posted, as far as the store took it. */
  closed(life: Life): void {
    this.#closedLives.add(life)
  }

  /** A closing has become durable. */
  billed({ id, body }: Entry, caller: Caller | undefined): void {
    if (this.#budgets.length === 0 || body['outcome'] === 'interrupted') return
    this.#closedAtMs.set(id, this.#scene.kernel.nowMs)
    const key = String(body['key'])
    if (caller !== undefined) this.#keyIds.set(caller.plan.credential, key)
    const parts = chargesIn(body)
    const calls = this.#scene.outgoing.records.filter(({ request }) => nameIn(request) === caller?.plan.name)
    if (parts.length > calls.length)
      this.#broken('nothing is charged that nobody used', `${id} has ${parts.length} charges for ${calls.length} calls`)
    for (const budget of this.#budgets) {
      if (countsRequests(budget.unit)) {
        const subject = subjectOf(budget, key, String(body['model']))
        const begun = body['outcome'] === 'answered' || parts.length > 0
        if (subject !== undefined && budget.unit === 'requests')
          this.#charge(budget, subject, Number(begun), Number(body['outcome'] !== 'refused'))
        continue
      }
      for (const part of parts) {
        const subject = subjectOf(budget, key, part.deployment.split('/')[1] ?? '')
        const amount = amountOf(budget.unit, part)
        if (subject !== undefined) this.#charge(budget, subject, amount, amount)
      }
    }
    this.#chargesAreOnTheBooks()
  }

  #charge({ id }: Budget, subject: string, least: number, most: number): void {
    const name = `${id}\0${subject}`
    const sum = this.#charged.get(name) ?? { least: 0, most: 0 }
    this.#charged.set(name, { least: sum.least + least, most: sum.most + most })
  }

  committed(changes: readonly Change[]): void {
    for (const { op, table, key } of changes) {
      if (table !== LEASED.name && !(table === HOLDS && key[3] !== 'begin')) continue
      const name = `${table} ${key.join(' ')}`
      if (op === 'put') this.#held.add(name)
      else this.#held.delete(name)
    }
    const accounts = changes.filter(({ table }) => table === ACCOUNTS.name)
    if (accounts.length === 0) return
    for (const change of accounts) {
      const name = change.key.join('\0')
      if (change.op === 'remove') {
        this.#rows.delete(name)
        continue
      }
      const row = change.row as AccountRow
      if (leased(row) > 0 && leased(this.#rows.get(name)) === 0) this.saw.add('waited for a lease')
      this.#rows.set(name, row)
      this.#keepsToLimit(change.key, row)
    }
    this.#chargesAreOnTheBooks()
  }

  #keepsToLimit(key: Key, row: AccountRow): void {
    const [id = '', subject = ''] = key
    const budget = this.#budgets.find((one) => one.id === id)
    if (budget === undefined || !isHard(budget)) return
    const total = sumOf(row.posted) + leased(row)
    if (total > budget.limit + this.overrunOf(budget))
      this.#broken(
        'the books keep to the limit',
        `${id} of "${subject}" has ${sumOf(row.posted)} posted and ${leased(row)} leased, of ${budget.limit}`,
      )
  }

  #chargesAreOnTheBooks(): void {
    const { nowMs } = this.#scene.kernel
    for (const budget of this.#budgets) {
      if (!isHard(budget) || !stays(budget, nowMs)) continue
      for (const [subject, { least }] of this.#chargesOf(budget)) {
        const { posted, held } = this.#book(budget, subject)
        if (posted + held + this.overrunOf(budget) < least)
          this.#broken(
            'what is charged is on the books',
            `${budget.id} of "${subject}": ${least} were charged, ${posted} are posted and ${held} leased`,
          )
      }
    }
  }

  *#chargesOf({ id }: Budget): Generator<[string, Sum]> {
    for (const [name, sum] of this.#charged) {
      const [budget, subject = ''] = name.split('\0')
      if (budget === id) yield [subject, sum]
    }
  }

  /** Over all periods. */
  #book({ id }: Budget, subject: string): { readonly posted: number; readonly held: number } {
    let posted = 0
    let held = 0
    for (const [name, row] of this.#rows) {
      const [budget, whose] = name.split('\0')
      if (budget !== id || whose !== subject) continue
      posted += sumOf(row.posted)
      held += leased(row)
    }
    return { posted, held }
  }

  /** After a call has begun: what engines may use, all together, and how many requests they serve. */
  #engines(): void {
    const { records } = this.#scene.outgoing
    if (records.length === this.#exchanges) return
    this.#exchanges = records.length
    // Of a closed request only the end of a connection is open.
    const open = records.filter(({ overMs, request }) => overMs === undefined && !this.#isClosed(nameIn(request)))
    for (const budget of this.#budgets) {
      if (!isHard(budget)) continue
      if (budget.unit === 'concurrent') this.#onlySoManyAtOnce(budget, open)
      else this.#capsAreAffordable(budget, open)
    }
  }

  #onlySoManyAtOnce(budget: Budget, open: readonly ExchangeRecord[]): void {
    const served = new Map<string, Set<string>>()
    for (const { request } of open) {
      const name = nameIn(request)
      const subject = budget.scope === 'key' ? (this.#planOf(name)?.credential ?? '') : ''
      served.set(subject, (served.get(subject) ?? new Set()).add(name))
    }
    for (const [subject, names] of served)
      if (names.size > budget.limit)
        this.#broken('only so many run at once', `${[...names].join(', ')} of "${subject}" under ${budget.id}`)
  }

  #capsAreAffordable(budget: Budget, open: readonly ExchangeRecord[]): void {
    const each = budget.window.kind === 'request'
    if (!each && !stays(budget, this.#scene.kernel.nowMs)) return
    const caps = new Map<string, number>()
    for (const { request } of open) {
      const name = nameIn(request)
      const plan = this.#planOf(name)
      if (plan === undefined) continue
      const key = this.#keyIds.get(plan.credential) ?? plan.credential
      const subject = each ? name : subjectOf(budget, key, modelIn(request))
      if (subject === undefined) continue
      caps.set(subject, (caps.get(subject) ?? 0) + capAmount(budget.unit, request))
    }
    for (const [subject, cap] of caps) {
      const charged = this.#charged.get(`${budget.id}\0${subject}`)?.least ?? 0
      if (charged + cap > budget.limit + this.overrunOf(budget))
        this.#broken(
          'no engine may use more than is left',
          `${budget.id} of "${subject}": ${charged} were charged, ${cap} may be used now, of ${budget.limit}`,
        )
    }
  }

  #isClosed(name: string): boolean {
    const caller = this.#scene.callers.find(({ plan }) => plan.name === name)
    return this.#journal.get(caller?.recordedAs ?? '')?.close !== undefined
  }

  #planOf(name: string): RequestPlan | undefined {
    return this.#scene.scenario.requests.find((plan) => plan.name === name)
  }

  #overran({ request, budget, held, actual }: Fields): void {
    this.saw.add('a call overran its bound')
    this.#overrun.set(String(budget), (this.#overrun.get(String(budget)) ?? 0) + Number(actual) - Number(held))
    const caller = this.#scene.callers.find(
      ({ connection }) => connection?.idTail !== undefined && String(request).endsWith(connection.idTail),
    )
    const untrue = this.#scene.engine.records.some(
      (attempt) => attempt.request === caller?.plan.name && isUntrue(attempt),
    )
    if (!untrue)
      this.#broken(
        "an overrun is an engine's",
        `${caller?.plan.name} used ${String(actual)} of ${String(held)} under ${String(budget)}`,
      )
  }

  /** A caller has its whole answer. */
  heard(caller: Caller): void {
    this.#refusals.heard(caller)
  }

  /** When a request's closing became durable, in simulated time. */
  closedAtMs(id: string): number {
    return this.#closedAtMs.get(id) ?? Infinity
  }

  /** Beyond the limit through no fault of the house, all subjects together: what engines claimed beyond
   *  their bounds. */
  overrunOf({ id }: Budget): number {
    return this.#overrun.get(id) ?? 0
  }

  /** Nothing of it was lost. */
  endedWell(life: Life): boolean {
    return life.alive || (this.#closedLives.has(life) && this.#scene.scenario.diskFull.length === 0)
  }

  /** Nothing is left to happen: all that was used is posted, and nothing more. */
  atRest(): void {
    for (const name of this.#held) this.#broken('nothing stays held', `${name} is there at rest`)
    for (const [name, row] of this.#rows)
      if (leased(row) > 0 || Object.keys(row.leases).length > 0)
        this.#broken('nothing stays held', `${name.replaceAll('\0', ' ')} has ${leased(row)} leased at rest`)
    for (const budget of this.#budgets) {
      if (!stays(budget, this.#scene.kernel.nowMs)) continue
      for (const subject of this.#subjects(budget)) this.#balances(budget, subject)
    }
  }

  #subjects({ id }: Budget): Set<string> {
    const names = [...this.#charged.keys(), ...this.#rows.keys()].map((name) => name.split('\0'))
    return new Set(names.flatMap(([budget, subject = '']) => (budget === id ? [subject] : [])))
  }

  #balances(budget: Budget, subject: string): void {
    const { least, most } = this.#charged.get(`${budget.id}\0${subject}`) ?? { least: 0, most: 0 }
    const { posted } = this.#book(budget, subject)
    const lost = this.#scene.callers.filter(
      ({ plan, life }) => life !== undefined && !this.endedWell(life) && mayBind(budget, plan),
    )
    const hard = isHard(budget)
    const wasted = lost.reduce((sum, { plan }) => sum + mostOf(budget, plan), 0)
    const unrecorded = hard ? (this.#scene.lives - 1) * Math.floor(budget.limit * UNRECORDED_SHARE) : 0
    const detail = `${budget.id} of "${subject}": ${posted} are posted, ${least} to ${most} were charged`
    // What nothing but a warning depends on is not kept through a crash.
    if (posted < least && (hard || lost.length === 0)) this.#broken('what is charged is on the books', detail)
    if (lost.length === 0 && posted > most) this.#broken('nothing stays held', detail)
    if (posted > most + wasted + unrecorded + this.overrunOf(budget))
      this.#broken('a crash costs what was open', `${detail}, and ${wasted} may have been open`)
  }

  /** After one more restart: what engines know that they did for lives that died is posted too. */
  afterRecovery(): void {
    this.atRest()
    this.#refusals.afterRecovery()
    for (const budget of this.#budgets) {
      if (!isHard(budget) || countsRequests(budget.unit) || !stays(budget, this.#scene.kernel.nowMs)) continue
      const known = new Map<string, number>()
      for (const attempt of this.#scene.engine.records) {
        const plan = this.#planOf(attempt.request)
        const key = plan && this.#keyIds.get(plan.credential)
        const subject = subjectOf(budget, key ?? '', modelIn(attempt.wire.request))
        if (plan === undefined || subject === undefined || (budget.scope === 'key' && key === undefined)) continue
        known.set(subject, (known.get(subject) ?? 0) + this.#forgotten(budget.unit, attempt))
      }
      for (const [subject, amount] of known) {
        const least = this.#charged.get(`${budget.id}\0${subject}`)?.least ?? 0
        const { posted } = this.#book(budget, subject)
        if (posted + this.overrunOf(budget) < least + amount)
          this.#broken(
            'what is charged is on the books',
            `${budget.id} of "${subject}": ${posted} are posted, ${least} charged, and engines did ${amount} for the dead`,
          )
      }
    }
  }

  /** What an engine did for a request that no closing tells of, since its life ended. */
  #forgotten(unit: Unit, attempt: AttemptRecord): number {
    const caller = this.#scene.callers.find(({ plan }) => plan.name === attempt.request)
    const close = this.#journal.get(caller?.recordedAs ?? '')?.close
    const exchange = this.#scene.outgoing.records.find(({ request }) => request === attempt.wire.request)
    const usage = expectedUsage(attempt.usage)
    const isKnown = close !== undefined && close.body['outcome'] !== 'interrupted'
    if (isKnown || usage === undefined || !attempt.finished || isUntrue(attempt) || exchange?.aborted !== false)
      return 0
    const price = PRICES[engineIn(attempt.wire.request.url)]
    const costNanoUsd = price === undefined ? null : expectedCost(usage, price).toString()
    return amountOf(unit, { deployment: '', usage, costNanoUsd, priceVersion: null })
  }
}

const leased = (row: AccountRow | undefined): number => (row === undefined ? 0 : leasedBy(Object.values(row.leases)))

/** Says more than it was asked for. */
const isUntrue = ({ plan }: AttemptRecord): boolean => plan.cap === 'ignored' || plan.ending === 'endless'
