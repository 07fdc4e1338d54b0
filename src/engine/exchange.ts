import { Fault, fault, reasonOf, Refusal } from '../base/errors.ts'
import type { ClientHandler, ClientRequest, Exchange, Headers, HttpClient } from '../base/http.ts'
import { isObject, type Json, type JsonObject, parseJson, parseJsonText } from '../base/json.ts'
import { engineFault, reasonFrom, type Upstream } from './fault.ts'
import type { Attempt, ChatCall, ChatEnd, ChatSink } from './port.ts'
import { type SseEvent, SseParser } from './sse.ts'

/** What every engine behind HTTP has in common: exchanges with bounds, and a fault for whatever goes
 *  wrong in one. The dialect is the driver's. */

/** A whole answer may be at most this large. */
const ANSWER_BYTES_MAX = 64 * 1024 * 1024
const ANSWER_DEPTH_MAX = 64
/** An error status with a longer body is not read to its end. */
const ERROR_BYTES_MAX = 64 * 1024

/** One chat completion over the wire: HTTP callbacks in, frames out. */
export abstract class ChatExchange implements Attempt, ClientHandler {
  readonly #engine: string
  readonly #stream: boolean
  readonly #sink: ChatSink
  readonly #sse = new SseParser((event) => this.#event(event))
  #exchange: Exchange | undefined
  #status = 0
  #headers: Headers = {}
  #body: Uint8Array[] = []
  #bodyBytes = 0
  #over = false
  /** Also before the exchange has begun. */
  #paused = false

  constructor(engine: string, { stream }: ChatCall, sink: ChatSink) {
    this.#engine = engine
    this.#stream = stream
    this.#sink = sink
  }

  /** One event of a stream. */
  protected event(_event: SseEvent): void {}
  /** The answer to a call that is not streamed; it held no `error`. */
  protected abstract whole(answer: JsonObject): void
  /** The stream was closed: `complete`, or `broken`. */
  protected abstract closed(): void

  /** What a stream comes as. */
  protected get streamType(): string {
    return 'text/event-stream'
  }

  /** A piece of a stream; or what is wrong with it. */
  protected streamed(bytes: Uint8Array): string | undefined {
    return this.#sse.push(bytes) ? undefined : 'an event is too large'
  }

  protected get isOver(): boolean {
    return this.#over
  }

