import type { DeploymentStatus } from '../../src/engine/health.ts'
import type { Kernel } from '../kernel.ts'
import type { EngineCall, Ending, SimEngine, Watcher } from './engine.ts'
import type { RoutingInvariant } from './invariants.ts'
import { recoveredAtMs, type Scenario } from './scenario.ts'

/** Holds what the house did against what the engines know. It works out for itself when a circuit must
 *  be open, and is never stricter than the rule. */

/** Of one request. */
const ATTEMPTS_MAX = 4
const FAILURES_IN_A_ROW = 5
/** The least a circuit stays open after a probe has failed. */
const PAUSE_MS = { failed: 5_000, busy: 1_000 } as const
/** As `engine/retries.ts` promises. */
const allowed = (requests: number, elapsedMs: number): number => 10 + 0.08 * requests + 0.1 * (elapsedMs / 1_000)
/** So many further attempts are there from the start. */
const SAVED = 9
const ROUNDING = 1e-6

export type Outcome = 'answered' | 'failed' | 'left'

/** What one engine's calls say of its circuit. */
interface Circuit {
  /** Of calls that began after the last sign of life. */
  failures: number
  resetAt: number
  lastEndAt: number
  /** Began while it must have been open. */
  readonly probes: Set<EngineCall>
  quietUntilMs: number
  askedUntilMs: number
}

export class RoutingJudge implements Watcher {
  readonly outcomes = new Map<string, Outcome>()
  calls = 0
  readonly #kernel: Kernel<RoutingInvariant>
  readonly #scenario: Scenario
  /** By engine and operation. */
  readonly #circuits = new Map<string, Circuit>()
  readonly #beganAt = new Map<EngineCall, number>()
  readonly #attempts = new Map<string, number>()
  /** Calls under way, and which of them its caller hears. */
  readonly #underWay = new Map<string, Set<EngineCall>>()
  readonly #heard = new Map<string, string>()
  /** Where all were well when a user first came. */
  readonly #homes = new Map<string, string>()
  /** Grows with everything that is noted: time stands still too often to tell what came first. */
  #events = 0
  #probes = 0

  constructor(kernel: Kernel<RoutingInvariant>, scenario: Scenario) {
    this.#kernel = kernel
    this.#scenario = scenario
  }

  /** Calls that began while a circuit must have been open. */
  get probes(): number {
    return this.#probes
  }

  /** Attempts beside the first of each request. */
  get further(): number {
    return this.calls - this.#attempts.size
  }

