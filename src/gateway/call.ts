import type { Clock, Timer } from '../base/clock.ts'
import { type Fault, fault, isRetryable, type Problem, Refusal, sentenceOf, toFault } from '../base/errors.ts'
import { isObject, type Json, type JsonObject } from '../base/json.ts'
import type { Random } from '../base/random.ts'
import type { Verdict } from '../engine/breaker.ts'
import type { Visit } from '../engine/health.ts'
import type { Attempt, ChatCall, ChatEnd } from '../engine/port.ts'
import { choicesMax, inputTokensBound, unboundedInput } from '../meter/bound.ts'
import { estimateInputTokens, estimateOutputTokens } from '../meter/estimate.ts'
import { Degrade, HeldCall, type Spending } from '../meter/spending.ts'
import { NO_USAGE, type Usage } from '../meter/usage.ts'
import type { OpenSpan } from '../trace/trace.ts'
import { type Catalogue, deploymentName, type Deployment, type LogicalModel } from './catalogue.ts'
import type { Candidate } from './route.ts'
import { sizeOfChat } from './size.ts'
import { type Begun, Turn, Turns } from './turns.ts'

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

/** Frames held before the first content (role-only chunks and the like). An engine that sends
 *  more without saying anything is broken. */
const HELD_FRAMES_MAX = 64

export function callModel(dependencies: CallDependencies, request: CallRequest, sink: CallSink): Attempt {
  const call = new Call(dependencies, request, sink)
  call.next(undefined)
  return call
}

class Call implements Attempt {
  readonly #clock: Clock
  readonly #dependencies: CallDependencies
  readonly #request: CallRequest
  readonly #sink: CallSink
  readonly #turns: Turns
  readonly #deadlineMs: number
  #attempts = 0
  #attempt: Attempt | undefined
  #deployment: Deployment | undefined
  #span: OpenSpan | undefined
  #held: HeldCall | undefined
  #visit: Visit | undefined
  #outputTokens = 0
  #timer: Timer | undefined
  #timerAtMs = 0
  /** What the engine has to do next, and until when. */
  #limit = { atMs: Infinity, limitMs: 0, phase: '', overall: false }
  /** Before the next attempt. */
  #pause: Timer | undefined
  /** Grows with every attempt and at the end, so that a late callback is known to be late. */
  #generation = 0
  /** Frames before the first content. */
  #early: JsonObject[] = []
  #committed = false
  #paused = false
  #over = false

  constructor(dependencies: CallDependencies, request: CallRequest, sink: CallSink) {
    this.#clock = dependencies.clock
    this.#dependencies = dependencies
    this.#request = request
    this.#sink = sink
    const { model, body, outputTokensMax, spending } = request
    const size = sizeOfChat(body, outputTokensMax * choicesMax(body))
    this.#turns = new Turns(dependencies, model, { operation: 'chat', size, atMs: spending.atMs })
    this.#deadlineMs = this.#clock.monotonicMs() + request.model.timeouts.totalMs
  }

  /** Makes the next attempt, or gives up with the last problem. */
  next(last: Problem | undefined): void {
    const turn = this.#turns.next(last, this.#deadlineMs - this.#clock.monotonicMs())
    if (!(turn instanceof Turn)) {
      this.#over = true
      return this.#sink.fail(turn)
    }
    const { candidate, delayMs } = turn
    if (delayMs === 0) return this.#try(candidate, last)
    const generation = ++this.#generation
    this.#pause = this.#clock.after(delayMs, () => generation === this.#generation && this.#try(candidate, last))
  }

