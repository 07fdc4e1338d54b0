import {
  kindOf,
  type Problem,
  refuse,
  type Refusal,
  remedyOf,
  sentenceOf,
  statusOf,
  type ErrorKind,
} from '../../base/errors.ts'
import { isObject, type Json, type JsonObject } from '../../base/json.ts'
import { inputTokensOf, outputTokensOf, totalTokens, type Usage } from '../../meter/usage.ts'

/** OpenAI's dialect: bodies in, frames and errors out. Nothing else in the gateway knows it. */

export interface ChatRequest {
  readonly model: string
  readonly stream: boolean
  /** Whether the caller wants the last chunk of a stream to carry usage. */
  readonly includeUsage: boolean
  /** What the caller caps the output at, if anything. */
  readonly outputTokensMax: number | undefined
  readonly body: JsonObject
}

const MESSAGES_MAX = 10_000
const MODEL_NAME_UNITS_MAX = 256
const CHOICES_MAX = 16

export function readChatRequest(body: Json): ChatRequest | Refusal {
  if (!isObject(body)) return invalid('body', 'must be an object', 'Send {"model": ..., "messages": [...]}.')
  const model = readModel(body)
  if (typeof model !== 'string') return model
  const messages = body['messages']
  if (!Array.isArray(messages) || messages.length === 0) {
    return invalid('messages', 'must be a non-empty array', 'Send at least one {"role": "user", "content": "..."}.')
  }
  if (messages.length > MESSAGES_MAX)
    return invalid('messages', `has more than ${MESSAGES_MAX} entries`, 'Send fewer messages.')
  for (const [at, message] of (messages as readonly Json[]).entries()) {
    const problem = messageProblem(message)
    if (problem !== undefined)
      return invalid(`messages[${at}]`, problem, 'See the chat completions reference for the shape of a message.')
  }
  const stream = body['stream'] ?? false
  if (typeof stream !== 'boolean') return invalid('stream', 'must be true or false', 'Leave it out, or send a boolean.')
  const n = body['n'] ?? 1
  if (!isCount(n) || n > CHOICES_MAX)
    return invalid('n', `must be a whole number from 1 to ${CHOICES_MAX}`, 'Leave it out for one choice.')
  const caps: number[] = []
  for (const field of ['max_completion_tokens', 'max_tokens'] as const) {
    const cap = body[field] ?? undefined
    if (cap === undefined) continue
    if (!isCount(cap))
      return invalid(field, 'must be a whole number of at least 1', "Leave it out for the model's own cap.")
    caps.push(cap)
  }
  const options = body['stream_options'] ?? undefined
  if (options !== undefined && !isObject(options))
    return invalid('stream_options', 'must be an object', 'Send {"include_usage": true}.')
  return {
    model,
    stream,
    includeUsage: options?.['include_usage'] === true,
    outputTokensMax: caps.length > 0 ? Math.min(...caps) : undefined,
    body,
  }
}

export interface RerankRequest {
  readonly model: string
  readonly query: string
  readonly documents: readonly string[]
  readonly topN: number
  readonly returnDocuments: boolean
}

const RERANK_DOCUMENTS_MAX = 1000

/** The rerank shape most engines speak (Cohere's, Jina's). */
export function readRerankRequest(body: Json): RerankRequest | Refusal {
  if (!isObject(body))
    return invalid('body', 'must be an object', 'Send {"model": ..., "query": ..., "documents": [...]}.')
  const model = readModel(body)
  if (typeof model !== 'string') return model
  const query = body['query']
  if (typeof query !== 'string' || query === '')
    return invalid('query', 'must be a non-empty string', 'Send the question to rank by.')
  const given = body['documents']
  if (!Array.isArray(given) || given.length === 0 || given.length > RERANK_DOCUMENTS_MAX) {
    return invalid(
      'documents',
      `must be an array of 1 to ${RERANK_DOCUMENTS_MAX}`,
      'Send strings, or objects with a `text`.',
    )
  }
  const documents: string[] = []
  for (const [at, one] of (given as readonly Json[]).entries()) {
    const text = isObject(one) ? one['text'] : one
    if (typeof text !== 'string')
      return invalid(`documents[${at}]`, 'must be a string or an object with a `text`', 'Send text.')
    documents.push(text)
  }
  const topN = body['top_n'] ?? documents.length
  if (!isCount(topN)) return invalid('top_n', 'must be a whole number of at least 1', 'Leave it out for all of them.')
  return {
    model,
    query,
    documents,
    topN: Math.min(topN, documents.length),
    returnDocuments: body['return_documents'] === true,
  }
}

export interface EmbeddingsRequest {
  readonly model: string
  readonly inputs: readonly string[]
  /** The Node and Python clients ask for base64 unless told otherwise. */
  readonly base64: boolean
}

const EMBEDDING_INPUTS_MAX = 2048

