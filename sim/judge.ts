import { isObject } from '../src/base/json.ts'
import { totalTokens } from '../src/meter/usage.ts'
import type { Entry, Events } from '../src/store/events.ts'
import type { Change } from '../src/store/rows.ts'
import { AnswerJudge, streams } from './answers.ts'
import { answerUsageIn, chargesIn, expectedCost, usageIn } from './bill.ts'
import { BookJudge } from './books.ts'
import { budgetsOf } from './budgets.ts'
import type { Caller } from './caller.ts'
import { nameIn } from './engine.ts'
import { CLIENT_STALL_MS, PRICES } from './house.ts'
import type { Invariant } from './invariants.ts'
import type { Life } from './life.ts'
import type { Witness } from './disk.ts'
import type { ExchangeRecord } from './outgoing.ts'
import type { Packet } from './pipe.ts'
import type { Recorded, Scene } from './scene.ts'
import { readTranscript } from './transcript.ts'

/** The invariants. Some are asked after every step, some when a caller has its answer, some when
 *  the house is at rest; each has a name, and `plants/` a fault that breaks it. */

/** From being told that a caller is gone to hanging up on its engine, in simulated time. */
const ABORT_WITHIN_MS = 50

/** A moment more than a caller may go without reading. */
const STALL_WITHIN_MS = CLIENT_STALL_MS + ABORT_WITHIN_MS

/** Two seconds after its last request an account is left, and what was on record of it soon after. */
const SETTLED_WITHIN_MS = 5_000

export class Judge implements Witness {
  /** What is durable, the first entry of each phase. */
  readonly journal = new Map<string, Recorded>()
  readonly books: BookJudge
  readonly #scene: Scene
  readonly #answers: AnswerJudge
  /** Who a request of the journal belongs to. */
  readonly #callers = new Map<string, Caller>()
  /** Closings handed to the store and not refused by it. */
  readonly #closings = new Set<string>()
  /** What the store refused and has not taken since: a reason to try again later. */
  readonly #refused = new Set<string>()
  readonly #judgedGone = new Set<Caller>()
  readonly #drainingSinceMs = new Map<Life, number>()
  readonly #drained = new Set<Life>()
  /** When the house last had something to do. */
  #busyMs = 0

  constructor(scene: Scene) {
    this.#scene = scene
    this.#answers = new AnswerJudge(scene, this.journal)
    this.books = new BookJudge(scene, this.journal)
    scene.kernel.afterEveryStep(() => {
      this.#letGoInTime()
      this.#timersAreWanted()
    })
  }

  /** Stands between the house and its store, and sees every entry that is attempted. */
  watch(life: Life, events: Events): Events {
    return {
      ...events,
      append: async (entries) => {
        if (life.alive) for (const entry of entries) this.#attempted(entry)
        try {
          await events.append(entries)
          for (const { id, phase } of entries) this.#refused.delete(`${phase} ${id}`)
        } catch (thrown) {
          for (const { id, phase } of entries) {
            if (phase === 'close') this.#closings.delete(id)
            this.#refused.add(`${phase} ${id}`)
          }
          throw thrown
        }
      },
    }
  }

  /** A crash: what of it all had arrived is for the journal to say. */
  crashed(): void {
    this.#closings.clear()
    this.#refused.clear()
    for (const [id, { close }] of this.journal) if (close !== undefined) this.#closings.add(id)
  }

