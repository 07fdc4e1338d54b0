import type { Clock, Timer } from '../base/clock.ts'
import { type Fault, fault, sentenceOf } from '../base/errors.ts'
import { isObject, type Json, type JsonObject } from '../base/json.ts'
import type { Verdict } from '../engine/breaker.ts'
import type { Visit } from '../engine/health.ts'
import type { Attempt, ChatCall, ChatEnd } from '../engine/port.ts'
import { estimateInputTokens, estimateOutputTokens } from '../meter/estimate.ts'
import type { HeldCall, Spending } from '../meter/spending.ts'
import { NO_USAGE, type Usage } from '../meter/usage.ts'
import type { OpenSpan } from '../trace/trace.ts'
import { deploymentName, type Deployment, type Timeouts } from './catalogue.ts'

/** One call of one engine: its deadlines, what it used, and what is told of it to whoever made it. */

export interface AttemptRequest {
  readonly requestId: string
  readonly body: JsonObject
  readonly stream: boolean
  readonly outputTokensMax: number
  readonly span: OpenSpan
  readonly spending: Spending
}

export interface AttemptPlan {
  readonly deployment: Deployment
  /** What it may use. Absent for a workflow, whose own calls are held. */
  readonly held: HeldCall | undefined
  readonly visit: Visit | undefined
  /** Of the model that was asked for. */
  readonly timeouts: Timeouts
  /** Of the engine's own model. */
  readonly connectMs: number
  /** For all attempts together, in monotonic milliseconds. */
  readonly deadlineMs: number
  /** It has all the time that the request has. */
  readonly isFirst: boolean
}

/** What becomes of it: `commit` at its first content, frames, then `end`; or `fail` at any time, last. By
 *  then it is charged. */
export interface AttemptSink {
  commit(): void
  frame(frame: JsonObject): void
  end(end: ChatEnd): void
  fail(cause: Fault, committed: boolean): void
}

/** Frames held before the first content (role-only chunks and the like). An engine that sends
 *  more without saying anything is broken. */
const HELD_FRAMES_MAX = 64

export class CallAttempt {
  readonly deployment: Deployment
  readonly #clock: Clock
  readonly #request: AttemptRequest
  readonly #plan: AttemptPlan
  readonly #sink: AttemptSink
  readonly #span: OpenSpan
  #attempt: Attempt | undefined
  #outputTokens = 0
  #timer: Timer | undefined
  #timerAtMs = 0
  /** What the engine has to do next, and until when. */
  #limit = { atMs: Infinity, limitMs: 0, phase: '', overall: false }
  /** Frames before the first content. */
  #early: JsonObject[] = []
  #committed = false
  #paused = false
  #over = false

  constructor(clock: Clock, request: AttemptRequest, plan: AttemptPlan, sink: AttemptSink) {
    this.#clock = clock
    this.#request = request
    this.#plan = plan
    this.deployment = plan.deployment
    this.#sink = sink
    this.#span = request.span.child('attempt')
  }

