import type { Clock, Timer } from '../base/clock.ts'
import { type Fault, isRetryable, type Problem, Refusal, toFault } from '../base/errors.ts'
import type { JsonObject } from '../base/json.ts'
import type { Random } from '../base/random.ts'
import type { Prompt } from '../engine/health.ts'
import type { Attempt, ChatEnd } from '../engine/port.ts'
import { choicesMax, inputTokensBound, unboundedInput } from '../meter/bound.ts'
import { Degrade, HeldCall, type Spending } from '../meter/spending.ts'
import type { OpenSpan } from '../trace/trace.ts'
import { type AttemptPlan, CallAttempt } from './attempt.ts'
import { type Catalogue, deploymentName, type Deployment, type LogicalModel } from './catalogue.ts'
import { promptOf } from './route/prompt.ts'
import type { Asker } from './route/request.ts'
import type { Candidate } from './route/route.ts'
import { sessionOf } from './route/session.ts'
import { sizeOfChat } from './route/size.ts'
import { Turn, Turns } from './route/turns.ts'

/** One chat completion over the deployments of a logical model: attempts one after another, and
 *  nothing handed on before the first content frame. From then on the attempt stands: a failure
 *  is reported, never papered over with another model's words.
 *
 *  Before each attempt what it can use at most is held against the budgets; when it is over, what
 *  it used is charged, whatever became of it. */

export interface CallRequest {
  readonly requestId: string
  readonly model: LogicalModel
  readonly body: JsonObject
  readonly stream: boolean
  readonly outputTokensMax: number
  readonly span: OpenSpan
  readonly spending: Spending
  /** Whom it keeps to one deployment, where the model's affinity asks. */
  readonly asker?: Asker
}

/** Receives the answer: `commit` once before the first frame, frames, then `end`; or `fail` at
 *  any time, last. Nothing after `end`, `fail` or `Attempt.cancel`. Whatever the end, the charges
 *  are in `spending` by then. */
export interface CallSink {
  commit(deployment: Deployment): void
  frame(frame: JsonObject): void
  end(end: ChatEnd): void
  fail(problem: Problem): void
}

export interface CallDependencies {
  readonly clock: Clock
  readonly random: Random
  /** Where the models are that budgets degrade to. */
  readonly catalogue: () => Catalogue
}

export function callModel(dependencies: CallDependencies, request: CallRequest, sink: CallSink): Attempt {
  const call = new Call(dependencies, request, sink)
  call.next(undefined)
  return call
}

/** A second attempt beside one that has not begun to answer. */
interface Hedge {
  /** When it is to be made, and while what it may use is being held. */
  timer?: Timer
  attempt?: CallAttempt
}

class Call implements Attempt {
  readonly #clock: Clock
  readonly #dependencies: CallDependencies
  readonly #request: CallRequest
  readonly #sink: CallSink
  readonly #turns: Turns
  readonly #deadlineMs: number
  #attempts = 0
  /** The one that stands, or was made first. */
  #attempt: CallAttempt | undefined
  #hedge: Hedge | undefined
  /** What the second said of the request. */
  #rejected: Fault | undefined
  /** Before the next attempt. */
  #pause: Timer | undefined
  /** Grows with every attempt and at the end, so that a late callback is known to be late. */
  #generation = 0
  #paused = false

