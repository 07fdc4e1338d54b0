import { fault } from '../base/errors.ts'
import type { JsonObject } from '../base/json.ts'
import type { CallModel, ChatEnd, RerankWith } from '../engine/port.ts'
import { estimateInputTokens, estimateOutputTokens } from '../meter/estimate.ts'
import { NO_USAGE } from '../meter/usage.ts'
import { type CallDependencies, callModel } from './call.ts'
import type { Catalogue, Deployment } from './catalogue.ts'
import { askInTurn, chargeOf } from './direct.ts'
import { bill } from './settle.ts'

/** What a workflow may call by name, inside the request that called the workflow. */

export function innerCalls(dependencies: CallDependencies, catalogue: () => Catalogue): CallModel {
  return (name, call, sink) => {
    const model = catalogue().get(name)
    if (model === undefined) {
      sink.fail(fault('model_unknown', { model: name }))
      return { cancel() {}, pause() {}, resume() {} }
    }
    let answering: Deployment | undefined
    let outputTokens = 0
    const atMs = dependencies.clock.wallMs()
    const outputTokensMax = Math.min(call.outputTokensMax, model.outputTokensMax)
    return callModel(
      dependencies,
      { ...call, model, outputTokensMax },
      {
        commit: (deployment) => (answering = deployment),
        frame(frame: JsonObject) {
          outputTokens += estimateOutputTokens(frame)
          sink.frame(frame)
        },
        end(end) {
          if (answering === undefined) return
          const ownCount = { ...NO_USAGE, inputTokens: estimateInputTokens(call.body), outputTokens, estimated: true }
          sink.end({ ...end, ...bill(end, ownCount, answering, atMs) } satisfies ChatEnd)
        },
        fail: (cause) => sink.fail(cause),
      },
    )
  }
}

export function innerRerank({ clock, random }: CallDependencies, catalogue: () => Catalogue): RerankWith {
  return async (name, { query, documents, ...call }) => {
    const atMs = clock.wallMs()
    const model = catalogue().get(name)
    if (model === undefined) throw fault('model_unknown', { model: name })
    const { deployment, answered } = await askInTurn(
      random,
      { ...call, model },
      async ({ engine, model: of }, context) => {
        const { results, usage } = await engine.rerank({
          ...context,
          model: of,
          query,
          documents,
          topN: documents.length,
        })
        return { order: results.map(({ index }) => index), usage, inputs: [query, ...documents] }
      },
    )
    return { order: answered.order, ...chargeOf(answered, deployment, atMs) }
  }
}
