import { Refusal } from '../../base/errors.ts'
import { isObject, type Json, type JsonObject } from '../../base/json.ts'
import { inputTokensOf, outputTokensOf, totalTokens, type Usage } from '../../meter/usage.ts'
import type { ChatRequest, Dialect } from './dialect.ts'
import { invalid, isCount, readModel } from './fields.ts'
import { OPENAI } from './openai.ts'
import { ResponseWriter } from './response-writer.ts'

/** OpenAI's Responses API over a chat: its items become messages, its events are written from chunks.
 *  What needs a memory or tools of the provider is refused: nothing is kept between two requests. */

const ITEMS_MAX = 10_000

export function readResponsesRequest(body: Json): ChatRequest | Refusal {
  if (!isObject(body)) return invalid('body', 'must be an object', 'Send {"model": ..., "input": "..."}.')
  const model = readModel(body)
  if (typeof model !== 'string') return model
  const stream = body['stream'] ?? false
  if (typeof stream !== 'boolean') return invalid('stream', 'must be true or false', 'Leave it out, or send a boolean.')
  const cap = body['max_output_tokens'] ?? undefined
  if (cap !== undefined && !isCount(cap))
    return invalid('max_output_tokens', 'must be a whole number of at least 1', "Leave it out for the model's own cap.")
  for (const field of NEEDS_MEMORY) {
    const value = body[field] ?? null
    if (value !== null && value !== false)
      return invalid(
        field,
        'needs a memory of earlier requests, which is not kept',
        'Send the whole conversation as `input`.',
      )
  }
  const translated = translate(body)
  if (translated instanceof Refusal) return translated
  const dialect: Dialect = { ...RESPONSES, answer: (_, about) => new ResponseWriter(body, about) }
  return { dialect, model, stream, includeUsage: true, outputTokensMax: cap, body: translated }
}

const NEEDS_MEMORY = ['previous_response_id', 'conversation', 'background'] as const

const RESPONSES: Omit<Dialect, 'answer'> = {
  headers: () => ({}),
  errorBody: (problem, requestId) => OPENAI.errorBody(problem, requestId),
  usageBody,
}

function usageBody(usage: Usage): JsonObject {
  return {
    input_tokens: inputTokensOf(usage),
    input_tokens_details: { cached_tokens: usage.cachedInputTokens },
    output_tokens: outputTokensOf(usage),
    output_tokens_details: { reasoning_tokens: usage.reasoningTokens },
    total_tokens: totalTokens(usage),
  }
}

/** Fields with another name or shape in a chat, or none. */
const OWN_FIELDS: ReadonlySet<string> = new Set([
  ...NEEDS_MEMORY,
  'input',
  'instructions',
  'max_output_tokens',
  'tools',
  'tool_choice',
  'text',
  'reasoning',
  'include',
  'store',
  'truncation',
  'max_tool_calls',
  'top_logprobs',
])

function translate(body: JsonObject): JsonObject | Refusal {
  const { instructions = null, input = null, reasoning = null, text = null } = body
  const messages: JsonObject[] = []
  if (typeof instructions === 'string') messages.push({ role: 'system', content: instructions })
  else if (instructions !== null)
    return invalid('instructions', 'must be a string', 'Send further messages in `input`.')
  const said = typeof input === 'string' ? [{ role: 'user', content: input }] : messagesOf(input)
  if (said instanceof Refusal) return said
  messages.push(...said)
  const tools = toolsOf(body['tools'] ?? null)
  if (tools instanceof Refusal) return tools
  const choice = body['tool_choice'] ?? null
  const effort = isObject(reasoning) ? reasoning['effort'] : null
  const top = body['top_logprobs'] ?? null
  return {
    ...Object.fromEntries(Object.entries(body).filter(([field]) => !OWN_FIELDS.has(field))),
    messages,
    ...(tools.length === 0 ? {} : { tools }),
    ...(choice === null ? {} : { tool_choice: choiceOf(choice) }),
    ...(typeof effort === 'string' ? { reasoning_effort: effort } : {}),
    ...formatOf(isObject(text) ? text['format'] : null),
    ...(isObject(text) && typeof text['verbosity'] === 'string' ? { verbosity: text['verbosity'] } : {}),
    ...(typeof top === 'number' && top > 0 ? { logprobs: true, top_logprobs: top } : {}),
  }
}