  begin(exchange: Exchange): void {
    this.#exchange = exchange
    if (this.#over) exchange.abort()
    else if (this.#paused) exchange.pause()
  }

  cancel(): void {
    this.#over = true
    this.#exchange?.abort()
  }

  pause(): void {
    this.#paused = true
    this.#exchange?.pause()
  }

  resume(): void {
    this.#paused = false
    this.#exchange?.resume()
  }

  head(status: number, headers: Headers): void {
    this.#status = status
    this.#headers = headers
    if (status === 200 && isPacked(headers)) return this.garbled(PACKED)
    if (status !== 200 || !this.#stream) return
    const type = headers['content-type'] ?? ''
    if (!type.startsWith(this.streamType))
      this.garbled(`a stream was asked for and ${type === '' ? 'no content type' : type} came`)
  }

  data(bytes: Uint8Array): void {
    if (this.#over) return
    if (this.#status === 200 && this.#stream) {
      const wrong = this.streamed(bytes)
      if (wrong !== undefined) this.garbled(wrong)
      return
    }
    const limit = this.#status === 200 ? ANSWER_BYTES_MAX : ERROR_BYTES_MAX
    this.#bodyBytes += bytes.length
    if (this.#bodyBytes <= limit) this.#body.push(bytes)
    else if (this.#status === 200) this.garbled(`its answer is larger than ${limit} bytes`)
    else this.#refused()
  }

  end(): void {
    if (this.#over) return
    if (this.#status !== 200) return this.#refused()
    if (this.#stream) return this.closed()
    const answer = parseObject(Buffer.concat(this.#body))
    if (answer === undefined) return this.garbled('its answer is no JSON object')
    if (answer['error'] !== undefined && answer['error'] !== null)
      return this.failed(fault('engine_refused', { engine: this.#engine, status: 200, reason: reasonFrom(answer) }))
    this.whole(answer)
  }

  fail(cause: Error): void {
    const details = { engine: this.#engine, reason: cause.message }
    this.failed(
      this.#status === 0 ? fault('engine_unreachable', details, cause) : fault('stream_broken', details, cause),
    )
  }

  protected frame(frame: JsonObject): void {
    if (!this.#over) this.#sink.frame(frame)
  }

  protected complete(end: ChatEnd): void {
    if (this.#over) return
    this.#over = true
    // Nobody will resume a call that has ended: read on, so that the connection is free again.
    this.#exchange?.resume()
    this.#sink.end(end)
  }

  /** The request cannot be put to this engine. It says so once the attempt is in the caller's hands. */
  unsayable(reason: string): void {
    queueMicrotask(() => this.failed(fault('engine_rejected', { engine: this.#engine, reason, status: 400 })))
  }

  /** What came is no answer. */
  protected garbled(reason: string): void {
    this.failed(fault('engine_garbled', { engine: this.#engine, reason }))
  }

  /** The answer ended before its end. */
  protected broken(reason: string): void {
    this.failed(fault('stream_broken', { engine: this.#engine, reason }))
  }

  protected failed(cause: Fault): void {
    if (this.#over) return
    this.#over = true
    this.#exchange?.abort()
    this.#sink.fail(cause)
  }

  #event(event: SseEvent): void {
    if (!this.#over) this.event(event)
  }

  #refused(): void {
    const text = Buffer.concat(this.#body)
    const upstream = { status: this.#status, headers: this.#headers }
    this.failed(engineFault(this.#engine, upstream, parseObject(text) ?? text.toString('utf8')))
  }
}

/** Nobody asks for compression: what is unpacked has no bound that a packed size would tell. */
const isPacked = (headers: Headers): boolean => !['', 'identity'].includes(headers['content-encoding'] ?? '')
const PACKED = 'its answer is compressed, which was not asked for'

/** A JSON object of an engine, or undefined. */
export function parseObject(bytes: Uint8Array): JsonObject | undefined {
  const value = parseAny(bytes)
  return isObject(value) ? value : undefined
}

/** Likewise, of one event. */
export function parseEvent(data: string): JsonObject | undefined {
  const value = parseJsonText(data, { bytesMax: ANSWER_BYTES_MAX, depthMax: ANSWER_DEPTH_MAX })
  return isObject(value) ? value : undefined
}

function parseAny(bytes: Uint8Array): Json | undefined {
  const value = parseJson(bytes, { bytesMax: ANSWER_BYTES_MAX, depthMax: ANSWER_DEPTH_MAX })
  return value instanceof Refusal ? undefined : value
}

/** One whole exchange. Rejects with a `Fault`. */
export async function askEngine(
  client: HttpClient,
  engine: string,
  request: ClientRequest,
  signal: AbortSignal,
): Promise<JsonObject> {
  const answer = await askForJson(client, engine, request, signal)
  if (isObject(answer)) return answer
  throw fault('engine_garbled', { engine, reason: 'its answer is no JSON object' })
}

/** Likewise, of an engine that answers with any JSON. */
export function askForJson(
  client: HttpClient,
  engine: string,
  request: ClientRequest,
  signal: AbortSignal,
): Promise<Json> {
  const garbled = (reason: string): Fault => fault('engine_garbled', { engine, reason })
  return new Promise((resolve, reject) => {
    let upstream: Upstream = { status: 0, headers: {} }
    const chunks: Uint8Array[] = []
    let bytes = 0
    let exchange: Exchange | undefined = undefined
    const give = (cause: unknown): void => {
      exchange?.abort()
      reject(cause instanceof Fault ? cause : fault('engine_unreachable', { engine, reason: reasonOf(cause) }, cause))
    }
    if (signal.aborted) return give(signal.reason)
    signal.addEventListener('abort', () => give(signal.reason), { once: true })
    exchange = client.start(request, {
      head: (status, headers) => {
        upstream = { status, headers }
        if (status === 200 && isPacked(headers)) give(garbled(PACKED))
      },
      data: (chunk) => {
        chunks.push(chunk)
        bytes += chunk.length
        if (bytes > ANSWER_BYTES_MAX) give(garbled(`its answer is larger than ${ANSWER_BYTES_MAX} bytes`))
      },
      end: () => {
        const answer = parseAny(Buffer.concat(chunks))
        if (upstream.status !== 200) return reject(engineFault(engine, upstream, answer))
        return answer === undefined ? reject(garbled('its answer is no JSON')) : resolve(answer)
      },
      fail: (cause) => reject(fault('engine_unreachable', { engine, reason: cause.message }, cause)),
    })
  })
}
