import { Fault, fault, type Problem, Refusal, toFault } from '../base/errors.ts'
import type { AskWith, CallModel, EmbedWith, Operation, RerankWith } from '../engine/port.ts'
import { newId } from '../base/ids.ts'
import { isObject, type Json, type JsonObject } from '../base/json.ts'
import type { Spending } from '../meter/spending.ts'
import { Trace } from '../trace/trace.ts'
import type { CallDependencies } from './call.ts'
import { guardedCall } from './guarded-call.ts'
import { guardedTexts } from './guarded-texts.ts'
import { pairTexts } from './direct.ts'
import { askInTurn } from './in-turn.ts'
import type { OwnRequest } from './own.ts'

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

/** What a call outside of any request is: on whose account, and on record. */
export type MakeOwn = (
  call: { readonly id: string; readonly operation: Operation; readonly model: string },
  collection: string | undefined,
) => OwnRequest

/** @param makeOwn For an embedding outside of any request. */
export function innerEmbed(dependencies: CallDependencies, makeOwn: MakeOwn): EmbedWith {
  return async (name, { inputs, describe = false, span, spending: payer, signal, collection }) => {
    const model = dependencies.catalogue().get(name)
    if (model === undefined) throw fault('model_unknown', { model: name })
    const { clock, random } = dependencies
    const requestId = newId('req', clock, random)
    const embed = async (spending: Spending): ReturnType<EmbedWith> => {
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
    }
    if (payer !== undefined) return await embed(payer)
    return await alone(makeOwn({ id: requestId, operation: 'embed', model: name }, collection), embed)
  }
}

async function alone<Value>(own: OwnRequest, run: (spending: Spending) => Promise<Value>): Promise<Value> {
  const refused = await own.enter()
  if (refused !== undefined) throw asFault(refused)
  try {
    const value = await run(own.spending)
    await own.end()
    return value
  } catch (thrown) {
    await own.end(toFault(thrown))
    throw thrown
  }
}

/** As `innerEmbed`, for a chat. */
export function innerAsk(dependencies: CallDependencies, makeOwn: MakeOwn): AskWith {
  return async (name, { messages, outputTokensMax, signal, collection }) => {
    const { clock, random } = dependencies
    const requestId = newId('req', clock, random)
    const call = { id: requestId, operation: 'chat', model: name } as const
    return await alone(makeOwn(call, collection), async (spending) => {
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
      }
    })
  }
}

function contentOf(frame: JsonObject): string {
  const { choices } = frame
  const [first] = Array.isArray(choices) ? (choices as readonly Json[]) : []
  const message = isObject(first) ? first['message'] : undefined
  const content = isObject(message) ? message['content'] : undefined
  return typeof content === 'string' ? content : ''
}
