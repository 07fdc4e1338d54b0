import type { Timer } from '../base/clock.ts'
import { type Fault, fault, type Problem, Refusal, statusOf, toFault, toProblem } from '../base/errors.ts'
import type { Headers, Reply } from '../base/http.ts'
import type { JsonObject } from '../base/json.ts'
import { engineFault } from '../engine/fault.ts'
import type { CallContext } from '../engine/port.ts'
import { NO_USAGE, type Usage } from '../meter/usage.ts'
import { parseObject } from '../engine/exchange.ts'
import { type Admitted, CLIENT_CLOSED } from './chat.ts'
import type { Deployment, LogicalModel } from './catalogue.ts'
import type { DirectDependencies } from './direct.ts'
import { askInTurn } from './in-turn.ts'
import type { Closing } from './journal.ts'
import type { Ending } from './replay/once.ts'
import { sendProblem } from './respond.ts'
import { answerHeaders, outcomeOf, problemJson, scopesJson, spendingJson, stagesJson } from './settle.ts'
import type { PassedRequest } from './surface/passed.ts'

/** What is passed through: routed, held against budgets by count and price, recorded; its answer is
 *  streamed byte for byte as fast as the caller takes it, and never held whole. */

export interface PassthroughDependencies extends DirectDependencies {
  readonly clientStallMs: number
}

/** Of one answer; more is broken off. */
const ANSWER_BYTES_MAX = 256 * 2 ** 20
/** Of a refusal, of which the reason is read. */
const ERROR_BYTES_MAX = 64 * 1024

/** Those of its deployments whose engine serves the path; undefined without any. */
export function servingPath(model: LogicalModel, path: string): LogicalModel | undefined {
  const deployments = model.deployments.filter(({ engine }) => engine.passthrough?.paths.has(path) === true)
  const fallback = model.fallback.flatMap((one) => servingPath(one, path) ?? [])
  return deployments.length === 0 ? undefined : { ...model, deployments, fallback }
}

export async function runPassthrough(
  dependencies: PassthroughDependencies,
  admitted: Admitted,
  request: PassedRequest,
  reply: Reply,
): Promise<Ending> {
  const { clock, journal } = dependencies
  const { requestId, scopes, model, trace, spending } = admitted
  const { operation, units, path } = request
  const facts = { operation, path, ...scopesJson(scopes), model: model.name, stream: false }
  const stop = new AbortController()
  const opened = journal.open(requestId, facts, 'at_once')
  opened.catch((cause: unknown) => stop.abort(cause))
  let left = false
  reply.onGone(() => {
    left = true
    stop.abort(fault('stream_broken', { engine: model.name, reason: 'the caller left' }))
  })
  const { totalMs } = model.timeouts
  const deadline = clock.after(totalMs, () =>
    stop.abort(fault('engine_timeout', { engine: model.name, phase: 'finish', limitMs: totalMs })),
  )
  let answering: Deployment | undefined
  const span = trace.open('call')
  const closing = (more: Pick<Closing, 'outcome'> & JsonObject): Closing => ({
    ...facts,
    ...spendingJson(spending, answering),
    totalMs: trace.elapsedMs(),
    stages: stagesJson(trace.spans()),
    ...more,
  })
  try {
    const call = { requestId, operation, model, spending, texts: [], units, span, signal: stop.signal }
    const asked = await askInTurn(dependencies, call, ({ engine, model: own }, context) =>
      passed(dependencies, engine, { request, own, units }, context, reply),
    )
    if (asked instanceof Refusal) return await failed(asked)
    answering = asked.deployment
    await opened
    await asked.answered.pass({ 'x-request-id': requestId, ...answerHeaders(answering, spending, spending.total) })
    span.end()
    await journal.close(requestId, closing({ outcome: 'answered', status: 200 }))
    reply.end()
    return 'complete'
  } catch (thrown) {
    stop.abort(toFault(thrown))
    return await failed(toProblem(thrown))
  } finally {
    deadline.cancel()
  }

  async function failed(problem: Problem): Promise<Ending> {
    span.end()
    const how = left
      ? { outcome: 'cancelled' as const, status: CLIENT_CLOSED }
      : { outcome: outcomeOf(problem), status: statusOf(problem) }
    const entry = closing({ ...how, ...problemJson(problem) })
    await journal.close(requestId, entry).catch(() => journal.closeLater(requestId, entry))
    if (left) return 'broken'
    if (reply.headSent) {
      reply.abort()
      return 'broken'
    }
    sendProblem(reply, requestId, problem)
    return 'complete'
  }
}

interface Passing {
  readonly usage: Usage
  /** Sends the head and then all bytes. Rejects where the engine breaks off or the caller stalls. */
  pass(headers: Headers): Promise<void>
}

interface What {
  readonly request: PassedRequest
  readonly own: string
  readonly units: number
}

