import type { Clock } from '../base/clock.ts'
import { type Problem, refuse, Refusal, statusOf, toProblem } from '../base/errors.ts'
import type { Handler, Headers, Reply, Request } from '../base/http.ts'
import { newId } from '../base/ids.ts'
import type { Json } from '../base/json.ts'
import type { Log } from '../base/log.ts'
import type { Random } from '../base/random.ts'
import type { Operation } from '../engine/port.ts'
import { mayCall } from '../guard/bindings.ts'
import { identify } from '../guard/identify.ts'
import type { Principal } from '../guard/principal.ts'
import type { Accounting } from '../meter/accounting.ts'
import { estimateInputTokens } from '../meter/estimate.ts'
import { Prompts, type PromptVersion } from '../prompt/prompts.ts'
import type { Events } from '../store/events.ts'
import type { Rows } from '../store/rows.ts'
import { Trace } from '../trace/trace.ts'
import { entrantOf, Gates, timed } from './admission/gates.ts'
import type { Catalogue, LogicalModel } from './catalogue.ts'
import { type Admitted, runChat } from './chat.ts'
import { runEmbeddings, runRerank } from './direct.ts'
import { guardedTexts } from './guarded-texts.ts'
import { type Closing, Journal } from './journal.ts'
import { runPassthrough, servingPath } from './passthrough.ts'
import { readCacheControl } from './replay/cache-control.ts'
import { CacheUse } from './replay/cached-call.ts'
import { VectorUse } from './replay/cached-vectors.ts'
import { ExactCache } from './replay/exact-cache.ts'
import { type Ending, fingerprintOf, Once, readIdempotencyKey } from './replay/once.ts'
import { type Account, OwnRequest } from './own.ts'
import { namesPrompt, prompted } from './prompted.ts'
import { rerankWithin } from './rerank-within.ts'
import { sendJson, sendProblem } from './respond.ts'
import { sessionIn } from './route/session.ts'
import { type Asked, dialectAt, routeAt } from './routes.ts'
import { outcomeOf, problemJson, scopesJson, spendingJson, stagesJson } from './settle.ts'
import type { CountRequest } from './surface/anthropic.ts'
import type { ChatRequest, Dialect } from './surface/dialect.ts'
import { OPENAI } from './surface/openai.ts'

/** The data plane, `/v1/*`: admit, route, call, stream, settle. */

export interface GatewayDependencies {
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly events: Events
  /** Where answers are kept for whoever asks again. */
  readonly rows: Rows
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
  readonly cacheBytesMax: number
}

interface Arrived {
  readonly principal: Principal
  readonly headers: Headers
  readonly body: Json
  readonly requestId: string
  readonly trace: Trace
  readonly dialect: Dialect
}

export class Gateway {
  readonly #dependencies: GatewayDependencies
  readonly #journal: Journal
  readonly #once: Once
  readonly #cache: ExactCache
  readonly #gates: Gates
  readonly #prompts: Prompts
  #inFlight = 0
  #draining = false

