import { type Fault, fault, isRetryable, sentenceOf, statusOf, toFault, toProblem } from '../base/errors.ts'
import type { Clock } from '../base/clock.ts'
import type { Reply } from '../base/http.ts'
import type { Json, JsonObject } from '../base/json.ts'
import type { Random } from '../base/random.ts'
import type { CallContext, Operation } from '../engine/port.ts'
import { estimateTextTokens } from '../meter/estimate.ts'
import { inputTokensOf, NO_USAGE, type Usage } from '../meter/usage.ts'
import type { OpenSpan } from '../trace/trace.ts'
import { type Admitted, CLIENT_CLOSED } from './chat.ts'
import { deploymentName, type Deployment, type LogicalModel } from './catalogue.ts'
import type { Closing, Journal } from './journal.ts'
import { sendJson, sendProblem } from './respond.ts'
import { route } from './route.ts'
import { answerHeaders, type Bill, bill, billJson, scopesJson, stagesJson, usageJson } from './settle.ts'
import { type EmbeddingsRequest, encodeVector, type RerankRequest } from './surface/openai.ts'

/** The operations that answer at once, without a stream: rerank and embeddings. The same
 *  admission, fallback and settlement as a chat. */

export interface DirectDependencies {
  readonly clock: Clock
  readonly random: Random
  readonly journal: Journal
}

/** What a deployment was asked and said about itself: enough to charge for it. */
interface Read {
  readonly usage: Usage | undefined
  /** The texts that were read, for our own count. */
  readonly inputs: readonly string[]
}

interface Answered extends Read {
  readonly body: JsonObject
}

type Ask<Answer> = (deployment: Deployment, context: CallContext & { readonly signal: AbortSignal }) => Promise<Answer>

export function runRerank(
  dependencies: DirectDependencies,
  admitted: Admitted,
  request: RerankRequest,
  reply: Reply,
): Promise<void> {
  const { query, documents, topN } = request
  return runDirect(dependencies, admitted, 'rerank', reply, async ({ engine, model }, context) => {
    const { results, usage } = await engine.rerank({ ...context, model, query, documents, topN })
    const listed = results.map(({ index, score }): JsonObject => ({
      index,
      relevance_score: score,
      ...(request.returnDocuments ? { document: { text: documents[index] ?? '' } } : {}),
    }))
    return {
      body: { id: context.requestId, model: admitted.model.name, results: listed },
      usage,
      inputs: [query, ...documents],
    }
  })
}

export function runEmbeddings(
  dependencies: DirectDependencies,
  admitted: Admitted,
  request: EmbeddingsRequest,
  reply: Reply,
): Promise<void> {
  return runDirect(dependencies, admitted, 'embed', reply, async ({ engine, model }, context) => {
    const { vectors, usage } = await engine.embed({ ...context, model, inputs: request.inputs })
    const data = vectors.map((vector, index): JsonObject => ({
      object: 'embedding',
      index,
      embedding: request.base64 ? encodeVector(vector) : Array.from(vector),
    }))
    return { body: { object: 'list', model: admitted.model.name, data }, usage, inputs: request.inputs }
  })
}

async function runDirect(
  dependencies: DirectDependencies,
  admitted: Admitted,
  operation: Operation,
  reply: Reply,
  ask: Ask<Answered>,
): Promise<void> {
  const { clock, journal } = dependencies
  const { requestId, scopes, model, trace } = admitted
  const atMs = clock.wallMs()
  const facts = { operation, ...scopesJson(scopes), model: model.name, stream: false }
  const stop = new AbortController()
  journal.open(requestId, facts, 'soon').catch((cause: unknown) => stop.abort(cause))
  let left = false
  reply.onGone(() => {
    left = true
    stop.abort(fault('stream_broken', { engine: model.name, reason: 'the caller left' }))
  })
  const { totalMs } = model.timeouts
  const deadline = clock.after(totalMs, () =>
    stop.abort(fault('engine_timeout', { engine: model.name, phase: 'finish', limitMs: totalMs })),
  )
  /** What is on record whatever happens next: the charge, once there is one. */
  let posted: JsonObject = { usage: usageJson(NO_USAGE) }
  const settled = (): JsonObject => ({
    ...facts,
    ...posted,
    totalMs: trace.elapsedMs(),
    stages: stagesJson(trace.spans()),
  })
  try {
    const call = { requestId, model, span: trace.open('call'), signal: stop.signal }
    const { deployment, answered } = await askInTurn(dependencies.random, call, ask).finally(() => call.span.end())
    deadline.cancel()
    const charge = chargeOf(answered, deployment, atMs)
    posted = {
      deployment: deploymentName(deployment),
      ...billJson(charge),
    }
    await journal.close(requestId, { ...settled(), outcome: 'answered', status: 200 })
    const tokens = inputTokensOf(charge.usage)
    const body: Json = { ...answered.body, usage: { prompt_tokens: tokens, total_tokens: tokens } }
    sendJson(reply, requestId, 200, body, answerHeaders(deployment, charge))
  } catch (thrown) {
    deadline.cancel()
    stop.abort()
    const problem = toProblem(thrown)
    const closing: Closing = {
      ...settled(),
      outcome: left ? 'cancelled' : 'failed',
      status: left ? CLIENT_CLOSED : statusOf(problem),
      error: problem.code,
      reason: sentenceOf(problem),
    }
    await journal.close(requestId, closing).catch(() => journal.closeLater(requestId, closing))
    if (!left) sendProblem(reply, requestId, problem)
  }
}

export function chargeOf({ usage, inputs }: Read, deployment: Deployment, atMs: number): Bill {
  const inputTokens = inputs.reduce((sum, text) => sum + estimateTextTokens(text), 0)
  const ownCount = { ...NO_USAGE, inputTokens, estimated: true }
  return bill(usage === undefined ? undefined : { usage }, ownCount, deployment, atMs)
}

export interface DirectCall {
  readonly requestId: string
  readonly model: LogicalModel
  /** Where the attempts are recorded. */
  readonly span: OpenSpan
  readonly signal: AbortSignal
}

/** Asks one deployment after another, while failing elsewhere may help. Rejects with the last
 *  `Fault`. */
export async function askInTurn<Answer>(
  random: Random,
  { requestId, model, span: call, signal }: DirectCall,
  ask: Ask<Answer>,
): Promise<{ readonly deployment: Deployment; readonly answered: Answer }> {
  let last: Fault | undefined
  for (const deployment of route(model, random)) {
    const span = call.child('attempt')
    try {
      const answered = await ask(deployment, { requestId, span, signal, connectTimeoutMs: model.timeouts.connectMs })
      span.end({ deployment: deploymentName(deployment), outcome: 'answered' })
      return { deployment, answered }
    } catch (thrown) {
      last = toFault(thrown)
      span.end({ deployment: deploymentName(deployment), outcome: 'failed', error: last.code })
      if (signal.aborted || !isRetryable(last)) break
    }
  }
  throw last ?? fault('engine_unreachable', { engine: model.name, reason: 'it has no deployments' })
}
