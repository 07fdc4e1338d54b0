import type { Clock, Timer } from '../../base/clock.ts'
import { refuse, type Refusal } from '../../base/errors.ts'
import { AdaptiveLimit } from './limit.ts'

/** Who may call a pool now, who waits, and who is turned away: as many at once as the pool takes
 *  without queueing, the rest in a bounded queue of ours for a bounded time.
 *
 *  Interactive requests go before batch ones, always. Within a class the tenant with the least in
 *  flight is next (max-min fairness), so that a greedy one waits for itself. Where the queue is
 *  full, room is made at the cost of the lower class, else of the tenant that has most in it. */

export type Priority = 'interactive' | 'batch'
const CLASSES: readonly Priority[] = ['interactive', 'batch']

export interface GateSettings {
  /** Requests that wait, at most. */
  readonly queueMax: number
  /** How long one waits, at most. */
  readonly queueMs: number
  readonly inFlightMax: number
  /** Of the limit, what batch requests may take, so that an interactive one finds room at once. */
  readonly batchShare: number
}

const IN_FLIGHT_MIN = 1
const IN_FLIGHT_FIRST = 20
const RETRY_MS_MIN = 500
const RETRY_MS_MAX = 30_000

export interface Entrant {
  readonly priority: Priority
  readonly tenant: string
}

/** A place among those in flight; to be left. */
export interface Pass {
  /** The pool has answered, or begun to. Once; what comes later changes nothing. */
  answered(): void
  /** It refused for load, or not in time. */
  overloaded(): void
  leave(): void
}

interface Waiting extends Entrant {
  readonly timer: Timer
  settle(answer: Pass | Refusal | 'left'): void
}

export class Gate {
  readonly #clock: Clock
  readonly #name: string
  readonly #limit: AdaptiveLimit
  /** Replaced by a reload. */
  settings: GateSettings
  readonly #inFlight = new Map<string, number>()
  #total = 0
  #batch = 0
  readonly #queue: Waiting[] = []

  constructor(clock: Clock, name: string, settings: GateSettings) {
    this.#clock = clock
    this.#name = name
    this.settings = settings
    const bounds = { inFlightMin: IN_FLIGHT_MIN, inFlightMax: settings.inFlightMax }
    this.#limit = new AdaptiveLimit(bounds, IN_FLIGHT_FIRST)
  }

  get limit(): number {
    return this.#limit.value
  }

  get inFlight(): number {
    return this.#total
  }

  get waiting(): number {
    return this.#queue.length
  }

  /** A promise only where it waits; `onGone` is told how to give that up, after which it resolves with
   *  `left`. */
  enter(entrant: Entrant, onGone: (leave: () => void) => void): Pass | Refusal | Promise<Pass | Refusal | 'left'> {
    const isFirst = !this.#queue.some(({ priority }) => priority === entrant.priority || priority === 'interactive')
    if (isFirst && this.#hasRoom(entrant.priority)) return this.#pass(entrant)
    if (this.#queue.length >= this.settings.queueMax && !this.#makeRoom(entrant)) return this.#refusal()
    return new Promise((resolve) => {
      const waiting: Waiting = {
        ...entrant,
        timer: this.#clock.after(this.settings.queueMs, () => this.#settle(waiting, this.#refusal())),
        settle: resolve,
      }
      this.#queue.push(waiting)
      onGone(() => this.#settle(waiting, 'left'))
    })
  }

  #hasRoom(priority: Priority): boolean {
    if (this.#total >= this.limit) return false
    return priority === 'interactive' || this.#batch < Math.max(1, Math.floor(this.settings.batchShare * this.limit))
  }

  #pass({ priority, tenant }: Entrant): Pass {
    const beganMs = this.#clock.monotonicMs()
    this.#total++
    if (priority === 'batch') this.#batch++
    this.#inFlight.set(tenant, (this.#inFlight.get(tenant) ?? 0) + 1)
    const inFlight = this.#total
    let isTold = false
    let isOver = false
    const tell = (what: () => void): void => {
      if (!isTold) what()
      isTold = true
    }
    return {
      answered: () => tell(() => this.#limit.answered(this.#clock.monotonicMs() - beganMs, inFlight)),
      overloaded: () => tell(() => this.#limit.overloaded()),
      leave: () => {
        if (isOver) return
        isOver = true
        this.#total--
        if (priority === 'batch') this.#batch--
        const left = (this.#inFlight.get(tenant) ?? 1) - 1
        if (left === 0) this.#inFlight.delete(tenant)
        else this.#inFlight.set(tenant, left)
        this.#admit()
      },
    }
  }

  #admit(): void {
    for (;;) {
      const next = this.#next()
      if (next === undefined) return
      this.#settle(next, this.#pass(next))
    }
  }

  /** The first of the tenant with the least in flight. */
  #next(): Waiting | undefined {
    for (const priority of CLASSES) {
      if (!this.#hasRoom(priority)) continue
      let best: Waiting | undefined
      for (const one of this.#queue) {
        if (one.priority !== priority) continue
        if (best === undefined || this.#of(one) < this.#of(best)) best = one
      }
      if (best !== undefined) return best
    }
    return undefined
  }

  #of({ tenant }: Entrant): number {
    return this.#inFlight.get(tenant) ?? 0
  }

  /** Turns away the newest of whoever has most of the queue, unless that is who comes. */
  #makeRoom(entrant: Entrant): boolean {
    const lower = this.#queue.some(({ priority }) => priority === 'batch') ? 'batch' : 'interactive'
    if (entrant.priority === 'batch' && lower === 'interactive') return false
    const counts = new Map<string, number>()
    for (const { priority, tenant } of this.#queue)
      if (priority === lower) counts.set(tenant, (counts.get(tenant) ?? 0) + 1)
    if (entrant.priority === lower) counts.set(entrant.tenant, (counts.get(entrant.tenant) ?? 0) + 1)
    const [longest] = [...counts].toSorted(([, a], [, b]) => b - a)[0] ?? []
    if (entrant.priority === lower && longest === entrant.tenant) return false
    const victim = this.#queue.findLast(({ priority, tenant }) => priority === lower && tenant === longest)
    if (victim === undefined) return false
    this.#settle(victim, this.#refusal())
    return true
  }

  #settle(waiting: Waiting, answer: Pass | Refusal | 'left'): void {
    const at = this.#queue.indexOf(waiting)
    if (at < 0) return
    this.#queue.splice(at, 1)
    waiting.timer.cancel()
    waiting.settle(answer)
  }

  /** When the queue, as it is, will have been worked off. */
  #refusal(): Refusal {
    const queueMs = (this.#limit.answerMs * (this.#queue.length + 1)) / Math.max(1, this.limit)
    const retryAfterMs = Math.ceil(Math.min(RETRY_MS_MAX, Math.max(RETRY_MS_MIN, queueMs)))
    return refuse('overloaded', { what: `the model "${this.#name}"`, limit: this.limit, retryAfterMs })
  }
}
