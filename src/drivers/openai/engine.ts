import { type Fault, fault } from '../../base/errors.ts'
import type { ClientRequest, HttpClient } from '../../base/http.ts'
import { isObject, type Json, type JsonObject } from '../../base/json.ts'
import { askEngine } from '../../engine/exchange.ts'
import type {
  Attempt,
  ChatCall,
  ChatSink,
  EmbedCall,
  EmbedResult,
  Engine,
  Operation,
  PassedOperation,
  Passthrough,
  RerankCall,
  RerankResult,
} from '../../engine/port.ts'
import { OpenAiChat } from './chat.ts'
import { plain } from './plain.ts'
import { readUsage } from './usage.ts'

/** Any server that speaks OpenAI's API: vLLM, SGLang, Ollama, llama.cpp, TGI, OpenAI itself. */
export interface OpenAiOptions {
  readonly name: string
  /** Up to and including the version: `http://10.0.0.5:8000/v1`. */
  readonly url: string
  readonly key?: { reveal(): string }
  readonly headers?: { readonly [name: string]: string }
  /** The header of the key, where it is no bearer token. */
  readonly keyHeader?: string
  /** Fields of a chat that it refuses to be sent. */
  readonly without?: readonly string[]
  /** What the server calls the cap on output tokens. */
  readonly capField: 'max_tokens' | 'max_completion_tokens'
  readonly client: HttpClient
  /** What it serves beside chat, embeddings and rerank. */
  readonly serves?: readonly ServedOperation[]
  /** Further paths below `url` that may be called. */
  readonly paths?: readonly string[]
}

type ServedOperation = Exclude<PassedOperation, 'other'>

const PATHS: { readonly [operation in ServedOperation]: readonly string[] } = {
  moderations: ['/moderations'],
  images: ['/images/generations', '/images/edits', '/images/variations'],
  audio: ['/audio/speech', '/audio/transcriptions', '/audio/translations'],
}

export class OpenAiEngine implements Engine {
  readonly name: string
  readonly operations: ReadonlySet<Operation>
  readonly passthrough: Passthrough
  readonly #options: OpenAiOptions

  constructor(options: OpenAiOptions) {
    const { name, client, serves = [], paths = [] } = options
    this.name = name
    this.#options = options
    this.operations = new Set(['chat', 'embed', 'rerank', ...serves, ...(paths.length > 0 ? ['other' as const] : [])])
    this.passthrough = {
      paths: new Set([...serves.flatMap((operation) => PATHS[operation]), ...paths]),
      start: ({ path, contentType, body, connectTimeoutMs }, handler) => {
        const request = this.#request('POST', path, connectTimeoutMs)
        const headers = { ...request.headers, accept: '*/*', 'content-type': contentType }
        return client.start({ ...request, headers, body }, handler)
      },
    }
  }

