import type { Clock } from '../../base/clock.ts'
import { fault, toFault } from '../../base/errors.ts'
import type { ClientRequest, HttpClient } from '../../base/http.ts'
import { isObject, type Json, type JsonObject } from '../../base/json.ts'
import { askEngine } from '../../engine/exchange.ts'
import type { Attempt, ChatCall, ChatSink, Engine, Operation } from '../../engine/port.ts'
import { unsupported } from '../../engine/unsupported.ts'
import { BedrockChat } from './chat.ts'
import { converseBody } from './request.ts'
import { type Credentials, signed } from './sign.ts'

/** Amazon Bedrock by its Converse API: one interface for the models of all its makers. */
export interface BedrockOptions extends Credentials {
  readonly name: string
  /** Of the runtime. Absent: that of the region. */
  readonly url?: string
  readonly headers?: { readonly [name: string]: string }
  readonly clock: Pick<Clock, 'wallMs'>
  readonly client: HttpClient
}

export class BedrockEngine implements Engine {
  readonly name: string
  readonly operations: ReadonlySet<Operation> = new Set(['chat'])
  readonly #options: BedrockOptions

  constructor(options: BedrockOptions) {
    this.name = options.name
    this.#options = options
  }

  chat(call: ChatCall, sink: ChatSink): Attempt {
    const { clock, client, url, region } = this.#options
    const chat = new BedrockChat(this.name, call, sink, Math.floor(clock.wallMs() / 1000))
    const body = converseBody(call)
    if (typeof body === 'string') {
      chat.unsayable(body)
      return chat
    }
    const base = url ?? `https://bedrock-runtime.${region}.amazonaws.com`
    const path = `/model/${strict(call.model)}/${call.stream ? 'converse-stream' : 'converse'}`
    this.#signed('POST', base, path, call.connectTimeoutMs, body).then(
      (request) => chat.isCancelled || chat.begin(client.start(request, chat)),
      (thrown: unknown) => chat.unsent(toFault(thrown)),
    )
    return chat
  }

  rerank(): Promise<never> {
    return Promise.reject(unsupported(this.name, 'rerank'))
  }

  embed(): Promise<never> {
    return Promise.reject(unsupported(this.name, 'embed'))
  }

  /** Those that Amazon offers, from its control plane. */
  async models(timeoutMs: number): Promise<string[]> {
    const { url, region, client } = this.#options
    const base = url ?? `https://bedrock.${region}.amazonaws.com`
    const request = await this.#signed('GET', base, '/foundation-models', timeoutMs)
    const answer = await askEngine(client, this.name, request, AbortSignal.timeout(timeoutMs))
    const listed = answer['modelSummaries']
    if (!Array.isArray(listed))
      throw fault('engine_garbled', { engine: this.name, reason: 'GET /foundation-models has no `modelSummaries`' })
    return (listed as readonly Json[]).flatMap((one) =>
      isObject(one) && typeof one['modelId'] === 'string' ? [one['modelId']] : [],
    )
  }

  #signed(
    method: 'GET' | 'POST',
    base: string,
    path: string,
    connectTimeoutMs: number,
    body?: JsonObject,
  ): Promise<ClientRequest> {
    const { headers, clock } = this.#options
    const request = {
      method,
      url: base.replace(/\/+$/, '') + path,
      headers: {
        ...headers,
        accept: 'application/json, application/vnd.amazon.eventstream',
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      connectTimeoutMs,
    }
    return signed(request, this.#options, clock)
  }
}

/** By RFC 3986, as requests are signed: an inference profile is named by an ARN. */
const strict = (text: string): string =>
  encodeURIComponent(text).replace(/[!'()*]/g, (one) => `%${one.charCodeAt(0).toString(16).toUpperCase()}`)
