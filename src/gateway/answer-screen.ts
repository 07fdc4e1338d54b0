import type { Refusal } from '../base/errors.ts'
import { isObject, type Json, type JsonObject } from '../base/json.ts'
import type { GuardedRequest } from '../guard/guardrails/guardrails.ts'
import type { Screen } from '../guard/guardrails/screen.ts'

/** Leads the texts of an answer's frames, chunks of a stream or the whole one, through a screen each. */

const TEXTS = ['content', 'reasoning_content', 'reasoning', 'refusal'] as const

interface Channel {
  readonly screen: Screen
  /** Where what is held at the end belongs. */
  readonly choice: number
  readonly field: (text: string) => JsonObject
}

export class AnswerScreen {
  readonly #guarded: GuardedRequest
  readonly #onBlock: (problem: Refusal) => void
  readonly #channels = new Map<string, Channel>()
  /** What each choice says, as it may leave. */
  readonly #answers = new Map<number, string>()
  /** What all chunks of an answer have in common. */
  #common: JsonObject | undefined
  readonly #finished = new Set<number>()

  constructor(guarded: GuardedRequest, onBlock: (problem: Refusal) => void) {
    this.#guarded = guarded
    this.#onBlock = onBlock
  }

  frame(frame: JsonObject): JsonObject {
    const { choices } = frame
    if (!Array.isArray(choices)) return frame
    const { choices: _, usage: __, ...common } = frame
    this.#common = common
    return { ...frame, choices: (choices as readonly Json[]).map((choice) => this.#choice(choice)) }
  }

  /** What was held back to the last, as a chunk of its own; undefined without any. A choice that says that it
   *  is finished lets go of everything, so only streams that end without saying so leave any. */
  end(): JsonObject | undefined {
    const choices: JsonObject[] = []
    for (const { screen, choice, field } of this.#channels.values()) {
      const rest = screen.end()
      if (rest !== '') choices.push({ index: choice, delta: this.#said(choice, field(rest)), finish_reason: null })
    }
    return choices.length === 0 ? undefined : { ...this.#common, choices }
  }

  /** What each choice says. */
  answers(): string[] {
    return [...this.#answers.values()]
  }

  /** The end of an answer that is blocked, as the field has it; undefined where nothing of it has arrived. */
  blockedEnd(): JsonObject | undefined {
    const common = this.#common
    if (common === undefined) return undefined
    const isChunk = common['object'] !== 'chat.completion'
    const open = [...new Set([0, ...this.#answers.keys()])].filter((index) => !this.#finished.has(index))
    const nothing = isChunk ? { delta: {} } : { message: { role: 'assistant', content: null, refusal: null } }
    return { ...common, choices: open.map((index) => ({ index, ...nothing, finish_reason: 'content_filter' })) }
  }

  #choice(choice: Json): Json {
    if (!isObject(choice)) return choice
    const index = typeof choice['index'] === 'number' ? choice['index'] : 0
    const { delta, message, finish_reason: reason } = choice
    if (isObject(message)) {
      const said = this.#texts(index, message, true)
      this.#answers.set(index, typeof said['content'] === 'string' ? said['content'] : '')
      return { ...choice, message: said, ...withoutTokens(choice) }
    }
    if (!isObject(delta)) return choice
    const isLast = typeof reason === 'string'
    if (isLast) this.#finished.add(index)
    return { ...choice, delta: this.#said(index, this.#texts(index, delta, isLast)), ...withoutTokens(choice) }
  }

  #said(index: number, delta: JsonObject): JsonObject {
    const { content } = delta
    this.#answers.set(index, (this.#answers.get(index) ?? '') + (typeof content === 'string' ? content : ''))
    return delta
  }

  /** `isLast`: nothing more follows, so nothing is held back. */
  #texts(index: number, said: JsonObject, isLast: boolean): JsonObject {
    const screened: { [name: string]: Json | undefined } = { ...said }
    for (const name of TEXTS) {
      const text = said[name]
      const key = `${index} ${name}`
      if (typeof text !== 'string' && !(isLast && this.#channels.has(key))) continue
      const passed = this.#pass(key, typeof text === 'string' ? text : '', isLast, false, index, (rest) => ({
        [name]: rest,
      }))
      if (typeof text === 'string' || passed !== '') screened[name] = passed
    }
    const calls = said['tool_calls']
    if (Array.isArray(calls))
      screened['tool_calls'] = (calls as readonly Json[]).map((call, at) => this.#call(index, call, at, isLast))
    if (!isLast) return screened
    const rest = this.#restOfCalls(index)
    if (rest.length > 0)
      screened['tool_calls'] = [...((screened['tool_calls'] as readonly Json[] | undefined) ?? []), ...rest]
    return screened
  }

  #call(index: number, call: Json, at: number, isLast: boolean): Json {
    if (!isObject(call)) return call
    const { function: called } = call
    if (!isObject(called) || typeof called['arguments'] !== 'string') return call
    const number = typeof call['index'] === 'number' ? call['index'] : at
    const key = `${index} call ${number}`
    const whole = isLast && call['id'] !== undefined && call['index'] === undefined
    const passed = this.#pass(key, called['arguments'], whole, true, index, (rest) => callChunk(number, rest))
    return { ...call, function: { ...called, arguments: passed } }
  }

  #restOfCalls(index: number): Json[] {
    const rest: Json[] = []
    for (const [key, { screen, choice, field }] of this.#channels) {
      if (choice !== index || !key.includes(' call ')) continue
      const text = screen.end()
      const calls = text === '' ? undefined : field(text)['tool_calls']
      if (Array.isArray(calls)) rest.push(...(calls as readonly Json[]))
    }
    return rest
  }

  #pass(key: string, text: string, isLast: boolean, escaped: boolean, choice: number, field: Channel['field']): string {
    let channel = this.#channels.get(key)
    if (channel === undefined) {
      channel = { screen: this.#guarded.screen(escaped, this.#onBlock), choice, field }
      this.#channels.set(key, channel)
    }
    const passed = channel.screen.push(text)
    return isLast ? passed + channel.screen.end() : passed
  }
}

const callChunk = (index: number, text: string): JsonObject => ({
  tool_calls: [{ index, function: { arguments: text } }],
})

/** The probabilities of tokens say the text again. */
const withoutTokens = (choice: JsonObject): JsonObject => ('logprobs' in choice ? { logprobs: null } : {})
