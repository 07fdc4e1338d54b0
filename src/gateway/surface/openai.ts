import { kindOf, type Problem, Refusal, remedyOf, sentenceOf, statusOf, type ErrorKind } from '../../base/errors.ts'
import { isObject, type Json, type JsonObject } from '../../base/json.ts'
import { inputTokensOf, outputTokensOf, totalTokens, type Usage } from '../../meter/usage.ts'
import type { AnswerFacts, AnswerWriter, ChatRequest, Dialect } from './dialect.ts'
import { invalid, isCount, readMessages, readModel } from './fields.ts'

/** OpenAI's dialect: bodies in, frames and errors out. Nothing else in the gateway knows it. */

const CHOICES_MAX = 16

export function readChatRequest(body: Json): ChatRequest | Refusal {
  if (!isObject(body)) return invalid('body', 'must be an object', 'Send {"model": ..., "messages": [...]}.')
  const model = readModel(body)
  if (typeof model !== 'string') return model
  const messages = readMessages(body)
  if (messages instanceof Refusal) return messages
  for (const [at, message] of messages.entries()) {
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
    dialect: OPENAI,
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

function messageProblem(message: Json): string | undefined {
  if (!isObject(message)) return 'must be an object'
  if (typeof message['role'] !== 'string') return 'must have a `role`'
  const content = message['content'] ?? null
  if (content !== null && typeof content !== 'string' && !Array.isArray(content))
    return 'must have a `content` that is a string or an array of parts'
  return undefined
}

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
function errorBody(problem: Problem): JsonObject {
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

function usageBody(usage: Usage): JsonObject {
  return {
    prompt_tokens: inputTokensOf(usage),
    completion_tokens: outputTokensOf(usage),
    total_tokens: totalTokens(usage),
    prompt_tokens_details: { cached_tokens: usage.cachedInputTokens },
    completion_tokens_details: { reasoning_tokens: usage.reasoningTokens },
  }
}

/** Chunks of one stream, with one `id`, `created` and `model` throughout. */
class ChunkWriter implements AnswerWriter {
  readonly #about: AnswerFacts
  readonly #includeUsage: boolean
  #common: JsonObject | undefined

  constructor({ includeUsage }: ChatRequest, about: AnswerFacts) {
    this.#includeUsage = includeUsage
    this.#about = about
  }

  chunk(frame: JsonObject): string {
    this.#common ??= {
      id: frame['id'] ?? this.#about.requestId,
      created: frame['created'] ?? this.#about.now(),
      model: frame['model'] ?? this.#about.model,
    }
    const chunk: JsonObject = { ...frame, ...this.#common }
    return sseData(this.#includeUsage ? { ...chunk, usage: null } : chunk)
  }

  end(usage: JsonObject): readonly string[] {
    if (!this.#includeUsage) return [SSE_DONE]
    return [sseData({ ...this.#common, object: 'chat.completion.chunk', choices: [], usage }), SSE_DONE]
  }

  /** Without [DONE]: what was cut off must not be taken for an end. */
  broken(problem: Problem): string {
    return sseData(errorBody(problem))
  }

  whole(frame: JsonObject): JsonObject {
    return frame
  }
}

const sseData = (value: JsonObject): string => `data: ${JSON.stringify(value)}\n\n`
const SSE_DONE = 'data: [DONE]\n\n'

export const OPENAI: Dialect = {
  headers: () => ({}),
  errorBody,
  usageBody: (usage, raw) => raw ?? usageBody(usage),
  answer: (request, about) => new ChunkWriter(request, about),
}
