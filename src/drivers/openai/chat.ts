import { type Fault, fault } from '../../base/errors.ts'
import type { ClientHandler, Exchange, Headers } from '../../base/http.ts'
import { isObject, type Json, type JsonObject, parseJson } from '../../base/json.ts'
import type { Attempt, ChatCall, ChatEnd, ChatSink } from '../../engine/port.ts'
import { type SseEvent, SseParser } from '../../engine/sse.ts'
import { engineFault, reasonFrom } from './fault.ts'
import { readUsage } from './usage.ts'

/** One chat completion over the wire: HTTP callbacks in, frames out. */

/** A whole answer may be at most this large. */
export const ANSWER_BYTES_MAX = 64 * 1024 * 1024
export const ANSWER_DEPTH_MAX = 64
/** An error status with a longer body is not read to its end. */
const ERROR_BYTES_MAX = 64 * 1024

export class OpenAiChat implements Attempt, ClientHandler {
  readonly #engine: string
  readonly #call: ChatCall
  readonly #sink: ChatSink
  readonly #sse = new SseParser((event) => this.#event(event))
  #exchange: Exchange | undefined
  #status = 0
  #headers: Headers = {}
  #body: Uint8Array[] = []
  #bodyBytes = 0
  #rawUsage: JsonObject | undefined
  /** Choices seen, and those that have their `finish_reason`. */
  readonly #choices = new Set<number>()
  readonly #finished = new Set<number>()
  #over = false

  constructor(engine: string, call: ChatCall, sink: ChatSink) {
    this.#engine = engine
    this.#call = call
    this.#sink = sink
  }

  begin(exchange: Exchange): void {
    this.#exchange = exchange
    if (this.#over) exchange.abort()
  }

  cancel(): void {
    this.#over = true
    this.#exchange?.abort()
  }

  pause(): void {
    this.#exchange?.pause()
  }

  resume(): void {
    this.#exchange?.resume()
  }

  head(status: number, headers: Headers): void {
    this.#status = status
    this.#headers = headers
    if (status !== 200 || !this.#call.stream) return
    const type = headers['content-type'] ?? ''
    if (!type.startsWith('text/event-stream'))
      this.#garbled(`a stream was asked for and ${type === '' ? 'no content type' : type} came`)
  }

  data(bytes: Uint8Array): void {
    if (this.#over) return
    if (this.#status === 200 && this.#call.stream) {
      if (!this.#sse.push(bytes)) this.#garbled('an event is too large')
      return
    }
    const limit = this.#status === 200 ? ANSWER_BYTES_MAX : ERROR_BYTES_MAX
    this.#bodyBytes += bytes.length
    if (this.#bodyBytes <= limit) this.#body.push(bytes)
    else if (this.#status === 200) this.#garbled(`its answer is larger than ${limit} bytes`)
    else this.#refused()
  }

  end(): void {
    if (this.#over) return
    if (this.#status !== 200) return this.#refused()
    if (!this.#call.stream) return this.#whole()
    // Some servers leave out [DONE]; a finish reason for every choice says as much.
    if (this.#choices.size > 0 && this.#finished.size === this.#choices.size) return this.#complete()
    this.#fail(fault('stream_broken', { engine: this.#engine, reason: 'it ended before it was finished' }))
  }

  fail(cause: Error): void {
    if (this.#over) return
    const details = { engine: this.#engine, reason: cause.message }
    this.#fail(
      this.#status === 0 ? fault('engine_unreachable', details, cause) : fault('stream_broken', details, cause),
    )
  }

  #event({ event, data }: SseEvent): void {
    if (this.#over) return
    if (data === '[DONE]') return this.#done()
    const frame = parseJson(Buffer.from(data), { bytesMax: ANSWER_BYTES_MAX, depthMax: ANSWER_DEPTH_MAX })
    if (!isObject(frame)) return this.#garbled('an event is no JSON object')
    if (event === 'error' || (frame['error'] !== undefined && frame['error'] !== null)) {
      return this.#fail(fault('stream_broken', { engine: this.#engine, reason: reasonFrom(frame) }))
    }
    const { usage, ...rest } = frame
    if (isObject(usage)) this.#rawUsage = usage
    const choices = rest['choices']
    if (!Array.isArray(choices)) return this.#garbled('a chunk has no `choices`')
    for (const choice of choices as readonly Json[]) this.#note(choice)
    if (choices.length > 0 || usage === undefined) this.#sink.frame(rest)
  }

  #note(choice: Json): void {
    const index = isObject(choice) && typeof choice['index'] === 'number' ? choice['index'] : 0
    this.#choices.add(index)
    if (isObject(choice) && typeof choice['finish_reason'] === 'string') this.#finished.add(index)
  }

  #done(): void {
    if (this.#choices.size === 0) return this.#garbled('the stream had no content')
    if (this.#finished.size < this.#choices.size) {
      return this.#fail(fault('stream_broken', { engine: this.#engine, reason: 'it ended without a finish reason' }))
    }
    this.#complete()
  }

  #whole(): void {
    const answer = parseJson(Buffer.concat(this.#body), { bytesMax: ANSWER_BYTES_MAX, depthMax: ANSWER_DEPTH_MAX })
    if (!isObject(answer)) return this.#garbled('its answer is no JSON object')
    if (answer['error'] !== undefined && answer['error'] !== null) {
      return this.#fail(fault('engine_refused', { engine: this.#engine, status: 200, reason: reasonFrom(answer) }))
    }
    const { usage, ...rest } = answer
    if (!Array.isArray(rest['choices']) || rest['choices'].length === 0)
      return this.#garbled('its answer has no `choices`')
    if (isObject(usage)) this.#rawUsage = usage
    this.#sink.frame(rest)
    if (!this.#over) this.#complete()
  }

  #complete(): void {
    this.#over = true
    // Nobody will resume a call that has ended: read on, so that the connection is free again.
    this.#exchange?.resume()
    const raw = this.#rawUsage
    const usage = readUsage(raw)
    // A usage that makes no sense is not passed on either.
    const end: ChatEnd = usage === undefined || raw === undefined ? {} : { usage, rawUsage: raw }
    this.#sink.end(end)
  }

  #refused(): void {
    const text = Buffer.concat(this.#body)
    const answer = parseJson(text, { bytesMax: ERROR_BYTES_MAX, depthMax: ANSWER_DEPTH_MAX })
    this.#fail(
      engineFault(
        this.#engine,
        { status: this.#status, headers: this.#headers },
        isObject(answer) ? answer : text.toString('utf8'),
      ),
    )
  }

  #garbled(reason: string): void {
    this.#fail(fault('engine_garbled', { engine: this.#engine, reason }))
  }

  #fail(cause: Fault): void {
    if (this.#over) return
    this.#over = true
    this.#exchange?.abort()
    this.#sink.fail(cause)
  }
}
