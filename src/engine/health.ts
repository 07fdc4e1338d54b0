import type { Clock } from '../base/clock.ts'
import { Breaker, type CircuitState, isAnswered, type Trouble, type Verdict } from './breaker.ts'
import type { Signals } from './metrics/signals.ts'
import { Outcomes } from './outcomes.ts'
import { type Oddity, Outliers } from './outliers.ts'
import { Pace } from './pace.ts'
import type { Operation } from './port.ts'
import { PrefixBook } from './prefixes.ts'
import { RetryBudget } from './retries.ts'

/** How the deployments of this process fare, kept in memory: whether each may be called, and what it
 *  is working on. */

/** As the API shows one. */
export interface DeploymentStatus {
  /** `engine/model`. */
  readonly deployment: string
  /** Of the operations that are left out, or of all. */
  readonly circuit: CircuitState
  readonly leftOut: readonly Operation[]
  readonly trouble: Trouble | null
  readonly reason: string | null
  /** Since when its circuit is not closed. */
  readonly since: string | null
  /** Until it is tried again. */
  readonly retryAfterMs: number
  /** Why it is asked after its peers: it fails more often, or begins later. */
  readonly ejected: Oddity | null
  readonly callsInFlight: number
  readonly tokensInFlight: number
  /** Of the latest streams 95 of 100 began as soon. Null: too few were seen. */
  readonly firstTokenP95Ms: number | null
  /** As the engine says itself. Null: it does not say, or has not for too long. */
  readonly running: number | null
  readonly waiting: number | null
  readonly kvUse: number | null
}

export interface HealthDependencies {
  readonly clock: Clock
  /** A circuit has opened, or closed again. */
  readonly onTurn?: (status: DeploymentStatus) => void
  /** A deployment is asked after its peers from now on, or as they are again. */
  readonly onEjection?: (deployment: string, oddity: Oddity | undefined) => void
}

/** Of one hash of a prompt. */
export const BLOCK_TOKENS = 256

/** What a prompt begins with: a hash for each of its first blocks, and each stands for all before it. */
export interface Prompt {
  readonly tokens: number
  readonly blocks: readonly number[]
}

/** What a call may take. */
export interface Work {
  /** Input and output. */
  readonly tokens: number
  /** Its first token is told from its end. */
  readonly stream?: boolean
  /** Where prefix caches decide. */
  readonly prompt?: Prompt
}

/** What routing reads of a deployment, and writes. */
export type Books = Pick<
  DeploymentHealth,
  | 'begin'
  | 'callsInFlight'
  | 'circuit'
  | 'ejected'
  | 'isCrowded'
  | 'load'
  | 'pace'
  | 'report'
  | 'uncachedInFlight'
  | 'warmBlocks'
>

interface Report extends Signals {
  /** In flight when it was told. */
  readonly ownCalls: number
  readonly untilMs: number
}

/** So many answered in a row and it is as if it had never been out. */
const CALM_CALLS = 64
/** Of one call in the mean of their tokens. */
const CALL_WEIGHT = 0.05
/** Calls of others that are counted: an engine that says more is as little to be chosen. */
const OTHERS_MAX = 10_000
/** From here on an engine throws out what it has cached, or stops taking calls. */
const KV_FULL = 0.95

/** One deployment: its circuits, and our books of the work it has. Each operation has a circuit of its
 *  own, so that nobody closes a model to chats by asking it for what it does not serve. */
export class DeploymentHealth {
  readonly name: string
  readonly #dependencies: HealthDependencies
  readonly #breakers = new Map<Operation, Breaker>()
  readonly #prefixes = new PrefixBook()
  /** How soon it begins to answer, and how often it does. */
  readonly pace: Pace
  readonly outcomes = new Outcomes()
  #ejection: { readonly oddity: Oddity; readonly untilMs: number } | undefined
  /** In a row. */
  #ejections = 0
  #calls = 0
  #tokens = 0
  #uncached = 0
  #report: Report | undefined
  /** Of late, on average. */
  #tokensOfCall = 0

  constructor(name: string, dependencies: HealthDependencies) {
    this.name = name
    this.#dependencies = dependencies
    this.pace = new Pace(dependencies.clock)
  }

  circuit(operation: Operation): Pick<Breaker, 'admits' | 'opened' | 'waitMs'> {
    return this.#breakerOf(operation)
  }

