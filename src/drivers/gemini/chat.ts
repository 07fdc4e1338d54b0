import { isObject, type Json, type JsonObject } from '../../base/json.ts'
import { ChatExchange, parseObject } from '../../engine/exchange.ts'
import { reasonFrom } from '../../engine/fault.ts'
import type { ChatCall, ChatSink } from '../../engine/port.ts'
import type { SseEvent } from '../../engine/sse.ts'
import { told } from '../../engine/told.ts'
import { readUsage } from './usage.ts'

/** One answer of `generateContent` as OpenAI's frames. What it thought is `reasoning_content`. A stream is
 *  over when its connection closes; each candidate says before why it has ended. */
export class GeminiChat extends ChatExchange {
  readonly #common: JsonObject
  #usage: JsonObject = {}
  #model: Json | undefined
  /** Calls so far, of each candidate. */
  readonly #calls = new Map<number, number>()
  readonly #begun = new Set<number>()
  readonly #finished = new Set<number>()

  constructor(engine: string, call: ChatCall, sink: ChatSink, createdS: number) {
    super(engine, call, sink)
    this.#common = { id: `chatcmpl-${call.requestId}`, created: createdS, model: call.model }
  }

  protected override event({ data }: SseEvent): void {
    const said = parseObject(Buffer.from(data))
    if (said === undefined) return this.garbled('an event is no JSON object')
    if (isObject(said['error'])) return this.broken(reasonFrom(said))
    this.#read(said)
    const blocked = blockOf(said)
    if (blocked !== undefined) return this.#refuse(blocked)
    for (const candidate of listOf(said['candidates'])) this.#say(candidate)
  }

  protected whole(answer: JsonObject): void {
    this.#read(answer)
    const blocked = blockOf(answer)
    const candidates = listOf(answer['candidates'])
    if (blocked === undefined && candidates.length === 0) return this.garbled('it has no `candidates`')
    const refused = { index: 0, message: { role: 'assistant', content: null, refusal: blocked ?? '' } }
    const choices =
      blocked === undefined
        ? candidates.map((one) => ({ index: indexOf(one), message: this.#message(one), finish_reason: finishOf(one) }))
        : [{ ...refused, finish_reason: 'content_filter' }]
    this.frame({ ...this.#commonNow(), object: 'chat.completion', choices })
    this.complete(told(readUsage(this.#usage), this.#usage))
  }

  protected closed(): void {
    const isWhole = this.#finished.size > 0 && [...this.#begun].every((index) => this.#finished.has(index))
    if (isWhole) this.complete(told(readUsage(this.#usage), this.#usage))
    else this.broken('it ended before it was finished')
  }

  /** The counts grow in the course of a stream; the last is the whole. */
  #read({ usageMetadata, modelVersion }: JsonObject): void {
    if (isObject(usageMetadata)) this.#usage = { ...this.#usage, ...usageMetadata }
    this.#model ??= modelVersion
  }

  #say(candidate: JsonObject): void {
    const index = indexOf(candidate)
    if (this.#finished.has(index)) return
    if (!this.#begun.has(index)) {
      this.#begun.add(index)
      this.#frame(index, { role: 'assistant', content: '' }, null)
    }
    for (const part of partsOf(candidate)) {
      const delta = this.#deltaOf(index, part)
      if (delta !== undefined) this.#frame(index, delta, null)
    }
    if (typeof candidate['finishReason'] !== 'string') return
    this.#finished.add(index)
    this.#frame(index, {}, this.#finish(index, candidate))
  }

  /** The prompt was not let through. */
  #refuse(reason: string): void {
    this.#begun.add(0)
    this.#finished.add(0)
    this.#frame(0, { role: 'assistant', refusal: reason }, null)
    this.#frame(0, {}, 'content_filter')
  }

  #deltaOf(index: number, part: JsonObject): JsonObject | undefined {
    const { text, thought, functionCall: call } = part
    if (isObject(call))
      return { tool_calls: [{ index: this.#callNumber(index), ...this.#toolCall(index, part, call) }] }
    if (typeof text !== 'string' || text === '') return undefined
    return thought === true ? { reasoning_content: text } : { content: text }
  }

  #callNumber(index: number): number {
    const number = this.#calls.get(index) ?? 0
    this.#calls.set(index, number + 1)
    return number
  }

  /** Older models give their calls no id. */
  #toolCall(index: number, { thoughtSignature }: JsonObject, { id, name = null, args = {} }: JsonObject): JsonObject {
    const made = `call_${String(this.#common['id']).slice('chatcmpl-'.length)}_${index}_${this.#calls.get(index) ?? 0}`
    return {
      id: typeof id === 'string' && id !== '' ? id : made,
      type: 'function',
      function: { name, arguments: JSON.stringify(args) },
      ...(typeof thoughtSignature === 'string'
        ? { extra_content: { google: { thought_signature: thoughtSignature } } }
        : {}),
    }
  }

  #message(candidate: JsonObject): JsonObject {
    const index = indexOf(candidate)
    const parts = partsOf(candidate)
    const texts = (thoughts: boolean): string =>
      parts
        .map(({ text, thought }) => (typeof text === 'string' && (thought === true) === thoughts ? text : ''))
        .join('')
    const calls = parts.flatMap((part) => {
      const { functionCall: call } = part
      if (!isObject(call)) return []
      this.#callNumber(index)
      return [this.#toolCall(index, part, call)]
    })
    const [content, thought] = [texts(false), texts(true)]
    return {
      role: 'assistant',
      content: content === '' && calls.length > 0 ? null : content,
      ...(thought === '' ? {} : { reasoning_content: thought }),
      ...(calls.length === 0 ? {} : { tool_calls: calls }),
    }
  }

  /** It says `STOP` where it calls tools too. */
  #finish(index: number, candidate: JsonObject): string {
    const reason = finishOf(candidate)
    return reason === 'stop' && (this.#calls.get(index) ?? 0) > 0 ? 'tool_calls' : reason
  }

  #frame(index: number, delta: JsonObject, finish: string | null): void {
    this.frame({
      ...this.#commonNow(),
      object: 'chat.completion.chunk',
      choices: [{ index, delta, finish_reason: finish }],
    })
  }

  #commonNow(): JsonObject {
    return { ...this.#common, model: this.#model ?? this.#common['model'] ?? null }
  }
}

const FINISHES: { readonly [reason: string]: string } = {
  MAX_TOKENS: 'length',
  SAFETY: 'content_filter',
  RECITATION: 'content_filter',
  BLOCKLIST: 'content_filter',
  PROHIBITED_CONTENT: 'content_filter',
  SPII: 'content_filter',
  IMAGE_SAFETY: 'content_filter',
}

function finishOf(candidate: JsonObject): string {
  const reason = FINISHES[String(candidate['finishReason'])] ?? 'stop'
  return reason === 'stop' && partsOf(candidate).some((part) => isObject(part['functionCall'])) ? 'tool_calls' : reason
}

function blockOf({ promptFeedback: feedback }: JsonObject): string | undefined {
  const reason = isObject(feedback) ? feedback['blockReason'] : undefined
  return typeof reason === 'string' ? `The prompt was blocked: ${reason}.` : undefined
}

const indexOf = ({ index }: JsonObject): number => (typeof index === 'number' ? index : 0)

const partsOf = ({ content }: JsonObject): readonly JsonObject[] => (isObject(content) ? listOf(content['parts']) : [])

const listOf = (value: Json | undefined): readonly JsonObject[] =>
  Array.isArray(value) ? (value as readonly Json[]).filter(isObject) : []
