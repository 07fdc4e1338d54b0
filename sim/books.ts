import type { Fields, Log } from '../src/base/log.ts'
import { isObject } from '../src/base/json.ts'
import { ACCOUNTS, type AccountRow, leasedBy, sumOf } from '../src/meter/ledger/account-row.ts'
import type { Unit } from '../src/meter/ledger/amounts.ts'
import type { Budget } from '../src/meter/ledger/budget.ts'
import type { Entry } from '../src/store/events.ts'
import type { Change, Key, Rows } from '../src/store/rows.ts'
import { chargesIn, expectedCost, expectedUsage, type Part } from './bill.ts'
import { budgetsOf, countsRequests, isHard, mayBind, stays } from './budgets.ts'
import type { Caller } from './caller.ts'
import { type AttemptRecord, capIn, modelIn, nameIn } from './engine.ts'
import { ATTEMPTS, ATTEMPTS_PRICED, OUTPUT_TOKENS_MAX, PRICES } from './house.ts'
import type { Invariant } from './invariants.ts'
import type { Life } from './life.ts'
import type { ExchangeRecord } from './outgoing.ts'
import { namesShort, refusalOf } from './refusal.ts'
import type { RequestPlan, Scenario } from './scenario.ts'
import type { Recorded, Scene } from './scene.ts'

/** The books of budgets, held against what requests were charged, what engines were let use, and what
 *  callers were told. */

/** More input than any request here can be held at. */
const INPUT_MAX = { docs: 2_500, others: 600 } as const

/** A part of each limit that a crash may waste; the house's own promise. */
const UNRECORDED_SHARE = 0.001

/** A request is closed, and a moment later over. */
const LEFT_AFTER_MS = 200

