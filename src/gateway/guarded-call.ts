import { Refusal, toProblem } from '../base/errors.ts'
import { isObject, type Json, type JsonObject } from '../base/json.ts'
import type { Attempt, ChatEnd } from '../engine/port.ts'
import type { GuardedRequest, Guardrails } from '../guard/guardrails/guardrails.ts'
import type { OpenSpan } from '../trace/trace.ts'
import { type CallDependencies, callModel, type CallRequest, type CallSink } from './call.ts'
import type { Deployment } from './catalogue.ts'
import { AnswerScreen } from './answer-screen.ts'
import { replaceTexts, textsOf } from './chat-texts.ts'

/** One chat completion between the guardrails of its model. What is on its way to an engine is looked at
 *  before anything is called; the answer as it arrives, or, where a guardrail must see all of it, before any
 *  of it leaves. */

/** As `callModel`, by the guardrails of the model. */
export function guardedCall(dependencies: CallDependencies, request: CallRequest, sink: CallSink): Attempt {
  const { guardrails } = request.model
  if (guardrails === undefined) return callModel(dependencies, request, sink)
  const guarded = new GuardedCall(dependencies, guardrails, request, sink)
  guarded.start()
  return guarded
}

class GuardedCall implements Attempt {
  readonly #dependencies: CallDependencies
  readonly #request: CallRequest
  readonly #sink: CallSink
  readonly #guarded: GuardedRequest
  readonly #screen: AnswerScreen
  /** While texts are looked at. */
  #span: OpenSpan | undefined
  #attempt: Attempt | undefined
  /** Before the answer may leave. */
  #held: JsonObject[] = []
  #paused = false
  #over = false

  constructor(dependencies: CallDependencies, guardrails: Guardrails, request: CallRequest, sink: CallSink) {
    this.#dependencies = dependencies
    this.#request = request
    this.#sink = sink
    this.#guarded = guardrails.begin(request.model.name, textsOf(request.body))
    this.#screen = new AnswerScreen(this.#guarded, (problem) => this.#block(problem))
  }

  start(): void {
    this.#span = this.#request.span.child('guard')
    const looked = this.#guarded.input()
    if (!(looked instanceof Promise)) return this.#looked(looked)
    looked.then(
      (one) => this.#looked(one),
      (thrown: unknown) => this.#fail(toProblem(thrown)),
    )
  }

  cancel(): void {
    if (this.#over) return
    this.#finish()
    this.#attempt?.cancel()
  }

  pause(): void {
    this.#paused = true
    this.#attempt?.pause()
  }

  resume(): void {
    this.#paused = false
    this.#attempt?.resume()
  }

  #looked(looked: readonly string[] | Refusal): void {
    if (this.#over) return
    this.#span?.end()
    if (looked instanceof Refusal) return this.#fail(looked)
    const body = replaceTexts(this.#request.body, looked)
    const attempt = callModel(
      this.#dependencies,
      { ...this.#request, body },
      {
        commit: (deployment: Deployment) => this.#over || this.#sink.commit(deployment),
        frame: (frame) => this.#frame(frame),
        end: (end) => this.#end(end),
        fail: (problem) => this.#fail(problem),
      },
    )
    if (this.#over) return attempt.cancel()
    this.#attempt = attempt
    if (this.#paused) attempt.pause()
  }

  #frame(frame: JsonObject): void {
    if (this.#over) return
    const passed = this.#screen.frame(frame)
    if (this.#over) return // What it said is blocked.
    if (this.#guarded.holdsAnswers) this.#held.push(passed)
    else this.#sink.frame(passed)
  }

  #end(end: ChatEnd): void {
    if (this.#over) return
    const last = this.#screen.end()
    if (this.#over) return
    if (!this.#guarded.holdsAnswers) {
      if (last !== undefined) this.#sink.frame(last)
      return this.#done(end)
    }
    if (last !== undefined) this.#held.push(last)
    this.#span = this.#request.span.child('guard')
    const looked = this.#guarded.output(this.#screen.answers(), schemaOf(this.#request.body))
    if (!(looked instanceof Promise)) return this.#seen(looked, end)
    looked.then(
      (one) => this.#seen(one, end),
      (thrown: unknown) => this.#fail(toProblem(thrown)),
    )
  }

  /** The whole answer was looked at. */
  #seen(refusal: Refusal | undefined, end: ChatEnd): void {
    if (this.#over) return
    if (refusal !== undefined) return this.#fail(refusal)
    for (const frame of this.#held) {
      if (this.#over) return
      this.#sink.frame(frame)
    }
    this.#done(end)
  }

  #done(end: ChatEnd): void {
    if (this.#over) return
    this.#finish()
    this.#sink.end(end)
  }

  /** An answer that began to leave ends as blocked ones do; what was made of it is charged. */
  #block(problem: Refusal): void {
    if (this.#over) return
    this.#attempt?.cancel()
    this.#finish()
    const ending = this.#guarded.holdsAnswers ? undefined : this.#screen.blockedEnd()
    if (ending === undefined) return this.#sink.fail(problem)
    this.#sink.frame(ending)
    this.#sink.end({})
  }

  #fail(problem: Refusal | Parameters<CallSink['fail']>[0]): void {
    if (this.#over) return
    this.#finish()
    this.#sink.fail(problem)
  }

  #finish(): void {
    this.#over = true
    this.#span?.end()
    const { record } = this.#guarded
    if (!record.isEmpty) this.#request.span.note({ guards: record.json() })
  }
}

/** The JSON schema that the request asks its answer to have. */
function schemaOf({ response_format: format }: JsonObject): JsonObject | undefined {
  if (!isObject(format)) return undefined
  if (format['type'] === 'json_object') return { type: 'object' }
  const { json_schema: named } = format
  const schema: Json | undefined = isObject(named) ? named['schema'] : undefined
  return isObject(schema) ? schema : undefined
}
