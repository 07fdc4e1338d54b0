import { Refusal } from '../../base/errors.ts'
import { isObject, type Json, type JsonObject } from '../../base/json.ts'
import type { AnswerFacts, AnswerWriter, ChatRequest, Dialect } from './dialect.ts'
import { invalid } from './fields.ts'
import { OPENAI, readChatRequest } from './openai.ts'

/** OpenAI's legacy completions, answered by a chat: the prompt is what the user says. What a chat
 *  cannot do (several prompts, tokens, text before a suffix) is refused rather than guessed. */

const LOGPROBS_MAX = 5

/** Fields that a chat has no word for, and the value that asks for nothing. */
const UNASKED: { readonly [field: string]: Json } = { echo: false, best_of: 1, suffix: null }

export function readCompletionRequest(body: Json): ChatRequest | Refusal {
  if (!isObject(body)) return invalid('body', 'must be an object', 'Send {"model": ..., "prompt": "..."}.')
  const { prompt, logprobs, echo: _echo, best_of: _best, suffix: _suffix, ...rest } = body
  const given: Json =
    Array.isArray(prompt) && prompt.length === 1 ? ((prompt as readonly Json[])[0] ?? null) : (prompt ?? null)
  if (typeof given !== 'string')
    return invalid('prompt', 'must be one text', 'Send a string; of several prompts each is a request of its own.')
  for (const [field, nothing] of Object.entries(UNASKED)) {
    const value = body[field] ?? null
    if (value !== null && value !== nothing && value !== '')
      return invalid(field, 'is not served', 'Leave it out, or use /v1/chat/completions.')
  }
  const top = logprobs ?? null
  if (top !== null && !(typeof top === 'number' && Number.isInteger(top) && top >= 0 && top <= LOGPROBS_MAX))
    return invalid('logprobs', `must be a whole number from 0 to ${LOGPROBS_MAX}`, 'Leave it out for none.')
  const chat = readChatRequest({
    ...rest,
    messages: [{ role: 'user', content: given }],
    ...(top === null ? {} : { logprobs: true, top_logprobs: top }),
  })
  return chat instanceof Refusal ? chat : { ...chat, dialect: COMPLETIONS }
}

const COMPLETIONS: Dialect = { ...OPENAI, answer: (request, about) => new CompletionWriter(request, about) }

class CompletionWriter implements AnswerWriter {
  readonly #chat: AnswerWriter
  readonly #about: AnswerFacts
  readonly #includeUsage: boolean
  #common: JsonObject | undefined
  /** Units of text said so far, by choice. */
  readonly #said = new Map<Json, number>()

  constructor(request: ChatRequest, about: AnswerFacts) {
    this.#chat = OPENAI.answer(request, about)
    this.#about = about
    this.#includeUsage = request.includeUsage
  }

  chunk(frame: JsonObject): string {
    const { id = this.#about.requestId, created = this.#about.now(), model = this.#about.model } = frame
    this.#common ??= { id, object: 'text_completion', created, model }
    const choices = choicesOf(frame).map((choice) => this.#choice(choice, choice['delta']))
    return data({ ...frame, ...this.#common, choices, ...(this.#includeUsage ? { usage: null } : {}) })
  }

  end(usage: JsonObject): readonly string[] {
    const done = 'data: [DONE]\n\n'
    return this.#includeUsage ? [data({ ...this.#common, choices: [], usage }), done] : [done]
  }

  broken(problem: Parameters<AnswerWriter['broken']>[0]): string {
    return this.#chat.broken(problem)
  }

  whole(frame: JsonObject): JsonObject {
    const choices = choicesOf(frame).map((choice) => this.#choice(choice, choice['message']))
    return { ...frame, object: 'text_completion', choices }
  }

  #choice(
    { index = 0, finish_reason: finish = null, logprobs = null }: JsonObject,
    said: Json | undefined,
  ): JsonObject {
    const content = isObject(said) ? said['content'] : null
    const text = typeof content === 'string' ? content : ''
    const offset = this.#said.get(index) ?? 0
    this.#said.set(index, offset + text.length)
    return { text, index, logprobs: logprobsOf(logprobs, offset), finish_reason: finish }
  }
}

/** The older shape: columns in place of rows. */
function logprobsOf(logprobs: Json, offset: number): Json {
  const rows = isObject(logprobs) && Array.isArray(logprobs['content']) ? (logprobs['content'] as readonly Json[]) : []
  if (rows.length === 0) return null
  let at = offset
  const read = rows.filter(isObject).map((row) => {
    const token = String(row['token'] ?? '')
    const start = at
    at += token.length
    const top = Array.isArray(row['top_logprobs']) ? (row['top_logprobs'] as readonly Json[]).filter(isObject) : []
    const others = Object.fromEntries(top.map((one) => [String(one['token'] ?? ''), one['logprob'] ?? null]))
    return { token, logprob: row['logprob'] ?? null, start, others }
  })
  return {
    tokens: read.map(({ token }) => token),
    token_logprobs: read.map(({ logprob }) => logprob),
    top_logprobs: read.map(({ others }) => others),
    text_offset: read.map(({ start }) => start),
  }
}

const choicesOf = (frame: JsonObject): readonly JsonObject[] =>
  Array.isArray(frame['choices']) ? (frame['choices'] as readonly Json[]).filter(isObject) : []

const data = (value: JsonObject): string => `data: ${JSON.stringify(value)}\n\n`
