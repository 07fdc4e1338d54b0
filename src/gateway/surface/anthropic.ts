import { kindOf, type Problem, remedyOf, Refusal, sentenceOf, statusOf, type ErrorKind } from '../../base/errors.ts'
import { isObject, type Json, type JsonObject } from '../../base/json.ts'
import type { Usage } from '../../meter/usage.ts'
import type { ChatRequest, Dialect } from './dialect.ts'
import { invalid, isCount, readMessages, readModel } from './fields.ts'
import { MessageWriter } from './message-writer.ts'
import { messagesOf, systemOf } from './messages.ts'

/** Anthropic's Messages API: its bodies in, its messages, events and errors out. */

export interface CountRequest {
  readonly model: string
  /** What is counted, as OpenAI's body. */
  readonly counted: JsonObject
}

/** As for a message, without an answer. */
export function readCountRequest(body: Json): CountRequest | Refusal {
  const request = readMessagesRequest(body)
  return request instanceof Refusal ? request : { model: request.model, counted: request.body }
}

export function readMessagesRequest(body: Json): ChatRequest | Refusal {
  if (!isObject(body)) return invalid('body', 'must be an object', 'Send {"model": ..., "messages": [...]}.')
  const model = readModel(body)
  if (typeof model !== 'string') return model
  const stream = body['stream'] ?? false
  if (typeof stream !== 'boolean') return invalid('stream', 'must be true or false', 'Leave it out, or send a boolean.')
  const cap = body['max_tokens'] ?? undefined
  if (cap !== undefined && !isCount(cap))
    return invalid('max_tokens', 'must be a whole number of at least 1', "Leave it out for the model's own cap.")
  const translated = translate(body)
  if (translated instanceof Refusal) return translated
  return { dialect: ANTHROPIC, model, stream, includeUsage: true, outputTokensMax: cap, body: translated }
}

/** The body in OpenAI's terms. What only Anthropic's engines understand stands under `anthropic`, whose
 *  presence says where the body came from. */
function translate(body: JsonObject): JsonObject | Refusal {
  const {
    model,
    max_tokens: maxTokens,
    messages: _turns,
    system,
    stream,
    stop_sequences: stops,
    temperature,
    top_p: topP,
    tools,
    tool_choice: choice,
    metadata,
    ...anthropic
  } = body
  const turns = readMessages(body)
  if (turns instanceof Refusal) return turns
  const messages: JsonObject[] = []
  const instructions = system === undefined || system === null ? [] : systemOf(system, 'system')
  if (instructions instanceof Refusal) return instructions
  messages.push(...instructions)
  for (const [at, turn] of turns.entries()) {
    const said = messagesOf(turn, `messages[${at}]`)
    if (said instanceof Refusal) return said
    messages.push(...said)
  }
  if (stops !== undefined && !isTexts(stops))
    return invalid('stop_sequences', 'must be an array of strings', 'Leave it out for none.')
  const listed = toolsOf(tools ?? null)
  if (listed instanceof Refusal) return listed
  const chosen = choiceOf(choice ?? null)
  if (chosen instanceof Refusal) return chosen
  const { user_id: user, ...named } = isObject(metadata) ? metadata : {}
  return {
    ...defined({ model, max_tokens: maxTokens, stream, temperature, top_p: topP, stop: stops }),
    messages,
    ...(listed === undefined ? {} : { tools: listed }),
    ...chosen,
    ...wishesOf(anthropic['output_config'] ?? null),
    ...(typeof user === 'string' ? { user } : {}),
    ...(Object.keys(named).length === 0 ? {} : { metadata: named }),
    anthropic,
  }
}

const defined = (fields: JsonObject): JsonObject =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined && value !== null))

const isTexts = (value: Json): boolean =>
  Array.isArray(value) && (value as readonly Json[]).every((one) => typeof one === 'string')

