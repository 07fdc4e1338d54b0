import { isObject, type Json, type JsonObject } from '../../base/json.ts'
import { ChatExchange, parseEvent } from '../../engine/exchange.ts'
import { reasonFrom } from '../../engine/fault.ts'
import type { ChatEnd } from '../../engine/port.ts'
import type { SseEvent } from '../../engine/sse.ts'
import { readUsage } from './usage.ts'

/** One chat completion in OpenAI's dialect, whose chunks are frames as they are. */
export class OpenAiChat extends ChatExchange {
  #rawUsage: JsonObject | undefined
  /** Choices seen, and those that have their `finish_reason`. */
  readonly #choices = new Set<number>()
  readonly #finished = new Set<number>()

  protected override event({ event, data }: SseEvent): void {
    if (data === '[DONE]') return this.#done()
    const frame = parseEvent(data)
    if (frame === undefined) return this.garbled('an event is no JSON object')
    if (event === 'error' || (frame['error'] !== undefined && frame['error'] !== null))
      return this.broken(reasonFrom(frame))
    const { usage, ...rest } = frame
    if (isObject(usage)) this.#rawUsage = usage
    const choices = rest['choices']
    if (!Array.isArray(choices)) return this.garbled('a chunk has no `choices`')
    for (const choice of choices as readonly Json[]) this.#note(choice)
    if (choices.length > 0 || usage === undefined) this.frame(rest)
  }

  protected whole({ usage, ...rest }: JsonObject): void {
    if (!Array.isArray(rest['choices']) || rest['choices'].length === 0)
      return this.garbled('its answer has no `choices`')
    if (isObject(usage)) this.#rawUsage = usage
    this.frame(rest)
    this.#end()
  }

  /** Some servers leave out [DONE]; a finish reason for every choice says as much. */
  protected closed(): void {
    if (this.#choices.size > 0 && this.#finished.size === this.#choices.size) this.#end()
    else this.broken('it ended before it was finished')
  }

  #note(choice: Json): void {
    const index = isObject(choice) && typeof choice['index'] === 'number' ? choice['index'] : 0
    this.#choices.add(index)
    if (isObject(choice) && typeof choice['finish_reason'] === 'string') this.#finished.add(index)
  }

  #done(): void {
    if (this.#choices.size === 0) return this.garbled('the stream had no content')
    if (this.#finished.size < this.#choices.size) return this.broken('it ended without a finish reason')
    this.#end()
  }

  #end(): void {
    const raw = this.#rawUsage
    const usage = readUsage(raw)
    // A usage that makes no sense is not passed on either.
    const end: ChatEnd = usage === undefined || raw === undefined ? {} : { usage, rawUsage: raw }
    this.complete(end)
  }
}