  #try(candidate: Candidate, last: Problem | undefined): void {
    this.#deployment = candidate.deployment
    this.#early = []
    this.#outputTokens = 0
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
      (thrown: unknown) => generation === this.#generation && this.#fail(toFault(thrown)),
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
    if (begun !== undefined) return this.#call(candidate, held, begun)
    held?.cancel()
    this.next(last)
  }

  #call({ model: { timeouts }, deployment }: Candidate, held: HeldCall | undefined, { visit }: Begun): void {
    const { requestId, body, stream, span, spending } = this.#request
    this.#attempts++
    this.#held = held
    this.#visit = visit
    const attemptSpan = span.child('attempt')
    this.#span = attemptSpan
    const generation = this.#generation
    const current = (): boolean => generation === this.#generation
    const call: ChatCall = {
      requestId,
      span: attemptSpan,
      spending,
      connectTimeoutMs: timeouts.connectMs,
      model: deployment.model,
      body,
      stream,
      outputTokensMax: held?.outputTokensMax ?? this.#request.outputTokensMax,
    }
    const own = this.#request.model.timeouts
    this.#arm(stream ? own.firstTokenMs : own.totalMs, stream ? 'answer' : 'finish')
    const attempt = deployment.engine.chat(call, {
      frame: (frame) => current() && this.#frame(frame),
      end: (end) => current() && this.#end(end),
      fail: (cause) => current() && this.#fail(cause),
    })
    // An engine may end, or fail over to the next attempt, before `chat` returns.
    if (!current()) return
    this.#attempt = attempt
    if (this.#paused) attempt.pause()
  }

  cancel(): void {
    const attempt = this.#attempt
    this.#over = true
    this.#closeSpan({ outcome: 'cancelled' })
    this.#finish()
    this.#visit?.end('unknown')
    attempt?.cancel()
    this.#held?.settle(this.#ownCount())
  }

  pause(): void {
    if (this.#over) return
    this.#paused = true
    this.#arm(Infinity, 'finish') // The reader is slow, not the engine: only the total counts.
    this.#attempt?.pause()
  }

  resume(): void {
    this.#paused = false
    if (this.#attempt === undefined) return
    if (this.#committed) this.#arm(this.#request.model.timeouts.betweenTokensMs, 'go on')
    this.#attempt.resume()
  }

  #frame(frame: JsonObject): void {
    // Whatever a frame says, it took a token at least.
    this.#outputTokens += Math.max(estimateOutputTokens(frame, this.#deployment?.tokenizer), Number(hasContent(frame)))
    if (this.#committed) {
      if (!this.#paused) this.#arm(this.#request.model.timeouts.betweenTokensMs, 'go on')
      return this.#sink.frame(frame)
    }
    this.#early.push(frame)
    if (this.#request.stream && !hasContent(frame)) {
      if (this.#early.length > HELD_FRAMES_MAX) {
        this.#fail(
          fault('engine_garbled', { engine: this.#engineName(), reason: `${HELD_FRAMES_MAX} frames without content` }),
        )
      }
      return
    }
    this.#commit()
  }

  #commit(): void {
    const generation = this.#generation
    this.#committed = true
    this.#visit?.spoke()
    this.#arm(this.#request.model.timeouts.betweenTokensMs, 'go on')
    if (this.#deployment !== undefined) this.#sink.commit(this.#deployment)
    for (const frame of this.#early) if (generation === this.#generation) this.#sink.frame(frame)
    this.#early = []
  }

  #end(end: ChatEnd): void {
    // An answer without any content is still an answer: its frames go out now.
    const generation = this.#generation
    if (!this.#committed) this.#commit()
    if (generation !== this.#generation) return
    this.#over = true
    this.#closeSpan({ outcome: 'answered' })
    this.#finish()
    this.#visit?.end('answered')
    if (this.#held === undefined) return this.#sink.end(end)
    const usage = end.usage ?? this.#ownCount()
    this.#held.settle(usage)
    this.#sink.end({ ...end, usage })
  }

  #fail(cause: Fault, verdict: Verdict = cause): void {
    this.#closeSpan({ outcome: 'failed', error: cause.code, reason: sentenceOf(cause) })
    const attempt = this.#attempt
    const committed = this.#committed
    this.#finish()
    attempt?.cancel()
    this.#visit?.end(verdict)
    if (this.#outputTokens === 0 && USES_NOTHING.has(cause.code)) this.#held?.cancel()
    else this.#held?.settle(this.#ownCount())
    if (!committed && isRetryable(cause)) return this.next(cause)
    this.#over = true
    this.#sink.fail(cause)
  }

  /** What was sent and what came back, for an engine that does not say. */
  #ownCount(): Usage {
    return {
      ...NO_USAGE,
      inputTokens: estimateInputTokens(this.#request.body, this.#deployment?.tokenizer),
      outputTokens: this.#outputTokens,
      estimated: true,
    }
  }

  /** A timer that is due sooner stays, and looks at the deadline again: every chunk moves it. */
  #arm(limitMs: number, phase: string): void {
    const nowMs = this.#clock.monotonicMs()
    const overall = this.#deadlineMs - nowMs <= limitMs
    this.#limit = { atMs: overall ? this.#deadlineMs : nowMs + limitMs, limitMs, phase, overall }
    if (this.#timer !== undefined && this.#timerAtMs <= this.#limit.atMs) return
    this.#timer?.cancel()
    this.#wait(nowMs)
  }

  #wait(nowMs: number): void {
    this.#timerAtMs = this.#limit.atMs
    this.#timer = this.#clock.after(Math.max(0, this.#timerAtMs - nowMs), () => {
      const lateMs = this.#clock.monotonicMs()
      if (lateMs < this.#limit.atMs) this.#wait(lateMs)
      else this.#expire()
    })
  }

  #expire(): void {
    this.#timer = undefined
    const { limitMs, phase, overall } = this.#limit
    const total = this.#request.model.timeouts.totalMs
    const cause = fault('engine_timeout', {
      engine: this.#engineName(),
      phase: overall ? 'finish' : phase,
      limitMs: overall ? total : limitMs,
    })
    // That time is up for the request blames the engine only if it had all of it and said nothing.
    const isItsOwn = !overall || (this.#attempts === 1 && this.#outputTokens === 0 && !this.#paused)
    this.#fail(cause, isItsOwn ? cause : 'unknown')
  }

  #closeSpan(attributes: JsonObject): void {
    const deployment = this.#deployment
    this.#span?.end(deployment === undefined ? attributes : { deployment: deploymentName(deployment), ...attributes })
    this.#span = undefined
  }

  #finish(): void {
    this.#generation++
    this.#timer?.cancel()
    this.#pause?.cancel()
    this.#timer = undefined
    this.#attempt = undefined
  }

  #engineName(): string {
    return this.#deployment?.engine.name ?? this.#request.model.name
  }
}

/** Engines charge nothing for a request that they did not take. One that was taken and then not
 *  answered was read at least. */
export const USES_NOTHING: ReadonlySet<string> = new Set([
  'engine_unreachable',
  'engine_refused',
  'engine_rejected',
  'engine_busy',
])

const DELTA_CONTENT = [
  'content',
  'tool_calls',
  'function_call',
  'reasoning_content',
  'reasoning',
  'refusal',
  'audio',
] as const

/** Whether a chunk says anything: a role or an empty text does not, an end does. */
function hasContent(frame: JsonObject): boolean {
  const choices = frame['choices']
  if (!Array.isArray(choices)) return false
  return (choices as readonly Json[]).some((choice) => {
    if (!isObject(choice)) return false
    if (typeof choice['finish_reason'] === 'string') return true
    const delta = choice['delta']
    return isObject(delta) && DELTA_CONTENT.some((name) => isPresent(delta[name]))
  })
}

const isPresent = (value: Json | undefined): boolean =>
  value !== undefined && value !== null && value !== '' && !(Array.isArray(value) && value.length === 0)
