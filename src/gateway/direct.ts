import { sleep } from '../base/clock.ts'
import { Fault, fault, isRetryable, type Problem, Refusal, statusOf, toFault, toProblem } from '../base/errors.ts'
import type { Reply } from '../base/http.ts'
import type { Json, JsonObject } from '../base/json.ts'
import type { CallContext, Operation } from '../engine/port.ts'
import { textsTokensBound } from '../meter/bound.ts'
import { estimateTextTokens } from '../meter/estimate.ts'
import { HeldCall } from '../meter/spending.ts'
import { NO_USAGE, inputTokensOf, type Usage } from '../meter/usage.ts'
import type { OpenSpan } from '../trace/trace.ts'
import { USES_NOTHING } from './attempt.ts'
import type { CallDependencies } from './call.ts'
import { type Admitted, CLIENT_CLOSED } from './chat.ts'
import { deploymentName, type Deployment, type LogicalModel } from './catalogue.ts'
import type { Closing, Journal } from './journal.ts'
import { sendJson, sendProblem } from './respond.ts'
import { answerHeaders, outcomeOf, problemJson, scopesJson, spendingJson, stagesJson } from './settle.ts'
import { sizeOfTexts } from './route/size.ts'
import { type EmbeddingsRequest, encodeVector, type RerankRequest } from './surface/openai.ts'
import { Turn, Turns } from './route/turns.ts'

/** The operations that answer at once, without a stream: rerank and embeddings. The same
 *  admission, fallback and settlement as a chat. */

export interface DirectDependencies extends CallDependencies {
  readonly journal: Journal
}

interface Answered {
  /** What the deployment said about itself, where it did. */
  readonly usage: Usage | undefined
}

interface Body extends Answered {
  readonly body: JsonObject
}

type Ask<Answer extends Answered> = (
  deployment: Deployment,
  context: CallContext & { readonly signal: AbortSignal },
) => Promise<Answer>

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
  return runDirect(dependencies, { ...admitted, texts }, 'rerank', reply, async ({ engine, model }, context) => {
    const { results, usage } = await engine.rerank({ ...context, model, query, documents, topN })
    const listed = results.map(({ index, score }): JsonObject => ({
      index,
      relevance_score: score,
      ...(request.returnDocuments ? { document: { text: documents[index] ?? '' } } : {}),
    }))
    return { body: { id: context.requestId, model: admitted.model.name, results: listed }, usage }
  })
}

export function runEmbeddings(
  dependencies: DirectDependencies,
  admitted: Admitted,
  request: EmbeddingsRequest,
  reply: Reply,
): Promise<void> {
  const admittedTexts = { ...admitted, texts: request.inputs }
  return runDirect(dependencies, admittedTexts, 'embed', reply, async ({ engine, model }, context) => {
    const { vectors, usage } = await engine.embed({ ...context, model, inputs: request.inputs })
    const data = vectors.map((vector, index): JsonObject => ({
      object: 'embedding',
      index,
      embedding: request.base64 ? encodeVector(vector) : Array.from(vector),
    }))
    return { body: { object: 'list', model: admitted.model.name, data }, usage }
  })
}

