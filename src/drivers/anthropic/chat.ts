import { fault } from '../../base/errors.ts'
import { isObject, type Json, type JsonObject } from '../../base/json.ts'
import { ChatExchange, parseObject } from '../../engine/exchange.ts'
import { reasonFrom } from '../../engine/fault.ts'
import type { ChatCall, ChatSink } from '../../engine/port.ts'
import type { SseEvent } from '../../engine/sse.ts'
import { endWith } from './usage.ts'

/** One answer of the Messages API as OpenAI's frames. What it thought is `reasoning_content`; whole
 *  blocks of it, with the signature that a next turn must show, are `thinking_blocks`. */

/** A block of a stream that is not at its end. */
interface Block {
  /** Of a tool call: its place among them. */
  readonly tool?: number
  readonly thinks: boolean
  /** What came of it, where that is said again at its end. */
  text: string
  signature: string
}

export class AnthropicChat extends ChatExchange {
  readonly #engine: string
  readonly #createdS: number
  #common: JsonObject | undefined
  #usage: JsonObject = {}
  readonly #blocks = new Map<Json, Block>()
  #tools = 0
  #finished = false
  #said = false

  constructor(engine: string, call: ChatCall, sink: ChatSink, createdS: number) {
    super(engine, call, sink)
    this.#engine = engine
    this.#createdS = createdS
  }

  protected override event({ event, data }: SseEvent): void {
    const said = parseObject(Buffer.from(data))
    if (said === undefined) return this.garbled('an event is no JSON object')
    const type = typeof said['type'] === 'string' ? said['type'] : event
    if (type === 'error' || isObject(said['error'])) return this.#error(said)
    if (type === 'message_start') return this.#start(said['message'])
    // Others than these may be added at any time, and say nothing that must be known.
    if (!PARTS.has(type)) return
    if (this.#common === undefined) return this.garbled(`${type} came before message_start`)
    if (type === 'content_block_start') this.#open(said['index'] ?? null, said['content_block'])
    else if (type === 'content_block_delta') this.#delta(said['index'] ?? null, said['delta'])
    else if (type === 'content_block_stop') this.#close(said['index'] ?? null)
    else if (type === 'message_delta') this.#stop(said)
    else if (this.#finished) this.complete(endWith(this.#usage))
    else this.broken('it ended without a stop reason')
  }

  protected whole(answer: JsonObject): void {
    const content = answer['content']
    if (answer['type'] !== 'message' || !Array.isArray(content)) return this.garbled('its answer is no message')
    const blocks = (content as readonly Json[]).filter(isObject)
    const all = (type: string, field: string): string =>
      blocks.map((block) => (block['type'] === type && typeof block[field] === 'string' ? block[field] : '')).join('')
    const calls = blocks.filter(({ type }) => type === 'tool_use')
    const thinking = blocks.filter(({ type }) => type === 'thinking' || type === 'redacted_thinking')
    const text = all('text', 'text')
    const message = {
      role: 'assistant',
      content: text === '' && calls.length > 0 ? null : text,
      ...(thinking.length === 0 ? {} : { reasoning_content: all('thinking', 'thinking'), thinking_blocks: thinking }),
      ...(calls.length === 0 ? {} : { tool_calls: calls.map(toolCall) }),
    }
    const choice = { index: 0, message, ...finishOf(answer) }
    this.frame({ ...this.#commonOf(answer), object: 'chat.completion', choices: [choice] })
    this.complete(isObject(answer['usage']) ? endWith(answer['usage']) : {})
  }

  /** With its stop reason an answer is complete, whether or not `message_stop` came. */
  protected closed(): void {
    if (this.#finished) this.complete(endWith(this.#usage))
    else this.broken('it ended before it was finished')
  }

  #start(message: Json | undefined): void {
    if (!isObject(message)) return this.garbled('message_start has no `message`')
    if (this.#common !== undefined) return this.garbled('message_start came twice')
    this.#common = { ...this.#commonOf(message), object: 'chat.completion.chunk' }
    this.#count(message['usage'])
    this.#say({ role: 'assistant', content: '' })
  }

  #open(index: Json, block: Json | undefined): void {
    if (!isObject(block)) return this.garbled('a block has no `content_block`')
    const { type } = block
    if (type === 'tool_use') {
      const tool = this.#tools++
      this.#blocks.set(index, { tool, thinks: false, text: '', signature: '' })
      const { id, function: called } = toolCall(block)
      const given = isObject(block['input']) && Object.keys(block['input']).length > 0
      this.#say({
        tool_calls: [{ index: tool, id, type: 'function', function: given ? called : { ...called, arguments: '' } }],
      })
      if (given) this.#blocks.set(index, { tool, thinks: false, text: called.arguments, signature: '' })
      return
    }
    this.#blocks.set(index, { thinks: type === 'thinking', text: '', signature: '' })
    if (type === 'redacted_thinking') this.#say({ thinking_blocks: [block] })
    const first = block[type === 'thinking' ? 'thinking' : 'text']
    if ((type === 'text' || type === 'thinking') && typeof first === 'string' && first !== '')
      this.#delta(index, { type: `${type}_delta`, [type]: first })
  }

  #delta(index: Json, delta: Json | undefined): void {
    const block = this.#blocks.get(index)
    if (block === undefined || !isObject(delta)) return this.garbled('a delta belongs to no block')
    const { text, thinking, partial_json: json, signature } = delta
    if (typeof text === 'string' && text !== '') this.#say({ content: text })
    else if (typeof thinking === 'string' && thinking !== '') {
      block.text += thinking
      this.#say({ reasoning_content: thinking })
    } else if (typeof json === 'string' && json !== '' && block.tool !== undefined) {
      block.text = json
      this.#say({ tool_calls: [{ index: block.tool, function: { arguments: json } }] })
    } else if (typeof signature === 'string') block.signature += signature
  }

  #close(index: Json): void {
    const block = this.#blocks.get(index)
    if (block === undefined) return
    this.#blocks.delete(index)
    const { tool, thinks, text: thinking, signature } = block
    // A tool without parameters: callers read its arguments as JSON all the same.
    if (tool !== undefined && thinking === '')
      this.#say({ tool_calls: [{ index: tool, function: { arguments: '{}' } }] })
    if (thinks) this.#say({ thinking_blocks: [{ type: 'thinking', thinking, signature }] })
  }

