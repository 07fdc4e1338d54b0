import { type Fault, fault, isRetryable, sentenceOf, statusOf, toFault, toProblem } from '../base/errors.ts'
import type { Clock } from '../base/clock.ts'
import type { Reply } from '../base/http.ts'
import type { Json, JsonObject } from '../base/json.ts'
import type { Random } from '../base/random.ts'
import type { CallContext, Operation } from '../engine/port.ts'
import { estimateTextTokens } from '../meter/estimate.ts'
import { NO_USAGE, type Usage } from '../meter/usage.ts'
import { type Admitted, CLIENT_CLOSED } from './chat.ts'
import { deploymentName, type Deployment } from './catalogue.ts'
import type { Closing, Journal } from './journal.ts'
import { sendJson, sendProblem } from './respond.ts'
import { route } from './route.ts'
import { type Bill, bill, costJson, scopesJson, stagesJson, usageJson } from './settle.ts'
import { type EmbeddingsRequest, encodeVector, type RerankRequest } from './surface/openai.ts'

/** The operations that answer at once, without a stream: rerank and embeddings. The same
 *  admission, fallback and settlement as a chat. */

export interface DirectDependencies {
  readonly clock: Clock
  readonly random: Random
  readonly journal: Journal
}

interface Answered {
  readonly body: JsonObject
  readonly usage: Usage | undefined
  /** The texts that were read, for our own count. */
  readonly inputs: readonly string[]
}

type Ask = (deployment: Deployment, context: CallContext & { readonly signal: AbortSignal }) => Promise<Answered>

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
  ask: Ask,
): Promise<void> {
  const { clock, journal } = dependencies
  const { requestId, scopes, model, trace } = admitted
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
    const { deployment, answered } = await attempt(dependencies, admitted, ask, stop.signal)
    deadline.cancel()
    const charge = chargeOf(answered, deployment)
    posted = {
      deployment: deploymentName(deployment),
      usage: usageJson(charge.usage),
      costNanoUsd: costJson(charge.costNanoUsd),
    }
    await journal.close(requestId, { ...settled(), outcome: 'answered', status: 200 })
    const tokens = charge.usage.inputTokens + charge.usage.cachedInputTokens
    const cost: Record<string, string> =
      charge.costNanoUsd === undefined ? {} : { 'x-headworks-cost-nanousd': charge.costNanoUsd.toString() }
    const body: Json = { ...answered.body, usage: { prompt_tokens: tokens, total_tokens: tokens } }
    sendJson(reply, requestId, 200, body, { 'x-headworks-model': deploymentName(deployment), ...cost })
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

function chargeOf(answered: Answered, deployment: Deployment): Bill {
  const inputTokens = answered.inputs.reduce((sum, text) => sum + estimateTextTokens(text), 0)
  return bill(
    answered.usage === undefined ? undefined : { usage: answered.usage },
    { ...NO_USAGE, inputTokens, estimated: true },
    deployment,
  )
}

/** One deployment after another, while failing elsewhere may help. */
async function attempt(
  { random }: DirectDependencies,
  { requestId, model, trace }: Admitted,
  ask: Ask,
  signal: AbortSignal,
): Promise<{ deployment: Deployment; answered: Answered }> {
  let last: Fault | undefined
  const call = trace.open('call')
  for (const deployment of route(model, random)) {
    const span = call.child('attempt')
    try {
      const answered = await ask(deployment, { requestId, span, signal, connectTimeoutMs: model.timeouts.connectMs })
      span.end({ deployment: deploymentName(deployment), outcome: 'answered' })
      call.end()
      return { deployment, answered }
    } catch (thrown) {
      last = toFault(thrown)
      span.end({ deployment: deploymentName(deployment), outcome: 'failed', error: last.code })
      if (signal.aborted || !isRetryable(last)) break
    }
  }
  call.end()
  throw last ?? fault('engine_unreachable', { engine: model.name, reason: 'it has no deployments' })
}