  /** From now on the house is to take nothing new. */
  draining(life: Life): void {
    if (!this.#drainingSinceMs.has(life)) this.#drainingSinceMs.set(life, this.#scene.kernel.nowMs)
  }

  /** The house says that it has ended everything. */
  drained(life: Life): void {
    this.#drained.add(life)
    this.#allAreClosed('after a stop in good order')
  }

  /** And that everything it used is posted. */
  closed(life: Life): void {
    this.books.closed(life)
  }

  committed(changes: readonly Change[]): void {
    this.books.committed(changes)
  }

  entered(entries: readonly Entry[]): void {
    for (const entry of entries) {
      const recorded = this.journal.get(entry.id) ?? {}
      this.journal.set(entry.id, recorded)
      if (entry.phase === 'close' && recorded.open === undefined)
        this.#broken('a closing has its opening', `${entry.id} was closed and never opened`)
      const isFirst = recorded[entry.phase] === undefined
      recorded[entry.phase] ??= entry
      if (entry.phase !== 'close') continue
      this.#isWellBilled(entry)
      if (isFirst) this.books.billed(entry, this.#callers.get(entry.id))
    }
  }

  /** Something reached a caller. */
  heard(caller: Caller, kind: Packet['kind']): void {
    this.#answers.heard(caller, kind)
    if (kind === 'end') this.books.heard(caller)
  }

  /** Nothing is left to happen, and nobody restarted anything for it. */
  atRest(): void {
    const { gateway, outgoing, callers } = this.#scene
    if (gateway === undefined) return this.#broken('comes to rest', 'the house is down and nothing will start it')
    if (gateway.inFlight !== 0)
      this.#broken('counts return to zero', `${gateway.inFlight} requests are in flight at rest`)
    for (const [at, exchange] of outgoing.records.entries()) {
      if (exchange.overMs === undefined && !this.#lingers(exchange))
        this.#broken('no engine is left working', `upstream ${at} is open at rest`)
    }
    this.#allAreClosed('at rest')
    for (const caller of callers) this.#answers.atRest(caller)
    this.books.atRest()
  }

  /** After one more restart. */
  afterRecovery(): void {
    this.#allAreClosed('after recovery')
    for (const caller of this.#scene.callers) {
      const { plan, status, recordedAs, life } = caller
      const recorded = this.journal.get(recordedAs ?? '')
      if (status === 200 && recorded?.open === undefined)
        this.#broken('nothing acknowledged is lost', `${plan.name} saw a 200, and no event tells of it`)
      if (recorded?.close === undefined || life === undefined) continue
      this.#answers.closingIsTrue(caller, recorded.close, !life.alive && !this.#drained.has(life))
    }
    this.#sumsAgree()
    this.books.afterRecovery()
  }

  #attempted({ id, phase }: Entry): void {
    if (phase === 'close') {
      if (this.#closings.has(id)) this.#broken('a request is closed once', `${id} is closed again`)
      this.#closings.add(id)
    } else if (!this.#callers.has(id)) {
      const caller = this.#scene.callers.find(
        ({ connection }) => connection?.idTail !== undefined && id.endsWith(connection.idTail),
      )
      if (caller === undefined || caller.recordedAs !== undefined)
        return this.#broken('a request is opened once', `${id} is opened, and nobody asked for it`)
      caller.recordedAs = id
      const sinceMs = caller.life === undefined ? undefined : this.#drainingSinceMs.get(caller.life)
      if (caller.calledMs > (sinceMs ?? Infinity))
        this.#broken('the refused reach no engine', `${caller.plan.name} came when the house was stopping`)
      this.#callers.set(id, caller)
    }
  }

  #allAreClosed(when: string): void {
    for (const [id, { open, close }] of this.journal) {
      if (open !== undefined && close === undefined)
        this.#broken('every opened request is closed', `${id} is open ${when}`)
    }
  }

  /** Whole non-negative numbers, and the price times them. */
  #isWellBilled({ id, body }: Entry): void {
    if (body['outcome'] === 'interrupted') return
    const usage = usageIn(body)
    if (usage === undefined)
      return this.#broken('usage sums', `${id} has no usage that makes sense: ${JSON.stringify(body['usage'])}`)
    const parts = chargesIn(body)
    for (const part of parts) {
      const price = PRICES[part.deployment.split('/')[0] ?? '']
      const cost = price === undefined ? null : expectedCost(part.usage, price).toString()
      if (part.costNanoUsd !== cost) this.#broken('usage sums', `${id} cost ${part.costNanoUsd}, not ${cost}`)
      if (part.priceVersion !== (cost === null ? null : 'config'))
        this.#broken('usage sums', `${id} was charged by the price ${part.priceVersion}`)
    }
    const costs = parts.map(({ costNanoUsd }) => costNanoUsd)
    const cost = costs.includes(null) ? null : costs.reduce((sum, one) => sum + BigInt(one ?? 0), 0n).toString()
    const tokens = parts.reduce((sum, part) => sum + totalTokens(part.usage), 0)
    if (body['costNanoUsd'] !== cost || totalTokens(usage) !== tokens)
      this.#broken(
        'usage sums',
        `${id} took ${totalTokens(usage)} tokens for ${JSON.stringify(body['costNanoUsd'])}; its calls ${tokens} for ${cost}`,
      )
  }

  /** What callers were told, added up, is what the journal says, added up. */
  #sumsAgree(): void {
    let told = 0
    let recorded = 0
    for (const caller of this.#scene.callers) {
      if (caller.status !== 200 || caller.state !== 'ended') continue
      const whole: unknown = streams(caller) ? readTranscript(caller.text()) : JSON.parse(caller.text())
      const usage = isObject(whole) ? whole['usage'] : undefined
      const close = this.journal.get(caller.recordedAs ?? '')?.close
      const posted = close === undefined ? undefined : answerUsageIn(close.body)
      if (!isObject(usage) || posted === undefined) continue
      told += Number(usage['total_tokens'])
      recorded += totalTokens(posted)
    }
    if (told !== recorded) this.#broken('usage sums', `callers were told ${told} tokens, recorded are ${recorded}`)
  }

  #letGoInTime(): void {
    for (const caller of this.#scene.callers) {
      const { connection, life } = caller
      if (connection === undefined || life?.alive !== true) continue
      const { toldGoneMs, stuckSinceMs } = connection
      if (toldGoneMs !== undefined && !this.#judgedGone.has(caller)) {
        this.#letGoBy(caller, toldGoneMs + ABORT_WITHIN_MS, `left at ${toldGoneMs} ms`)
      }
      if (stuckSinceMs !== undefined)
        this.#letGoBy(caller, stuckSinceMs + STALL_WITHIN_MS, `has read nothing since ${stuckSinceMs} ms`)
    }
  }

  /** Nothing may happen for long: then the next step must not find that it was let go too late. */
  #letGoBy(caller: Caller, deadlineMs: number, why: string): void {
    const { kernel, outgoing } = this.#scene
    if (kernel.nowMs <= deadlineMs) return
    if (caller.connection?.toldGoneMs !== undefined) this.#judgedGone.add(caller)
    // What its engine says after the end, nobody waits for.
    if (this.journal.get(caller.recordedAs ?? '')?.close?.body['outcome'] === 'answered') return
    const { name } = caller.plan
    const late = outgoing.records.some(
      (exchange) =>
        (exchange.overMs ?? Infinity) > Math.max(deadlineMs, exchange.startedMs) &&
        nameIn(exchange.request) === name &&
        !this.#hasSaidAll(exchange),
    )
    if (late) this.#broken('an engine is let go with its caller', `${name} ${why}; its engine works on`)
  }

  /** Whoever still waits for something may have a timer; the house with nothing to do has none. */
  #timersAreWanted(): void {
    const { life, gateway, kernel, scenario } = this.#scene
    const isBusy = gateway?.inFlight !== 0 || this.#refused.size > 0 || this.#scene.disk.pending > 0
    if (isBusy) this.#busyMs = kernel.nowMs
    if (life.timers.size === 0 || gateway?.inFlight !== 0 || this.#refused.size > 0) return
    // Budgets are settled after their requests, and then the house sleeps.
    if (budgetsOf(scenario.budgets).length > 0 && kernel.nowMs <= this.#busyMs + SETTLED_WITHIN_MS) return
    this.#broken('no timer is left', [...life.timers].join(', '))
  }

  /** Its answer is read to the last byte; only the connection's end may be missing. */
  #hasSaidAll({ request, unreadBytes }: ExchangeRecord): boolean {
    return (
      unreadBytes === 0 &&
      this.#scene.engine.records.some((attempt) => attempt.wire.request === request && attempt.finished)
    )
  }

  /** The engine said all and never closes: its connection is the HTTP client's to reclaim. */
  #lingers(exchange: ExchangeRecord): boolean {
    return (
      this.#hasSaidAll(exchange) &&
      this.#scene.engine.records.some(
        ({ request, plan }) => request === nameIn(exchange.request) && plan.ending === 'lingers',
      )
    )
  }

  #broken(invariant: Invariant, detail: string): void {
    this.#scene.kernel.violate(invariant, detail)
  }
}