/** Resolves once the engine has taken the request: from then on nobody else can. */
function passed(
  dependencies: PassthroughDependencies,
  engine: Deployment['engine'],
  { request, own, units }: What,
  { signal, connectTimeoutMs }: CallContext & { readonly signal: AbortSignal },
  reply: Reply,
): Promise<Passing> {
  const { path, contentType } = request
  return new Promise((resolve, reject) => {
    const flow = new Flow(dependencies, engine.name, reply, reject, (status, headers) => {
      const pass = (more: Headers): Promise<void> => flow.pass(status, { ...headers, ...more })
      resolve({ usage: { ...NO_USAGE, units }, pass })
    })
    const exchange = engine.passthrough?.start(
      { path, contentType, body: request.bodyFor(own), connectTimeoutMs },
      flow,
    )
    if (exchange === undefined) return reject(fault('internal', { reason: `${engine.name} serves no ${path}` }))
    flow.begin(exchange)
    const abort = (): void => flow.stop(toFault(signal.reason))
    if (signal.aborted) abort()
    else signal.addEventListener('abort', abort, { once: true })
  })
}

type Exchange = ReturnType<NonNullable<Deployment['engine']['passthrough']>['start']>

class Flow {
  readonly #dependencies: PassthroughDependencies
  readonly #engine: string
  readonly #reply: Reply
  readonly #reject: (cause: Fault) => void
  readonly #taken: (status: number, headers: Headers) => void
  #exchange: Exchange | undefined
  #status = 0
  #headers: Headers = {}
  #bytes = 0
  /** Before the head may be sent, or of a refusal. */
  #waiting: Uint8Array[] = []
  #isSending = false
  #isOver = false
  #cause: Fault | undefined
  #stall: Timer | undefined
  #done: { resolve: () => void; reject: (cause: Fault) => void } | undefined

  constructor(
    dependencies: PassthroughDependencies,
    engine: string,
    reply: Reply,
    reject: (cause: Fault) => void,
    taken: (status: number, headers: Headers) => void,
  ) {
    this.#dependencies = dependencies
    this.#engine = engine
    this.#reply = reply
    this.#reject = reject
    this.#taken = taken
  }

  begin(exchange: Exchange): void {
    this.#exchange = exchange
    if (this.#isOver) exchange.abort()
  }

  head(status: number, headers: Headers): void {
    this.#status = status
    this.#headers = headers
    if (!isTaken(status)) return
    this.#exchange?.pause()
    this.#taken(status, passedHeaders(headers))
  }

  data(bytes: Uint8Array): void {
    if (this.#isOver) return
    this.#bytes += bytes.length
    if (this.#bytes > (isTaken(this.#status) ? ANSWER_BYTES_MAX : ERROR_BYTES_MAX))
      return this.stop(fault('engine_garbled', { engine: this.#engine, reason: 'its answer is too large' }))
    if (this.#isSending) this.#write(bytes)
    else this.#waiting.push(bytes)
  }

  end(): void {
    if (this.#isOver) return
    if (!isTaken(this.#status)) {
      const text = Buffer.concat(this.#waiting)
      const upstream = { status: this.#status, headers: this.#headers }
      return this.stop(engineFault(this.#engine, upstream, parseObject(text) ?? text.toString('utf8')))
    }
    this.#isOver = true
    this.#stall?.cancel()
    this.#done?.resolve()
  }

  fail(cause: Error): void {
    const details = { engine: this.#engine, reason: cause.message }
    this.stop(fault(this.#status === 0 ? 'engine_unreachable' : 'stream_broken', details, cause))
  }

  stop(cause: Fault): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#cause = cause
    this.#stall?.cancel()
    this.#exchange?.abort()
    this.#reject(cause)
    this.#done?.reject(cause)
  }

  pass(status: number, headers: Headers): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#cause !== undefined) return reject(this.#cause)
      this.#done = { resolve, reject }
      this.#reply.head(status, headers)
      this.#reply.onDrain(() => {
        this.#stall?.cancel()
        this.#stall = undefined
        if (!this.#isOver) this.#exchange?.resume()
      })
      this.#isSending = true
      for (const bytes of this.#waiting) this.#write(bytes)
      this.#waiting = []
      if (this.#isOver) return resolve()
      if (this.#stall === undefined) this.#exchange?.resume()
    })
  }

  #write(bytes: Uint8Array): void {
    if (this.#reply.write(bytes) || this.#stall !== undefined || this.#isOver) return
    this.#exchange?.pause()
    const { clock, clientStallMs } = this.#dependencies
    this.#stall = clock.after(clientStallMs, () =>
      this.stop(fault('stream_broken', { engine: this.#engine, reason: 'the caller took nothing of it' })),
    )
  }
}

const isTaken = (status: number): boolean => status >= 200 && status < 300

/** The rest is between the engine and us. */
const PASSED_HEADERS = ['content-type', 'content-disposition'] as const

const passedHeaders = (headers: Headers): Headers =>
  Object.fromEntries(
    PASSED_HEADERS.flatMap((name) => (headers[name] === undefined ? [] : [[name, headers[name]] as const])),
  )