export function readEmbeddingsRequest(body: Json): EmbeddingsRequest | Refusal {
  if (!isObject(body)) return invalid('body', 'must be an object', 'Send {"model": ..., "input": [...]}.')
  const model = readModel(body)
  if (typeof model !== 'string') return model
  const given = body['input']
  const inputs = typeof given === 'string' ? [given] : Array.isArray(given) ? (given as readonly Json[]) : []
  if (
    inputs.length === 0 ||
    inputs.length > EMBEDDING_INPUTS_MAX ||
    !inputs.every((input) => typeof input === 'string' && input !== '')
  ) {
    return invalid(
      'input',
      `must be a non-empty string or 1 to ${EMBEDDING_INPUTS_MAX} of them`,
      'Send text; token arrays are not taken.',
    )
  }
  const format = body['encoding_format'] ?? 'float'
  if (format !== 'float' && format !== 'base64')
    return invalid('encoding_format', 'must be "float" or "base64"', 'Leave it out for "float".')
  return { model, inputs: inputs as readonly string[], base64: format === 'base64' }
}

/** Little-endian float32, base64: OpenAI's compact form of an embedding. */
export const encodeVector = (vector: Float32Array): string =>
  Buffer.from(vector.buffer, vector.byteOffset, vector.byteLength).toString('base64')

function readModel(body: JsonObject): string | Refusal {
  const model = body['model']
  if (typeof model !== 'string' || model === '' || model.length > MODEL_NAME_UNITS_MAX) {
    return invalid('model', 'must be the name of a model', 'GET /v1/models lists what there is.')
  }
  return model
}

function messageProblem(message: Json): string | undefined {
  if (!isObject(message)) return 'must be an object'
  if (typeof message['role'] !== 'string') return 'must have a `role`'
  const content = message['content'] ?? null
  if (content !== null && typeof content !== 'string' && !Array.isArray(content))
    return 'must have a `content` that is a string or an array of parts'
  return undefined
}

const isCount = (value: Json): value is number => typeof value === 'number' && Number.isSafeInteger(value) && value >= 1

const invalid = (field: string, problem: string, remedy: string): Refusal =>
  refuse('field_invalid', { field, problem, remedy })

const TYPES: Record<ErrorKind, string> = {
  caller: 'invalid_request_error',
  auth: 'authentication_error',
  absent: 'invalid_request_error',
  quota: 'insufficient_quota',
  busy: 'server_error',
  engine: 'server_error',
  fault: 'server_error',
}

/** `{"error": {message, type, param, code}}`: all four keys, always, as clients expect; and `budget`,
 *  where one is short. */
export function errorBody(problem: Problem): JsonObject {
  const type = TYPES_OF_STATUS[`${kindOf(problem)} ${statusOf(problem)}`] ?? TYPES[kindOf(problem)]
  const field = problem.details['field']
  const param = typeof field === 'string' ? field : MODEL_CODES.has(problem.code) ? 'model' : null
  const code = CODES[problem.code] ?? problem.code
  const message = `${sentenceOf(problem)} ${remedyOf(problem)}`.trim()
  const { short } = problem.details
  return { error: { message, type, param, code, ...(isObject(short) ? { budget: short } : {}) } }
}

const TYPES_OF_STATUS: { readonly [kindAndStatus: string]: string } = {
  'auth 403': 'permission_error',
  'busy 429': 'rate_limit_error',
}

/** About the field `model`. */
const MODEL_CODES: ReadonlySet<string> = new Set(['model_unknown', 'model_not_allowed'])

/** Where OpenAI has a code of its own for the same thing, clients look for that one. */
const CODES: { readonly [code: string]: string } = {
  model_unknown: 'model_not_found',
  key_unknown: 'invalid_api_key',
  context_too_long: 'context_length_exceeded',
  rate_limited: 'rate_limit_exceeded',
}

const RETRY_AFTER_MS = 500
/** OpenAI's clients take no notice of a longer one, and come back at once. */
const RETRY_AFTER_MS_MAX = 60_000

/** What a client must be told about trying again: OpenAI's retries twice unless told not to. */
export function errorHeaders(problem: Problem): Record<string, string> {
  const kind = kindOf(problem)
  if (kind === 'busy' || kind === 'engine') {
    const { retryAfterMs } = problem.details
    const ms = typeof retryAfterMs === 'number' ? retryAfterMs : RETRY_AFTER_MS
    const after = { 'retry-after': String(Math.ceil(ms / 1000)), 'retry-after-ms': String(ms) }
    return ms > RETRY_AFTER_MS_MAX ? { ...after, 'x-should-retry': 'false' } : after
  }
  return statusOf(problem) >= 500 ? {} : { 'x-should-retry': 'false' }
}

export function usageBody(usage: Usage): JsonObject {
  return {
    prompt_tokens: inputTokensOf(usage),
    completion_tokens: outputTokensOf(usage),
    total_tokens: totalTokens(usage),
    prompt_tokens_details: { cached_tokens: usage.cachedInputTokens },
    completion_tokens_details: { reasoning_tokens: usage.reasoningTokens },
  }
}

export const sseData = (value: JsonObject): string => `data: ${JSON.stringify(value)}\n\n`
export const SSE_DONE = 'data: [DONE]\n\n'
