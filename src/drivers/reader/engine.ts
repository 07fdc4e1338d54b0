import type { Clock } from '../../base/clock.ts'
import { type Fault, fault, Fault as FaultError, reasonOf } from '../../base/errors.ts'
import type { Json, JsonObject } from '../../base/json.ts'
import type { Analyzer } from '../../base/words.ts'
import type { Attempt, ChatCall, ChatSink, Engine, Operation } from '../../engine/port.ts'
import { answerFrom } from './answer.ts'
import type { Answer } from './compose.ts'
import { type Message, messagesOf, readPrompt } from './prompt.ts'
import { countTokens, splitTokens } from './tokens.ts'

export interface ReaderOptions {
  readonly name: string
  readonly clock: Clock
  readonly analyzer: Analyzer
  /** Longer prompts are refused (`context_too_long`). */
  readonly contextTokensMax?: number
}

const CONTEXT_TOKENS_MAX = 32_000

/** Text of more units than this per token allowed is refused unread. */
const UNITS_PER_TOKEN_MAX = 8

/** After so much work at a stretch others get a turn: a stream beside it must not stutter. */
const STRETCH_MS = 2

/** Tokens in one frame: a few words, as an answer is read. */
const FRAME_TOKENS = 5
/** Frames sent at a stretch. */
const BURST_FRAMES = 32

/** The embedded extractive engine: answers with the sentences of what it was given that best answer
 *  the question, and says so when none does. It needs no weights and invents nothing.
 *
 *  The last frame carries `headworks: { answered, quotes }`; a quote is a range in the text of the
 *  source with that number. Tokens, in and out, are its own: words and marks of punctuation. */
export class ReaderEngine implements Engine {
  readonly name: string
  readonly operations: ReadonlySet<Operation> = new Set(['chat'])
  readonly #options: ReaderOptions

  constructor(options: ReaderOptions) {
    this.name = options.name
    this.#options = options
  }

  chat(call: ChatCall, sink: ChatSink): Attempt {
    const reading = new Reading(this.#options, call, sink)
    void reading.run()
    return reading
  }

  rerank(): Promise<never> {
    return Promise.reject(fault('operation_unsupported', { model: this.name, operation: 'rerank' }))
  }

  embed(): Promise<never> {
    return Promise.reject(fault('operation_unsupported', { model: this.name, operation: 'embed' }))
  }

  async models(): Promise<string[]> {
    return [this.name]
  }
}

class Reading implements Attempt {
  readonly #options: ReaderOptions
  readonly #call: ChatCall
  readonly #sink: ChatSink
  readonly #created: number
  #over = false
  #paused = false
  /** Goes on sending; set while `pause` holds it. */
  #continue: (() => void) | undefined
  #stretchBegunMs = 0

  constructor(options: ReaderOptions, call: ChatCall, sink: ChatSink) {
    this.#options = options
    this.#call = call
    this.#sink = sink
    this.#created = Math.floor(options.clock.wallMs() / 1000)
  }

