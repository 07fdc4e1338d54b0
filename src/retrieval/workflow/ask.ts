import { isObject, type Json, type JsonObject } from '../../base/json.ts'
import type { CallModel, InnerCall } from '../../engine/port.ts'
import { textOf } from '../../meter/estimate.ts'

/** One question to a model from within a workflow, and its whole answer as text. */

export interface ModelQuestion extends Pick<InnerCall, 'requestId' | 'span' | 'spending' | 'outputTokensMax'> {
  readonly messages: readonly JsonObject[]
  readonly signal: AbortSignal
}

/** Undefined where the model fails or nobody waits any more: what it was to add is then added
 *  otherwise, or not at all. */
export function askModel(
  callModel: CallModel,
  model: string,
  { messages, signal, ...call }: ModelQuestion,
): Promise<string | undefined> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve(undefined)
    let text = ''
    const attempt = callModel(
      model,
      { ...call, stream: false, body: { messages } },
      {
        frame: (frame) => void (text += messageText(frame)),
        end: () => resolve(text),
        fail: () => resolve(undefined),
      },
    )
    const stop = (): void => {
      attempt.cancel()
      resolve(undefined)
    }
    signal.addEventListener('abort', stop, { once: true })
  })
}

function messageText(frame: JsonObject): string {
  const choices = frame['choices']
  const first = Array.isArray(choices) ? (choices as readonly Json[])[0] : undefined
  const message = isObject(first) ? first['message'] : undefined
  return isObject(message) ? textOf(message['content']) : ''
}
