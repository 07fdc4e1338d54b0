import { type Fault, fault } from '../../base/errors.ts'
import type { HttpClient } from '../../base/http.ts'
import { isObject, type Json, type JsonObject } from '../../base/json.ts'
import { askForJson } from '../../engine/exchange.ts'
import type {
  Attempt,
  CallContext,
  ChatCall,
  ChatSink,
  EmbedCall,
  EmbeddingFacts,
  EmbedResult,
  Engine,
  Operation,
  RerankCall,
  RerankResult,
} from '../../engine/port.ts'
import { unsupportedChat } from '../../engine/unsupported.ts'
import { readVectors } from '../../engine/vectors.ts'

/** Hugging Face's Text Embeddings Inference by its own interface, which says what its weights are. One
 *  server runs one model, for embeddings or for reranking. */
export interface TeiOptions {
  readonly name: string
  readonly url: string
  readonly key?: { reveal(): string }
  readonly headers?: { readonly [name: string]: string }
  readonly client: HttpClient
}

type Asking = Pick<CallContext, 'connectTimeoutMs'> & { readonly signal: AbortSignal }

export class TeiEngine implements Engine {
  readonly name: string
  readonly operations: ReadonlySet<Operation> = new Set(['embed', 'rerank'])
  readonly #options: TeiOptions

  constructor(options: TeiOptions) {
    this.name = options.name
    this.#options = options
  }

  chat(_call: ChatCall, sink: ChatSink): Attempt {
    return unsupportedChat(this.name, sink)
  }

  async embed(call: EmbedCall): Promise<EmbedResult> {
    // What is longer than the model reads is cut there; it knows its tokens and we do not.
    const answer = await this.#ask('POST', '/embed', call, { inputs: call.inputs, truncate: true, normalize: true })
    const vectors = readVectors(answer, call.inputs.length)
    if (typeof vectors === 'string') throw this.#garbled(vectors)
    return call.describe === true ? { vectors, facts: factsOf(await this.#ask('GET', '/info', call)) } : { vectors }
  }

  async rerank(call: RerankCall): Promise<RerankResult> {
    const { query, documents, topN } = call
    const answer = await this.#ask('POST', '/rerank', call, { query, texts: documents, truncate: true })
    if (!Array.isArray(answer)) throw this.#garbled('its ranking is no list')
    const results = (answer as readonly Json[]).map((one) => {
      const { index, score } = isObject(one) ? one : {}
      if (typeof index !== 'number' || documents[index] === undefined || typeof score !== 'number')
        throw this.#garbled('a result is malformed')
      return { index, score }
    })
    return { results: results.toSorted((a, b) => b.score - a.score).slice(0, topN) }
  }

  async models(timeoutMs: number): Promise<string[]> {
    const info = await this.#ask('GET', '/info', {
      connectTimeoutMs: timeoutMs,
      signal: AbortSignal.timeout(timeoutMs),
    })
    const model = isObject(info) ? info['model_id'] : undefined
    if (typeof model !== 'string') throw this.#garbled('GET /info has no `model_id`')
    return [model]
  }

  #ask(
    method: 'GET' | 'POST',
    path: string,
    { connectTimeoutMs, signal }: Asking,
    body?: { readonly [name: string]: Json | readonly string[] },
  ): Promise<Json> {
    const { url, key, headers, client } = this.#options
    const request = {
      method,
      url: url.replace(/\/+$/, '') + path,
      headers: {
        ...headers,
        accept: 'application/json',
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...(key === undefined ? {} : { authorization: `Bearer ${key.reveal()}` }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      connectTimeoutMs,
    }
    return askForJson(client, this.name, request, signal)
  }

  #garbled(reason: string): Fault {
    return fault('engine_garbled', { engine: this.name, reason })
  }
}

/** `model_sha` where the server was given a revision or loaded from the hub; `model_type` holds the
 *  pooling of a model for embeddings. */
function factsOf(info: Json): EmbeddingFacts {
  if (!isObject(info)) return {}
  const { model_id: id, model_sha: sha, model_type: type } = info
  const embedding: JsonObject = isObject(type) && isObject(type['embedding']) ? type['embedding'] : {}
  const { pooling } = embedding
  return {
    ...(typeof sha === 'string' && sha !== '' ? { revision: `${typeof id === 'string' ? id : ''}@${sha}` } : {}),
    ...(typeof pooling === 'string' ? { pooling } : {}),
  }
}