  chat(call: ChatCall, sink: ChatSink): Attempt {
    const chat = new OpenAiChat(this.name, call, sink)
    chat.begin(
      this.#options.client.start(
        this.#request('POST', '/chat/completions', call.connectTimeoutMs, this.#chatBody(call)),
        chat,
      ),
    )
    return chat
  }

  /** Asks for base 64, as OpenAI's own clients do: a quarter of the bytes, and nothing to parse. Who only knows
   *  numbers answers with numbers. */
  async embed(call: EmbedCall): Promise<EmbedResult> {
    const body = { model: call.model, input: call.inputs, encoding_format: 'base64' }
    const answer = await this.#ask('POST', '/embeddings', call.connectTimeoutMs, call.signal, body)
    const data = answer['data']
    if (!Array.isArray(data) || data.length !== call.inputs.length)
      throw this.#garbled(`${call.inputs.length} embeddings were asked for`)
    const vectors: (Float32Array | undefined)[] = Array.from({ length: call.inputs.length })
    for (const [at, one] of (data as readonly Json[]).entries()) {
      const vector = isObject(one) ? vectorOf(one['embedding']) : undefined
      if (vector === undefined) throw this.#garbled(`embedding ${at} is neither an array of numbers nor base 64`)
      vectors[isObject(one) && typeof one['index'] === 'number' ? one['index'] : at] = vector
    }
    const numbered = vectors.filter((vector) => vector !== undefined)
    if (numbered.length !== call.inputs.length || vectors.length !== call.inputs.length)
      throw this.#garbled('its embeddings are numbered wrongly')
    return { vectors: numbered, ...usageOf(answer) }
  }

  async rerank(call: RerankCall): Promise<RerankResult> {
    const { model, query, documents, topN } = call
    const answer = await this.#ask('POST', '/rerank', call.connectTimeoutMs, call.signal, {
      model,
      query,
      documents,
      top_n: topN,
    })
    const listed = answer['results']
    if (!Array.isArray(listed)) throw this.#garbled('it has no `results`')
    const results = (listed as readonly Json[]).map((one) => {
      const index = isObject(one) ? one['index'] : undefined
      const score = isObject(one) ? one['relevance_score'] : undefined
      if (typeof index !== 'number' || documents[index] === undefined || typeof score !== 'number')
        throw this.#garbled('a result is malformed')
      return { index, score }
    })
    return { results: results.toSorted((a, b) => b.score - a.score).slice(0, topN), ...usageOf(answer) }
  }

  async models(timeoutMs: number): Promise<string[]> {
    const answer = await this.#ask('GET', '/models', timeoutMs, AbortSignal.timeout(timeoutMs))
    const data = answer['data']
    if (!Array.isArray(data)) throw this.#garbled('GET /models has no `data`')
    return (data as readonly Json[]).flatMap((one) =>
      isObject(one) && typeof one['id'] === 'string' ? [one['id']] : [],
    )
  }

  /** The caller's body with what this engine must see: its own model name, the cap under the
   *  name it knows, and usage always asked for. */
  #chatBody(call: ChatCall): JsonObject {
    const {
      max_tokens: _tokens,
      max_completion_tokens: _completion,
      stream_options: options,
      anthropic,
      ...rest
    } = call.body
    const said = anthropic === undefined ? rest : { ...rest, ...plain(rest) }
    const body = { ...said, model: call.model, stream: call.stream, [this.#options.capField]: call.outputTokensMax }
    const whole = call.stream
      ? { ...body, stream_options: { ...(isObject(options) ? options : {}), include_usage: true } }
      : body
    const { without } = this.#options
    return without === undefined
      ? whole
      : Object.fromEntries(Object.entries(whole).filter(([field]) => !without.includes(field)))
  }

  #request(method: 'GET' | 'POST', path: string, connectTimeoutMs: number, body?: JsonObject): ClientRequest {
    const { url, key, keyHeader, headers } = this.#options
    return {
      method,
      url: url.replace(/\/+$/, '') + path,
      headers: {
        ...headers,
        accept: 'application/json, text/event-stream',
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...(key === undefined
          ? {}
          : keyHeader === undefined
            ? { authorization: `Bearer ${key.reveal()}` }
            : { [keyHeader]: key.reveal() }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      connectTimeoutMs,
    }
  }

  /** One whole exchange. Rejects with a `Fault`. */
  #ask(
    method: 'GET' | 'POST',
    path: string,
    connectTimeoutMs: number,
    signal: AbortSignal,
    body?: JsonObject,
  ): Promise<JsonObject> {
    return askEngine(this.#options.client, this.name, this.#request(method, path, connectTimeoutMs, body), signal)
  }

  #garbled(reason: string): Fault {
    return fault('engine_garbled', { engine: this.name, reason })
  }
}

function usageOf(answer: JsonObject): Pick<EmbedResult, 'usage'> {
  const usage = readUsage(answer['usage'])
  return usage === undefined ? {} : { usage }
}

/** Base 64 stands for 32-bit floats, little-endian. */
function vectorOf(embedding: Json | undefined): Float32Array | undefined {
  if (Array.isArray(embedding))
    return embedding.every((x) => typeof x === 'number') ? Float32Array.from(embedding) : undefined
  if (typeof embedding !== 'string') return undefined
  const bytes = new Uint8Array(Buffer.from(embedding, 'base64'))
  return bytes.length === 0 || bytes.length % 4 > 0 ? undefined : new Float32Array(bytes.buffer)
}