  began(call: EngineCall): void {
    const { nowMs } = this.#kernel
    const { engine, requestId } = call
    const circuit = this.#circuitOf(call)
    const attempts = (this.#attempts.get(requestId) ?? 0) + 1
    this.#attempts.set(requestId, attempts)
    this.calls++
    const underWay = this.#underWay.get(requestId) ?? new Set()
    this.#underWay.set(requestId, underWay.add(call))
    if (attempts === 1) this.#keepsTo(call)
    this.#beganAt.set(call, ++this.#events)
    if (attempts > ATTEMPTS_MAX) this.#broken('no engine is asked too often', `${requestId} made ${attempts} attempts`)
    if (this.further > allowed(this.#attempts.size, nowMs) + ROUNDING)
      this.#broken('no engine is asked too often', `${this.calls} calls for ${this.#attempts.size} requests`)
    if (nowMs < circuit.askedUntilMs)
      this.#broken('an engine that asks for a pause gets it', `${engine.name} until ${circuit.askedUntilMs} ms`)
    if (circuit.failures < FAILURES_IN_A_ROW) return
    this.#probes++
    if (circuit.probes.size > 0 || nowMs < circuit.quietUntilMs)
      this.#broken(
        'an open circuit gets at most its probes',
        `${engine.name} is asked by ${requestId} after ${circuit.failures} failures`,
      )
    circuit.probes.add(call)
  }

  spoke(call: EngineCall): void {
    const circuit = this.#circuitOf(call)
    circuit.failures = 0
    circuit.resetAt = ++this.#events
    circuit.probes.clear()
    circuit.quietUntilMs = 0
  }

  ended(call: EngineCall, how: Ending, askedMs: number): void {
    const { nowMs } = this.#kernel
    this.#underWay.get(call.requestId)?.delete(call)
    const circuit = this.#circuitOf(call)
    const beganAt = this.#beganAt.get(call) ?? 0
    const wasProbe = circuit.probes.delete(call)
    // Between its start and now nothing can have turned the circuit.
    if (how === 'busy' && beganAt > circuit.lastEndAt && beganAt > circuit.resetAt)
      circuit.askedUntilMs = Math.max(circuit.askedUntilMs, nowMs + askedMs)
    circuit.lastEndAt = ++this.#events
    if (how === 'stopped') return
    if (how !== 'failed' && how !== 'busy') return this.spoke(call)
    if (wasProbe) circuit.quietUntilMs = nowMs + (askedMs > 0 ? askedMs : PAUSE_MS[how])
    else if (beganAt > circuit.resetAt) circuit.failures++
  }

  /** The answer of a request begins. */
  heard(requestId: string, engine: string): void {
    const before = this.#heard.get(requestId)
    if (before !== undefined)
      this.#broken('an answer is of one engine, and comes once', `${requestId} by ${before}, then by ${engine}`)
    this.#heard.set(requestId, engine)
  }

  /** Where a user keeps to one engine, it is his own unless that one is out. */
  #keepsTo({ engine, requestId, operation }: EngineCall): void {
    const user = this.#scenario.requests[Number(/^req_(\d+)@/.exec(requestId)?.[1])]?.user
    if (this.#scenario.affinity !== 'user' || user === undefined || operation !== 'chat') return
    const isIn = (one: string): boolean => this.isIn(one)
    const home = this.#homes.get(user)
    if (home === undefined && this.members().every(isIn)) this.#homes.set(user, engine.name)
    if (home !== undefined && home !== engine.name && isIn(home))
      this.#broken('who keeps to one stays with it', `${user} of ${home} comes to ${engine.name}`)
  }

  /** Whether requests may go to an engine, and which there are: known to the world. */
  isIn: (engine: string) => boolean = () => true
  members: () => readonly string[] = () => []

  /** After every step. */
  booksAgree(statuses: readonly DeploymentStatus[], engines: readonly SimEngine[]): void {
    for (const [requestId, heard] of this.#heard) {
      const others = [...(this.#underWay.get(requestId) ?? [])].filter(({ engine }) => engine.name !== heard)
      if (others.length > 0)
        this.#broken('who is not listened to is stopped', `${requestId} is answered by ${heard} and others work on it`)
      if ((this.#underWay.get(requestId)?.size ?? 0) === 0 && this.outcomes.has(requestId))
        this.#heard.delete(requestId)
    }
    for (const engine of engines) {
      const status = statuses.find(({ deployment }) => deployment === `${engine.name}/m`)
      if (status === undefined) continue
      if (status.callsInFlight !== engine.inFlight || (engine.inFlight === 0 && status.tokensInFlight !== 0))
        this.#broken(
          'the books say what is in flight',
          `${engine.name} works on ${engine.inFlight} calls; the books have ${status.callsInFlight} with ${status.tokensInFlight} tokens`,
        )
      if (status.circuit !== 'closed' && engine.plan.outages.every(({ how }) => how === 'rejects'))
        this.#broken('nobody pays for the fault of a caller', `${engine.name} is left out: ${status.reason}`)
    }
  }

  over(requestId: string, outcome: Outcome, why = '', hasBegun = false): void {
    if (this.outcomes.has(requestId)) return
    this.outcomes.set(requestId, outcome)
    // Once an answer has begun, and where an engine had all the time there was, nobody can stand in.
    if (outcome !== 'failed' || why === 'engine_rejected' || why === 'engine_timeout' || hasBegun) return
    const { deployments } = this.#scenario
    const atMs = Number(requestId.split('@')[1])
    if (deployments.some(({ outages }) => outages.every(({ how }) => how === 'slow')) && this.further < SAVED)
      this.#broken('what one can answer is answered', `${requestId}: ${why}`)
    else if (this.#recovers && atMs >= recoveredAtMs(this.#scenario))
      this.#broken('who is well again is asked again', `${requestId}: ${why}`)
  }

  atRest(): void {
    const { requests } = this.#scenario
    if (this.outcomes.size < requests.length)
      this.#broken('every request ends', `${requests.length - this.outcomes.size} of ${requests.length} never did`)
  }

  /** Whether anything is well at the end. */
  get #recovers(): boolean {
    const endMs = recoveredAtMs(this.#scenario)
    return this.#scenario.deployments.every(({ outages }) =>
      outages.every(({ fromMs, forMs }) => fromMs + forMs < endMs),
    )
  }

  #circuitOf({ engine, operation }: EngineCall): Circuit {
    const key = `${operation} by ${engine.name}`
    const found = this.#circuits.get(key)
    if (found !== undefined) return found
    const made = {
      failures: 0,
      resetAt: 0,
      lastEndAt: 0,
      probes: new Set<EngineCall>(),
      quietUntilMs: 0,
      askedUntilMs: 0,
    }
    this.#circuits.set(key, made)
    return made
  }

  #broken(invariant: RoutingInvariant, detail: string): void {
    this.#kernel.violate(invariant, detail)
  }
}
