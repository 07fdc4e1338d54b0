import type { Timer } from '../base/clock.ts'
import { reasonOf, type Problem, statusOf, toProblem } from '../base/errors.ts'
import type { Headers, Reply } from '../base/http.ts'
import { isObject, type Json, type JsonObject } from '../base/json.ts'
import type { Log } from '../base/log.ts'
import type { Attempt, ChatEnd } from '../engine/port.ts'
import type { Scopes } from '../guard/identify.ts'
import type { Spending } from '../meter/spending.ts'
import type { OpenSpan, Trace } from '../trace/trace.ts'
import type { CallDependencies } from './call.ts'
import { deploymentName, type Deployment, type LogicalModel } from './catalogue.ts'
import { guardedCall } from './guarded-call.ts'
import type { Closing, Journal, Outcome } from './journal.ts'
import { sendJson, sendProblem } from './respond.ts'
import type { Asker } from './route/request.ts'
import { answerHeaders, costJson, outcomeOf, problemJson, scopesJson, spendingJson, stagesJson } from './settle.ts'
import type { CacheUse } from './replay/cached-call.ts'
import type { Ending } from './replay/once.ts'
import type { AnswerWriter, ChatRequest } from './surface/dialect.ts'

/** One chat completion from admission to settlement. */

export interface ChatDependencies extends CallDependencies {
  readonly journal: Journal
  readonly log: Log
  /** A client that takes nothing for this long is cut off: its stream holds an engine's slot. */
  readonly clientStallMs: number
}

export interface Admitted {
  readonly requestId: string
  readonly scopes: Scopes
  readonly model: LogicalModel
  readonly trace: Trace
  readonly spending: Spending
  /** Of the prompt that the request names. */
  readonly promptVersion?: string
  /** Of a model whose answers may be given again. */
  readonly cache?: CacheUse | undefined
  /** The conversation it is part of, where a header says so. */
  readonly session?: Pick<Asker, 'session'>
}

/** The status that logs give a request whose client left; none is sent. */
export const CLIENT_CLOSED = 499

type Stage = 'calling' | 'answering' | 'settling' | 'over'

/** Runs the exchange; resolves when nothing of it is left, with how the answer ended. */
export function runChat(
  dependencies: ChatDependencies,
  admitted: Admitted,
  request: ChatRequest,
  reply: Reply,
): Promise<Ending> {
  return new Promise((over) => new Chat(dependencies, admitted, request, reply, over).start())
}

class Chat {
  readonly #dependencies: ChatDependencies
  readonly #admitted: Admitted
  readonly #request: ChatRequest
  readonly #reply: Reply
  readonly #over: (ending: Ending) => void
  readonly #writer: AnswerWriter

  #stage: Stage = 'calling'
  #attempt: Attempt | undefined
  #call: OpenSpan | undefined
  #deployment: Deployment | undefined
  /** The opening entry is durable: content may leave. */
  #opened = false
  /** Frames kept until then. The engine is paused meanwhile, so only what was already in flight
   *  arrives. */
  #waiting: JsonObject[] = []
  #ended: ChatEnd | undefined
  #stall: Timer | undefined
  #firstTokenMs = -1
  /** A whole answer in the caller's dialect, or what a workflow adds to the end of a stream: kept until
   *  the bill is known. */
  #last: JsonObject | undefined

