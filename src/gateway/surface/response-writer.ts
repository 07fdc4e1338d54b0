import { type Problem, remedyOf, sentenceOf } from '../../base/errors.ts'
import { isObject, type Json, type JsonObject } from '../../base/json.ts'
import type { AnswerFacts, AnswerWriter } from './dialect.ts'

/** One answer as a response of OpenAI's Responses API: whole, or as numbered events of items that
 *  open and close one after another. Of several choices the first is the answer. */
export class ResponseWriter implements AnswerWriter {
  readonly #asked: JsonObject
  readonly #about: AnswerFacts
  readonly #createdAt: number
  #sequence = 0
  #model: Json | undefined
  /** Items that are complete. */
  readonly #output: JsonObject[] = []
  #open: OpenItem | undefined
  /** The last tool call, as its engine numbers them. */
  #tool = -1
  #finish: Json = null
  #annotations: readonly JsonObject[] = []
  #headworks: Json | undefined
  #started = false

  /** `asked`: the request, which the response repeats. */
  constructor(asked: JsonObject, about: AnswerFacts) {
    this.#asked = asked
    this.#about = about
    this.#createdAt = about.now()
  }

  chunk(frame: JsonObject): string {
    let events = this.#start(frame)
    this.#headworks = frame['headworks'] ?? this.#headworks
    const choice = firstChoice(frame)
    const delta = isObject(choice['delta']) ? choice['delta'] : {}
    const thought = textIn(delta, ['reasoning_content', 'reasoning'])
    if (thought !== '') events += this.#say('reasoning', thought)
    const text = textIn(delta, ['content'])
    if (text !== '') events += this.#say('output_text', text)
    const refusal = textIn(delta, ['refusal'])
    if (refusal !== '') events += this.#say('refusal', refusal)
    for (const call of listOf(delta['tool_calls'])) events += this.#toolCall(call)
    const annotations = listOf(delta['annotations']).map(flatAnnotation)
    if (annotations.length > 0) events += this.#annotate(annotations)
    this.#finish = choice['finish_reason'] ?? this.#finish
    return events
  }

