import { type Fault, fault } from '../../base/errors.ts'
import type { HttpClient } from '../../base/http.ts'
import { isObject, type Json, type JsonObject } from '../../base/json.ts'
import { askEngine } from '../../engine/exchange.ts'
import type {
  Attempt,
  CallContext,
  ChatCall,
  ChatSink,
  EmbedCall,
  EmbedResult,
  Engine,
  Operation,
  RerankResult,
} from '../../engine/port.ts'
import { unsupported, unsupportedChat } from '../../engine/unsupported.ts'
import { readVectors } from '../../engine/vectors.ts'
import { NO_USAGE } from '../../meter/usage.ts'

/** Ollama by its own interface, for embeddings: unlike its OpenAI interface it says which weights they
 *  are of. Chat goes through `kind: openai`. */
export interface OllamaOptions {
  readonly name: string
  readonly url: string
  readonly key?: { reveal(): string }
  readonly headers?: { readonly [name: string]: string }
  readonly client: HttpClient
}

type Asking = Pick<CallContext, 'connectTimeoutMs'> & { readonly signal: AbortSignal }

export class OllamaEngine implements Engine {
  readonly name: string
  readonly operations: ReadonlySet<Operation> = new Set(['embed'])
  readonly #options: OllamaOptions

  constructor(options: OllamaOptions) {
    this.name = options.name
    this.#options = options
  }

  chat(_call: ChatCall, sink: ChatSink): Attempt {
    return unsupportedChat(this.name, sink)
  }

  async embed(call: EmbedCall): Promise<EmbedResult> {
    const { model, inputs, describe } = call
    const answer = await this.#ask('POST', '/api/embed', call, { model, input: inputs, truncate: true })
    const vectors = readVectors(answer['embeddings'], inputs.length)
    if (typeof vectors === 'string') throw this.#garbled(vectors)
    const read = answer['prompt_eval_count']
    const counted = typeof read === 'number' && Number.isSafeInteger(read) && read >= 0
    return {
      vectors,
      ...(counted ? { usage: { ...NO_USAGE, inputTokens: read } } : {}),
      ...(describe === true ? { facts: await this.#facts(model, call) } : {}),
    }
  }

  rerank(): Promise<RerankResult> {
    return Promise.reject(unsupported(this.name, 'rerank'))
  }

  async models(timeoutMs: number): Promise<string[]> {
    const asking = { connectTimeoutMs: timeoutMs, signal: AbortSignal.timeout(timeoutMs) }
    return (await this.#listed(asking)).map(({ name }) => name)
  }

  /** The digest of what the name stands for just now. A name without a tag means `latest`. */
  async #facts(model: string, asking: Asking): Promise<{ readonly revision?: string }> {
    const wanted = model.includes(':') ? model : `${model}:latest`
    const found = (await this.#listed(asking)).find(({ name }) => name === wanted)
    return found === undefined || found.digest === '' ? {} : { revision: found.digest }
  }

  async #listed(asking: Asking): Promise<{ readonly name: string; readonly digest: string }[]> {
    const { models } = await this.#ask('GET', '/api/tags', asking)
    if (!Array.isArray(models)) throw this.#garbled('GET /api/tags has no `models`')
    return (models as readonly Json[]).flatMap((one) => {
      const { name, digest } = isObject(one) ? one : {}
      return typeof name === 'string' ? [{ name, digest: typeof digest === 'string' ? digest : '' }] : []
    })
  }

  #ask(
    method: 'GET' | 'POST',
    path: string,
    { connectTimeoutMs, signal }: Asking,
    body?: { readonly [name: string]: Json | readonly string[] },
  ): Promise<JsonObject> {
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
    return askEngine(client, this.name, request, signal)
  }

  #garbled(reason: string): Fault {
    return fault('engine_garbled', { engine: this.name, reason })
  }
}
