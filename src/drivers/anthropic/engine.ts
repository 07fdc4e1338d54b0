import type { Clock } from '../../base/clock.ts'
import { type Fault, fault } from '../../base/errors.ts'
import type { ClientRequest, HttpClient } from '../../base/http.ts'
import { isObject, type Json, type JsonObject } from '../../base/json.ts'
import { askEngine } from '../../engine/exchange.ts'
import type { Attempt, ChatCall, ChatSink, Engine, Operation } from '../../engine/port.ts'
import { AnthropicChat } from './chat.ts'
import { messagesBody } from './request.ts'

/** Any server that speaks Anthropic's Messages API. */
export interface AnthropicOptions {
  readonly name: string
  /** Up to and including the version: `https://api.anthropic.com/v1`. */
  readonly url: string
  readonly key?: { reveal(): string }
  readonly headers?: { readonly [name: string]: string }
  readonly clock: Pick<Clock, 'wallMs'>
  readonly client: HttpClient
}

/** Of the API: https://platform.claude.com/docs/en/api/versioning. */
const VERSION = '2023-06-01'

/** The longest page of its list of models. */
const MODELS_MAX = 1000

export class AnthropicEngine implements Engine {
  readonly name: string
  readonly operations: ReadonlySet<Operation> = new Set(['chat'])
  readonly #options: AnthropicOptions

  constructor(options: AnthropicOptions) {
    this.name = options.name
    this.#options = options
  }

  chat(call: ChatCall, sink: ChatSink): Attempt {
    const { clock, client } = this.#options
    const chat = new AnthropicChat(this.name, call, sink, Math.floor(clock.wallMs() / 1000))
    const body = messagesBody(call)
    if (typeof body === 'string') chat.unsayable(body)
    else chat.begin(client.start(this.#request('POST', '/messages', call.connectTimeoutMs, body), chat))
    return chat
  }

  rerank(): Promise<never> {
    return Promise.reject(this.#unsupported('rerank'))
  }

  embed(): Promise<never> {
    return Promise.reject(this.#unsupported('embed'))
  }

  async models(timeoutMs: number): Promise<string[]> {
    const request = this.#request('GET', `/models?limit=${MODELS_MAX}`, timeoutMs)
    const answer = await askEngine(this.#options.client, this.name, request, AbortSignal.timeout(timeoutMs))
    const data = answer['data']
    if (!Array.isArray(data)) throw fault('engine_garbled', { engine: this.name, reason: 'GET /models has no `data`' })
    return (data as readonly Json[]).flatMap((one) =>
      isObject(one) && typeof one['id'] === 'string' ? [one['id']] : [],
    )
  }

  #request(method: 'GET' | 'POST', path: string, connectTimeoutMs: number, body?: JsonObject): ClientRequest {
    const { url, key, headers } = this.#options
    return {
      method,
      url: url.replace(/\/+$/, '') + path,
      headers: {
        'anthropic-version': VERSION,
        ...headers,
        accept: 'application/json, text/event-stream',
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...(key === undefined ? {} : { 'x-api-key': key.reveal() }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      connectTimeoutMs,
    }
  }

  #unsupported(operation: Operation): Fault {
    return fault('operation_unsupported', { model: this.name, operation })
  }
}
