import type { Clock } from '../../base/clock.ts'
import { fault, type Problem } from '../../base/errors.ts'
import type { Random } from '../../base/random.ts'
import { retryAfterMsOf } from '../../engine/breaker.ts'
import type { Visit, Work } from '../../engine/health.ts'
import type { Operation } from '../../engine/port.ts'
import { backoffMs } from '../../engine/retries.ts'
import type { LogicalModel } from '../catalogue.ts'
import type { RouteRequest } from './request.ts'
import { ATTEMPTS_MAX, type Candidate, route } from './route.ts'
import { tokensOf } from './size.ts'

/** Whose turn it is: which deployment a request tries next, after what pause, and when it gives up.
 *  Others are tried at once; the same one again only where there is no other and waiting may help.
 *  Every attempt after the first is paid from the model's retry budget. */

export interface TurnsDependencies {
  readonly clock: Clock
  readonly random: Random
}

/** Another attempt is worth while. */
export class Turn {
  readonly candidate: Candidate
  /** To wait before it. */
  readonly delayMs: number

  constructor(candidate: Candidate, delayMs: number) {
    this.candidate = candidate
    this.delayMs = delayMs
  }
}

/** A call that may be made now; `visit` is to be ended. Workflows have none. */
export interface Begun {
  readonly visit: Visit | undefined
}

export class Turns {
  readonly #dependencies: TurnsDependencies
  readonly #model: LogicalModel
  readonly #request: RouteRequest
  #order: readonly Candidate[]
  /** Of `#order`. */
  #taken = 0
  #begun = 0
  /** Of the candidate that is alone. */
  #again = 0
  #isBroke = false

  constructor(dependencies: TurnsDependencies, model: LogicalModel, request: RouteRequest) {
    this.#dependencies = dependencies
    this.#model = model
    this.#request = request
    this.#order = route(model, request, dependencies.random)
  }

  /** The next attempt, or what to tell the caller. `last`: what became of the one before. */
  next(last: Problem | undefined, leftMs: number): Turn | Problem {
    const candidate = this.#order[this.#taken]
    if (leftMs <= 0 || this.#isBroke) return last ?? closed(this.#model, this.#request.operation)
    if (candidate !== undefined) {
      this.#taken++
      return new Turn(candidate, 0)
    }
    return this.#sameAgain(last, leftMs) ?? last ?? closed(this.#model, this.#request.operation)
  }

  /** Right before the call. Undefined: it may not be made; `next` says what instead. */
  begin(candidate: Candidate): Begun | undefined {
    const begun = this.#begin(candidate)
    if (begun === 'broke') this.#isBroke = true
    return begun === 'broke' ? undefined : begun
  }

  /** Another deployment of the same model, to be asked beside the first. */
  second(): Candidate | undefined {
    const candidate = this.#order[this.#taken]
    return this.#taken === 1 && candidate?.model === this.#model ? candidate : undefined
  }

  /** As `begin`, for `second`. Where it may not be made, nothing has changed. */
  beginSecond(candidate: Candidate): Begun | undefined {
    const begun = this.second() === candidate ? this.#begin(candidate, 'spendSpare') : undefined
    if (begun === undefined || begun === 'broke') return undefined
    this.#taken++
    return begun
  }

  #begin({ model, deployment }: Candidate, pay: 'spend' | 'spendSpare' = 'spend'): Begun | 'broke' | undefined {
    const { retries } = this.#model
    const visit = deployment.health?.begin(this.#request.operation, this.#work(model))
    if (visit === undefined && deployment.health !== undefined) return undefined
    if (this.#begun === 0) retries?.earn()
    else if (retries !== undefined && !retries[pay]()) {
      visit?.end('unknown')
      return 'broke'
    }
    this.#begun++
    return { visit }
  }

  /** What is written in the books of the deployment that takes it. */
  #work({ affinity }: LogicalModel): Work {
    const { size, stream = false, prompt } = this.#request
    const work = { tokens: tokensOf(size), stream }
    return affinity?.by === 'prefix' && prompt !== undefined ? { ...work, prompt: prompt() } : work
  }

  /** A budget sends the request to another model. */
  degradeTo(cheaper: LogicalModel | undefined): void {
    const tried = this.#order.slice(0, this.#taken)
    const isNew = cheaper !== undefined && !tried.some(({ model }) => model.name === cheaper.name)
    this.#order = isNew ? [...tried, ...route(cheaper, this.#request, this.#dependencies.random)] : tried
  }

  /** Other models do not stand in any more. */
  stayWith(model: LogicalModel): void {
    this.#order = this.#order.filter((candidate, at) => at < this.#taken || candidate.model === model)
  }

  /** The only deployment there is, once more, where the request was not taken. */
  #sameAgain(last: Problem | undefined, leftMs: number): Turn | undefined {
    const [only, other] = this.#order
    if (only?.deployment.health === undefined || other !== undefined) return undefined
    if (last === undefined || !WAITING_HELPS.has(last.code) || this.#again + 1 >= ATTEMPTS_MAX) return undefined
    const waitMs = Math.max(retryAfterMsOf(last), only.deployment.health.circuit(this.#request.operation).waitMs)
    const delayMs = backoffMs(++this.#again, waitMs, this.#dependencies.random)
    return waitMs <= WAIT_MS_MAX && delayMs < leftMs ? new Turn(only, delayMs) : undefined
  }
}

/** A caller is told rather than kept longer. */
const WAIT_MS_MAX = 2_000

/** The engine has not begun on the request, and may do so later. */
const WAITING_HELPS: ReadonlySet<string> = new Set(['engine_unreachable', 'engine_busy'])

/** While a probe is under way nobody knows how long it takes. */
const RETRY_AFTER_MS_MIN = 1_000

/** Nobody may be asked: the circuits of all deployments are open. */
function closed(model: LogicalModel, operation: Operation): Problem {
  const open = [model, ...model.fallback]
    .flatMap(({ deployments }) => deployments)
    .flatMap(({ engine, health }) =>
      health === undefined ? [] : [{ engine: engine.name, circuit: health.circuit(operation) }],
    )
    .sort((a, b) => a.circuit.waitMs - b.circuit.waitMs)
  const [soonest] = open
  const opened = soonest?.circuit.opened
  if (soonest === undefined || opened === undefined)
    return fault('engine_unreachable', { engine: model.name, reason: 'it has no deployments' })
  const retryAfterMs = Math.max(RETRY_AFTER_MS_MIN, Math.ceil(soonest.circuit.waitMs))
  const details = { engine: soonest.engine, retryAfterMs }
  if (opened.trouble === 'overloaded') return fault('engine_busy', details)
  return fault('engine_unreachable', { ...details, reason: `it has failed again and again: ${opened.reason}` })
}
