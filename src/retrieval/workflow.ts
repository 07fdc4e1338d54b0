import type { Clock } from '../base/clock.ts'
import { fault, toFault } from '../base/errors.ts'
import { isObject, type Json, type JsonObject } from '../base/json.ts'
import type { Analyzer } from '../base/words.ts'
import type { Attempt, CallModel, ChatCall, ChatEnd, ChatSink, Engine, Operation, RerankWith } from '../engine/port.ts'
import { DEFAULT_INSTRUCTIONS, fitPassages, promptWith, questionOf, sourceTitle } from './assemble.ts'
import { annotations, findQuotes, markersIn, type Quote, sourcesJson } from './cite.ts'
import type { Passage } from './passage.ts'
import type { Search } from './search.ts'

/** Search, rerank, assemble, generate: declared in the configuration, called as a model. */

export interface WorkflowSpec {
  readonly name: string
  readonly collection: string
  readonly topK: number
  /** The model that reorders what was found. */
  readonly rerank?: string
  /** The model that answers. */
  readonly model: string
  readonly contextTokensMax: number
  readonly instructions?: string
}

export interface WorkflowDependencies {
  readonly clock: Clock
  readonly analyzer: Analyzer
  readonly search: Search
  readonly callModel: CallModel
  readonly rerank: RerankWith
  /** One sentence for an answer that nothing was found for: whether the collection is empty, is
   *  being read, or just holds nothing about it. */
  readonly explainNothing: (collection: string) => Promise<string>
}

/** With a reranker, this many times `topK` are searched for and then reordered. */
const RERANK_POOL = 4

/** A longer question is cut for the search; the model still reads it whole. */
const QUESTION_UNITS_MAX = 4000

export class WorkflowEngine implements Engine {
  readonly name: string
  readonly operations: ReadonlySet<Operation> = new Set(['chat'])
  readonly #spec: WorkflowSpec
  readonly #dependencies: WorkflowDependencies

  constructor(spec: WorkflowSpec, dependencies: WorkflowDependencies) {
    this.name = spec.name
    this.#spec = spec
    this.#dependencies = dependencies
  }

