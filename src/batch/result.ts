import { isObject, type Json, type JsonObject } from '../base/json.ts'
import type { ProgressRow, ResultRow } from './batch.ts'
import type { Answered } from './exchange.ts'

/** What became of a line, in the shape of OpenAI's output and error files. */

export interface Result extends ResultRow {
  readonly usage: Omit<ProgressRow, 'completed' | 'failed'>
}

const NONE = { inputTokens: 0, cachedTokens: 0, outputTokens: 0, reasoningTokens: 0, costNanoUsd: '0' }

/** The engine or the gateway has answered, well or with an error. */
export function answeredResult(id: string, customId: string, { status, headers, text }: Answered): Result {
  const body = jsonOf(text)
  const isError = status < 200 || status > 299
  const response = { status_code: status, request_id: headers['x-request-id'] ?? '', body }
  return {
    text: JSON.stringify({ id, custom_id: customId, response, error: null }),
    isError,
    usage: isError ? NONE : { ...usageOf(body), costNanoUsd: headers['x-headworks-cost-nanousd'] ?? '0' },
  }
}

/** It was not asked, or has no answer. */
export const unansweredResult = (id: string, customId: string, code: string, message: string): Result => ({
  text: JSON.stringify({ id, custom_id: customId, response: null, error: { code, message } }),
  isError: true,
  usage: NONE,
})

export const withResult = (progress: ProgressRow, { isError, usage }: Result): ProgressRow => ({
  completed: progress.completed + (isError ? 0 : 1),
  failed: progress.failed + (isError ? 1 : 0),
  inputTokens: progress.inputTokens + usage.inputTokens,
  cachedTokens: progress.cachedTokens + usage.cachedTokens,
  outputTokens: progress.outputTokens + usage.outputTokens,
  reasoningTokens: progress.reasoningTokens + usage.reasoningTokens,
  costNanoUsd: String(BigInt(progress.costNanoUsd) + BigInt(usage.costNanoUsd)),
})

function jsonOf(text: string): Json {
  try {
    return JSON.parse(text) as Json
  } catch {
    return text
  }
}

/** Of whichever dialect. */
function usageOf(body: Json): Omit<Result['usage'], 'costNanoUsd'> {
  const usage = isObject(body) && isObject(body['usage']) ? body['usage'] : {}
  const input = countOf(usage, 'prompt_tokens') + countOf(usage, 'input_tokens')
  // Anthropic's leave out what came from its cache.
  const cacheRead = countOf(usage, 'cache_read_input_tokens')
  const apart = cacheRead + countOf(usage, 'cache_creation_input_tokens')
  const inputDetails = detailsOf(usage, 'prompt_tokens_details') ?? detailsOf(usage, 'input_tokens_details') ?? {}
  const outputDetails = detailsOf(usage, 'completion_tokens_details') ?? detailsOf(usage, 'output_tokens_details') ?? {}
  return {
    inputTokens: input + apart,
    cachedTokens: cacheRead + countOf(inputDetails, 'cached_tokens'),
    outputTokens: countOf(usage, 'completion_tokens') + countOf(usage, 'output_tokens'),
    reasoningTokens: countOf(outputDetails, 'reasoning_tokens'),
  }
}

const detailsOf = (usage: JsonObject, name: string): JsonObject | undefined => {
  const details = usage[name]
  return isObject(details) ? details : undefined
}

function countOf(from: JsonObject, name: string): number {
  const count = from[name]
  return typeof count === 'number' && Number.isSafeInteger(count) && count >= 0 ? count : 0
}
