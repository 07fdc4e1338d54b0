import { fault, type Problem } from '../../base/errors.ts'
import { isObject, type Json, type JsonObject } from '../../base/json.ts'
import type { AnswerFacts, AnswerWriter } from './dialect.ts'

/** One answer as Anthropic's message: whole, or as events of blocks that open and close one after
 *  another. Of several choices the first is the answer. */
export class MessageWriter implements AnswerWriter {
  readonly #about: AnswerFacts
  readonly #errorBody: (problem: Problem, requestId: string) => JsonObject
  #started = false
  /** The block that is open, and the place of the last that was. */
  #open: Kind | undefined
  #index = -1
  /** The last tool call, as its engine numbers them, and how many there were. */
  #tool = -1
  #calls = 0
  #stop: JsonObject = { stop_reason: 'end_turn', stop_sequence: null }
  /** What a workflow adds at the end. */
  #headworks: Json | undefined

  constructor(about: AnswerFacts, errorBody: (problem: Problem, requestId: string) => JsonObject) {
    this.#about = about
    this.#errorBody = errorBody
  }

  chunk(frame: JsonObject): string {
    const isFirst = !this.#started
    let events = isFirst ? this.#start(frame) : ''
    if (!isFirst) this.#headworks = frame['headworks'] ?? this.#headworks
    const choice = firstChoice(frame)
    const delta = isObject(choice['delta']) ? choice['delta'] : {}
    const thought = textIn(delta, ['reasoning_content', 'reasoning'])
    if (thought !== '')
      events +=
        this.#enter('thinking', { type: 'thinking', thinking: '', signature: '' }) +
        this.#delta({ type: 'thinking_delta', thinking: thought })
    for (const block of listOf(delta['thinking_blocks'])) events += this.#thinkingBlock(block)
    const text = textIn(delta, ['content', 'refusal'])
    if (text !== '')
      events += this.#enter('text', { type: 'text', text: '' }) + this.#delta({ type: 'text_delta', text })
    for (const citation of citationsIn(delta))
      events += this.#enter('text', { type: 'text', text: '' }) + this.#delta({ type: 'citations_delta', citation })
    for (const call of listOf(delta['tool_calls'])) events += this.#toolCall(call)
    if (typeof choice['finish_reason'] !== 'string') return events
    this.#stop = stopOf(choice, this.#calls > 0)
    return events + this.#close()
  }

