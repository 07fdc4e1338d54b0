import { isObject, type Json, type JsonObject } from '../../base/json.ts'
import type { Passage } from '../passage.ts'
import type { Quote } from './cite.ts'
import type { Outlet } from './outlet.ts'

/** An answer as it comes in, held to the policy. */

/** What an engine that knows its sources says about its own answer. */
export interface EngineSays {
  readonly answered?: boolean
  readonly quotes?: readonly Quote[]
}

/** Of a frame's `headworks`, what can be believed: any server behind an engine may send one. */
function readEngineSays({ answered, quotes }: JsonObject, passages: readonly Passage[]): EngineSays {
  const isQuote = (one: Json): one is JsonObject & Quote =>
    isObject(one) &&
    [one['source'], one['start'], one['end']].every(Number.isSafeInteger) &&
    Number(one['start']) >= 0 &&
    Number(one['start']) < Number(one['end']) &&
    Number(one['end']) <= (passages[Number(one['source']) - 1]?.text.length ?? 0)
  return {
    ...(typeof answered === 'boolean' ? { answered } : {}),
    ...(Array.isArray(quotes) ? { quotes: (quotes as readonly Json[]).filter(isQuote) } : {}),
  }
}

export class Draft {
  readonly outlet: Outlet
  readonly #passages: readonly Passage[]
  readonly #stream: boolean
  #text = ''
  #says: EngineSays = {}
  #reported: JsonObject | undefined
  /** The frame with the finish reason, kept so that citations can go out with it. */
  #last: JsonObject | undefined

  constructor(outlet: Outlet, passages: readonly Passage[], stream: boolean) {
    this.outlet = outlet
    this.#passages = passages
    this.#stream = stream
  }

  /** What the reader is shown. */
  get text(): string {
    return this.#text
  }

  get says(): EngineSays {
    return this.#says
  }

  /** What the engine calls the model that answered. */
  get reported(): JsonObject {
    return this.#reported ?? {}
  }

  /** The frame as it may leave now; undefined: it leaves with the end. */
  take(frame: JsonObject): JsonObject | undefined {
    const { headworks, model, system_fingerprint: fingerprint } = frame
    if (isObject(headworks)) this.#says = readEngineSays(headworks, this.#passages)
    this.#reported ??= {
      ...(typeof model === 'string' ? { model } : {}),
      ...(typeof fingerprint === 'string' ? { systemFingerprint: fingerprint } : {}),
    }
    const { frame: passed, text, isLast } = this.outlet.pass(frame)
    this.#text += text
    // What had only another choice, or a call that may not be made, says nothing.
    if (this.#stream && !isLast) return (passed['choices'] as readonly Json[]).length === 0 ? undefined : passed
    this.#last = passed
    return undefined
  }

  /** The last frame; with what was still held back, where the engine never said that it ended. */
  finish(): JsonObject {
    const rest = this.outlet.rest()
    const { content } = rest
    if (typeof content === 'string') this.#text += content
    if (this.#last === undefined && this.#stream)
      return { object: 'chat.completion.chunk', choices: [{ index: 0, delta: rest, finish_reason: 'stop' }] }
    return this.#last ?? {}
  }
}

/** Puts annotations where OpenAI's clients look for them: on the message, or on the last delta. */
export function withAnnotations(frame: JsonObject, list: readonly JsonObject[]): JsonObject {
  const choices = frame['choices']
  if (!Array.isArray(choices)) return frame
  return {
    ...frame,
    choices: (choices as readonly Json[]).map((choice) => {
      if (!isObject(choice)) return choice
      const name = isObject(choice['delta']) ? 'delta' : 'message'
      const part = choice[name]
      return { ...choice, [name]: { ...(isObject(part) ? part : {}), annotations: list } }
    }),
  }
}
