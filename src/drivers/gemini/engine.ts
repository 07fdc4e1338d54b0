import type { Clock } from '../../base/clock.ts'
import { fault } from '../../base/errors.ts'
import type { ClientRequest, HttpClient } from '../../base/http.ts'
import { isObject, type Json, type JsonObject } from '../../base/json.ts'
import { askEngine } from '../../engine/exchange.ts'
import type { Attempt, ChatCall, ChatSink, EmbedCall, EmbedResult, Engine, Operation } from '../../engine/port.ts'
import { unsupported } from '../../engine/unsupported.ts'
import { readVectors } from '../../engine/vectors.ts'
import { GeminiChat } from './chat.ts'
import { generateBody } from './request.ts'

/** Google's Gemini API by its own interface: https://ai.google.dev/api. */
export interface GeminiOptions {
  readonly name: string
  /** Up to and including the version. */
  readonly url: string
  readonly key?: { reveal(): string }
  readonly headers?: { readonly [name: string]: string }
  readonly clock: Pick<Clock, 'wallMs'>
  readonly client: HttpClient
}

/** The longest page of its list of models. */
const MODELS_MAX = 1000

export class GeminiEngine implements Engine {
  readonly name: string
  readonly operations: ReadonlySet<Operation> = new Set(['chat', 'embed'])
  readonly #options: GeminiOptions

  constructor(options: GeminiOptions) {
    this.name = options.name
    this.#options = options
  }

  chat(call: ChatCall, sink: ChatSink): Attempt {
    const { clock, client } = this.#options
    const chat = new GeminiChat(this.name, call, sink, Math.floor(clock.wallMs() / 1000))
    const body = generateBody(call)
    if (typeof body === 'string') {
      chat.unsayable(body)
      return chat
    }
    const path = `/${pathOf(call.model)}:${call.stream ? 'streamGenerateContent?alt=sse' : 'generateContent'}`
    chat.begin(client.start(this.#request('POST', path, call.connectTimeoutMs, body), chat))
    return chat
  }

  rerank(): Promise<never> {
    return Promise.reject(unsupported(this.name, 'rerank'))
  }

  async embed({ model, inputs, connectTimeoutMs, signal }: EmbedCall): Promise<EmbedResult> {
    const named = decodeURIComponent(pathOf(model))
    const requests = inputs.map((text) => ({ model: named, content: { parts: [{ text }] } }))
    const request = this.#request('POST', `/${pathOf(model)}:batchEmbedContents`, connectTimeoutMs, { requests })
    const answer = await askEngine(this.#options.client, this.name, request, signal)
    const listed = listOf(answer['embeddings']).map((one) => one['values'] ?? null)
    const vectors = readVectors(listed, inputs.length)
    if (typeof vectors === 'string') throw fault('engine_garbled', { engine: this.name, reason: vectors })
    return { vectors }
  }

  async models(timeoutMs: number): Promise<string[]> {
    const request = this.#request('GET', `/models?pageSize=${MODELS_MAX}`, timeoutMs)
    const answer = await askEngine(this.#options.client, this.name, request, AbortSignal.timeout(timeoutMs))
    const { models } = answer
    if (!Array.isArray(models))
      throw fault('engine_garbled', { engine: this.name, reason: 'GET /models has no `models`' })
    return listOf(models).flatMap(({ name }) => (typeof name === 'string' ? [name.replace(/^models\//, '')] : []))
  }

  #request(method: 'GET' | 'POST', path: string, connectTimeoutMs: number, body?: JsonObject): ClientRequest {
    const { url, key, headers } = this.#options
    return {
      method,
      url: url.replace(/\/+$/, '') + path,
      headers: {
        ...headers,
        accept: 'application/json, text/event-stream',
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...(key === undefined ? {} : { 'x-goog-api-key': key.reveal() }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      connectTimeoutMs,
    }
  }
}

/** `models/gemini-3-pro`, or `tunedModels/mine` as it stands. */
const pathOf = (model: string): string =>
  (model.includes('/') ? model : `models/${model}`).split('/').map(encodeURIComponent).join('/')

const listOf = (value: Json | undefined): readonly JsonObject[] =>
  Array.isArray(value) ? (value as readonly Json[]).filter(isObject) : []