  async run(): Promise<void> {
    try {
      await Promise.resolve() // The caller has the attempt in hand before anything reaches its sink.
      if (this.#over) return
      this.#stretchBegunMs = this.#options.clock.monotonicMs()
      refuseUnservable(this.#call.body)
      const messages = messagesOf(this.#call.body)
      const inputTokens = this.#measure(messages)
      await this.#breathe()
      const prompt = readPrompt(messages)
      await this.#breathe()
      const span = this.#call.span.child('read')
      const answer = await answerFrom(this.#options.analyzer, prompt, () => this.#breathe())
      span.end({ texts: prompt.texts.length, inputTokens, answered: answer.answered })
      if (!this.#over) await this.#send(answer, inputTokens)
    } catch (thrown) {
      this.#fail(thrown instanceof FaultError ? thrown : fault('internal', { reason: reasonOf(thrown) }, thrown))
    }
  }

  cancel(): void {
    this.#over = true
    this.#continue?.()
  }

  pause(): void {
    this.#paused = true
  }

  resume(): void {
    this.#paused = false
    this.#continue?.()
  }

  /** Also bounds the length, so that no pile of endless words is read. */
  #measure(messages: readonly Message[]): number {
    const limit = this.#options.contextTokensMax ?? CONTEXT_TOKENS_MAX
    let tokens = 0
    let units = 0
    for (const { content } of messages) {
      units += content.length
      if (units <= limit * UNITS_PER_TOKEN_MAX) tokens += countTokens(content, limit - tokens)
      if (tokens > limit || units > limit * UNITS_PER_TOKEN_MAX) {
        throw fault('context_too_long', { tokens: `more than ${limit}`, model: this.#call.model, limit })
      }
    }
    return tokens
  }

  async #send(answer: Answer, inputTokens: number): Promise<void> {
    const all = splitTokens(upToStop(answer.text, this.#call.body['stop']))
    const tokens = all.slice(0, this.#call.outputTokensMax)
    const finish = tokens.length < all.length ? 'length' : 'stop'
    const headworks = {
      answered: answer.answered,
      quotes: answer.quotes as readonly JsonObject[] & readonly Answer['quotes'][number][],
    }
    if (this.#call.stream) await this.#stream(tokens, finish, headworks)
    else await this.#whole(tokens, finish, headworks)
    if (this.#over) return
    this.#over = true
    const outputTokens = tokens.length
    this.#sink.end({
      usage: { inputTokens, cachedInputTokens: 0, outputTokens, reasoningTokens: 0, estimated: false },
      rawUsage: {
        prompt_tokens: inputTokens,
        completion_tokens: outputTokens,
        total_tokens: inputTokens + outputTokens,
      },
    })
  }

  async #stream(tokens: readonly string[], finish: string, headworks: JsonObject): Promise<void> {
    const deltas: JsonObject[] = [{ role: 'assistant', content: '' }]
    for (let at = 0; at < tokens.length; at += FRAME_TOKENS)
      deltas.push({ content: tokens.slice(at, at + FRAME_TOKENS).join('') })
    for (const [number, delta] of deltas.entries()) {
      if (number % BURST_FRAMES === BURST_FRAMES - 1) await this.#turn()
      await this.#held()
      if (this.#over) return
      this.#sink.frame(this.#frame('chat.completion.chunk', { index: 0, delta, finish_reason: null }))
    }
    await this.#held()
    if (!this.#over)
      this.#sink.frame({
        ...this.#frame('chat.completion.chunk', { index: 0, delta: {}, finish_reason: finish }),
        headworks,
      })
  }

  async #whole(tokens: readonly string[], finish: string, headworks: JsonObject): Promise<void> {
    await this.#held()
    if (this.#over) return
    const message = { role: 'assistant', content: tokens.join(''), refusal: null }
    this.#sink.frame({ ...this.#frame('chat.completion', { index: 0, message, finish_reason: finish }), headworks })
  }

  #frame(object: string, choice: JsonObject): JsonObject {
    return {
      id: `chatcmpl-${this.#call.requestId}`,
      object,
      created: this.#created,
      model: this.#call.model,
      choices: [choice],
    }
  }

  /** Until nobody holds us back. */
  async #held(): Promise<void> {
    while (this.#paused && !this.#over) {
      await new Promise<void>((resolve) => {
        this.#continue = resolve
      })
      this.#continue = undefined
    }
  }

  #breathe(): Promise<void> | undefined {
    return this.#options.clock.monotonicMs() - this.#stretchBegunMs < STRETCH_MS ? undefined : this.#turn()
  }

  async #turn(): Promise<void> {
    await new Promise<void>((resolve) => void this.#options.clock.after(0, resolve))
    this.#stretchBegunMs = this.#options.clock.monotonicMs()
  }

  #fail(cause: Fault): void {
    if (this.#over) return
    this.#over = true
    this.#sink.fail(cause)
  }
}

/** What would change the answer and cannot be done is refused, not ignored. */
function refuseUnservable(body: JsonObject): void {
  const refuse = (field: string, problem: string, remedy: string): never => {
    throw fault('field_invalid', { field, problem, remedy })
  }
  const { n, response_format: format, tool_choice: choice } = body
  if (n !== undefined && n !== null && n !== 1)
    refuse('n', `is ${JSON.stringify(n)}, and this engine gives one answer`, 'Leave it out.')
  if (typeOf(format) !== undefined && typeOf(format) !== 'text')
    refuse(
      'response_format',
      'asks for JSON, and this engine only quotes text',
      'Leave it out, or use a generating model.',
    )
  if (choice === 'required' || typeOf(choice) !== undefined)
    refuse(
      'tool_choice',
      'asks for a tool call, and this engine calls none',
      'Use "auto" or "none", or a generating model.',
    )
  if (body['logprobs'] === true) refuse('logprobs', 'asks for probabilities, and this engine has none', 'Leave it out.')
}

const typeOf = (value: Json | undefined): Json | undefined =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as JsonObject)['type'] : undefined

function upToStop(text: string, stop: Json | undefined): string {
  const sequences = (typeof stop === 'string' ? [stop] : Array.isArray(stop) ? (stop as readonly Json[]) : []).filter(
    (one) => typeof one === 'string' && one !== '',
  )
  return sequences.reduce<string>((kept, one) => kept.split(String(one), 1)[0] ?? '', text)
}
