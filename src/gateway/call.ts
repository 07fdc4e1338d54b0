import type { Clock, Timer } from '../base/clock.ts'
import { type Fault, fault, isRetryable, sentenceOf } from '../base/errors.ts'
import { isObject, type Json, type JsonObject } from '../base/json.ts'
import type { Random } from '../base/random.ts'
import type { Attempt, ChatCall, ChatEnd } from '../engine/port.ts'
import type { OpenSpan } from '../trace/trace.ts'
import { deploymentName, type Deployment, type LogicalModel } from './catalogue.ts'
import { route } from './route.ts'

/** One chat completion over the deployments of a logical model: attempts one after another, and
 *  nothing handed on before the first content frame. From then on the attempt stands: a failure
 *  is reported, never papered over with another model's words. */

export interface CallRequest {
  readonly requestId: string
  readonly model: LogicalModel
  readonly body: JsonObject
  readonly stream: boolean
  readonly outputTokensMax: number
  readonly span: OpenSpan
}

/** Receives the answer: `commit` once before the first frame, frames, then `end`; or `fail` at
 *  any time, last. Nothing after `end`, `fail` or `Attempt.cancel`. */
export interface CallSink {
  commit(deployment: Deployment): void
  frame(frame: JsonObject): void
  end(end: ChatEnd): void
  fail(fault: Fault): void
}

export interface CallDependencies {
  readonly clock: Clock
  readonly random: Random
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
  readonly #request: CallRequest
  readonly #sink: CallSink
  readonly #order: readonly Deployment[]
  readonly #deadlineMs: number
  #tried = 0
  #attempt: Attempt | undefined
  #deployment: Deployment | undefined
  #span: OpenSpan | undefined
  #timer: Timer | undefined
  /** Grows with every attempt and at the end, so that a late callback is known to be late. */
  #generation = 0
  #held: JsonObject[] = []
  #committed = false
  #paused = false
  #over = false

  constructor({ clock, random }: CallDependencies, request: CallRequest, sink: CallSink) {
    this.#clock = clock
    this.#request = request
    this.#sink = sink
    this.#order = route(request.model, random)
    this.#deadlineMs = clock.monotonicMs() + request.model.timeouts.totalMs
  }

  /** Starts the next attempt, or gives up with the last fault. */
  next(last: Fault | undefined): void {
    const deployment = this.#order[this.#tried]
    const { model, requestId, body, stream, outputTokensMax, span } = this.#request
    if (deployment === undefined || this.#clock.monotonicMs() >= this.#deadlineMs) {
      this.#over = true
      return this.#sink.fail(
        last ?? fault('engine_unreachable', { engine: model.name, reason: 'it has no deployments' }),
      )
    }
    this.#tried++
    this.#deployment = deployment
    this.#held = []
    const attemptSpan = span.child('attempt')
    this.#span = attemptSpan
    const generation = ++this.#generation
    const current = (): boolean => generation === this.#generation
    const call: ChatCall = {
      requestId,
      span: attemptSpan,
      connectTimeoutMs: model.timeouts.connectMs,
      model: deployment.model,
      body,
      stream,
      outputTokensMax,
    }
    this.#arm(stream ? model.timeouts.firstTokenMs : model.timeouts.totalMs, stream ? 'answer' : 'finish')
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
    attempt?.cancel()
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
    if (this.#committed) {
      if (!this.#paused) this.#arm(this.#request.model.timeouts.betweenTokensMs, 'go on')
      return this.#sink.frame(frame)
    }
    this.#held.push(frame)
    if (this.#request.stream && !hasContent(frame)) {
      if (this.#held.length > HELD_FRAMES_MAX) {
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
    this.#arm(this.#request.model.timeouts.betweenTokensMs, 'go on')
    if (this.#deployment !== undefined) this.#sink.commit(this.#deployment)
    for (const frame of this.#held) if (generation === this.#generation) this.#sink.frame(frame)
    this.#held = []
  }

  #end(end: ChatEnd): void {
    // An answer without any content is still an answer: its frames go out now.
    const generation = this.#generation
    if (!this.#committed) this.#commit()
    if (generation !== this.#generation) return
    this.#over = true
    this.#closeSpan({ outcome: 'answered' })
    this.#finish()
    this.#sink.end(end)
  }

  #fail(cause: Fault): void {
    this.#closeSpan({ outcome: 'failed', error: cause.code, reason: sentenceOf(cause) })
    const attempt = this.#attempt
    const committed = this.#committed
    this.#finish()
    attempt?.cancel()
    if (!committed && isRetryable(cause)) return this.next(cause)
    this.#over = true
    this.#sink.fail(cause)
  }

  #arm(limitMs: number, phase: string): void {
    this.#timer?.cancel()
    const leftMs = this.#deadlineMs - this.#clock.monotonicMs()
    const delayMs = Math.max(0, Math.min(limitMs, leftMs))
    this.#timer = this.#clock.after(delayMs, () => {
      const total = this.#request.model.timeouts.totalMs
      const overall = leftMs <= limitMs
      this.#fail(
        fault('engine_timeout', {
          engine: this.#engineName(),
          phase: overall ? 'finish' : phase,
          limitMs: overall ? total : limitMs,
        }),
      )
    })
  }

  #closeSpan(attributes: JsonObject): void {
    const deployment = this.#deployment
    this.#span?.end(deployment === undefined ? attributes : { deployment: deploymentName(deployment), ...attributes })
    this.#span = undefined
  }

  #finish(): void {
    this.#generation++
    this.#timer?.cancel()
    this.#timer = undefined
    this.#attempt = undefined
  }

  #engineName(): string {
    return this.#deployment?.engine.name ?? this.#request.model.name
  }
}

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