  #stop(said: JsonObject): void {
    this.#count(said['usage'])
    const delta = isObject(said['delta']) ? said['delta'] : {}
    if (this.#finished || typeof delta['stop_reason'] !== 'string') return
    this.#finished = true
    this.frame({ ...this.#common, choices: [{ index: 0, delta: {}, ...finishOf(delta) }] })
  }

  #error(said: JsonObject): void {
    const { error } = said
    const type = isObject(error) ? error['type'] : undefined
    const reason = reasonFrom(said)
    if (!this.#said && (type === 'overloaded_error' || type === 'rate_limit_error'))
      this.failed(fault('engine_busy', { engine: this.#engine, status: 529, reason }))
    else this.broken(reason)
  }

  /** Counts grow in the course of a stream; the last of each is the whole. */
  #count(usage: Json | undefined): void {
    if (!isObject(usage)) return
    const known = Object.entries(usage).filter(([, value]) => value !== null)
    this.#usage = { ...this.#usage, ...Object.fromEntries(known) }
  }

  #say(delta: JsonObject): void {
    this.#said ||= delta['role'] === undefined
    this.frame({ ...this.#common, choices: [{ index: 0, delta, finish_reason: null }] })
  }

  #commonOf({ id, model }: JsonObject): JsonObject {
    return { id: typeof id === 'string' ? id : this.#engine, created: this.#createdS, model: model ?? null }
  }
}

const PARTS: ReadonlySet<string> = new Set([
  'content_block_start',
  'content_block_delta',
  'content_block_stop',
  'message_delta',
  'message_stop',
])

const toolCall = ({ id, name, input }: JsonObject) => ({
  id: id ?? null,
  type: 'function',
  function: { name: name ?? null, arguments: JSON.stringify(input ?? {}) },
})

const FINISHES: { readonly [reason: string]: string } = {
  max_tokens: 'length',
  model_context_window_exceeded: 'length',
  tool_use: 'tool_calls',
  refusal: 'content_filter',
}

/** Which stop sequence it met is told as vLLM tells it, in `stop_reason`. */
const finishOf = ({ stop_reason: reason, stop_sequence: sequence }: JsonObject): JsonObject => ({
  finish_reason: FINISHES[String(reason)] ?? 'stop',
  ...(typeof sequence === 'string' ? { stop_reason: sequence } : {}),
})