  constructor(
    dependencies: ChatDependencies,
    admitted: Admitted,
    request: ChatRequest,
    reply: Reply,
    over: (ending: Ending) => void,
  ) {
    this.#dependencies = dependencies
    this.#admitted = admitted
    this.#request = request
    this.#reply = reply
    this.#over = over
    this.#writer = request.dialect.answer(request, {
      requestId: admitted.requestId,
      model: admitted.model.name,
      now: () => Math.floor(dependencies.clock.wallMs() / 1000),
    })
  }

  start(): void {
    const { journal } = this.#dependencies
    const { requestId, scopes, model, trace, spending, cache, session } = this.#admitted
    const { stream } = this.#request
    // Of a whole answer nothing leaves before its closing entry is durable.
    this.#opened = !stream
    journal.open(requestId, this.#facts(), stream ? 'at_once' : 'soon').then(
      () => this.#openedNow(),
      (cause: unknown) => this.#fail(toProblem(cause)),
    )
    this.#reply.onDrain(() => this.#drained())
    this.#reply.onGone(() => this.#gone())
    if (this.#stage !== 'calling') return // Whoever asked has left meanwhile.
    const span = trace.open('call')
    this.#call = span
    const call: typeof guardedCall = (...all) => cache?.call(...all) ?? guardedCall(...all)
    const attempt = call(
      this.#dependencies,
      {
        requestId,
        model,
        body: this.#request.body,
        stream,
        outputTokensMax: Math.min(this.#request.outputTokensMax ?? Infinity, model.outputTokensMax),
        span,
        spending,
        asker: { ...(scopes.user === undefined ? {} : { user: scopes.user }), ...session },
      },
      {
        commit: (deployment) => {
          this.#deployment = deployment
          this.#firstTokenMs = trace.elapsedMs()
        },
        frame: (frame) => this.#pass(frame),
        end: (end) => this.#end(end),
        fail: (cause) => this.#fail(cause),
      },
    )
    if (this.#stage === 'calling' || this.#stage === 'answering') {
      this.#attempt = attempt
      if (!this.#opened && this.#waiting.length > 0) attempt.pause()
    }
  }

  #openedNow(): void {
    this.#opened = true
    if (this.#stage !== 'calling') return
    const waiting = this.#waiting
    this.#waiting = []
    for (const frame of waiting) this.#pass(frame)
    if (this.#ended !== undefined) return this.#settle(this.#ended)
    if (waiting.length > 0 && this.#stall === undefined) this.#attempt?.resume()
  }

  /** Never throws into an engine. */
  #pass(frame: JsonObject): void {
    try {
      this.#frame(frame)
    } catch (thrown) {
      this.#fail(toProblem(thrown))
    }
  }

  #frame(frame: JsonObject): void {
    if (this.#stage !== 'calling' && this.#stage !== 'answering') return
    if (!this.#opened) {
      this.#waiting.push(frame)
      this.#attempt?.pause()
      return
    }
    const { stream } = this.#request
    if (!stream || (isObject(frame['headworks']) && isLast(frame))) {
      this.#last = stream ? frame : this.#writer.whole(frame)
      return
    }
    if (this.#stage === 'calling') {
      this.#stage = 'answering'
      this.#startStream()
    }
    this.#write(this.#writer.chunk(frame))
  }

  #end(end: ChatEnd): void {
    if (!this.#opened) this.#ended = end
    else this.#settle(end)
  }

  /** The answer is complete: post it, then let the client have the end of it. */
  #settle(end: ChatEnd): void {
    const deployment = this.#deployment
    if (deployment === undefined || (this.#stage !== 'calling' && this.#stage !== 'answering')) return
    this.#attempt = undefined
    this.#stall?.cancel()
    const answering = this.#stage === 'answering'
    this.#stage = 'settling'
    this.#call?.end()
    const { journal } = this.#dependencies
    const { requestId, trace } = this.#admitted
    const closing = this.#closing('answered', 200)
    const settling = trace.open('settle')
    const posted = journal.close(requestId, closing).then(
      () => {
        settling.end()
        if (this.#request.stream) this.#finishStream(end, answering)
        else this.#finishWhole(end)
        this.#finish('complete')
      },
      (cause: unknown) => {
        // What is not recorded is not acknowledged; what was used is still posted.
        const problem = toProblem(cause)
        journal.closeLater(requestId, this.#closing('failed', statusOf(problem), problem))
        this.#report(problem)
      },
    )
    posted.catch((thrown: unknown) => this.#broken(thrown))
  }

  #finishWhole(end: ChatEnd): void {
    const { requestId, spending, cache } = this.#admitted
    const body: JsonObject = { ...this.#last, usage: this.#usage(end) }
    const headers = {
      ...answerHeaders(this.#deployment, spending, spending.total),
      ...cache?.headers(),
      ...versionHeaders(this.#admitted),
      ...this.#request.dialect.headers(requestId),
    }
    sendJson(this.#reply, requestId, 200, this.#enrich(body), headers)
  }

  #finishStream(end: ChatEnd, headSent: boolean): void {
    if (!headSent) this.#startStream()
    if (this.#last !== undefined) this.#reply.write(this.#writer.chunk(this.#enrich(this.#last)))
    const events = this.#writer.end(this.#usage(end))
    for (const event of events.slice(0, -1)) this.#reply.write(event)
    this.#reply.end(events.at(-1))
  }

  /** As the engine that answered told it; attempts that failed before it are in the bill alone. */
  #usage(end: ChatEnd): JsonObject {
    return this.#request.dialect.usageBody(end.usage ?? this.#admitted.spending.total.usage, end.rawUsage)
  }

  /** Something failed: settle what was produced, then say so. */
  #fail(problem: Problem): void {
    if (this.#stage !== 'calling' && this.#stage !== 'answering') return
    const attempt = this.#attempt
    this.#attempt = undefined
    attempt?.cancel()
    this.#stage = 'settling'
    this.#settleUnfinished(outcomeOf(problem), statusOf(problem), problem)
      .then(() => this.#report(problem))
      .catch((thrown: unknown) => this.#broken(thrown))
  }

  /** The client went away: stop the engine at once, and post what it had produced. */
  #gone(): void {
    if (this.#stage !== 'calling' && this.#stage !== 'answering') return
    const attempt = this.#attempt
    this.#attempt = undefined
    attempt?.cancel()
    this.#stage = 'settling'
    this.#settleUnfinished('cancelled', CLIENT_CLOSED, undefined)
      .then(() => this.#finish())
      .catch((thrown: unknown) => this.#broken(thrown))
  }

  #report(problem: Problem): void {
    const isWhole = !this.#reply.headSent
    if (isWhole) sendProblem(this.#reply, this.#admitted.requestId, problem, this.#request.dialect)
    else {
      this.#reply.write(this.#writer.broken(problem))
      this.#reply.end()
    }
    this.#finish(isWhole ? 'complete' : 'broken')
  }

  /** A fault of ours while the answer was written costs this answer and nothing else. */
  #broken(thrown: unknown): void {
    const { requestId } = this.#admitted
    this.#dependencies.log.write('error', 'an answer could not be written', {
      request: requestId,
      reason: reasonOf(thrown),
    })
    this.#reply.abort()
    this.#finish()
  }

  #finish(ending: Ending = 'broken'): void {
    if (this.#stage === 'over') return
    this.#stage = 'over'
    this.#stall?.cancel()
    this.#over(ending)
  }

  /** Posts what was produced; now, or as soon as the store takes it. */
  async #settleUnfinished(outcome: Outcome, status: number, problem: Problem | undefined): Promise<void> {
    const { journal } = this.#dependencies
    const { requestId } = this.#admitted
    this.#call?.end()
    const closing = this.#closing(outcome, status, problem)
    await journal.close(requestId, closing).catch(() => journal.closeLater(requestId, closing))
  }

  #closing(outcome: Outcome, status: number, problem?: Problem): Closing {
    const { trace, spending, cache } = this.#admitted
    return {
      ...this.#facts(),
      ...cache?.record(),
      outcome,
      status,
      ...(problem === undefined ? {} : problemJson(problem)),
      ...spendingJson(spending, this.#deployment),
      firstTokenMs: this.#firstTokenMs < 0 ? null : this.#firstTokenMs,
      totalMs: trace.elapsedMs(),
      ...trace.notes,
      stages: stagesJson(trace.spans()),
    }
  }

  #facts(): JsonObject {
    const { scopes, model } = this.#admitted
    const { version } = model
    const workflow = model.kind === 'workflow' ? { workflow: model.name, workflowVersion: version ?? null } : {}
    return { operation: 'chat', ...scopesJson(scopes), model: model.name, ...workflow, stream: this.#request.stream }
  }

  #write(events: string): void {
    if (events === '' || this.#reply.write(events) || this.#stall !== undefined) return
    this.#attempt?.pause()
    this.#stall = this.#dependencies.clock.after(this.#dependencies.clientStallMs, () => {
      this.#reply.abort()
      this.#gone()
    })
  }

  #drained(): void {
    this.#stall?.cancel()
    this.#stall = undefined
    this.#attempt?.resume()
  }

  /** Completes what a workflow says about its answer with what only the gateway knows. */
  #enrich(frame: JsonObject): JsonObject {
    const own = frame['headworks']
    if (!isObject(own)) return frame
    const { requestId, model, trace, spending } = this.#admitted
    const { usage, costNanoUsd } = spending.total
    return {
      ...frame,
      headworks: {
        request_id: requestId,
        model: model.name,
        deployment: this.#deployment === undefined ? null : deploymentName(this.#deployment),
        ...own,
        stages: stagesJson(trace.spans()),
        usage: this.#request.dialect.usageBody(usage),
        cost_nanousd: costJson(costNanoUsd),
        estimated: usage.estimated,
      },
    }
  }

  #startStream(): void {
    this.#reply.head(200, {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-cache',
      'x-request-id': this.#admitted.requestId,
      ...answerHeaders(this.#deployment, this.#admitted.spending),
      ...this.#admitted.cache?.headers(),
      ...versionHeaders(this.#admitted),
      ...this.#request.dialect.headers(this.#admitted.requestId),
    })
  }
}

const versionHeaders = ({ model: { version }, promptVersion }: Admitted): Headers => ({
  ...(version === undefined ? {} : { 'x-headworks-workflow-version': version }),
  ...(promptVersion === undefined ? {} : { 'x-headworks-prompt-version': promptVersion }),
})

const isLast = (frame: JsonObject): boolean =>
  Array.isArray(frame['choices']) &&
  (frame['choices'] as readonly Json[]).some(
    (choice) => isObject(choice) && typeof choice['finish_reason'] === 'string',
  )
