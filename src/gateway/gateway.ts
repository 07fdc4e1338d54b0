import type { Clock } from '../base/clock.ts'
import { refuse, Refusal, toProblem } from '../base/errors.ts'
import type { Handler, Reply, Request } from '../base/http.ts'
import { newId } from '../base/ids.ts'
import { type Json, parseJson } from '../base/json.ts'
import type { Log } from '../base/log.ts'
import type { Random } from '../base/random.ts'
import type { Operation } from '../engine/port.ts'
import type { Principal } from '../guard/principal.ts'
import type { Events } from '../store/events.ts'
import { Trace } from '../trace/trace.ts'
import type { Catalogue, LogicalModel } from './catalogue.ts'
import { type Admitted, runChat } from './chat.ts'
import { runEmbeddings, runRerank } from './direct.ts'
import { Journal } from './journal.ts'
import { sendJson, sendProblem } from './respond.ts'
import { readChatRequest, readEmbeddingsRequest, readRerankRequest } from './surface/openai.ts'

/** The data plane, `/v1/*`: admit, route, call, stream, settle. */

export interface GatewayDependencies {
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly events: Events
  /** Read at every request, so that a reload takes effect at once. */
  readonly catalogue: () => Catalogue
  readonly authenticate: (request: Request) => Principal | Refusal
  /** Likewise. */
  readonly limits: () => GatewayLimits
}

export interface GatewayLimits {
  readonly bodyBytesMax: number
  readonly bodyDepthMax: number
  readonly requestsInFlightMax: number
  readonly clientStallMs: number
}

const ROUTES: readonly { readonly path: string; readonly operation: Operation }[] = [
  { path: '/v1/chat/completions', operation: 'chat' },
  { path: '/v1/rerank', operation: 'rerank' },
  { path: '/v1/embeddings', operation: 'embed' },
]

export class Gateway {
  readonly #dependencies: GatewayDependencies
  readonly #journal: Journal
  #inFlight = 0
  #draining = false

  constructor(dependencies: GatewayDependencies) {
    this.#dependencies = dependencies
    this.#journal = new Journal(dependencies)
  }

  /** Requests admitted and not yet settled. */
  get inFlight(): number {
    return this.#inFlight
  }

  /** Closes what a crash left open; before the first request. Returns how many there were. */
  recover(): Promise<number> {
    return this.#journal.recover()
  }

  /** Refuses new work from now on. */
  drain(): void {
    this.#draining = true
  }

  /** Once nothing is in flight: writes the closings that the store had refused. False when it
   *  refuses still; the next start then closes those requests as interrupted. */
  flush(): Promise<boolean> {
    return this.#journal.flush()
  }

  readonly handle: Handler = (request, reply) => {
    const { clock, random } = this.#dependencies
    const requestId = newId('req', clock, random)
    const trace = new Trace(clock)
    this.#answer(request, reply, requestId, trace).catch((thrown: unknown) => {
      if (reply.headSent) reply.abort()
      else sendProblem(reply, requestId, toProblem(thrown))
    })
  }

  async #answer(request: Request, reply: Reply, requestId: string, trace: Trace): Promise<void> {
    const admission = trace.open('admit')
    const principal = this.#dependencies.authenticate(request)
    if (principal instanceof Refusal) return sendProblem(reply, requestId, principal)
    const [path = ''] = request.target.split('?', 1)
    if (path === '/v1/models' || path.startsWith('/v1/models/')) return this.#models(request, reply, requestId, path)
    const found = ROUTES.find((one) => one.path === path)
    if (found === undefined)
      return sendProblem(reply, requestId, refuse('path_unknown', { method: request.method, path }))
    if (request.method !== 'POST') {
      return sendProblem(
        reply,
        requestId,
        refuse('method_not_allowed', { path, method: request.method, allowed: 'POST' }),
      )
    }
    const refusal = this.#crowded()
    if (refusal !== undefined) return sendProblem(reply, requestId, refusal)
    this.#inFlight++
    let over = (): void => {
      over = () => {}
      this.#inFlight--
    }
    try {
      const body = await this.#body(request)
      admission.end({ key: principal.id })
      if (body instanceof Refusal) return sendProblem(reply, requestId, body)
      if (found.operation !== 'chat')
        return await this.#direct(found.operation, body, { requestId, principal, trace }, reply)
      const chat = readChatRequest(body)
      if (chat instanceof Refusal) return sendProblem(reply, requestId, chat)
      const model = this.#model(chat.model, 'chat')
      if (model instanceof Refusal) return sendProblem(reply, requestId, model)
      const settle = over
      over = () => {} // From here on the chat says when it is over.
      runChat(
        { ...this.#dependencies, journal: this.#journal, clientStallMs: this.#dependencies.limits().clientStallMs },
        { requestId, principal, trace, model },
        chat,
        reply,
        settle,
      )
    } finally {
      over()
    }
  }

  async #direct(operation: Operation, body: Json, admitted: Omit<Admitted, 'model'>, reply: Reply): Promise<void> {
    const request = operation === 'rerank' ? readRerankRequest(body) : readEmbeddingsRequest(body)
    if (request instanceof Refusal) return sendProblem(reply, admitted.requestId, request)
    const model = this.#model(request.model, operation)
    if (model instanceof Refusal) return sendProblem(reply, admitted.requestId, model)
    const dependencies = { ...this.#dependencies, journal: this.#journal }
    if ('documents' in request) return runRerank(dependencies, { ...admitted, model }, request, reply)
    return runEmbeddings(dependencies, { ...admitted, model }, request, reply)
  }

  #crowded(): Refusal | undefined {
    const limit = this.#dependencies.limits().requestsInFlightMax
    if (this.#draining) return refuse('stopping', {})
    return this.#inFlight >= limit ? refuse('overloaded', { what: 'requests in flight', limit }) : undefined
  }

  async #body(request: Request): Promise<Json | Refusal> {
    const { bodyBytesMax, bodyDepthMax } = this.#dependencies.limits()
    return parseJson(await request.body(bodyBytesMax), { bytesMax: bodyBytesMax, depthMax: bodyDepthMax })
  }

  #model(name: string, operation: Operation): LogicalModel | Refusal {
    const model = this.#dependencies.catalogue().get(name)
    if (model === undefined) return refuse('model_unknown', { model: name })
    return model.operations.includes(operation) ? model : refuse('operation_unsupported', { model: name, operation })
  }

  #models(request: Request, reply: Reply, requestId: string, path: string): void {
    if (request.method !== 'GET') {
      return sendProblem(
        reply,
        requestId,
        refuse('method_not_allowed', { path, method: request.method, allowed: 'GET' }),
      )
    }
    const catalogue = this.#dependencies.catalogue()
    if (path === '/v1/models')
      return sendJson(reply, requestId, 200, { object: 'list', data: [...catalogue.values()].map(listing) })
    const name = decodeName(path.slice('/v1/models/'.length))
    const model = catalogue.get(name)
    if (model === undefined) return sendProblem(reply, requestId, refuse('model_unknown', { model: name }))
    sendJson(reply, requestId, 200, listing(model))
  }
}

const listing = (model: LogicalModel): Json => ({
  id: model.name,
  object: 'model',
  created: 0,
  owned_by: 'headworks',
  headworks: { kind: model.kind, operations: model.operations, description: model.description },
})

function decodeName(encoded: string): string {
  try {
    return decodeURIComponent(encoded)
  } catch {
    return encoded
  }
}
