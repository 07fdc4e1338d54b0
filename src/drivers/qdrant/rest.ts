import { type Clock, sleep } from '../../base/clock.ts'
import { fault, type Fault } from '../../base/errors.ts'
import type { ClientRequest, Exchange, HttpClient } from '../../base/http.ts'
import { isObject, parseJson } from '../../base/json.ts'

/** Qdrant's REST interface, as much of it as is used here (api.qdrant.tech). */

export interface RestOptions {
  readonly client: HttpClient
  readonly clock: Clock
  /** Of the server, such as `http://127.0.0.1:6333`. */
  readonly url: string
  /** Sent as `api-key`. */
  readonly key?: string
}

const CONNECT_TIMEOUT_MS = 5_000
const ANSWER_BYTES_MAX = 64 * 2 ** 20
const ANSWER_DEPTH_MAX = 32

export class Rest {
  readonly #options: RestOptions

  constructor(options: RestOptions) {
    this.#options = options
  }

  /** The `result` of its answer; undefined where what was asked for does not exist. Rejects with a
   *  `Fault` (`index_unavailable`). */
  async ask<Result>(
    method: ClientRequest['method'],
    path: string,
    timeoutMs: number,
    body?: object,
  ): Promise<Result | undefined> {
    const { status, bytes } = await this.#exchange(method, path, timeoutMs, body)
    if (status === 404) return undefined
    const answer: unknown = parseJson(bytes, { bytesMax: ANSWER_BYTES_MAX, depthMax: ANSWER_DEPTH_MAX })
    if (!isObject(answer)) throw unavailable(`Qdrant answered ${status} with what is no JSON object`)
    if (status !== 200) throw unavailable(`Qdrant answered ${status}: ${reasonIn(answer['status'])}`)
    // What a documented answer holds is taken on trust; what it lacks shows where it is used.
    return answer['result'] as Result
  }

  pause(delayMs: number): Promise<void> {
    return sleep(this.#options.clock, delayMs)
  }

  #exchange(
    method: ClientRequest['method'],
    path: string,
    timeoutMs: number,
    body?: object,
  ): Promise<{ readonly status: number; readonly bytes: Uint8Array }> {
    const { client, clock, url, key } = this.#options
    const request: ClientRequest = {
      method,
      url: url.replace(/\/$/, '') + path,
      headers: { 'content-type': 'application/json', ...(key === undefined ? {} : { 'api-key': key }) },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      connectTimeoutMs: CONNECT_TIMEOUT_MS,
    }
    return new Promise((resolve, reject) => {
      const chunks: Uint8Array[] = []
      let [status, bytes] = [0, 0]
      let exchange: Exchange | undefined = undefined
      const fail = (reason: string, cause?: unknown): void => {
        timer.cancel()
        exchange?.abort()
        reject(unavailable(reason, cause))
      }
      const timer = clock.after(timeoutMs, () => fail(`Qdrant did not answer within ${timeoutMs} ms`))
      exchange = client.start(request, {
        head: (code) => (status = code),
        data: (chunk) => {
          chunks.push(chunk)
          bytes += chunk.length
          if (bytes > ANSWER_BYTES_MAX) fail(`Qdrant's answer is larger than ${ANSWER_BYTES_MAX} bytes`)
        },
        end: () => {
          timer.cancel()
          resolve({ status, bytes: Buffer.concat(chunks) })
        },
        fail: (cause) => fail(`Qdrant cannot be reached: ${cause.message}`, cause),
      })
    })
  }
}

export const unavailable = (reason: string, cause?: unknown): Fault => fault('index_unavailable', { reason }, cause)

/** `{"status":{"error":"..."}}`, in its documentation. */
const reasonIn = (status: unknown): string =>
  isObject(status) && typeof status['error'] === 'string' ? status['error'].slice(0, 500) : 'it gave no reason'
