import { kindOf, type Problem, statusOf } from '../../base/errors.ts'
import type { Headers } from '../../base/http.ts'
import type { JsonObject } from '../../base/json.ts'
import type { Usage } from '../../meter/usage.ts'

/** What callers speak. Bodies come in as OpenAI's chat completion, answers go out from its chunks
 *  (decisions/006 and 013); all else about a dialect is known to its own file alone. */
export interface Dialect {
  /** Of every answer, beside those that all dialects have. */
  headers(requestId: string): Headers
  errorBody(problem: Problem, requestId: string): JsonObject
  /** `raw`: as the engine told it. */
  usageBody(usage: Usage, raw?: JsonObject): JsonObject
  /** Writes the answer to one request. */
  answer(request: ChatRequest, about: AnswerFacts): AnswerWriter
}

export interface ChatRequest {
  readonly dialect: Dialect
  readonly model: string
  readonly stream: boolean
  /** Whether the caller wants a stream to say what it used. */
  readonly includeUsage: boolean
  /** What the caller caps the output at, if anything. */
  readonly outputTokensMax: number | undefined
  /** OpenAI's. */
  readonly body: JsonObject
}

export interface AnswerFacts {
  readonly requestId: string
  /** As the caller named it. */
  readonly model: string
  /** Seconds since 1970. */
  now(): number
}

/** One answer as it leaves. Each may throw a `Fault` where an engine's frame cannot be said. */
export interface AnswerWriter {
  /** Events of a stream for one `chat.completion.chunk`; none is an empty text. */
  chunk(frame: JsonObject): string
  /** Events that end a stream, the very last by itself; `usage` as of `Dialect.usageBody`. */
  end(usage: JsonObject): readonly string[]
  /** The event of a stream that broke. */
  broken(problem: Problem): string
  /** A `chat.completion`, still without its usage. */
  whole(frame: JsonObject): JsonObject
}

const RETRY_AFTER_MS = 500
/** Both take no notice of a longer one, and come back at once. */
const RETRY_AFTER_MS_MAX = 60_000

/** What a client must be told about trying again: OpenAI's and Anthropic's retry twice unless told
 *  not to. */
export function retryHeaders(problem: Problem): Headers {
  const kind = kindOf(problem)
  if (kind === 'busy' || kind === 'engine') {
    const { retryAfterMs } = problem.details
    const ms = typeof retryAfterMs === 'number' ? retryAfterMs : RETRY_AFTER_MS
    const after = { 'retry-after': String(Math.ceil(ms / 1000)), 'retry-after-ms': String(ms) }
    return ms > RETRY_AFTER_MS_MAX ? { ...after, 'x-should-retry': 'false' } : after
  }
  return statusOf(problem) >= 500 ? {} : { 'x-should-retry': 'false' }
}
