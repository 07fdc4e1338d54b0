import { request as httpRequest, type IncomingMessage, type RequestOptions } from 'node:http'
import type { ApiAnswer, ApiClient, ApiMethod } from '../../base/api.ts'
import { fault, reasonOf } from '../../base/errors.ts'
import type { Headers } from '../../base/http.ts'
import type { Json } from '../../base/json.ts'

/** Where Headworks is and, over the network, who is asking. */
export interface ApiTarget {
  /** `host:port`, or the path of the control socket. */
  readonly address: string
  readonly key?: { reveal(): string }
}

const ANSWER_BYTES_MAX = 256 * 2 ** 20
/** One event of a stream. */
const EVENT_UNITS_MAX = 64 * 2 ** 20
/** Nothing at all arriving for this long. Answers themselves have the gateway's deadlines. */
const SILENCE_MS_MAX = 15 * 60_000

export class HttpApiClient implements ApiClient {
  readonly address: string
  readonly #target: ApiTarget

  constructor(target: ApiTarget) {
    this.address = target.address
    this.#target = target
  }

  async request(method: ApiMethod, path: string, body?: Json, headers: Headers = {}): Promise<ApiAnswer> {
    return this.#answerOf(path, await this.#send(method, path, body, { headers }))
  }

  async download(path: string): Promise<ApiAnswer | AsyncIterable<Uint8Array>> {
    const message = await this.#send('GET', path, undefined)
    return message.statusCode === 200 ? this.#pieces(message) : this.#answerOf(path, message)
  }

  async *#pieces(message: IncomingMessage): AsyncGenerator<Uint8Array> {
    try {
      yield* message as AsyncIterable<Buffer>
    } catch (error) {
      throw this.#broken(reasonOf(error), error)
    } finally {
      message.destroy()
    }
  }

  async #answerOf(path: string, message: IncomingMessage): Promise<ApiAnswer> {
    const text = await this.#textOf(message)
    return {
      status: message.statusCode ?? 0,
      headers: headersOf(message),
      text,
      json: () => {
        try {
          return JSON.parse(text) as Json
        } catch {
          throw fault('internal', { reason: `${this.address} answered ${path} with something that is not JSON` })
        }
      },
    }
  }

  async *stream(path: string, body: Json, more: Parameters<ApiClient['stream']>[2] = {}): AsyncGenerator<string> {
    const message = await this.#send('POST', path, body, more)
    if (!(message.headers['content-type'] ?? '').startsWith('text/event-stream')) {
      yield await this.#textOf(message)
      return
    }
    try {
      for await (const data of eventsOf(message)) {
        if (data === '[DONE]') return
        yield data
      }
    } catch (error) {
      throw this.#broken(reasonOf(error), error)
    } finally {
      message.destroy()
    }
    throw this.#broken('it ended without its end mark')
  }

  #send(
    method: ApiMethod,
    path: string,
    body: Json | undefined,
    { signal, headers = {} }: { readonly signal?: AbortSignal; readonly headers?: Headers } = {},
  ): Promise<IncomingMessage> {
    const { address, key } = this.#target
    const bytes = body === undefined ? undefined : Buffer.from(JSON.stringify(body))
    const options: RequestOptions = {
      ...whereTo(address),
      method,
      path,
      agent: false,
      timeout: SILENCE_MS_MAX,
      headers: {
        ...headers,
        accept: 'application/json, text/event-stream',
        ...(key === undefined ? {} : { authorization: `Bearer ${key.reveal()}` }),
        ...(bytes === undefined ? {} : { 'content-type': 'application/json', 'content-length': bytes.length }),
      },
      ...(signal === undefined ? {} : { signal }),
    }
    return new Promise((resolve, reject) => {
      const request = httpRequest(options, resolve)
      request.on('timeout', () => request.destroy(new Error(`silent for ${SILENCE_MS_MAX} ms`)))
      request.on('error', (error: NodeJS.ErrnoException) => reject(this.#lost(error)))
      request.end(bytes)
    })
  }

  async #textOf(message: IncomingMessage): Promise<string> {
    const chunks: Buffer[] = []
    let bytes = 0
    try {
      for await (const chunk of message as AsyncIterable<Buffer>) {
        bytes += chunk.length
        if (bytes > ANSWER_BYTES_MAX) throw new Error(`its answer is larger than ${ANSWER_BYTES_MAX} bytes`)
        chunks.push(chunk)
      }
    } catch (error) {
      throw this.#broken(reasonOf(error), error)
    }
    return Buffer.concat(chunks).toString('utf8')
  }

  #lost(error: NodeJS.ErrnoException): Error {
    const absent = ['ECONNREFUSED', 'ENOENT', 'ENOTFOUND', 'EHOSTUNREACH', 'ENETUNREACH', 'ETIMEDOUT'].includes(
      error.code ?? '',
    )
    return absent ? fault('server_absent', { address: this.address }, error) : this.#broken(reasonOf(error), error)
  }

  #broken(reason: string, cause?: unknown): Error {
    return fault('stream_broken', { engine: `headworks at ${this.address}`, reason }, cause)
  }
}

function whereTo(address: string): RequestOptions {
  const found = /^(?:\[([^\]]+)\]|([^/\\:]+)):(\d{1,5})$/.exec(address)
  if (found === null) return { socketPath: address, host: 'localhost' }
  return { host: found[1] ?? found[2] ?? '', port: Number(found[3]) }
}

function headersOf(message: IncomingMessage): { [name: string]: string | undefined } {
  return Object.fromEntries(
    Object.entries(message.headers).map(([name, value]) => [name, Array.isArray(value) ? value.join(', ') : value]),
  )
}

/** The `data` of each event (WHATWG HTML, 9.2.6); comments and other fields are passed over. */
async function* eventsOf(message: IncomingMessage): AsyncGenerator<string> {
  const decoder = new TextDecoder()
  let rest = ''
  let data: string[] = []
  for await (const chunk of message as AsyncIterable<Buffer>) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n')
    rest = lines.pop() ?? ''
    if (rest.length > EVENT_UNITS_MAX) throw new Error(`an event is longer than ${EVENT_UNITS_MAX} characters`)
    for (const raw of lines) {
      const line = raw.endsWith('\r') ? raw.slice(0, -1) : raw
      if (line.startsWith('data:')) data.push(line.slice(line.startsWith('data: ') ? 6 : 5))
      else if (line === '' && data.length > 0) {
        yield data.join('\n')
        data = []
      }
    }
  }
}
