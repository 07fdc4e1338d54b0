import { isObject, type Json, type JsonObject } from '../base/json.ts'
import { jsonMax, quotedMax } from './tokenizer/json.ts'
import { BYTES, bytesMax, type TextTokenizer, type Tokenizer } from './tokenizer/tokenizer.ts'

/** The most tokens a request can cost, proved before any engine is called.
 *
 *  Each text that the model reads is bounded by its tokenizer, or by its bytes where none is known.
 *  A chat template adds what is allowed for it here: a figure for the request, one for each message
 *  and each part. Everything in the body that is not known to stay out of the prompt counts. */

/** Role and separators of one message, a space before it and the marks around a tool call. */
const MESSAGE_TOKENS = 16
/** What joins one part of a message to the next. */
const PART_TOKENS = 4
/** What a template says about tools beside naming them. */
const TOOLS_TOKENS = 512
/** A picture of unknown price: the dearest of a large provider (gpt-4o-mini in eight tiles: 48,169). */
const IMAGE_TOKENS_MAX = 50_000

/** Text of a request that is tokenized. The rest is taken at its bytes: counting must not hold up the
 *  streams of the same process, and text made for it takes up to 1 ms a KiB (`npm run bench`). */
export const TOKENIZED_BYTES_MAX = 32_768

/** Fields of a chat completion body that say how to answer, and are no part of the prompt. */
// oxfmt-ignore
const UNREAD_FIELDS: ReadonlySet<string> = new Set([
  'model', 'messages', 'stream', 'stream_options', 'n', 'max_tokens', 'max_completion_tokens', 'min_tokens',
  'temperature', 'top_p', 'top_k', 'min_p', 'seed', 'stop', 'stop_token_ids', 'logprobs', 'top_logprobs',
  'logit_bias', 'presence_penalty', 'frequency_penalty', 'repetition_penalty', 'ignore_eos', 'best_of',
  'user', 'safety_identifier', 'metadata', 'store', 'service_tier', 'prompt_cache_key', 'prompt_cache_retention',
  'parallel_tool_calls', 'modalities', 'audio', 'verbosity', 'use_beam_search', 'length_penalty',
])

/** Fields that bring in what is not in the request. */
const UNBOUNDED_FIELDS = [
  'chat_template',
  'mm_processor_kwargs',
  'plugins',
  'web_search_options',
  'previous_response_id',
  'mcp_servers',
  'container',
] as const

/** What `anthropic`, a field for Anthropic's engines alone, may hold without bringing in more. */
// oxfmt-ignore
const BOUNDED_ANTHROPIC: ReadonlySet<string> = new Set([
  'thinking', 'top_k', 'service_tier', 'output_config', 'inference_geo', 'speed', 'cache_control',
])

export function inputTokensBound(body: JsonObject, tokenizer: Tokenizer = BYTES): number {
  const text = limited(tokenizer)
  let tokens = tokenizer.templateTokensMax
  if (Array.isArray(body['tools']) || Array.isArray(body['functions'])) tokens += TOOLS_TOKENS
  for (const message of listOf(body['messages'])) tokens += messageMax(message, text, tokenizer)
  for (const [field, value] of Object.entries(body))
    if (!UNREAD_FIELDS.has(field) && value !== undefined) tokens += field.length + jsonMax(value, text)
  return tokens
}

export interface UnboundedInput {
  /** As in `messages[0].content[1]`. */
  readonly field: string
  readonly reason: string
}

/** What in a request no bound can be given for; under a budget that must hold it is refused. */
export function unboundedInput(body: JsonObject, tokenizer: Tokenizer = BYTES): UnboundedInput | undefined {
  for (const field of UNBOUNDED_FIELDS)
    if (body[field] !== undefined && body[field] !== null)
      return { field, reason: 'adds to the input what is not in the request' }
  for (const field of Object.keys(isObject(body['anthropic']) ? body['anthropic'] : {}))
    if (!BOUNDED_ANTHROPIC.has(field))
      return { field: `anthropic.${field}`, reason: 'may add to the input what is not in the request' }
  for (const [at, message] of listOf(body['messages']).entries()) {
    if (!isObject(message)) continue
    const field = `messages[${at}]`
    if (isObject(message['audio'])) return { field: `${field}.audio`, reason: 'refers to audio of unknown length' }
    for (const [part, content] of listOf(message['content']).entries()) {
      const reason = unboundedPart(content, tokenizer)
      if (reason !== undefined) return { field: `${field}.content[${part}]`, reason }
    }
  }
  return undefined
}