  constructor(dependencies: CallDependencies, request: CallRequest, sink: CallSink) {
    this.#clock = dependencies.clock
    this.#dependencies = dependencies
    this.#request = request
    this.#sink = sink
    const { model, body, stream, outputTokensMax, spending, asker } = request
    const size = sizeOfChat(body, outputTokensMax * choicesMax(body))
    let prompt: Prompt | undefined
    this.#turns = new Turns(dependencies, model, {
      operation: 'chat',
      size,
      atMs: spending.atMs,
      stream,
      asker: { ...sessionOf(body), ...asker },
      prompt: () => (prompt ??= promptOf(body, size.inputTokens)),
    })
    this.#deadlineMs = this.#clock.monotonicMs() + request.model.timeouts.totalMs
  }

  /** Makes the next attempt, or gives up with the last problem. */
  next(last: Problem | undefined): void {
    const turn = this.#turns.next(last, this.#deadlineMs - this.#clock.monotonicMs())
    if (!(turn instanceof Turn)) return this.#sink.fail(turn)
    const { candidate, delayMs } = turn
    if (delayMs === 0) return this.#try(candidate, last)
    const generation = ++this.#generation
    this.#pause = this.#clock.after(delayMs, () => generation === this.#generation && this.#try(candidate, last))
  }

  cancel(): void {
    this.#generation++
    this.#pause?.cancel()
    this.#dropHedge()?.cancel()
    this.#attempt?.cancel()
    this.#attempt = undefined
  }

  pause(): void {
    this.#paused = true
    for (const attempt of [this.#attempt, this.#hedge?.attempt]) attempt?.pause()
  }

  resume(): void {
    this.#paused = false
    for (const attempt of [this.#attempt, this.#hedge?.attempt]) attempt?.resume()
  }

  #try(candidate: Candidate, last: Problem | undefined): void {
    const generation = ++this.#generation
    // What a workflow spends is held by the calls that it makes.
    if (candidate.model.kind === 'workflow') return this.#start(candidate, undefined, last)
    const held = this.#hold(candidate)
    if (!(held instanceof Promise)) return this.#affordable(candidate, held, last)
    held.then(
      (one) => {
        if (generation === this.#generation) this.#affordable(candidate, one, last)
        else if (one instanceof HeldCall) one.cancel()
      },
      (thrown: unknown) => generation === this.#generation && this.#sink.fail(toFault(thrown)),
    )
  }

  #hold({ model, deployment }: Candidate): ReturnType<Spending['hold']> {
    const { body, spending } = this.#request
    return spending.hold({
      model: model.name,
      deployment: deploymentName(deployment),
      price: deployment.priceAt?.(spending.atMs),
      input: () => ({
        tokensMax: inputTokensBound(body, deployment.tokenizer),
        unbounded: unboundedInput(body, deployment.tokenizer),
      }),
      outputTokensMax: Math.min(this.#request.outputTokensMax, model.outputTokensMax),
      choices: choicesMax(body),
    })
  }

  #affordable(candidate: Candidate, held: HeldCall | Degrade | Refusal, last: Problem | undefined): void {
    if (held instanceof HeldCall) return this.#start(candidate, held, last)
    if (held instanceof Degrade) {
      this.#turns.degradeTo(this.#dependencies.catalogue().get(held.to))
      return this.next(last ?? held.otherwise)
    }
    // Another deployment of the same model may cost less. Another model is taken where an engine has
    // failed, or where the budget says so.
    if (last === undefined || last instanceof Refusal) this.#turns.stayWith(candidate.model)
    this.next(last ?? held)
  }

  #start(candidate: Candidate, held: HeldCall | undefined, last: Problem | undefined): void {
    const begun = this.#turns.begin(candidate)
    if (begun === undefined) {
      held?.cancel()
      return this.next(last)
    }
    const isFirst = this.#attempts++ === 0
    const attempt = this.#attemptOf(candidate, { held, ...begun, isFirst })
    this.#attempt = attempt
    if (isFirst) this.#planHedge(candidate)
    this.#run(attempt)
  }

  #attemptOf({ model, deployment }: Candidate, more: Pick<AttemptPlan, 'held' | 'visit' | 'isFirst'>): CallAttempt {
    const { timeouts } = this.#request.model
    const { connectMs } = model.timeouts
    const plan = { deployment, timeouts, connectMs, deadlineMs: this.#deadlineMs, ...more }
    const attempt: CallAttempt = new CallAttempt(this.#clock, this.#request, plan, {
      commit: () => this.#commit(attempt),
      frame: (frame) => this.#sink.frame(frame),
      end: (end) => {
        this.#generation++
        this.#attempt = undefined
        this.#sink.end(end)
      },
      fail: (cause, committed) => this.#failed(attempt, cause, committed),
    })
    return attempt
  }

  #run(attempt: CallAttempt): void {
    if (this.#paused) attempt.pause()
    attempt.start()
  }

  /** The first to say anything answers; the other is stopped at once. */
  #commit(attempt: CallAttempt): void {
    const hedge = this.#dropHedge()
    if (hedge === attempt) {
      this.#attempt?.outpaced()
      this.#attempt = attempt
    } else hedge?.outpaced()
    this.#sink.commit(attempt.deployment)
  }

  #failed(attempt: CallAttempt, cause: Fault, committed: boolean): void {
    const hedge = this.#hedge?.attempt
    if (attempt === hedge) {
      // The first goes on as if there had been no other; should it fail as well, nobody else is asked
      // what one has rejected.
      this.#hedge = {}
      if (!isRetryable(cause)) this.#rejected = cause
      return
    }
    if (hedge !== undefined && isRetryable(cause)) {
      // The other one is under way already.
      this.#hedge = {}
      this.#attempt = hedge
      return
    }
    this.#dropHedge()?.cancel()
    this.#attempt = undefined
    if (!committed && isRetryable(cause) && this.#rejected === undefined) return this.next(cause)
    this.#generation++
    this.#sink.fail(committed ? cause : (this.#rejected ?? cause))
  }

  /** Dean and Barroso, "The Tail at Scale" (2013): whoever waits longer than 95 of 100 asks another as
   *  well. Streams alone: the time of a whole answer says more of its length. */
  #planHedge({ model }: Candidate): void {
    const { hedge, deployments } = model
    if (hedge === undefined || !this.#request.stream || model !== this.#request.model) return
    const usual = deployments.map(({ health }) => health?.pace.percentileMs(HEDGE_SHARE) ?? Infinity)
    const afterMs = hedge.afterMs ?? Math.min(...usual)
    if (afterMs === Infinity) return
    const own: Hedge = { timer: this.#clock.after(afterMs, () => this.#tryHedge(own)) }
    this.#hedge = own
  }

  #tryHedge(own: Hedge): void {
    const candidate = this.#turns.second()
    if (candidate === undefined) return
    const held = this.#hold(candidate)
    const use = (one: Awaited<typeof held>): void => {
      if (!(one instanceof HeldCall)) return
      const begun = this.#hedge === own ? this.#turns.beginSecond(candidate) : undefined
      if (begun === undefined) return one.cancel()
      own.attempt = this.#attemptOf(candidate, { held: one, ...begun, isFirst: false })
      this.#attempts++
      this.#run(own.attempt)
    }
    if (held instanceof Promise) held.then(use, () => {})
    else use(held)
  }

  /** From now on there is none; returns the one that ran. */
  #dropHedge(): CallAttempt | undefined {
    const hedge = this.#hedge
    this.#hedge = undefined
    hedge?.timer?.cancel()
    return hedge?.attempt
  }
}

/** Whoever is later than so many of the others is late. */
const HEDGE_SHARE = 0.95
