import { Fault, fault, type Problem, Refusal } from '../base/errors.ts'
import type { CallModel, RerankWith } from '../engine/port.ts'
import { type CallDependencies, callModel } from './call.ts'
import { askInTurn, pairTexts } from './direct.ts'

/** What a workflow may call by name, inside the request that called the workflow. */

export function innerCalls(dependencies: CallDependencies): CallModel {
  return (name, call, sink) => {
    const model = dependencies.catalogue().get(name)
    if (model === undefined) {
      sink.fail(fault('model_unknown', { model: name }))
      return { cancel() {}, pause() {}, resume() {} }
    }
    return callModel(
      dependencies,
      { ...call, model },
      {
        commit() {},
        frame: (frame) => sink.frame(frame),
        end: (end) => sink.end(end),
        fail: (cause) => sink.fail(asFault(cause)),
      },
    )
  }
}

/** What refuses a call refuses the workflow that made it. */
const asFault = (problem: Problem): Fault =>
  problem instanceof Fault ? problem : new Fault(problem.code, problem.details)

export function innerRerank(dependencies: CallDependencies): RerankWith {
  return async (name, { query, documents, ...call }) => {
    const model = dependencies.catalogue().get(name)
    if (model === undefined) throw fault('model_unknown', { model: name })
    const asked = await askInTurn(
      dependencies,
      { ...call, operation: 'rerank', model, texts: pairTexts(query, documents) },
      async ({ engine, model: of }, context) => {
        const { results, usage } = await engine.rerank({
          ...context,
          model: of,
          query,
          documents,
          topN: documents.length,
        })
        return { order: results.map(({ index }) => index), usage }
      },
    )
    if (asked instanceof Refusal) throw asFault(asked)
    return asked.answered.order
  }
}
