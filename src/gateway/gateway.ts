import type { Clock } from '../base/clock.ts'
import { refuse, Refusal, statusOf, toProblem } from '../base/errors.ts'
import type { Handler, Headers, Reply, Request } from '../base/http.ts'
import { newId } from '../base/ids.ts'
import { type Json, parseJson } from '../base/json.ts'
import type { Log } from '../base/log.ts'
import type { Random } from '../base/random.ts'
import type { Operation } from '../engine/port.ts'
import { mayCall } from '../guard/bindings.ts'
import { identify } from '../guard/identify.ts'
import type { Principal } from '../guard/principal.ts'
import type { Accounting } from '../meter/accounting.ts'
import { estimateInputTokens } from '../meter/estimate.ts'
import type { Events } from '../store/events.ts'
import { Trace } from '../trace/trace.ts'
import type { Catalogue, LogicalModel } from './catalogue.ts'
import { type Admitted, runChat } from './chat.ts'
import { runEmbeddings, runRerank } from './direct.ts'
import { type Closing, Journal } from './journal.ts'
import { rerankWithin } from './rerank-within.ts'
import { sendJson, sendProblem } from './respond.ts'
import { outcomeOf, problemJson, scopesJson, spendingJson, stagesJson } from './settle.ts'
import { ANTHROPIC, type CountRequest, readCountRequest, readMessagesRequest } from './surface/anthropic.ts'
import type { ChatRequest, Dialect } from './surface/dialect.ts'
import {
  type EmbeddingsRequest,
  OPENAI,
  readChatRequest,
  readEmbeddingsRequest,
  readRerankRequest,
  type RerankRequest,
} from './surface/openai.ts'

/** The data plane, `/v1/*`: admit, route, call, stream, settle. */

export interface GatewayDependencies {
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly events: Events
  /** The name of this process among those that share the store. */
  readonly node: string
  /** Read at every request, so that a reload takes effect at once. */
  readonly catalogue: () => Catalogue
  readonly authenticate: (request: Request) => Principal | Refusal
  /** Likewise. */
  readonly limits: () => GatewayLimits
  /** Budgets and their books. */
  readonly accounting: Pick<Accounting, 'spending'>
}

export interface GatewayLimits {
  readonly bodyBytesMax: number
  readonly bodyDepthMax: number
  readonly requestsInFlightMax: number
  readonly clientStallMs: number
}

interface Arrived {
  readonly principal: Principal
  readonly headers: Headers
  readonly body: Json
  readonly requestId: string
  readonly trace: Trace
  readonly dialect: Dialect
}

interface Route {
  readonly path: string
  readonly operation: Operation
  readonly read: (body: Json) => Asked | CountRequest | Refusal
}

type Asked = ChatRequest | RerankRequest | EmbeddingsRequest

const ROUTES: readonly Route[] = [
  { path: '/v1/chat/completions', operation: 'chat', read: readChatRequest },
  { path: '/v1/messages', operation: 'chat', read: readMessagesRequest },
  { path: '/v1/messages/count_tokens', operation: 'chat', read: readCountRequest },
  { path: '/v1/rerank', operation: 'rerank', read: readRerankRequest },
  { path: '/v1/embeddings', operation: 'embed', read: readEmbeddingsRequest },
]