  constructor(dependencies: GatewayDependencies) {
    this.#dependencies = dependencies
    this.#journal = new Journal(dependencies)
    this.#once = new Once(dependencies)
    const { clock, limits } = dependencies
    this.#gates = new Gates(clock)
    this.#prompts = new Prompts(dependencies)
    this.#cache = new ExactCache({ clock, bytesMax: () => limits().cacheBytesMax })
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

  /** Forgets the cached answers of a model, or of all; returns how many there were. */
  purgeCache(model?: string): number {
    return this.#cache.purge(model)
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

  /** A call of the house itself, or of a caller who searches. */
  own(
    call: { readonly id: string; readonly operation: Operation; readonly model: string },
    account: Account,
  ): OwnRequest {
    return new OwnRequest({ ...this.#dependencies, journal: this.#journal }, call, account)
  }

  /** On whose account a caller of the control plane has models called. */
  accountOf({ principal, headers }: Pick<Arrived, 'principal' | 'headers'>): Account | Refusal {
    const scopes = identify(principal, {}, headers)
    const { budgets } = principal.bindings
    return scopes instanceof Refusal ? scopes : { scopes, ...(budgets === undefined ? {} : { budgets }) }
  }

  /** Forgets the answers that are kept under these Idempotency-Keys of one caller. */
  forgetAnswers(scope: string, keys: readonly string[]): Promise<void> {
    return this.#once.forget(scope, keys)
  }

  readonly handle: Handler = (request, reply) => this.#begin(request, reply, this.#dependencies.authenticate)

  /** As `handle`, for one who is known already. */
  handleFor(principal: Principal): Handler {
    return (request, reply) => this.#begin(request, reply, () => principal)
  }

  #begin(request: Request, reply: Reply, authenticate: GatewayDependencies['authenticate']): void {
    const { clock, random } = this.#dependencies
    const requestId = newId('req', clock, random)
    const trace = new Trace(clock)
    this.#answer(request, reply, requestId, trace, authenticate).catch((thrown: unknown) => {
      if (reply.headSent) reply.abort()
      else sendProblem(reply, requestId, toProblem(thrown), dialectAt(request.target))
    })
  }

  async #answer(
    request: Request,
    reply: Reply,
    requestId: string,
    trace: Trace,
    authenticate: GatewayDependencies['authenticate'],
  ): Promise<void> {
    const admission = trace.open('admit')
    const dialect = dialectAt(request.target)
    const principal = authenticate(request)
    if (principal instanceof Refusal) return sendProblem(reply, requestId, principal, dialect)
    const [path = ''] = request.target.split('?', 1)
    if (path === '/v1/models' || path.startsWith('/v1/models/'))
      return this.#models(request, reply, requestId, path, principal)
    const found = routeAt(path, this.#dependencies.catalogue())
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
    const key = readIdempotencyKey(request.headers['idempotency-key'])
    if (key instanceof Refusal) return sendProblem(reply, requestId, key, dialect)
    const refusal = this.#crowded()
    if (refusal !== undefined) return sendProblem(reply, requestId, refusal, dialect)
    this.#inFlight++
    try {
      const limits = this.#dependencies.limits()
      const bytes = await request.body(limits.bodyBytesMax)
      const within = { bytesMax: limits.bodyBytesMax, depthMax: limits.bodyDepthMax }
      const read = found.read({ bytes, contentType: request.headers['content-type'], limits: within })
      const { traceparent } = request.headers
      admission.end(traceparent === undefined ? { key: principal.id } : { key: principal.id, traceparent })
      if (read instanceof Refusal) return sendProblem(reply, requestId, read, dialect)
      const { asked, named } = read
      const arrived: Arrived = { principal, headers: request.headers, body: named, requestId, trace, dialect }
      if ('counted' in asked) return this.#count(arrived, asked, reply)
      const run = (to: Reply): Promise<Ending> => this.#run(found.operation, arrived, asked, to)
      if (key === undefined) return void (await run(reply))
      const say = (to: Reply, problem: Problem): void => sendProblem(to, requestId, problem, dialect)
      const once = { scope: principal.id, key, stallMs: limits.clientStallMs, say }
      await this.#once.answer({ ...once, fingerprint: fingerprintOf(path, bytes) }, reply, run)
    } finally {
      this.#inFlight--
    }
  }

  /** Resolves when nothing of it is left. */
  async #run(operation: Operation, arrived: Arrived, found: Asked, reply: Reply): Promise<Ending> {
    const { requestId, dialect } = arrived
    const read =
      isChat(found) && namesPrompt(found) ? await prompted(this.#prompts, found) : { asked: found, prompt: undefined }
    if (read instanceof Refusal) {
      sendProblem(reply, requestId, read, dialect)
      return 'complete'
    }
    const { asked, prompt } = read
    const admitted = this.#admit(arrived, asked.model, operation, prompt)
    if (admitted instanceof Refusal) {
      sendProblem(reply, requestId, admitted, dialect)
      return 'complete'
    }
    const entrant = entrantOf(arrived.principal, arrived.headers)
    const entered = entrant instanceof Refusal ? entrant : this.#gates.enter(admitted.model, entrant, reply)
    const pass = entered instanceof Promise ? await entered : entered
    if (pass === 'left') return 'broken'
    if (pass instanceof Refusal) {
      this.#turnAway(admitted, operation, pass, reply, dialect)
      return 'complete'
    }
    try {
      return await this.#serve(operation, arrived, admitted, asked, pass === undefined ? reply : timed(reply, pass))
    } finally {
      pass?.leave()
    }
  }

  async #serve(
    operation: Operation,
    arrived: Arrived,
    admitted: Admitted,
    asked: Asked,
    reply: Reply,
  ): Promise<Ending> {
    const { spending } = admitted
    const { dialect } = arrived
    const entered = spending.enter()
    const refused = entered instanceof Promise ? await entered : entered
    if (refused !== undefined) {
      this.#turnAway(admitted, operation, refused, reply, dialect)
      return 'complete'
    }
    const dependencies = { ...this.#dependencies, journal: this.#journal }
    const { clientStallMs } = this.#dependencies.limits()
    try {
      if ('documents' in asked) await runRerank(dependencies, admitted, asked, reply)
      else if ('inputs' in asked) {
        const inputs = await guardedTexts(admitted.model, asked.inputs, admitted.trace.open('guard'))
        if (inputs instanceof Refusal) this.#turnAway(admitted, operation, inputs, reply, dialect)
        else {
          const vectors = this.#vectorUse(arrived, admitted)
          await runEmbeddings(dependencies, { ...admitted, vectors }, { ...asked, inputs }, reply)
        }
      } else if ('bodyFor' in asked) {
        const model = servingPath(admitted.model, asked.path)
        if (model === undefined) return sayUnserved(admitted, asked.path, reply)
        return await runPassthrough({ ...dependencies, clientStallMs }, { ...admitted, model }, asked, reply)
      } else {
        const cache = this.#cacheUse(arrived, admitted, asked)
        return await runChat({ ...dependencies, clientStallMs }, { ...admitted, cache }, asked, reply)
      }
      return 'complete'
    } finally {
      spending.leave()
    }
  }

  #cacheUse({ headers }: Arrived, admitted: Admitted, { body, stream }: ChatRequest): CacheUse | undefined {
    const { model, scopes, promptVersion } = admitted
    const { cache: policy } = model
    if (policy === undefined) return undefined
    const control = readCacheControl(headers['cache-control'])
    return new CacheUse(this.#cache, { model, policy, scopes }, { body: { ...body, stream }, control, promptVersion })
  }

  #vectorUse({ headers }: Arrived, { model, scopes }: Admitted): VectorUse | undefined {
    const { cache: policy } = model
    const control = readCacheControl(headers['cache-control'])
    return policy && new VectorUse(this.#cache, { model, policy, scopes }, control)
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

  /** What is called, and on whose account. */
  #admit(
    { principal, headers, body, requestId, trace }: Arrived,
    name: string,
    operation: Operation,
    prompt?: PromptVersion,
  ): Admitted | Refusal {
    const model = this.#model(principal, name, operation)
    if (model instanceof Refusal) return model
    const named = identify(principal, body, headers)
    if (named instanceof Refusal) return named
    // A workflow that is called by its name is the one that counts.
    const scopes = {
      ...named,
      ...(model.kind === 'workflow' ? { workflow: name } : {}),
      ...(prompt === undefined ? {} : { prompt: `${prompt.name}@${prompt.version}` }),
    }
    const spending = this.#dependencies.accounting.spending(
      requestId,
      { ...scopes, model: name },
      principal.bindings.budgets,
    )
    const version = prompt === undefined ? {} : { promptVersion: `${prompt.name}@${prompt.version}` }
    return { requestId, trace, model, scopes, spending, session: sessionIn(headers), ...version }
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

const isChat = (asked: Asked): asked is ChatRequest => 'dialect' in asked && 'stream' in asked

const sayUnserved = ({ requestId, model }: Admitted, path: string, reply: Reply): Ending => {
  sendProblem(reply, requestId, refuse('operation_unsupported', { model: model.name, operation: path }))
  return 'complete'
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
