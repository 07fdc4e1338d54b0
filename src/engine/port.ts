import type { Fault } from '../base/errors.ts'
import type { ClientHandler, Exchange } from '../base/http.ts'
import type { JsonObject } from '../base/json.ts'
import type { Spending } from '../meter/spending.ts'
import type { Usage } from '../meter/usage.ts'
import type { OpenSpan } from '../trace/trace.ts'

/** Where models run: a GPU server, a provider, an embedded engine, a workflow. All are called
 *  the same way and all stream, meter and fail the same way. An engine holds nothing that must be
 *  let go of: a reload forgets it, and calls that run end as they are. */
export interface Engine {
  /** The name it has in the configuration. */
  readonly name: string
  readonly operations: ReadonlySet<Operation>
  /** Starts one chat completion. Never throws; what goes wrong reaches `sink.fail`. */
  chat(call: ChatCall, sink: ChatSink): Attempt
  /** Scores documents against a query, best first. Rejects with a `Fault`. */
  rerank(call: RerankCall): Promise<RerankResult>
  /** Embeds texts. Rejects with a `Fault`. */
  embed(call: EmbedCall): Promise<EmbedResult>
  /** Model names it serves, for `doctor` and the listing. Rejects with a `Fault` when it cannot
   *  be reached within `timeoutMs`. */
  models(timeoutMs: number): Promise<string[]>
  /** Absent: it serves nothing beside these. */
  readonly passthrough?: Passthrough
}

/** `moderations`, `images`, `audio` and `other` paths are passed through as they are. */
export type Operation = 'chat' | 'rerank' | 'embed' | PassedOperation
export type PassedOperation = 'moderations' | 'images' | 'audio' | 'other'

/** Requests handed on, and their answers handed back, without a look at what they say. */
export interface Passthrough {
  /** Below the base of its interface, such as `/images/generations`. */
  readonly paths: ReadonlySet<string>
  start(call: PassedCall, handler: ClientHandler): Exchange
}

export interface PassedCall {
  readonly path: string
  readonly contentType: string
  readonly body: Uint8Array
  readonly connectTimeoutMs: number
}

/** What every call carries, whatever the operation. */
export interface CallContext {
  readonly requestId: string
  /** Where the call's own stages are recorded. */
  readonly span: OpenSpan
  readonly connectTimeoutMs: number
  /** Who pays. A workflow hands it on to the calls it makes; other engines leave it alone. */
  readonly spending: Spending
}

export interface ChatCall extends CallContext {
  /** The engine's own name of the model. */
  readonly model: string
  /** OpenAI's chat completion body: the validated fields and whatever else the caller sent.
   *  Its `model` and `stream` are replaced by this call's. */
  readonly body: JsonObject
  readonly stream: boolean
  /** The cap that is always sent upstream. */
  readonly outputTokensMax: number
}

/** Receives one chat completion: frames, then exactly one of `end` and `fail`, and nothing
 *  after it, nor after `Attempt.cancel`. */
export interface ChatSink {
  /** A streamed call: one `chat.completion.chunk` each. Otherwise: one `chat.completion`.
   *  Usage is taken out of the frames and handed to `end`. */
  frame(frame: JsonObject): void
  end(end: ChatEnd): void
  fail(fault: Fault): void
}

export interface ChatEnd {
  /** Absent when the engine sent none; then the gateway counts for itself. */
  readonly usage?: Usage
  /** The engine's own usage object, kept as it was. */
  readonly rawUsage?: JsonObject
}

export interface Attempt {
  /** Stops the engine and the sink at once. Harmless when it is over. */
  cancel(): void
  /** Backpressure: no frame between `pause` and `resume` beyond what is already on its way. */
  pause(): void
  resume(): void
}

export interface RerankCall extends CallContext {
  /** Stops the engine; the call then rejects with `signal.reason`. */
  readonly signal: AbortSignal
  readonly model: string
  readonly query: string
  readonly documents: readonly string[]
  readonly topN: number
}

export interface RerankResult {
  readonly results: readonly { readonly index: number; readonly score: number }[]
  readonly usage?: Usage
}

export interface EmbedCall extends CallContext {
  /** As for `RerankCall`. */
  readonly signal: AbortSignal
  readonly model: string
  readonly inputs: readonly string[]
  /** Wants to know what the engine says of the model as well. */
  readonly describe?: boolean
}

export interface EmbedResult {
  /** One per input, in order. */
  readonly vectors: readonly Float32Array[]
  /** Where `describe` was asked and the engine says anything. */
  readonly facts?: EmbeddingFacts
  readonly usage?: Usage
}

/** What an engine says of an embedding model. */
export interface EmbeddingFacts {
  /** Of its weights. */
  readonly revision?: string
  readonly pooling?: string
}

/** Calls a logical model from within: what a workflow is given. Routing, fallback, deadlines and
 *  budgets are those of any request. */
export type CallModel = (model: string, call: InnerCall, sink: ChatSink) => Attempt

type Inside = Pick<CallContext, 'requestId' | 'span' | 'spending'>

export interface InnerCall extends Inside {
  readonly body: JsonObject
  readonly stream: boolean
  readonly outputTokensMax: number
}

/** Reranks with a logical model from within, likewise: positions in `documents`, best first.
 *  Rejects with a `Fault`. */
export type RerankWith = (model: string, call: InnerRerank) => Promise<readonly number[]>

export interface InnerRerank extends Inside {
  readonly signal: AbortSignal
  readonly query: string
  readonly documents: readonly string[]
}

/** Embeds with a logical model from within. Rejects with a `Fault`. */
export type EmbedWith = (model: string, call: InnerEmbed) => Promise<Pick<EmbedResult, 'vectors' | 'facts'>>

export interface InnerEmbed {
  readonly signal: AbortSignal
  readonly inputs: readonly string[]
  readonly describe?: boolean
  readonly span?: OpenSpan
  /** Who pays. */
  readonly spending?: Spending
  /** Else its owner does, or the house where it has none. */
  readonly collection?: string
}

/** Has a logical model answer from within, as a whole: its text. Rejects with a `Fault`. */
export type AskWith = (
  model: string,
  call: {
    readonly messages: readonly JsonObject[]
    readonly outputTokensMax: number
    /** Whose owner pays. */
    readonly collection: string
    readonly signal: AbortSignal
  },
) => Promise<string>
