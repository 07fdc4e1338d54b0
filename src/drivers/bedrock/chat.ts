import { type Fault, fault } from '../../base/errors.ts'
import { isObject, type Json, type JsonObject } from '../../base/json.ts'
import { ChatExchange, parseObject } from '../../engine/exchange.ts'
import { reasonFrom } from '../../engine/fault.ts'
import type { ChatCall, ChatSink } from '../../engine/port.ts'
import { told } from '../../engine/told.ts'
import { type EventMessage, EventStreamParser } from './event-stream.ts'
import { readUsage } from './usage.ts'

/** One answer of Converse as OpenAI's frames. What it thought is `reasoning_content`; whole thoughts, with the
 *  signature that a next turn must show, are `thinking_blocks`, as of Anthropic's models elsewhere. */

interface Block {
  /** Of a tool call: its place among them. */
  readonly tool?: number
  text: string
  signature: string
}

export class BedrockChat extends ChatExchange {
  readonly #engine: string
  readonly #common: JsonObject
  readonly #parser = new EventStreamParser((message) => this.#message(message))
  readonly #blocks = new Map<Json, Block>()
  #tools = 0
  #begun = false
  #said = false
  #finished = false
  #usage: JsonObject = {}

  constructor(engine: string, call: ChatCall, sink: ChatSink, createdS: number) {
    super(engine, call, sink)
    this.#engine = engine
    this.#common = { id: `chatcmpl-${call.requestId}`, created: createdS, model: call.model }
  }

  /** The caller has left before it was sent. */
  get isCancelled(): boolean {
    return this.isOver
  }

  unsent(cause: Fault): void {
    this.failed(cause)
  }

  protected override get streamType(): string {
    return 'application/vnd.amazon.eventstream'
  }

  protected override streamed(bytes: Uint8Array): string | undefined {
    return this.#parser.push(bytes)
  }

