import { fault, type Problem, Refusal, statusOf, toProblem } from '../base/errors.ts'
import type { Reply } from '../base/http.ts'
import type { Json, JsonObject } from '../base/json.ts'
import type { Operation } from '../engine/port.ts'
import { inputTokensOf } from '../meter/usage.ts'
import type { CallDependencies } from './call.ts'
import { type Admitted, CLIENT_CLOSED } from './chat.ts'
import type { Deployment } from './catalogue.ts'
import { askInTurn, type DirectCall as TextsCall } from './in-turn.ts'
import type { Closing, Journal } from './journal.ts'
import { embedTexts, type VectorUse } from './replay/cached-vectors.ts'
import { sendJson, sendProblem } from './respond.ts'
import { answerHeaders, outcomeOf, problemJson, scopesJson, spendingJson, stagesJson } from './settle.ts'
import { type EmbeddingsRequest, encodeVector, type RerankRequest } from './surface/openai.ts'

/** The operations that answer at once, without a stream: rerank and embeddings. The same
 *  admission, fallback and settlement as a chat. */

export interface DirectDependencies extends CallDependencies {
  readonly journal: Journal
}

/** Whatever is to be read. */
type DirectCall = Omit<TextsCall, 'texts'>

interface Answer {
  readonly deployment: Deployment
  readonly body: JsonObject
  /** That were read. */
  readonly tokens: number
}

/** What a reranker reads: the query with each document. */
export const pairTexts = (query: string, documents: readonly string[]): readonly string[] =>
  documents.flatMap((document) => [query, document])

export function runRerank(
  dependencies: DirectDependencies,
  admitted: Admitted,
  request: RerankRequest,
  reply: Reply,
): Promise<void> {
  const { query, documents, topN } = request
  const texts = pairTexts(query, documents)
  return runDirect(dependencies, admitted, 'rerank', reply, async (call) => {
    const asked = await askInTurn(dependencies, { ...call, texts }, async ({ engine, model }, context) =>
      engine.rerank({ ...context, model, query, documents, topN }).then(({ results, usage }) => ({ results, usage })),
    )
    if (asked instanceof Refusal) return asked
    const listed = asked.answered.results.map(({ index, score }): JsonObject => ({
      index,
      relevance_score: score,
      ...(request.returnDocuments ? { document: { text: documents[index] ?? '' } } : {}),
    }))
    const { usage } = call.spending.charges.at(-1) ?? call.spending.total
    const body = { id: call.requestId, model: admitted.model.name, results: listed }
    return { deployment: asked.deployment, body, tokens: inputTokensOf(usage) }
  })
}

/** `vectors`: of a model whose vectors may be given again. */
export function runEmbeddings(
  dependencies: DirectDependencies,
  admitted: Admitted & { readonly vectors: VectorUse | undefined },
  request: EmbeddingsRequest,
  reply: Reply,
): Promise<void> {
  return runDirect(dependencies, admitted, 'embed', reply, async (call) => {
    const embedded = await embedTexts(dependencies, call, request.inputs, admitted.vectors)
    if (embedded instanceof Refusal) return embedded
    const { deployment, vectors, tokens } = embedded
    const data = vectors.map((vector, index): JsonObject => ({
      object: 'embedding',
      index,
      embedding: request.base64 ? encodeVector(vector) : Array.from(vector),
    }))
    return { deployment, body: { object: 'list', model: admitted.model.name, data }, tokens }
  })
}

async function runDirect(
  dependencies: DirectDependencies,
  admitted: Admitted & { readonly vectors?: VectorUse | undefined },
  operation: Operation,
  reply: Reply,
  ask: (call: DirectCall) => Promise<Answer | Refusal>,
): Promise<void> {
  const { clock, journal } = dependencies
  const { requestId, scopes, model, trace, spending, vectors } = admitted
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
  let answering: Deployment | undefined
  const settled = (): JsonObject => ({
    ...facts,
    ...vectors?.record(),
    ...spendingJson(spending, answering),
    totalMs: trace.elapsedMs(),
    stages: stagesJson(trace.spans()),
  })
  try {
    const call = { requestId, operation, model, spending, span: trace.open('call'), signal: stop.signal }
    const asked = await ask(call).finally(() => call.span.end())
    deadline.cancel()
    if (asked instanceof Refusal) return await failed(asked)
    const { deployment, tokens } = asked
    answering = deployment
    await journal.close(requestId, { ...settled(), outcome: 'answered', status: 200 })
    const body: Json = { ...asked.body, usage: { prompt_tokens: tokens, total_tokens: tokens } }
    const headers = { ...answerHeaders(deployment, spending, spending.total), ...vectors?.headers() }
    sendJson(reply, requestId, 200, body, headers)
  } catch (thrown) {
    deadline.cancel()
    stop.abort()
    await failed(toProblem(thrown))
  }

  async function failed(problem: Problem): Promise<void> {
    const closing: Closing = {
      ...settled(),
      outcome: left ? 'cancelled' : outcomeOf(problem),
      status: left ? CLIENT_CLOSED : statusOf(problem),
      ...problemJson(problem),
    }
    await journal.close(requestId, closing).catch(() => journal.closeLater(requestId, closing))
    if (!left) sendProblem(reply, requestId, problem)
  }
}
