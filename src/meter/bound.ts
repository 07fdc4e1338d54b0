import { isObject, type Json, type JsonObject } from '../base/json.ts'

/** The most tokens a request can cost, proved before any engine is called.
 *
 *  Input: a byte-level tokenizer never makes more tokens than there are bytes, so the bytes of
 *  everything the engine reads as text bound them; a chat template adds a constant for each
 *  message. Pictures, sound and files are priced by size and not by bytes, so each is taken at
 *  the greatest figure the large providers publish. */

/** Role, separators and the opening of the answer, for each message and once. */
const TEMPLATE_TOKENS = 16

/** One picture, sound or file. */
const MEDIUM_TOKENS_MAX = 50_000

/** Fields of a chat completion body that the model reads beside its messages. */
const READ_FIELDS = ['tools', 'functions', 'tool_choice', 'function_call', 'response_format', 'prediction'] as const

export function inputTokensBound(body: JsonObject): number {
  const messages = Array.isArray(body['messages']) ? (body['messages'] as readonly Json[]) : []
  let tokens = TEMPLATE_TOKENS
  for (const message of messages) tokens += TEMPLATE_TOKENS + bytesOf(message) + mediaIn(message) * MEDIUM_TOKENS_MAX
  for (const field of READ_FIELDS) tokens += bytesOf(body[field])
  return tokens
}

/** The whole value as JSON: names and punctuation only make the bound larger. */
const bytesOf = (value: Json | undefined): number =>
  value === undefined ? 0 : Buffer.byteLength(JSON.stringify(value))

function mediaIn(message: Json): number {
  const content = isObject(message) ? message['content'] : undefined
  if (!Array.isArray(content)) return 0
  return (content as readonly Json[]).filter(
    (part) => isObject(part) && part['type'] !== 'text' && part['type'] !== 'refusal',
  ).length
}

/** Choices times the cap that is sent with the call. */
export function outputTokensBound(body: JsonObject, outputTokensMax: number): number {
  const n = body['n']
  return outputTokensMax * (typeof n === 'number' && n > 1 ? n : 1)
}

/** Of texts that are read one by one, each by itself: for embeddings and rerankers. */
export const textsTokensBound = (texts: readonly string[]): number =>
  texts.reduce((sum, text) => sum + TEMPLATE_TOKENS + Buffer.byteLength(text), 0)
