import { fault, type Problem, Refusal, statusOf, toFault } from '../base/errors.ts'
import type { JsonObject } from '../base/json.ts'
import { type DirectDependencies, pairTexts } from './direct.ts'
import { askInTurn } from './in-turn.ts'
import type { Deployment } from './catalogue.ts'
import type { Admitted } from './chat.ts'
import type { Closing } from './journal.ts'
import { outcomeOf, problemJson, scopesJson, spendingJson, stagesJson } from './settle.ts'

/** A rerank that belongs to a search of the control plane: held, routed, charged and recorded as
 *  `/v1/rerank` is, with no answer of its own. */
export async function rerankWithin(
  dependencies: DirectDependencies,
  { requestId, trace, model, scopes, spending }: Admitted,
  query: string,
  documents: readonly string[],
): Promise<readonly number[] | Refusal> {
  const { clock, journal } = dependencies
  const facts = { operation: 'rerank', ...scopesJson(scopes), model: model.name, stream: false }
  const stop = new AbortController()
  journal.open(requestId, facts, 'soon').catch((cause: unknown) => stop.abort(cause))
  const { totalMs } = model.timeouts
  const deadline = clock.after(totalMs, () =>
    stop.abort(fault('engine_timeout', { engine: model.name, phase: 'finish', limitMs: totalMs })),
  )
  const span = trace.open('rerank')
  let answering: Deployment | undefined
  const close = async (end: Pick<Closing, 'outcome'> & JsonObject): Promise<void> => {
    deadline.cancel()
    span.end({ model: model.name, documents: documents.length })
    const stages = stagesJson(trace.spans())
    const closing = { ...facts, ...spendingJson(spending, answering), totalMs: trace.elapsedMs(), stages, ...end }
    await journal.close(requestId, closing).catch(() => journal.closeLater(requestId, closing))
  }
  const failed = (problem: Problem): Promise<void> =>
    close({ outcome: outcomeOf(problem), status: statusOf(problem), ...problemJson(problem) })
  try {
    const texts = pairTexts(query, documents)
    const call = { requestId, operation: 'rerank', model, spending, texts, span, signal: stop.signal } as const
    const asked = await askInTurn(dependencies, call, async ({ engine, model: of }, context) => {
      const { results, usage } = await engine.rerank({
        ...context,
        model: of,
        query,
        documents,
        topN: documents.length,
      })
      return { order: results.map(({ index }) => index), usage }
    })
    if (asked instanceof Refusal) {
      await failed(asked)
      return asked
    }
    answering = asked.deployment
    await close({ outcome: 'answered', status: 200 })
    return asked.answered.order
  } catch (thrown) {
    stop.abort()
    await failed(toFault(thrown))
    throw thrown
  }
}