  /** An engine may end, or fail, before this returns. */
  start(): void {
    const { requestId, body, stream, spending } = this.#request
    const { held, timeouts, connectMs } = this.#plan
    const call: ChatCall = {
      requestId,
      span: this.#span,
      spending,
      connectTimeoutMs: connectMs,
      model: this.deployment.model,
      body,
      stream,
      outputTokensMax: held?.outputTokensMax ?? this.#request.outputTokensMax,
    }
    this.#arm(stream ? timeouts.firstTokenMs : timeouts.totalMs, stream ? 'answer' : 'finish')
    const attempt = this.deployment.engine.chat(call, {
      frame: (frame) => this.#over || this.#frame(frame),
      end: (end) => this.#over || this.#end(end),
      fail: (cause) => this.#over || this.#fail(cause),
    })
    if (this.#over) return
    this.#attempt = attempt
    if (this.#paused) attempt.pause()
  }

  /** Nobody wants its answer any more. What it used is charged: the engine has read the request, and said
   *  what it said. */
  cancel(): void {
    if (this.#over) return
    const attempt = this.#finish({ outcome: 'cancelled' })
    this.#plan.visit?.end('unknown')
    attempt?.cancel()
    this.#plan.held?.settle(this.#ownCount())
  }

  /** Likewise, since another answered sooner. */
  outpaced(): void {
    if (!this.#over && this.#plan.isFirst) this.#plan.visit?.outpaced()
    this.cancel()
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
    if (this.#committed) this.#arm(this.#plan.timeouts.betweenTokensMs, 'go on')
    this.#attempt.resume()
  }

  #frame(frame: JsonObject): void {
    // Whatever a frame says, it took a token at least.
    this.#outputTokens += Math.max(estimateOutputTokens(frame, this.deployment.tokenizer), Number(hasContent(frame)))
    if (this.#committed) {
      if (!this.#paused) this.#arm(this.#plan.timeouts.betweenTokensMs, 'go on')
      return this.#sink.frame(frame)
    }
    this.#early.push(frame)
    if (!this.#request.stream || hasContent(frame)) return this.#commit()
    if (this.#early.length > HELD_FRAMES_MAX)
      this.#fail(
        fault('engine_garbled', {
          engine: this.deployment.engine.name,
          reason: `${HELD_FRAMES_MAX} frames without content`,
        }),
      )
  }

  #commit(): void {
    this.#committed = true
    this.#plan.visit?.spoke()
    this.#arm(this.#plan.timeouts.betweenTokensMs, 'go on')
    this.#sink.commit()
    for (const frame of this.#early) if (!this.#over) this.#sink.frame(frame)
    this.#early = []
  }

  #end(end: ChatEnd): void {
    // An answer without any content is still an answer: its frames go out now.
    if (!this.#committed) this.#commit()
    if (this.#over) return
    this.#finish({ outcome: 'answered' })
    const { held, visit } = this.#plan
    visit?.end('answered')
    if (held === undefined) return this.#sink.end(end)
    const usage = end.usage ?? this.#ownCount()
    held.settle(usage)
    this.#sink.end({ ...end, usage })
  }

  #fail(cause: Fault, verdict: Verdict = cause): void {
    const attempt = this.#finish({ outcome: 'failed', error: cause.code, reason: sentenceOf(cause) })
    attempt?.cancel()
    const { held, visit } = this.#plan
    visit?.end(verdict)
    if (this.#outputTokens === 0 && USES_NOTHING.has(cause.code)) held?.cancel()
    else held?.settle(this.#ownCount())
    this.#sink.fail(cause, this.#committed)
  }

  /** What was sent and what came back, for an engine that does not say. */
  #ownCount(): Usage {
    return {
      ...NO_USAGE,
      inputTokens: estimateInputTokens(this.#request.body, this.deployment.tokenizer),
      outputTokens: this.#outputTokens,
      estimated: true,
    }
  }

  /** A timer that is due sooner stays, and looks at the deadline again: every chunk moves it. */
  #arm(limitMs: number, phase: string): void {
    const nowMs = this.#clock.monotonicMs()
    const { deadlineMs } = this.#plan
    const overall = deadlineMs - nowMs <= limitMs
    this.#limit = { atMs: overall ? deadlineMs : nowMs + limitMs, limitMs, phase, overall }
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
    const { timeouts, isFirst } = this.#plan
    const cause = fault('engine_timeout', {
      engine: this.deployment.engine.name,
      phase: overall ? 'finish' : phase,
      limitMs: overall ? timeouts.totalMs : limitMs,
    })
    // That time is up for the request blames the engine only if it had all of it and said nothing.
    const isItsOwn = !overall || (isFirst && this.#outputTokens === 0 && !this.#paused)
    this.#fail(cause, isItsOwn ? cause : 'unknown')
  }

  #finish(attributes: JsonObject): Attempt | undefined {
    const attempt = this.#attempt
    this.#over = true
    this.#attempt = undefined
    this.#timer?.cancel()
    this.#span.end({ deployment: deploymentName(this.deployment), ...attributes })
    return attempt
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