async function runDirect(
  dependencies: DirectDependencies,
  admitted: Admitted & { readonly texts: readonly string[] },
  operation: Operation,
  reply: Reply,
  ask: Ask<Body>,
): Promise<void> {
  const { clock, journal } = dependencies
  const { requestId, scopes, model, trace, spending, texts } = admitted
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
    ...spendingJson(spending, answering),
    totalMs: trace.elapsedMs(),
    stages: stagesJson(trace.spans()),
  })
  try {
    const call = { requestId, operation, model, spending, texts, span: trace.open('call'), signal: stop.signal }
    const asked = await askInTurn(dependencies, call, ask).finally(() => call.span.end())
    deadline.cancel()
    if (asked instanceof Refusal) return await failed(asked)
    const { deployment, answered } = asked
    answering = deployment
    await journal.close(requestId, { ...settled(), outcome: 'answered', status: 200 })
    const { usage } = spending.charges.at(-1) ?? spending.total
    const tokens = inputTokensOf(usage)
    const body: Json = { ...answered.body, usage: { prompt_tokens: tokens, total_tokens: tokens } }
    sendJson(reply, requestId, 200, body, answerHeaders(deployment, spending, spending.total))
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

export interface DirectCall extends Pick<CallContext, 'requestId' | 'spending'> {
  readonly operation: Operation
  readonly model: LogicalModel
  /** Everything the engine reads. */
  readonly texts: readonly string[]
  /** What is used that is not counted in tokens. */
  readonly units?: number
  /** Where the attempts are recorded. */
  readonly span: OpenSpan
  readonly signal: AbortSignal
}

/** Asks one deployment after another, while failing elsewhere may help. Rejects with the last
 *  `Fault`; a budget's refusal is returned. */
export async function askInTurn<Answer extends Answered>(
  dependencies: CallDependencies,
  { requestId, operation, model, texts, units, spending, span: call, signal }: DirectCall,
  ask: Ask<Answer>,
): Promise<{ readonly deployment: Deployment; readonly answered: Answer } | Refusal> {
  const { clock } = dependencies
  const deadlineMs = clock.monotonicMs() + model.timeouts.totalMs
  const turns = new Turns(dependencies, model, { operation, size: sizeOfTexts(texts), atMs: spending.atMs })
  let last: Problem | undefined
  for (;;) {
    const turn = turns.next(last, deadlineMs - clock.monotonicMs())
    if (!(turn instanceof Turn)) return given(turn)
    if (turn.delayMs > 0) await sleep(clock, turn.delayMs, signal)
    const { deployment, model: of } = turn.candidate
    const price = deployment.priceAt?.(spending.atMs)
    const held = await spending.hold({
      model: of.name,
      deployment: deploymentName(deployment),
      // A price of tokens says nothing about units.
      price: units !== undefined && price?.price.unitNanoUsd === undefined ? undefined : price,
      ...(units === undefined ? {} : { units }),
      input: () => ({ tokensMax: textsTokensBound(texts, deployment.tokenizer), unbounded: undefined }),
      outputTokensMax: 0,
      choices: 1,
    })
    if (!(held instanceof HeldCall)) {
      last ??= held instanceof Refusal ? held : held.otherwise
      continue
    }
    const begun = signal.aborted ? undefined : turns.begin(turn.candidate)
    if (begun === undefined) {
      held.cancel()
      if (signal.aborted) throw toFault(signal.reason)
      continue
    }
    const ownCount = (): Usage => ({
      ...NO_USAGE,
      inputTokens: texts.reduce((sum, text) => sum + estimateTextTokens(text, deployment.tokenizer), 0),
      ...(units === undefined ? { estimated: true } : { units }),
    })
    // At once, and not when the engine has noticed: by then the request is closed.
    const isFirst = last === undefined
    const stopped = (): void => {
      // Whoever stopped it was not the engine, unless that had all the time there was.
      const { reason } = signal
      begun.visit?.end(isFirst && reason instanceof Fault && reason.code === 'engine_timeout' ? reason : 'unknown')
      held.settle(ownCount())
    }
    signal.addEventListener('abort', stopped, { once: true })
    const span = call.child('attempt')
    try {
      const connectTimeoutMs = model.timeouts.connectMs
      const answered = await ask(deployment, { requestId, span, spending, signal, connectTimeoutMs })
      begun.visit?.end('answered')
      held.settle(answered.usage ?? ownCount())
      span.end({ deployment: deploymentName(deployment), outcome: 'answered' })
      return { deployment, answered }
    } catch (thrown) {
      const cause = toFault(thrown)
      begun.visit?.end(cause)
      if (USES_NOTHING.has(cause.code)) held.cancel()
      else held.settle(ownCount())
      span.end({ deployment: deploymentName(deployment), outcome: 'failed', error: cause.code })
      if (signal.aborted || !isRetryable(cause)) throw cause
      last = cause
    } finally {
      signal.removeEventListener('abort', stopped)
    }
  }
}

function given(problem: Problem): Refusal {
  if (problem instanceof Refusal) return problem
  throw toFault(problem)
}
