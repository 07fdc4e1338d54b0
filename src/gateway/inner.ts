import { Fault, fault, type Problem, Refusal, toFault } from '../base/errors.ts'
import type { AskWith, CallModel, EmbedWith, RerankWith } from '../engine/port.ts'
import { newId } from '../base/ids.ts'
import { isObject, type Json, type JsonObject } from '../base/json.ts'
import type { Spending } from '../meter/spending.ts'
import { Trace } from '../trace/trace.ts'
import type { CallDependencies } from './call.ts'
import { guardedCall } from './guarded-call.ts'
import { guardedTexts } from './guarded-texts.ts'
import { askInTurn, pairTexts } from './direct.ts'

/** What a workflow may call by name, inside the request that called the workflow. */

export function innerCalls(dependencies: CallDependencies): CallModel {
  return (name, call, sink) => {
    const model = dependencies.catalogue().get(name)
    if (model === undefined) {
      sink.fail(fault('model_unknown', { model: name }))
      return { cancel() {}, pause() {}, resume() {} }
    }
    return guardedCall(
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

/** `account` makes what an embedding outside of any request is charged to. */
export function innerEmbed(
  dependencies: CallDependencies,
  account: (requestId: string, model: string) => Spending,
): EmbedWith {
  return async (name, { inputs, describe = false, span, spending: payer, signal }) => {
    const model = dependencies.catalogue().get(name)
    if (model === undefined) throw fault('model_unknown', { model: name })
    const { clock, random } = dependencies
    const requestId = newId('req', clock, random)
    const spending = payer ?? account(requestId, name)
    const refused = payer === undefined ? await spending.enter() : undefined
    if (refused !== undefined) throw asFault(refused)
    try {
      const call = { requestId, spending, signal, span: span ?? new Trace(clock).open('embed') }
      const texts = await guardedTexts(model, inputs, call.span)
      if (texts instanceof Refusal) throw asFault(texts)
      const asked = await askInTurn(
        dependencies,
        { ...call, operation: 'embed', model, texts },
        async ({ engine, model: of }, context) => {
          const answer = await engine.embed({ ...context, model: of, inputs: texts, describe })
          return { ...answer, usage: answer.usage }
        },
      )
      if (asked instanceof Refusal) throw asFault(asked)
      const { vectors, facts } = asked.answered
      return facts === undefined ? { vectors } : { vectors, facts }
    } finally {
      if (payer === undefined) spending.leave()
    }
  }
}

/** As `innerEmbed`, for a chat. */
export function innerAsk(
  dependencies: CallDependencies,
  account: (requestId: string, model: string) => Spending,
): AskWith {
  return async (name, { messages, outputTokensMax, signal }) => {
    const { clock, random } = dependencies
    const requestId = newId('req', clock, random)
    const spending = account(requestId, name)
    const refused = await spending.enter()
    if (refused !== undefined) throw asFault(refused)
    const answered = Promise.withResolvers<string>()
    let text = ''
    const attempt = innerCalls(dependencies)(
      name,
      {
        requestId,
        spending,
        span: new Trace(clock).open('ask'),
        body: { messages },
        stream: false,
        outputTokensMax,
      },
      {
        frame: (frame) => (text += contentOf(frame)),
        end: () => answered.resolve(text),
        fail: (cause) => answered.reject(cause),
      },
    )
    const stop = (): void => {
      attempt.cancel()
      answered.reject(toFault(signal.reason))
    }
    if (signal.aborted) stop()
    signal.addEventListener('abort', stop, { once: true })
    try {
      return await answered.promise
    } finally {
      signal.removeEventListener('abort', stop)
      spending.leave()
    }
  }
}

function contentOf(frame: JsonObject): string {
  const { choices } = frame
  const [first] = Array.isArray(choices) ? (choices as readonly Json[]) : []
  const message = isObject(first) ? first['message'] : undefined
  const content = isObject(message) ? message['content'] : undefined
  return typeof content === 'string' ? content : ''
}