export type BudgetSituation =
  | 'a budget was warned of'
  | 'waited for a lease'
  | "a dead life's holds were recovered"
  | 'a call overran its bound'

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
  readonly #closedLives = new Set<Life>()
  readonly #judged = new Set<Caller>()
  #exchanges = 0

  constructor(scene: Scene, journal: ReadonlyMap<string, Recorded>) {
    this.#scene = scene
    this.#journal = journal
    this.#broken = (invariant, detail) => scene.kernel.violate(invariant, detail)
    this.#budgets = budgetsOf(scene.scenario.budgets)
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
        if (from.name === 'ledger.holds' && range.prefix?.length === 2 && page.some(({ key }) => key[3] === 'hold'))
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
    if (total > budget.limit + (this.#overrun.get(id) ?? 0))
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
        if (posted + held + (this.#overrun.get(budget.id) ?? 0) < least)
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
      if (charged + cap > budget.limit + (this.#overrun.get(budget.id) ?? 0))
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
    const retries = caller.headers['x-should-retry'] !== 'false' && caller.headers['retry-after-ms'] !== undefined
    if (caller.status !== due || retries !== (due === 503 || code === 'rate_limit_exceeded'))
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
    let most = this.#scene.lives * Math.floor(budget.limit * UNRECORDED_SHARE) + (this.#overrun.get(budget.id) ?? 0)
    if (budget.window.kind === 'request') return most
    for (const caller of this.#scene.callers) {
      const { plan, life, recordedAs } = caller
      if (caller === refused || life === undefined || !mayBind(budget, plan)) continue
      if (budget.scope === 'key' && plan.credential !== refused.plan.credential) continue
      const close = this.#journal.get(recordedAs ?? '')?.close
      const closedAtMs = this.#closedAtMs.get(recordedAs ?? '') ?? Infinity
      const over = closedAtMs + LEFT_AFTER_MS < refused.calledMs && this.#endedWell(life)
      most += over && close !== undefined ? used(budget, close) : mostOf(budget, plan)
    }
    return most
  }

  /** Nothing of it was lost. */
  #endedWell(life: Life): boolean {
    return life.alive || (this.#closedLives.has(life) && this.#scene.scenario.diskFull.length === 0)
  }

  /** Nothing is left to happen: all that was used is posted, and nothing more. */
  atRest(): void {
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
      ({ plan, life }) => life !== undefined && !this.#endedWell(life) && mayBind(budget, plan),
    )
    const hard = isHard(budget)
    const wasted = lost.reduce((sum, { plan }) => sum + mostOf(budget, plan), 0)
    const unrecorded = hard ? (this.#scene.lives - 1) * Math.floor(budget.limit * UNRECORDED_SHARE) : 0
    const detail = `${budget.id} of "${subject}": ${posted} are posted, ${least} to ${most} were charged`
    // What nothing but a warning depends on is not kept through a crash.
    if (posted < least && (hard || lost.length === 0)) this.#broken('what is charged is on the books', detail)
    if (lost.length === 0 && posted > most) this.#broken('nothing stays held', detail)
    if (posted > most + wasted + unrecorded + (this.#overrun.get(budget.id) ?? 0))
      this.#broken('a crash costs what was open', `${detail}, and ${wasted} may have been open`)
  }

  /** After one more restart: what engines know that they did for lives that died is posted too. */
  afterRecovery(): void {
    this.atRest()
    for (const caller of this.#scene.callers) this.#isRecorded(caller)
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
        if (posted + (this.#overrun.get(budget.id) ?? 0) < least + amount)
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

  /** What was refused is on record as that. */
  #isRecorded(caller: Caller): void {
    const refusal = refusalOf(caller)
    const { plan, life, connection } = caller
    if (refusal === undefined || life === undefined || !this.#endedWell(life)) return
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

const leased = (row: AccountRow | undefined): number => (row === undefined ? 0 : leasedBy(Object.values(row.leases)))

/** Says more than it was asked for. */
const isUntrue = ({ plan }: AttemptRecord): boolean => plan.cap === 'ignored' || plan.ending === 'endless'

function subjectOf({ scope, match }: Budget, key: string, model: string): string | undefined {
  if (scope === 'global') return ''
  if (scope === 'key') return key
  return scope === 'model' && match === model ? model : undefined
}

function amountOf(unit: Unit, { usage, costNanoUsd }: Part): number {
  const input = usage.inputTokens + usage.cachedInputTokens
  const output = usage.outputTokens + usage.reasoningTokens
  if (unit === 'nanoUsd') return Number(costNanoUsd ?? 0)
  return unit === 'inputTokens' ? input : unit === 'outputTokens' ? output : input + output
}

const engineIn = (url: string): string => /\/\/(\w+)\./.exec(url)?.[1] ?? ''

/** Of what an engine may use, what its cap allows. */
function capAmount(unit: Unit, request: ExchangeRecord['request']): number {
  const cap = capIn(request) ?? 0
  if (unit === 'nanoUsd') return Math.floor((cap * Number(PRICES[engineIn(request.url)]?.outputNanoUsd ?? 0n)) / 1e6)
  return unit === 'outputTokens' || unit === 'totalTokens' ? cap : 0
}

/** What a request can be held at, all its calls together. */
function mostOf({ unit }: Budget, { model, operation }: RequestPlan): number {
  if (countsRequests(unit)) return 1
  const input = model === 'docs' ? INPUT_MAX.docs : INPUT_MAX.others
  const output = operation === 'chat' ? OUTPUT_TOKENS_MAX : 0
  const usage = { inputTokens: input, cachedInputTokens: 0, outputTokens: output, reasoningTokens: 0, estimated: false }
  const cost = PRICES['alpha'] === undefined ? 0n : expectedCost(usage, PRICES['alpha'])
  return ATTEMPTS[model] * amountOf(unit, { deployment: '', usage, costNanoUsd: cost.toString(), priceVersion: null })
}

/** How many attempts nothing but engines can make fail. Where money counts, no deployment without a price
 *  is asked, nor what would come after it. */
export function attemptsAffordable({ budgets, requests }: Scenario, { model }: RequestPlan): number {
  const hard = budgetsOf(budgets).filter(isHard)
  const isAmple = hard.every((budget) => {
    const most = requests.filter((one) => mayBind(budget, one)).map((one) => mostOf(budget, one))
    const all = budget.window.kind === 'request' ? Math.max(0, ...most) : most.reduce((sum, one) => sum + one, 0)
    return all <= budget.limit
  })
  const attempts = hard.some(({ unit }) => unit === 'nanoUsd') ? ATTEMPTS_PRICED[model] : ATTEMPTS[model]
  return isAmple ? attempts : Math.min(1, attempts)
}

/** What a closed request used, at most, in the widest scope that the budget may have. */
function used({ unit }: Budget, { body }: Entry): number {
  if (unit === 'requests') return 1
  return unit === 'concurrent' ? 0 : chargesIn(body).reduce((sum, part) => sum + amountOf(unit, part), 0)
}