  end(usage: JsonObject): readonly string[] {
    const before = this.#started ? this.#close() : this.#start({})
    const headworks = this.#headworks === undefined ? {} : { headworks: this.#headworks }
    return [before + event('message_delta', { delta: this.#stop, usage, ...headworks }), event('message_stop', {})]
  }

  broken(problem: Problem): string {
    return `event: error\ndata: ${JSON.stringify(this.#errorBody(problem, this.#about.requestId))}\n\n`
  }

  whole(frame: JsonObject): JsonObject {
    const choice = firstChoice(frame)
    const message = isObject(choice['message']) ? choice['message'] : {}
    const calls = listOf(message['tool_calls'])
    const thoughts = listOf(message['thinking_blocks'])
    const thinking = textIn(message, ['reasoning_content', 'reasoning'])
    const text = textIn(message, ['content', 'refusal'])
    const uses = calls.flatMap((call, at) => this.#toolUse(call, at, choice['finish_reason'] === 'length'))
    const citations = citationsIn(message)
    const { headworks } = frame
    return {
      ...this.#message(frame),
      content: [
        ...(thoughts.length > 0 || thinking === '' ? thoughts : [{ type: 'thinking', thinking, signature: '' }]),
        ...(text === '' ? [] : [{ type: 'text', text, ...(citations.length > 0 ? { citations } : {}) }]),
        ...uses,
      ],
      ...stopOf(choice, uses.length > 0),
      ...(headworks === undefined ? {} : { headworks }),
    }
  }

  /** What was used is known at the end alone: `message_delta` tells it, as its clients expect. */
  #start(frame: JsonObject): string {
    this.#started = true
    const { headworks } = frame
    const message = {
      ...this.#message(frame),
      content: [],
      stop_reason: null,
      stop_sequence: null,
      usage: { input_tokens: 0, output_tokens: 0 },
      ...(headworks === undefined ? {} : { headworks }),
    }
    return event('message_start', { message }) + event('ping', {})
  }

  #message({ id, model }: JsonObject): JsonObject {
    const { requestId, model: asked } = this.#about
    return { id: id ?? requestId, type: 'message', role: 'assistant', model: model ?? asked }
  }

  /** Opens a block unless it is open. */
  #enter(kind: Kind, block: JsonObject): string {
    if (this.#open === kind) return ''
    const closing = this.#close()
    this.#open = kind
    this.#index++
    return closing + event('content_block_start', { index: this.#index, content_block: block })
  }

  #delta(delta: JsonObject): string {
    return event('content_block_delta', { index: this.#index, delta })
  }

  #close(): string {
    if (this.#open === undefined) return ''
    this.#open = undefined
    return event('content_block_stop', { index: this.#index })
  }

  /** A thought that is complete. It was said already, unless its engine keeps it to itself; what is new
   *  is the signature. */
  #thinkingBlock(block: JsonObject): string {
    if (block['type'] !== 'thinking') return this.#enter('redacted', block) + this.#close()
    const { signature } = block
    if (typeof signature !== 'string' || signature === '') return ''
    const opening = this.#enter('thinking', { type: 'thinking', thinking: '', signature: '' })
    return opening + this.#delta({ type: 'signature_delta', signature }) + this.#close()
  }

  #toolCall(call: JsonObject): string {
    const { index: at, id } = call
    const { name, arguments: json } = isObject(call['function']) ? call['function'] : {}
    const index = typeof at === 'number' ? at : 0
    let events = ''
    if (this.#open !== 'tool' || index !== this.#tool) {
      // A block that was closed cannot be gone on with.
      if (index <= this.#tool) throw this.#garbled('it went back to an earlier call of a tool')
      events += this.#close()
      this.#tool = index
      const block = { type: 'tool_use', id: this.#callId(id, this.#calls++), name: name ?? '', input: {} }
      events += this.#enter('tool', block)
    }
    return typeof json === 'string' && json !== ''
      ? events + this.#delta({ type: 'input_json_delta', partial_json: json })
      : events
  }

  /** One that was cut off by the cap on output is left out: its arguments are no JSON. */
  #toolUse(call: JsonObject, at: number, isCut: boolean): JsonObject[] {
    const { name, arguments: json } = isObject(call['function']) ? call['function'] : {}
    const input = parsed(json)
    if (isObject(input)) return [{ type: 'tool_use', id: this.#callId(call['id'], at), name: name ?? '', input }]
    if (isCut) return []
    throw this.#garbled('a call of a tool has arguments that are no JSON object')
  }

  /** Some engines give none. */
  #callId(id: Json | undefined, at: number): string {
    return typeof id === 'string' && id !== '' ? id : `toolu_${this.#about.requestId}_${at}`
  }

  #garbled(reason: string): Error {
    return fault('engine_garbled', { engine: this.#about.model, reason })
  }
}

type Kind = 'thinking' | 'redacted' | 'text' | 'tool'

const event = (type: string, fields: JsonObject): string =>
  `event: ${type}\ndata: ${JSON.stringify({ type, ...fields })}\n\n`

const STOPS: { readonly [reason: string]: string } = {
  length: 'max_tokens',
  tool_calls: 'tool_use',
  function_call: 'tool_use',
  content_filter: 'refusal',
}

/** Engines name the stop sequence that they met in `stop_reason`, and some end a call of a tool with
 *  `stop`. */
function stopOf({ finish_reason: finish, stop_reason: met }: JsonObject, called: boolean): JsonObject {
  const sequence = finish === 'stop' && typeof met === 'string' ? met : null
  const reason = STOPS[String(finish)] ?? (called ? 'tool_use' : sequence === null ? 'end_turn' : 'stop_sequence')
  return { stop_reason: reason, stop_sequence: sequence }
}

function firstChoice(frame: JsonObject): JsonObject {
  return listOf(frame['choices']).find(({ index }) => index === undefined || index === 0) ?? {}
}

const listOf = (value: Json | undefined): readonly JsonObject[] =>
  Array.isArray(value) ? (value as readonly Json[]).filter(isObject) : []

/** A workflow's citations as Anthropic's, one for each place in a source; a document's index counts the
 *  sources from 0. Ranges are in UTF-16 code units of the document's text. */
function citationsIn(part: JsonObject): JsonObject[] {
  const seen = new Set<string>()
  return listOf(part['annotations']).flatMap(({ url_citation: cited, headworks: place }) => {
    if (!isObject(cited) || !isObject(place)) return []
    const { source, ranges } = place
    if (typeof source !== 'number') return []
    return listOf(ranges).flatMap(({ start = 0, end = 0, text = '' }) => {
      const key = `${source} ${JSON.stringify(start)}`
      if (seen.has(key)) return []
      seen.add(key)
      return [
        {
          type: 'char_location',
          cited_text: text,
          document_index: source - 1,
          document_title: cited['title'] ?? null,
          start_char_index: start,
          end_char_index: end,
          file_id: null,
        },
      ]
    })
  })
}

/** The first of these fields that says anything. */
function textIn(part: JsonObject, fields: readonly string[]): string {
  for (const field of fields) {
    const text = part[field]
    if (typeof text === 'string' && text !== '') return text
  }
  return ''
}

function parsed(json: Json | undefined): Json {
  if (json === undefined || json === null || json === '') return {}
  try {
    return typeof json === 'string' ? (JSON.parse(json) as Json) : null
  } catch {
    return null
  }
}