/** In which errors are told, also those of requests that are not read. */
const dialectAt = (target: string): Dialect => (/^\/v1\/messages(?:[/?]|$)/.test(target) ? ANTHROPIC : OPENAI)

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

  /** Closes what a crash left open: everything, before the first request, or what the process
   *  `node` left. Returns how many there were. */
  recover(node?: string): Promise<number> {
    return this.#journal.recover(node)
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

  /** Reranks for a search, as a request of its own: on the caller's account, within its budgets, on
   *  record. What refuses it is returned; rejects with a `Fault`. */
  async rerank(
    asker: Pick<Arrived, 'principal' | 'headers' | 'requestId' | 'trace'>,
    name: string,
    query: string,
    documents: readonly string[],
  ): Promise<readonly number[] | Refusal> {
    const admitted = this.#admit({ ...asker, body: {}, dialect: OPENAI }, name, 'rerank')
    if (admitted instanceof Refusal) return admitted
    const crowded = this.#crowded()
    if (crowded !== undefined) return crowded
    const refused = await admitted.spending.enter()
    if (refused !== undefined) return refused
    this.#inFlight++
    try {
      return await rerankWithin({ ...this.#dependencies, journal: this.#journal }, admitted, query, documents)
    } finally {
      this.#inFlight--
      admitted.spending.leave()
    }
  }

  readonly handle: Handler = (request, reply) => {
    const { clock, random } = this.#dependencies
    const requestId = newId('req', clock, random)
    const trace = new Trace(clock)
    this.#answer(request, reply, requestId, trace).catch((thrown: unknown) => {
      if (reply.headSent) reply.abort()
      else sendProblem(reply, requestId, toProblem(thrown), dialectAt(request.target))
    })
  }

  async #answer(request: Request, reply: Reply, requestId: string, trace: Trace): Promise<void> {
    const admission = trace.open('admit')
    const dialect = dialectAt(request.target)
    const principal = this.#dependencies.authenticate(request)
    if (principal instanceof Refusal) return sendProblem(reply, requestId, principal, dialect)
    const [path = ''] = request.target.split('?', 1)
    if (path === '/v1/models' || path.startsWith('/v1/models/'))
      return this.#models(request, reply, requestId, path, principal)
    const found = ROUTES.find((one) => one.path === path)
    if (found === undefined)
      return sendProblem(reply, requestId, refuse('path_unknown', { method: request.method, path }), dialect)
    if (request.method !== 'POST') {
      return sendProblem(
        reply,
        requestId,
        refuse('method_not_allowed', { path, method: request.method, allowed: 'POST' }),
        dialect,
      )
    }
    const refusal = this.#crowded()
    if (refusal !== undefined) return sendProblem(reply, requestId, refusal, dialect)
    this.#inFlight++
    try {
      const body = await this.#body(request)
      admission.end({ key: principal.id })
      if (body instanceof Refusal) return sendProblem(reply, requestId, body, dialect)
      const asked = found.read(body)
      if (asked instanceof Refusal) return sendProblem(reply, requestId, asked, dialect)
      const inside = 'body' in asked ? asked.body : body
      const arrived: Arrived = { principal, headers: request.headers, body: inside, requestId, trace, dialect }
      if ('counted' in asked) this.#count(arrived, asked, reply)
      else await this.#run(found.operation, arrived, asked, reply)
    } finally {
      this.#inFlight--
    }
  }

  /** Resolves when nothing of it is left. */
  async #run(operation: Operation, arrived: Arrived, asked: Asked, reply: Reply): Promise<void> {
    const { requestId, dialect } = arrived
    const admitted = this.#admit(arrived, asked.model, operation)
    if (admitted instanceof Refusal) return sendProblem(reply, requestId, admitted, dialect)
    const { spending } = admitted
    const entered = spending.enter()
    const refused = entered instanceof Promise ? await entered : entered
    if (refused !== undefined) return this.#turnAway(admitted, operation, refused, reply, dialect)
    const dependencies = { ...this.#dependencies, journal: this.#journal }
    try {
      if ('documents' in asked) await runRerank(dependencies, admitted, asked, reply)
      else if ('inputs' in asked) await runEmbeddings(dependencies, admitted, asked, reply)
      else {
        const { clientStallMs } = this.#dependencies.limits()
        await runChat({ ...dependencies, clientStallMs }, admitted, asked, reply)
      }
    } finally {
      spending.leave()
    }
  }

  /** Refused before anything was begun; it is on record all the same. */
  #turnAway(admitted: Admitted, operation: Operation, refusal: Refusal, reply: Reply, dialect: Dialect): void {
    const { requestId, model, scopes, spending, trace } = admitted
    const facts = { operation, ...scopesJson(scopes), model: model.name }
    this.#journal.open(requestId, facts, 'soon').catch(() => {})
    const closing: Closing = {
      ...facts,
      outcome: outcomeOf(refusal),
      status: statusOf(refusal),
      ...problemJson(refusal),
      ...spendingJson(spending, undefined),
      totalMs: trace.elapsedMs(),
      stages: stagesJson(trace.spans()),
    }
    this.#journal.close(requestId, closing).catch(() => this.#journal.closeLater(requestId, closing))
    sendProblem(reply, requestId, refusal, dialect)
  }

  /** By the tokenizer of the deployment that is asked first. Nothing is called, and nothing is held. */
  #count({ principal, requestId, dialect }: Arrived, { model: name, counted }: CountRequest, reply: Reply): void {
    const model = this.#model(principal, name, 'chat')
    if (model instanceof Refusal) return sendProblem(reply, requestId, model, dialect)
    const tokens = estimateInputTokens(counted, model.deployments[0]?.tokenizer)
    sendJson(reply, requestId, 200, { input_tokens: tokens }, dialect.headers(requestId))
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

  /** What is called, and on whose account. */
  #admit(
    { principal, headers, body, requestId, trace }: Arrived,
    name: string,
    operation: Operation,
  ): Admitted | Refusal {
    const model = this.#model(principal, name, operation)
    if (model instanceof Refusal) return model
    const named = identify(principal, body, headers)
    if (named instanceof Refusal) return named
    // A workflow that is called by its name is the one that counts.
    const scopes = model.kind === 'workflow' ? { ...named, workflow: name } : named
    const spending = this.#dependencies.accounting.spending(
      requestId,
      { ...scopes, model: name },
      principal.bindings.budgets,
    )
    return { requestId, trace, model, scopes, spending }
  }

  #model({ bindings }: Principal, name: string, operation: Operation): LogicalModel | Refusal {
    const model = this.#dependencies.catalogue().get(name)
    if (!mayCall(bindings, name, model?.kind)) return refuse('model_not_allowed', { model: name })
    if (model === undefined) return refuse('model_unknown', { model: name })
    return model.operations.includes(operation) ? model : refuse('operation_unsupported', { model: name, operation })
  }

  #models(request: Request, reply: Reply, requestId: string, path: string, { bindings }: Principal): void {
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      return sendProblem(
        reply,
        requestId,
        refuse('method_not_allowed', { path, method: request.method, allowed: 'GET' }),
      )
    }
    const catalogue = this.#dependencies.catalogue()
    if (path === '/v1/models') {
      const callable = catalogue.values().filter(({ name, kind }) => mayCall(bindings, name, kind))
      return sendJson(reply, requestId, 200, { object: 'list', data: callable.map(listing).toArray() })
    }
    const name = decodeName(path.slice('/v1/models/'.length))
    const model = catalogue.get(name)
    if (!mayCall(bindings, name, model?.kind))
      return sendProblem(reply, requestId, refuse('model_not_allowed', { model: name }))
    if (model === undefined) return sendProblem(reply, requestId, refuse('model_unknown', { model: name }))
    sendJson(reply, requestId, 200, listing(model))
  }
}

const listing = (model: LogicalModel): Json => ({
  id: model.name,
  object: 'model',
  created: 0,
  owned_by: 'headworks',
  headworks: {
    kind: model.kind,
    operations: model.operations,
    description: model.description,
    ...(model.version === undefined ? {} : { version: model.version }),
  },
})

function decodeName(encoded: string): string {
  try {
    return decodeURIComponent(encoded)
  } catch {
    return encoded
  }
}