function messagesOf(input: Json): JsonObject[] | Refusal {
  if (!Array.isArray(input) || input.length === 0 || input.length > ITEMS_MAX)
    return invalid('input', `must be a string or 1 to ${ITEMS_MAX} items`, 'Send {"role": "user", "content": "..."}.')
  const messages: JsonObject[] = []
  for (const [at, item] of (input as readonly Json[]).entries()) {
    const message = messageOf(item, `input[${at}]`)
    if (message instanceof Refusal) return message
    if (message !== undefined) append(messages, message)
  }
  return messages.length > 0 ? messages : invalid('input', 'says nothing', 'Send a message.')
}

/** Calls that stand side by side, or after what was said with them, are one message of a chat. */
function append(messages: JsonObject[], message: JsonObject): void {
  const last = messages.at(-1)
  const calls = message['tool_calls']
  if (last?.['role'] !== 'assistant' || !Array.isArray(calls)) return void messages.push(message)
  const before = Array.isArray(last['tool_calls']) ? (last['tool_calls'] as readonly Json[]) : []
  messages[messages.length - 1] = { ...last, tool_calls: [...before, ...(calls as readonly Json[])] }
}

/** Undefined where a chat has no place for it. */
function messageOf(item: Json, field: string): JsonObject | undefined | Refusal {
  if (!isObject(item)) return invalid(field, 'must be an object', SHAPE)
  const { type = 'message', role, content = null, call_id: callId, name, arguments: json, output = null } = item
  if (type === 'reasoning') return undefined
  if (type === 'function_call') {
    if (typeof callId !== 'string' || typeof name !== 'string' || typeof json !== 'string')
      return invalid(field, 'must have a `call_id`, a `name` and `arguments`', SHAPE)
    const call = { id: callId, type: 'function', function: { name, arguments: json } }
    return { role: 'assistant', content: null, tool_calls: [call] }
  }
  if (type === 'function_call_output') {
    if (typeof callId !== 'string') return invalid(`${field}.call_id`, 'must name a call', SHAPE)
    const parts = typeof output === 'string' ? output : partsOf(output, `${field}.output`)
    return parts instanceof Refusal ? parts : { role: 'tool', tool_call_id: callId, content: parts }
  }
  if (type !== 'message') return invalid(`${field}.type`, 'is no item that can be served', SHAPE)
  if (typeof role !== 'string') return invalid(`${field}.role`, 'must be a role', SHAPE)
  const parts = typeof content === 'string' ? content : partsOf(content, `${field}.content`)
  return parts instanceof Refusal ? parts : { role, content: parts }
}

const SHAPE = 'Send messages, function calls and their outputs, as the Responses reference has them.'

function partsOf(content: Json, field: string): JsonObject[] | Refusal {
  if (!Array.isArray(content)) return invalid(field, 'must be a string or an array of parts', SHAPE)
  const parts: JsonObject[] = []
  for (const [at, part] of (content as readonly Json[]).entries()) {
    const read = isObject(part) ? partOf(part) : undefined
    if (read === undefined) return invalid(`${field}[${at}]`, 'is no part that can be served', SHAPE)
    parts.push(read)
  }
  return parts
}

function partOf(part: JsonObject): JsonObject | undefined {
  const { type, text, refusal, image_url: image, detail, file_data: data, filename } = part
  if ((type === 'input_text' || type === 'output_text') && typeof text === 'string') return { type: 'text', text }
  if (type === 'refusal' && typeof refusal === 'string') return { type: 'refusal', refusal }
  if (type === 'input_image' && typeof image === 'string')
    return { type: 'image_url', image_url: { url: image, ...(typeof detail === 'string' ? { detail } : {}) } }
  if (type === 'input_file' && typeof data === 'string')
    return { type: 'file', file: { file_data: data, ...(typeof filename === 'string' ? { filename } : {}) } }
  return undefined
}

function toolsOf(tools: Json): JsonObject[] | Refusal {
  if (tools === null) return []
  if (!Array.isArray(tools)) return invalid('tools', 'must be an array', 'Leave it out for none.')
  const read: JsonObject[] = []
  for (const [at, tool] of (tools as readonly Json[]).entries()) {
    if (!isObject(tool) || tool['type'] !== 'function' || typeof tool['name'] !== 'string')
      return invalid(
        `tools[${at}]`,
        'is no function of your own',
        'Send {"type": "function", "name": ..., "parameters": {...}}.',
      )
    const { type, ...described } = tool
    read.push({ type, function: described })
  }
  return read
}

const choiceOf = (choice: Json): Json =>
  isObject(choice) && choice['type'] === 'function' && typeof choice['name'] === 'string'
    ? { type: 'function', function: { name: choice['name'] } }
    : choice

function formatOf(format: Json | undefined): JsonObject {
  if (!isObject(format) || format['type'] === 'text') return {}
  const { type, ...schema } = format
  return { response_format: type === 'json_schema' ? { type, json_schema: schema } : format }
}