function toolsOf(tools: Json): JsonObject[] | undefined | Refusal {
  if (tools === null) return undefined
  if (!Array.isArray(tools)) return invalid('tools', 'must be an array', 'Leave it out for none.')
  const read: JsonObject[] = []
  for (const [at, tool] of (tools as readonly Json[]).entries()) {
    const field = `tools[${at}]`
    if (!isObject(tool)) return invalid(field, 'must be an object', 'Send {"name": ..., "input_schema": {...}}.')
    const { type = 'custom', name, description, input_schema: parameters, strict, ...more } = tool
    if (type !== 'custom')
      return invalid(
        `${field}.type`,
        'names a tool of the provider, which is not passed on',
        'Describe a tool of your own with an `input_schema`.',
      )
    if (typeof name !== 'string' || !isObject(parameters))
      return invalid(field, 'must have a `name` and an `input_schema`', 'Describe what the tool takes as JSON schema.')
    read.push({ type: 'function', function: { name, ...defined({ description, strict }), parameters }, ...more })
  }
  return read
}

const CHOICES: { readonly [choice: string]: string } = { auto: 'auto', any: 'required', none: 'none' }

function choiceOf(choice: Json): JsonObject | Refusal {
  if (choice === null) return {}
  const { type, name, disable_parallel_tool_use: alone } = isObject(choice) ? choice : {}
  const chosen =
    type === 'tool' && typeof name === 'string' ? { type: 'function', function: { name } } : CHOICES[String(type)]
  if (chosen === undefined)
    return invalid('tool_choice', 'must be of the type "auto", "any", "none" or "tool"', 'Leave it out for "auto".')
  return { tool_choice: chosen, ...(alone === true ? { parallel_tool_calls: false } : {}) }
}

/** Of Anthropic's `output_config`, what other engines know too. */
function wishesOf(config: Json): JsonObject {
  const { effort, format } = isObject(config) ? config : {}
  const schema = isObject(format) && isObject(format['schema']) ? format['schema'] : undefined
  return {
    ...(typeof effort === 'string' ? { reasoning_effort: effort === 'max' ? 'xhigh' : effort } : {}),
    ...(schema === undefined
      ? {}
      : { response_format: { type: 'json_schema', json_schema: { name: 'answer', schema, strict: true } } }),
  }
}

const TYPES: Record<ErrorKind, string> = {
  caller: 'invalid_request_error',
  auth: 'authentication_error',
  absent: 'not_found_error',
  quota: 'rate_limit_error',
  busy: 'overloaded_error',
  engine: 'api_error',
  fault: 'api_error',
}

/** Where the status says more. */
const TYPES_OF_STATUS: { readonly [status: number]: string } = {
  402: 'billing_error',
  403: 'permission_error',
  413: 'request_too_large',
  429: 'rate_limit_error',
  503: 'overloaded_error',
  504: 'timeout_error',
}

/** Beside Anthropic's fields the error's own code; and the budget, where one is short. */
function errorBody(problem: Problem, requestId: string): JsonObject {
  const type = TYPES_OF_STATUS[statusOf(problem)] ?? TYPES[kindOf(problem)]
  const message = `${sentenceOf(problem)} ${remedyOf(problem)}`.trim()
  const { short } = problem.details
  const error = { type, message, code: problem.code, ...(isObject(short) ? { budget: short } : {}) }
  return { type: 'error', error, request_id: requestId }
}

/** Here `input_tokens` leaves out what a cache had or was given. */
function usageBody(usage: Usage): JsonObject {
  const { cacheWrite5mTokens: kept5m = 0, cacheWrite1hTokens: kept1h = 0 } = usage
  return {
    input_tokens: usage.inputTokens + (usage.audioInputTokens ?? 0) + (usage.imageInputTokens ?? 0),
    cache_creation_input_tokens: kept5m + kept1h,
    cache_read_input_tokens: usage.cachedInputTokens,
    cache_creation: { ephemeral_5m_input_tokens: kept5m, ephemeral_1h_input_tokens: kept1h },
    output_tokens: usage.outputTokens + usage.reasoningTokens + (usage.audioOutputTokens ?? 0),
    output_tokens_details: { thinking_tokens: usage.reasoningTokens },
  }
}

export const ANTHROPIC: Dialect = {
  headers: (requestId) => ({ 'request-id': requestId }),
  errorBody,
  usageBody,
  answer: (_request, about) => new MessageWriter(about, errorBody),
}