  get callsInFlight(): number {
    return this.#calls
  }

  /** Tokens it works on: ours, and those of the calls that it says it has and that are not ours, each of
   *  the size of ours. What it says raises our own count and never lowers it. */
  get load(): number {
    const said = this.#said
    if (said === undefined) return this.#tokens
    const others = Math.max(0, (said.running ?? 0) + (said.waiting ?? 0) - said.ownCalls)
    return this.#tokens + Math.min(others, OTHERS_MAX) * this.#tokensOfCall
  }

  /** Tokens of prompts in flight that it has not cached. */
  get uncachedInFlight(): number {
    return this.#uncached
  }

  /** Its cache is full, and calls wait: what it held is being thrown out. */
  get isCrowded(): boolean {
    const { kvUse = 0, waiting = 0 } = this.#said ?? {}
    return kvUse >= KV_FULL && waiting > 0
  }

  /** Why it is asked after its peers. */
  get ejected(): Oddity | undefined {
    return this.#ejection?.oddity
  }

  /** Its ejection is over. */
  get readmitted(): boolean {
    return this.#ejection !== undefined && this.#dependencies.clock.monotonicMs() >= this.#ejection.untilMs
  }

  /** For as long, times the ejections in a row. */
  eject(oddity: Oddity, forMs: number, forMsMax: number): void {
    const durationMs = Math.min(forMsMax, forMs * ++this.#ejections)
    this.#ejection = { oddity, untilMs: this.#dependencies.clock.monotonicMs() + durationMs }
    this.#dependencies.onEjection?.(this.name, oddity)
  }

  /** It is judged by what comes now. */
  readmit(): void {
    this.#ejection = undefined
    this.outcomes.forget()
    this.pace.forget()
    this.#dependencies.onEjection?.(this.name, undefined)
  }

  /** What the engine says of itself, to be believed for so long. */
  report(signals: Signals, staleAfterMs: number): void {
    const untilMs = this.#dependencies.clock.monotonicMs() + staleAfterMs
    this.#report = { ...signals, ownCalls: this.#calls, untilMs }
  }

  get #said(): Report | undefined {
    const report = this.#report
    return report !== undefined && this.#dependencies.clock.monotonicMs() < report.untilMs ? report : undefined
  }

  /** How many of the blocks, from the first, it may have cached. */
  warmBlocks(blocks: readonly number[]): number {
    return this.#prefixes.warm(blocks)
  }

  /** A call is about to be made. Undefined when its circuit is open. */
  begin(operation: Operation, work: Work): Visit | undefined {
    const breaker = this.#breakerOf(operation)
    const pass = breaker.enter()
    if (pass === undefined) return undefined
    const { tokens, stream = false } = work
    const uncached = this.#send(work.prompt)
    this.#tokensOfCall += (tokens - this.#tokensOfCall) * (this.#tokensOfCall === 0 ? 1 : CALL_WEIGHT)
    this.#calls++
    this.#tokens += tokens
    this.#uncached += uncached
    const begunMs = this.#dependencies.clock.monotonicMs()
    let isReading = true
    const read = (): void => {
      if (isReading) this.#uncached -= uncached
      isReading = false
    }
    const pace = (): void => {
      if (isReading && stream) this.pace.record(this.#dependencies.clock.monotonicMs() - begunMs)
    }
    return new Visit({
      outpaced: pace,
      spoke: () => {
        pace()
        read()
        this.#turning(breaker, () => breaker.spoke(pass))
      },
      end: (verdict) => {
        read()
        this.#calls--
        this.#tokens -= tokens
        this.#note(verdict)
        this.#turning(breaker, () => breaker.leave(pass, verdict))
      },
    })
  }

  #note(verdict: Verdict): void {
    const answered = isAnswered(verdict)
    if (answered === undefined) return
    this.outcomes.record(answered)
    // A whole window of answers: whatever it was is over.
    if (this.#ejection === undefined && this.outcomes.known >= CALM_CALLS && this.outcomes.answeredShare === 1)
      this.#ejections = 0
  }

  /** Tokens of it that are not cached; from now on they are taken to be. */
  #send(prompt: Prompt | undefined): number {
    if (prompt === undefined) return 0
    const warm = this.#prefixes.warm(prompt.blocks)
    this.#prefixes.add(prompt.blocks)
    return Math.max(0, prompt.tokens - warm * BLOCK_TOKENS)
  }

