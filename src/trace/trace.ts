import type { Clock } from '../base/clock.ts'
import type { JsonObject } from '../base/json.ts'

/** One stage of a request. Times are milliseconds since the trace began. */
export interface Span {
  readonly name: string
  /** Position of the parent in the trace's list; -1 for a stage of the request itself. */
  readonly parent: number
  readonly startMs: number
  readonly endMs: number
  readonly attributes: JsonObject
}

export interface OpenSpan {
  /** A stage inside this one. */
  child(name: string): OpenSpan
  end(attributes?: JsonObject): void
  /** Facts about the request as a whole, kept beside its stages. A later one of the same name stands. */
  note(facts: JsonObject): void
}

/** Further stages are not kept. */
const SPANS_MAX = 200

/** The stages of one request, in the order they began. */
export class Trace {
  readonly #clock: Clock
  readonly #originMs: number
  readonly #spans: { name: string; parent: number; startMs: number; endMs: number; attributes: JsonObject }[] = []

  #notes: JsonObject = {}

  constructor(clock: Clock) {
    this.#clock = clock
    this.#originMs = clock.monotonicMs()
  }

  /** What was noted so far. */
  get notes(): JsonObject {
    return this.#notes
  }

  elapsedMs(): number {
    return this.#clock.monotonicMs() - this.#originMs
  }

  open(name: string, parent = -1): OpenSpan {
    if (this.#spans.length >= SPANS_MAX) return IGNORED
    const at = this.#spans.length
    const span = { name, parent, startMs: this.elapsedMs(), endMs: -1, attributes: {} as JsonObject }
    this.#spans.push(span)
    return {
      child: (childName) => this.open(childName, at),
      end: (attributes = {}) => {
        if (span.endMs >= 0) return
        span.endMs = this.elapsedMs()
        span.attributes = attributes
      },
      note: (facts) => void (this.#notes = { ...this.#notes, ...facts }),
    }
  }

  /** The stages so far; one still running ends now and says so. */
  spans(): Span[] {
    return this.#spans.map((span) =>
      span.endMs >= 0
        ? { ...span }
        : { ...span, endMs: this.elapsedMs(), attributes: { ...span.attributes, unfinished: true } },
    )
  }
}

const IGNORED: OpenSpan = { child: () => IGNORED, end: () => {}, note: () => {} }