  protected whole(answer: JsonObject): void {
    const message = isObject(answer['output']) ? answer['output']['message'] : undefined
    const content = isObject(message) ? message['content'] : undefined
    if (!Array.isArray(content)) return this.garbled('its answer is no message')
    const blocks = (content as readonly Json[]).filter(isObject)
    const text = blocks.map(({ text }) => (typeof text === 'string' ? text : '')).join('')
    const calls = blocks.flatMap(({ toolUse }) => (isObject(toolUse) ? [wholeCall(toolUse)] : []))
    const thoughts = blocks.flatMap(({ reasoningContent }) =>
      isObject(reasoningContent) ? [thoughtOf(reasoningContent)] : [],
    )
    const thinking = thoughts.map((thought) => String(thought['thinking'] ?? '')).join('')
    const said = {
      role: 'assistant',
      content: text === '' && calls.length > 0 ? null : text,
      ...(thoughts.length === 0 ? {} : { reasoning_content: thinking, thinking_blocks: thoughts }),
      ...(calls.length === 0 ? {} : { tool_calls: calls }),
    }
    const choice = { index: 0, message: said, finish_reason: finishOf(answer['stopReason']) }
    this.frame({ ...this.#common, object: 'chat.completion', choices: [choice] })
    const usage = isObject(answer['usage']) ? answer['usage'] : {}
    this.complete(told(readUsage(usage), usage))
  }

  /** Its usage comes after its stop reason, and may be missing. */
  protected closed(): void {
    if (this.#finished) this.complete(told(readUsage(this.#usage), this.#usage))
    else this.broken('it ended before it was finished')
  }

  #message({ headers, payload }: EventMessage): void {
    if (this.isOver) return
    const said = parseObject(payload)
    if (said === undefined) return this.garbled('an event is no JSON object')
    const kind = headers[':message-type']
    if (kind === 'exception' || kind === 'error') return this.#raised(headers[':exception-type'] ?? '', said)
    const event = headers[':event-type']
    if (event === 'metadata') {
      const { usage } = said
      if (isObject(usage)) this.#usage = usage
      return
    }
    if (this.#finished) return
    if (event === 'messageStart') return this.#start()
    // Others than these may be added at any time, and say nothing that must be known.
    if (
      event !== 'contentBlockStart' &&
      event !== 'contentBlockDelta' &&
      event !== 'contentBlockStop' &&
      event !== 'messageStop'
    )
      return
    if (!this.#begun) return this.garbled(`${event} came before messageStart`)
    const index = said['contentBlockIndex'] ?? null
    if (event === 'contentBlockStart') this.#open(index, said['start'])
    else if (event === 'contentBlockDelta') this.#delta(index, said['delta'])
    else if (event === 'contentBlockStop') this.#close(index)
    else this.#stop(said)
  }

  #start(): void {
    if (this.#begun) return this.garbled('messageStart came twice')
    this.#begun = true
    this.#say({ role: 'assistant', content: '' })
  }

  #open(index: Json, start: Json | undefined): void {
    const use = isObject(start) ? start['toolUse'] : undefined
    if (!isObject(use)) return
    const tool = this.#tools++
    this.#blocks.set(index, { tool, text: '', signature: '' })
    const { toolUseId: id = null, name = null } = use
    this.#say({ tool_calls: [{ index: tool, id, type: 'function', function: { name, arguments: '' } }] })
  }

  #delta(index: Json, delta: Json | undefined): void {
    if (!isObject(delta)) return this.garbled('a delta is no object')
    const { text, toolUse, reasoningContent } = delta
    // Texts and thoughts begin without a start.
    const block = this.#blocks.get(index) ?? { text: '', signature: '' }
    this.#blocks.set(index, block)
    if (typeof text === 'string' && text !== '') this.#say({ content: text })
    if (isObject(toolUse) && typeof toolUse['input'] === 'string' && toolUse['input'] !== '') {
      if (block.tool === undefined) return this.garbled('a delta belongs to no call')
      block.text += toolUse['input']
      this.#say({ tool_calls: [{ index: block.tool, function: { arguments: toolUse['input'] } }] })
    }
    if (isObject(reasoningContent)) this.#think(block, reasoningContent)
  }

  #think(block: Block, { text, signature, redactedContent }: JsonObject): void {
    if (typeof text === 'string' && text !== '') {
      block.text += text
      this.#say({ reasoning_content: text })
    }
    if (typeof signature === 'string') block.signature += signature
    if (typeof redactedContent === 'string')
      this.#say({ thinking_blocks: [{ type: 'redacted_thinking', data: redactedContent }] })
  }

  #close(index: Json): void {
    const block = this.#blocks.get(index)
    if (block === undefined) return
    this.#blocks.delete(index)
    const { tool, text, signature } = block
    // A tool without parameters: callers read its arguments as JSON all the same.
    if (tool !== undefined && text === '') this.#say({ tool_calls: [{ index: tool, function: { arguments: '{}' } }] })
    if (tool === undefined && signature !== '')
      this.#say({ thinking_blocks: [{ type: 'thinking', thinking: text, signature }] })
  }

  #stop({ stopReason }: JsonObject): void {
    this.#finished = true
    this.#frame({}, finishOf(stopReason))
  }

  #raised(type: string, said: JsonObject): void {
    const reason = `${type} ${reasonFrom(said)}`.trim()
    const details = { engine: this.#engine, reason, status: 200 }
    if (this.#said) this.broken(reason)
    else if (/throttling|serviceUnavailable/i.test(type)) this.failed(fault('engine_busy', details))
    else if (/validation/i.test(type)) this.failed(fault('engine_rejected', details))
    else this.broken(reason)
  }

  #say(delta: JsonObject): void {
    this.#said ||= delta['role'] === undefined
    this.#frame(delta, null)
  }

  #frame(delta: JsonObject, finish: string | null): void {
    this.frame({
      ...this.#common,
      object: 'chat.completion.chunk',
      choices: [{ index: 0, delta, finish_reason: finish }],
    })
  }
}

const FINISHES: { readonly [reason: string]: string } = {
  max_tokens: 'length',
  model_context_window_exceeded: 'length',
  tool_use: 'tool_calls',
  content_filtered: 'content_filter',
  guardrail_intervened: 'content_filter',
}

const finishOf = (reason: Json | undefined): string => FINISHES[String(reason)] ?? 'stop'

const wholeCall = ({ toolUseId: id = null, name = null, input = {} }: JsonObject) => ({
  id,
  type: 'function',
  function: { name, arguments: JSON.stringify(input) },
})

function thoughtOf({ reasoningText, redactedContent }: JsonObject): JsonObject {
  if (!isObject(reasoningText)) return { type: 'redacted_thinking', data: redactedContent ?? '' }
  return { type: 'thinking', thinking: reasoningText['text'] ?? '', signature: reasoningText['signature'] ?? '' }
}