  get status(): DeploymentStatus {
    const open = [...this.#breakers].filter(([, { opened }]) => opened !== undefined)
    const [, breaker] = open.toSorted(([, a], [, b]) => b.waitMs - a.waitMs)[0] ?? []
    const { opened, state = 'closed', waitMs = 0 } = breaker ?? {}
    return {
      deployment: this.name,
      circuit: state,
      leftOut: open.map(([operation]) => operation),
      trouble: opened?.trouble ?? null,
      reason: opened?.reason ?? null,
      since: opened === undefined ? null : new Date(opened.sinceMs).toISOString(),
      retryAfterMs: Math.ceil(waitMs),
      ejected: this.ejected ?? null,
      callsInFlight: this.#calls,
      tokensInFlight: this.#tokens,
      firstTokenP95Ms: rounded(this.pace.percentileMs(0.95)),
      running: this.#said?.running ?? null,
      waiting: this.#said?.waiting ?? null,
      kvUse: this.#said?.kvUse ?? null,
    }
  }

  #breakerOf(operation: Operation): Breaker {
    const known = this.#breakers.get(operation)
    if (known !== undefined) return known
    const made = new Breaker(this.#dependencies.clock)
    this.#breakers.set(operation, made)
    return made
  }

  #turning(breaker: Breaker, change: () => void): void {
    const wasOpen = breaker.opened !== undefined
    change()
    if ((breaker.opened !== undefined) === wasOpen) return
    if (breaker.opened?.trouble === 'unreachable') this.#prefixes.forget()
    this.#dependencies.onTurn?.(this.status)
  }
}

interface VisitEvents {
  readonly spoke: () => void
  readonly outpaced: () => void
  readonly end: (verdict: Verdict) => void
}

/** One call to a deployment, from its start to its end. */
export class Visit {
  readonly #events: VisitEvents
  #over = false

  constructor(events: VisitEvents) {
    this.#events = events
  }

  /** Its answer has begun. */
  spoke(): void {
    if (!this.#over) this.#events.spoke()
  }

  /** Another began sooner: it took as long as this at least. */
  outpaced(): void {
    if (!this.#over) this.#events.outpaced()
  }

  /** Once; what comes later changes nothing. */
  end(verdict: Verdict): void {
    if (this.#over) return
    this.#over = true
    this.#events.end(verdict)
  }
}

const rounded = (ms: number | undefined): number | null => (ms === undefined ? null : Math.round(ms * 10) / 10)

interface Known {
  readonly settings: string
  readonly health: DeploymentHealth
}

interface Former {
  readonly deployments: ReadonlyMap<string, Known>
  readonly retries: ReadonlyMap<string, RetryBudget>
}

/** Of all deployments and models of one configuration. */
export class Health {
  readonly #dependencies: HealthDependencies
  readonly #former: Former | undefined
  readonly #deployments = new Map<string, Known>()
  readonly #retries = new Map<string, RetryBudget>()

  constructor(dependencies: HealthDependencies, former?: Former) {
    this.#dependencies = dependencies
    this.#former = former
  }

  /** For the next configuration: what it still names is taken over, the rest forgotten. */
  successor(): Health {
    return new Health(this.#dependencies, { deployments: this.#deployments, retries: this.#retries })
  }

  /** `settings`: of its engine. When they change it is another engine, and nothing is known of it. */
  of(name: string, settings: string): DeploymentHealth {
    const known = this.#deployments.get(name) ?? this.#former?.deployments.get(name)
    const kept =
      known?.settings === settings ? known : { settings, health: new DeploymentHealth(name, this.#dependencies) }
    this.#deployments.set(name, kept)
    return kept.health
  }

  /** The pool of a model, of deployments that are known. */
  outliersOf(names: readonly string[], shareMax: number): Outliers {
    const members = new Set(names.flatMap((name) => this.#deployments.get(name)?.health ?? []))
    return new Outliers(this.#dependencies.clock, [...members], shareMax)
  }

  /** Of a logical model. */
  retriesOf(model: string): RetryBudget {
    const { clock } = this.#dependencies
    const kept = this.#retries.get(model) ?? this.#former?.retries.get(model) ?? new RetryBudget(clock)
    this.#retries.set(model, kept)
    return kept
  }

  status(): DeploymentStatus[] {
    return this.#deployments
      .values()
      .map(({ health }) => health.status)
      .toArray()
  }
}