  end(usage: JsonObject): readonly string[] {
    const before = this.#start({}) + this.#close()
    const response = this.#response(this.#output, usage)
    return [before, this.#event(`response.${String(response['status'])}`, { response })].filter((one) => one !== '')
  }

  /** First as the API tells it, then so that its clients throw. */
  broken(problem: Problem): string {
    const message = `${sentenceOf(problem)} ${remedyOf(problem)}`.trim()
    const error = { code: problem.code, message }
    const response = { ...this.#response(this.#output, null), status: 'failed', error }
    return this.#event('response.failed', { response }) + this.#event('error', { ...error, param: null })
  }

  whole(frame: JsonObject): JsonObject {
    const choice = firstChoice(frame)
    const message = isObject(choice['message']) ? choice['message'] : {}
    this.#model = frame['model']
    this.#finish = choice['finish_reason'] ?? null
    this.#headworks = frame['headworks']
    const thought = textIn(message, ['reasoning_content', 'reasoning'])
    const text = textIn(message, ['content'])
    const refusal = textIn(message, ['refusal'])
    const annotations = listOf(message['annotations']).map(flatAnnotation)
    const items: JsonObject[] = []
    if (thought !== '') items.push(this.#item('reasoning', items.length, thought))
    if (text !== '' || refusal !== '')
      items.push({
        ...this.#item('output_text', items.length, ''),
        content: [
          ...(text === '' ? [] : [{ ...part('output_text', text), annotations }]),
          ...(refusal === '' ? [] : [part('refusal', refusal)]),
        ],
      })
    for (const call of listOf(message['tool_calls'])) items.push(this.#callItem(call, items.length, 'completed'))
    const { usage: _, ...response } = this.#response(items, null)
    return response
  }

  #start(frame: JsonObject): string {
    this.#model ??= frame['model']
    if (this.#started) return ''
    this.#started = true
    const response = { ...this.#response([], null), status: 'in_progress' }
    return this.#event('response.created', { response }) + this.#event('response.in_progress', { response })
  }

  #response(output: readonly JsonObject[], usage: JsonObject | null): JsonObject {
    const reason = INCOMPLETE[String(this.#finish)]
    return {
      ...REPEATED,
      ...Object.fromEntries(Object.entries(this.#asked).filter(([field]) => Object.hasOwn(REPEATED, field))),
      store: false, // Whatever was asked for: nothing is kept.
      id: `resp_${this.#about.requestId.replace(/^req_/, '')}`,
      object: 'response',
      created_at: this.#createdAt,
      status: reason === undefined ? 'completed' : 'incomplete',
      error: null,
      incomplete_details: reason === undefined ? null : { reason },
      model: this.#model ?? this.#about.model,
      output,
      usage,
      ...(this.#headworks === undefined ? {} : { headworks: this.#headworks }),
    }
  }

  #say(kind: 'output_text' | 'refusal' | 'reasoning', text: string): string {
    let events = this.#enter(kind)
    const open = this.#open
    if (open === undefined) return events
    open.text += text
    const more = kind === 'output_text' ? { logprobs: [] } : {}
    events += this.#event(`response.${EVENT_OF[kind]}.delta`, {
      ...placeOf(open),
      content_index: 0,
      delta: text,
      ...more,
    })
    return events
  }

  /** Opens an item unless it is open. */
  #enter(kind: Exclude<Kind, 'call'>): string {
    if (this.#open?.kind === kind) return ''
    const closing = this.#close()
    const index = this.#output.length
    const item = this.#item(kind, index, undefined)
    this.#open = { kind, index, id: String(item['id']), text: '', call: {} }
    const events = closing + this.#event('response.output_item.added', { output_index: index, item })
    if (kind === 'reasoning') return events
    return (
      events +
      this.#event('response.content_part.added', { ...placeOf(this.#open), content_index: 0, part: part(kind, '') })
    )
  }

  #toolCall(call: JsonObject): string {
    const at = typeof call['index'] === 'number' ? call['index'] : 0
    const given = isObject(call['function']) ? call['function'] : {}
    let events = ''
    if (this.#open?.kind !== 'call' || at !== this.#tool) {
      events += this.#close()
      this.#tool = at
      const index = this.#output.length
      const item = this.#callItem({ ...call, function: { ...given, arguments: '' } }, index, 'in_progress')
      this.#open = { kind: 'call', index, id: String(item['id']), text: '', call: item }
      events += this.#event('response.output_item.added', { output_index: index, item })
    }
    const json = given['arguments']
    const open = this.#open
    if (typeof json !== 'string' || json === '' || open === undefined) return events
    open.text += json
    return events + this.#event('response.function_call_arguments.delta', { ...placeOf(open), delta: json })
  }

  /** They come with the last words, which are open still. */
  #annotate(annotations: readonly JsonObject[]): string {
    this.#annotations = annotations
    const open = this.#open
    if (open?.kind !== 'output_text') return ''
    return annotations
      .map((annotation, annotation_index) =>
        this.#event('response.output_text.annotation.added', {
          ...placeOf(open),
          content_index: 0,
          annotation_index,
          annotation,
        }),
      )
      .join('')
  }

  #close(): string {
    const open = this.#open
    if (open === undefined) return ''
    this.#open = undefined
    const { kind, index, text } = open
    const place = placeOf(open)
    let events = ''
    let item: JsonObject
    if (kind === 'call') {
      item = { ...open.call, arguments: text, status: 'completed' }
      events += this.#event('response.function_call_arguments.done', { ...place, name: item['name'], arguments: text })
    } else if (kind === 'reasoning') {
      item = this.#item(kind, index, text)
      events += this.#event('response.reasoning_text.done', { ...place, content_index: 0, text })
    } else {
      const said = kind === 'refusal' ? part(kind, text) : { ...part(kind, text), annotations: this.#annotations }
      item = { ...this.#item(kind, index, text), content: [said] }
      const more = kind === 'refusal' ? { refusal: text } : { text, logprobs: [] }
      events += this.#event(`response.${EVENT_OF[kind]}.done`, { ...place, content_index: 0, ...more })
      events += this.#event('response.content_part.done', { ...place, content_index: 0, part: said })
    }
    this.#output.push(item)
    return events + this.#event('response.output_item.done', { output_index: index, item })
  }

  /** `text` undefined: it has only begun. */
  #item(kind: Exclude<Kind, 'call'>, index: number, text: string | undefined): JsonObject {
    const id = (prefix: string): string => `${prefix}_${this.#about.requestId.replace(/^req_/, '')}_${index}`
    if (kind === 'reasoning') {
      const content = text === undefined ? [] : [{ type: 'reasoning_text', text }]
      return { id: id('rs'), type: 'reasoning', summary: [], content }
    }
    const status = text === undefined ? 'in_progress' : 'completed'
    return { id: id('msg'), type: 'message', status, role: 'assistant', content: [] }
  }

  /** Some engines give a call no id. */
  #callItem(call: JsonObject, index: number, status: string): JsonObject {
    const { name, arguments: json } = isObject(call['function']) ? call['function'] : {}
    const id = `fc_${this.#about.requestId.replace(/^req_/, '')}_${index}`
    const callId = typeof call['id'] === 'string' && call['id'] !== '' ? call['id'] : id
    return { id, type: 'function_call', status, call_id: callId, name: name ?? '', arguments: json ?? '' }
  }

  #event(type: string, fields: JsonObject): string {
    const data = { type, sequence_number: this.#sequence++, ...fields }
    return `event: ${type}\ndata: ${JSON.stringify(data)}\n\n`
  }
}

type Kind = 'output_text' | 'refusal' | 'reasoning' | 'call'

interface OpenItem {
  readonly kind: Kind
  readonly index: number
  readonly id: string
  text: string
  /** Of a call. */
  readonly call: JsonObject
}

const EVENT_OF = { output_text: 'output_text', refusal: 'refusal', reasoning: 'reasoning_text' } as const

const INCOMPLETE: { readonly [finish: string]: string } = {
  length: 'max_output_tokens',
  content_filter: 'content_filter',
}

/** What a response says of its request, where that said nothing. */
const REPEATED: JsonObject = {
  instructions: null,
  max_output_tokens: null,
  metadata: {},
  parallel_tool_calls: true,
  previous_response_id: null,
  reasoning: { effort: null, summary: null },
  temperature: null,
  text: { format: { type: 'text' } },
  tool_choice: 'auto',
  tools: [],
  top_p: null,
  truncation: 'disabled',
  user: null,
}

const placeOf = ({ id, index }: OpenItem): JsonObject => ({ item_id: id, output_index: index })

const part = (kind: Kind, text: string): JsonObject =>
  kind === 'refusal' ? { type: 'refusal', refusal: text } : { type: 'output_text', text, annotations: [], logprobs: [] }

/** In a chat a citation stands under its own name. */
const flatAnnotation = ({ type, ...rest }: JsonObject): JsonObject => {
  const own = typeof type === 'string' ? rest[type] : undefined
  return { type, ...(isObject(own) ? own : rest) }
}

function firstChoice(frame: JsonObject): JsonObject {
  return listOf(frame['choices']).find(({ index }) => index === undefined || index === 0) ?? {}
}

const listOf = (value: Json | undefined): readonly JsonObject[] =>
  Array.isArray(value) ? (value as readonly Json[]).filter(isObject) : []

/** The first of these fields that says anything. */
function textIn(from: JsonObject, fields: readonly string[]): string {
  for (const field of fields) {
    const text = from[field]
    if (typeof text === 'string' && text !== '') return text
  }
  return ''
}