function unboundedPart(part: Json, { imageTokensMax }: Tokenizer): string | undefined {
  if (!isObject(part) || isText(part) || part['type'] === 'input_audio') return undefined
  if (part['type'] !== 'image_url') return 'is of a kind whose tokens have no known limit'
  return imageTokensMax === undefined
    ? 'is a picture, and what one costs here at most is not known: set `imageTokensMax` of the deployment'
    : undefined
}

/** Answers an engine may write at once, each up to the cap: `n`, or `best_of` where it knows that. */
export function choicesMax(body: JsonObject): number {
  const asked = [body['n'], body['best_of']].filter((one) => typeof one === 'number' && Number.isFinite(one))
  return Math.max(1, ...asked.map((one) => Math.ceil(Number(one))))
}

/** Of texts that are read one by one, each by itself: for embeddings and rerankers. */
export const textsTokensBound = (texts: readonly string[], tokenizer: Tokenizer = BYTES): number => {
  const text = limited(tokenizer)
  return texts.reduce((sum, one) => sum + MESSAGE_TOKENS + text.countMax(one), 0)
}

function messageMax(message: Json, text: TextTokenizer, { imageTokensMax }: Tokenizer): number {
  if (!isObject(message)) return MESSAGE_TOKENS + jsonMax(message, text)
  let tokens = MESSAGE_TOKENS
  for (const [field, value] of Object.entries(message)) {
    if (value === undefined || value === null) continue
    if (typeof value === 'string') tokens += stringMax(value, PLAINLY.has(message['role'] ?? null), text)
    else if (field === 'content' && Array.isArray(value))
      for (const part of value as readonly Json[])
        tokens += PART_TOKENS + partMax(part, text, imageTokensMax ?? IMAGE_TOKENS_MAX)
    else tokens += field.length + jsonMax(value, text)
  }
  return tokens
}

/** Whose texts templates write as they are. What a tool answered may be written as JSON. */
const PLAINLY: ReadonlySet<Json> = new Set(['system', 'developer', 'user', 'assistant'])

const stringMax = (value: string, plainly: boolean, text: TextTokenizer): number =>
  plainly ? text.countMax(value) : Math.max(text.countMax(value), quotedMax(value, text))

function partMax(part: Json, text: TextTokenizer, imageTokensMax: number): number {
  if (!isObject(part)) return jsonMax(part, text)
  if (isText(part)) {
    const { type: _, ...rest } = part
    let tokens = 0
    for (const value of Object.values(rest))
      tokens += typeof value === 'string' ? text.countMax(value) : jsonMax(value ?? null, text)
    return tokens
  }
  // Recorded sound has more bytes than tokens: providers take 10 to 25 tokens a second.
  if (part['type'] === 'input_audio') return Buffer.byteLength(JSON.stringify(part))
  return imageTokensMax
}

const isText = ({ type, text, refusal }: JsonObject): boolean =>
  (typeof text === 'string' && (type === undefined || /^(?:(?:in|out)put_)?text$/.test(String(type)))) ||
  (type === 'refusal' && typeof refusal === 'string')

const listOf = (value: Json | undefined): readonly Json[] => (Array.isArray(value) ? (value as readonly Json[]) : [])

/** Tokenizes until the request's share is used up. */
function limited(tokenizer: Tokenizer): TextTokenizer {
  let left = TOKENIZED_BYTES_MAX
  return {
    name: tokenizer.name,
    count: (text) => tokenizer.count(text),
    spacesMax: (length) => tokenizer.spacesMax(length),
    countMax(text) {
      const bytes = Buffer.byteLength(text)
      if (bytes <= left) {
        left -= bytes
        return tokenizer.countMax(text)
      }
      // A bound holds wherever its text stands, so a text may be cut anywhere.
      const cut = Math.floor((text.length * left) / bytes)
      left = 0
      return (cut === 0 ? 0 : tokenizer.countMax(text.slice(0, cut))) + bytesMax(text.slice(cut))
    },
  }
}