  chat(call: ChatCall, sink: ChatSink): Attempt {
    const run = new Run(this.#spec, this.#dependencies, call, sink)
    run.start().catch((thrown: unknown) => run.fail(thrown))
    return run
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

/** What an engine that knows its sources says about its own answer. */
interface EngineSays {
  readonly answered?: boolean
  readonly quotes?: readonly Quote[]
}

/** Of a frame's `headworks`, what can be believed: any server behind an engine may send one. */
function readEngineSays({ answered, quotes }: JsonObject, passages: readonly Passage[]): EngineSays {
  const isQuote = (one: Json): one is JsonObject & Quote =>
    isObject(one) &&
    [one['source'], one['start'], one['end']].every(Number.isSafeInteger) &&
    Number(one['start']) >= 0 &&
    Number(one['start']) < Number(one['end']) &&
    Number(one['end']) <= (passages[Number(one['source']) - 1]?.text.length ?? 0)
  return {
    ...(typeof answered === 'boolean' ? { answered } : {}),
    ...(Array.isArray(quotes) ? { quotes: (quotes as readonly Json[]).filter(isQuote) } : {}),
  }
}

class Run implements Attempt {
  readonly #spec: WorkflowSpec
  readonly #dependencies: WorkflowDependencies
  readonly #call: ChatCall
  readonly #sink: ChatSink
  #inner: Attempt | undefined
  #over = false
  #paused = false
  readonly #stop = new AbortController()
  #isReranked = false
  #passages: readonly Passage[] = []
  #answer = ''
  #sentFirst = false
  /** The frame with the finish reason, kept so that citations can go out with it. */
  #last: JsonObject | undefined
  #engineSays: EngineSays = {}

  constructor(spec: WorkflowSpec, dependencies: WorkflowDependencies, call: ChatCall, sink: ChatSink) {
    this.#spec = spec
    this.#dependencies = dependencies
    this.#call = call
    this.#sink = sink
  }

  async start(): Promise<void> {
    const { span, body } = this.#call
    const question = questionOf(body).slice(0, QUESTION_UNITS_MAX)
    if (question === '')
      throw fault('field_invalid', {
        field: 'messages',
        problem: 'hold no question',
        remedy: 'End with a message of the role "user".',
      })
    const found = await this.#search(question)
    if (this.#over) return
    const ranked = await this.#rerank(question, found)
    if (this.#over) return
    const assembly = span.child('assemble')
    this.#passages = fitPassages(ranked, this.#spec.contextTokensMax)
    assembly.end({ passages: this.#passages.length })
    if (this.#passages.length === 0)
      return this.#unanswered(await this.#dependencies.explainNothing(this.#spec.collection))
    this.#generate()
  }

  cancel(): void {
    this.#over = true
    this.#stop.abort()
    this.#inner?.cancel()
  }

  pause(): void {
    this.#paused = true
    this.#inner?.pause()
  }

  resume(): void {
    this.#paused = false
    this.#inner?.resume()
  }

  fail(thrown: unknown): void {
    if (this.#over) return
    this.#over = true
    this.#sink.fail(toFault(thrown))
  }

  async #search(question: string): Promise<readonly Passage[]> {
    const { collection, topK, rerank } = this.#spec
    const span = this.#call.span.child('search')
    const k = rerank === undefined ? topK : topK * RERANK_POOL
    const access = { tenant: this.#call.spending.tenant }
    const { passages } = await this.#dependencies.search.search(collection, question, { k, access, span })
    span.end({ collection, k, found: passages.length })
    return passages
  }

  async #rerank(question: string, passages: readonly Passage[]): Promise<readonly Passage[]> {
    const { rerank, topK } = this.#spec
    if (rerank === undefined || passages.length === 0) return passages.slice(0, topK)
    const span = this.#call.span.child('rerank')
    const texts = passages.map((passage) => `${sourceTitle(passage)}\n${passage.text}`)
    const { requestId, spending } = this.#call
    const call = { requestId, span, spending, signal: this.#stop.signal, query: question, documents: texts }
    const order = await this.#dependencies.rerank(rerank, call)
    this.#isReranked = true
    span.end({ model: rerank, documents: texts.length })
    return order.flatMap((at) => passages[at] ?? []).slice(0, topK)
  }

  #generate(): void {
    const { requestId, spending, body, stream, outputTokensMax } = this.#call
    const span = this.#call.span.child('generate')
    const inner = this.#dependencies.callModel(
      this.#spec.model,
      {
        requestId,
        span,
        spending,
        stream,
        outputTokensMax,
        body: promptWith(body, this.#spec.instructions ?? DEFAULT_INSTRUCTIONS, this.#passages),
      },
      {
        frame: (frame) => this.#frame(frame),
        end: (end) => {
          span.end({ model: this.#spec.model })
          this.#end(end)
        },
        fail: (cause) => {
          span.end({ model: this.#spec.model, error: cause.code })
          this.fail(cause)
        },
      },
    )
    if (this.#over) return inner.cancel()
    this.#inner = inner
    if (this.#paused) inner.pause()
  }

  #frame(frame: JsonObject): void {
    if (this.#over) return
    const { headworks, ...plain } = frame
    if (isObject(headworks)) this.#engineSays = readEngineSays(headworks, this.#passages)
    const choice = firstChoice(plain)
    const part = isObject(choice?.['delta']) ? choice['delta'] : choice?.['message']
    if (isObject(part) && typeof part['content'] === 'string') this.#answer += part['content']
    const named: JsonObject = { ...plain, model: this.#spec.name }
    if (!this.#call.stream || typeof choice?.['finish_reason'] === 'string') {
      this.#last = named
      return
    }
    this.#sink.frame(this.#sentFirst ? named : { ...named, headworks: this.#opening() })
    this.#sentFirst = true
  }

  #end(end: ChatEnd): void {
    if (this.#over) return
    const passages = this.#passages
    const markers = markersIn(this.#answer, passages.length)
    const quotes = this.#engineSays.quotes ?? findQuotes(this.#dependencies.analyzer, this.#answer, passages)
    const answered = this.#engineSays.answered ?? markers.length > 0
    const frame = withAnnotations(this.#last ?? {}, annotations(markers, passages))
    this.#sink.frame({ ...frame, headworks: { sources: sourcesJson(passages, quotes), answered } })
    if (this.#over) return
    this.#over = true
    // What the whole took is the sum of its calls, not what the last one says of itself.
    this.#sink.end(this.#isReranked ? {} : end)
  }

  /** Nothing was found: said plainly, without asking a model to invent something. */
  #unanswered(content: string): void {
    if (this.#over) return
    const common = {
      id: this.#call.requestId,
      created: Math.floor(this.#dependencies.clock.wallMs() / 1000),
      model: this.#spec.name,
    }
    const headworks = { sources: [], answered: false }
    const message = { role: 'assistant', content }
    if (this.#call.stream) {
      this.#sink.frame({
        ...common,
        object: 'chat.completion.chunk',
        choices: [{ index: 0, delta: message, finish_reason: null }],
        headworks: this.#opening(),
      })
      if (this.#over) return
      this.#sink.frame({
        ...common,
        object: 'chat.completion.chunk',
        choices: [{ index: 0, delta: {}, finish_reason: 'stop' }],
        headworks,
      })
    } else {
      this.#sink.frame({
        ...common,
        object: 'chat.completion',
        choices: [{ index: 0, message, finish_reason: 'stop' }],
        headworks,
      })
    }
    if (this.#over) return
    this.#over = true
    this.#sink.end({})
  }

  #opening(): JsonObject {
    return { request_id: this.#call.requestId, sources: sourcesJson(this.#passages, []) }
  }
}

function firstChoice(frame: JsonObject): JsonObject | undefined {
  const choices = frame['choices']
  const first = Array.isArray(choices) ? (choices as readonly Json[])[0] : undefined
  return isObject(first) ? first : undefined
}

/** Puts annotations where OpenAI's clients look for them: on the message, or on the last delta. */
function withAnnotations(frame: JsonObject, list: readonly JsonObject[]): JsonObject {
  const choices = frame['choices']
  if (!Array.isArray(choices)) return frame
  return {
    ...frame,
    choices: (choices as readonly Json[]).map((choice, at) => {
      if (!isObject(choice) || at > 0) return choice
      const name = isObject(choice['delta']) ? 'delta' : 'message'
      const part = choice[name]
      return { ...choice, [name]: { ...(isObject(part) ? part : {}), annotations: list } }
    }),
  }
}
