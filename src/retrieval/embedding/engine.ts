import { type Clock, sleep } from '../../base/clock.ts'
import { fault, isRetryable, toFault } from '../../base/errors.ts'
import type { EmbedWith } from '../../engine/port.ts'
import type { Embedder, EmbeddingSpace, EmbedOptions, Purpose } from './port.ts'

/** Texts of one call to an engine, and their UTF-16 units together: what servers take by default. */
const CALL_TEXTS_MAX = 32
const CALL_UNITS_MAX = 64_000
/** Calls at the same time; an ingest waits for them, so that it is never faster than the engine. */
const CALLS_MAX = 4
/** Beyond what the gateway tries by itself, for an engine that is overloaded or being restarted. */
const TRIES_MAX = 5
const RETRY_MS = 500

/** Embeds with a model of the configuration: what the gateway knows of routing, deadlines and budgets
 *  applies to every call. */
export class EngineEmbedder implements Embedder {
  readonly space: EmbeddingSpace
  readonly #embedWith: EmbedWith
  readonly #clock: Clock

  constructor(space: EmbeddingSpace, embedWith: EmbedWith, clock: Clock) {
    this.space = space
    this.#embedWith = embedWith
    this.#clock = clock
  }

  async embed(texts: readonly string[], purpose: Purpose, options: EmbedOptions): Promise<readonly Float32Array[]> {
    const { passagePrefix, questionPrefix } = this.space
    const prefix = purpose === 'passage' ? passagePrefix : questionPrefix
    const calls = inCalls(prefix === '' ? texts : texts.map((text) => prefix + text))
    const answers: (readonly Float32Array[])[] = []
    const stop = new AbortController()
    const inside = { ...options, signal: AbortSignal.any([options.signal, stop.signal]) }
    let next = 0
    const work = async (): Promise<void> => {
      for (let at = next++; at < calls.length; at = next++) answers[at] = await this.#call(calls[at] ?? [], inside)
    }
    try {
      await Promise.all(Array.from({ length: Math.min(CALLS_MAX, calls.length) }, work))
    } finally {
      stop.abort()
    }
    return answers.flat()
  }

  async #call(
    inputs: readonly string[],
    { signal, span, spending, embedWith, collection }: EmbedOptions,
  ): Promise<Float32Array[]> {
    const call = {
      inputs,
      signal,
      ...(span === undefined ? {} : { span }),
      ...(spending === undefined ? {} : { spending }),
      ...(collection === undefined ? {} : { collection }),
    }
    for (let tried = 1; ; tried++) {
      try {
        const { vectors } = await (embedWith ?? this.#embedWith)(this.space.model, call)
        return vectors.map((vector) => this.#checked(vector))
      } catch (thrown) {
        const cause = toFault(thrown)
        // A question waits for nobody.
        const isAsked = spending !== undefined || embedWith !== undefined
        const again = !isAsked && tried < TRIES_MAX && isRetryable(cause) && !signal.aborted
        if (!again) throw cause
        await sleep(this.#clock, RETRY_MS * 2 ** (tried - 1), signal)
      }
    }
  }

  #checked(vector: Float32Array): Float32Array {
    const { model, dimension, normalised } = this.space
    const garbled = (reason: string): never => {
      throw fault('engine_garbled', { engine: model, reason })
    }
    if (vector.length !== dimension) garbled(`a vector has ${vector.length} numbers where ${dimension} were expected`)
    let squares = 0
    for (const value of vector) squares += value * value
    if (!Number.isFinite(squares)) garbled('a vector has numbers that are not finite')
    if (squares === 0) garbled('a vector is all zero')
    return normalised ? vector.map((value) => value / Math.sqrt(squares)) : vector
  }
}

function inCalls(texts: readonly string[]): string[][] {
  const calls: string[][] = []
  let units = 0
  for (const text of texts) {
    const last = calls.at(-1)
    if (last === undefined || last.length >= CALL_TEXTS_MAX || units + text.length > CALL_UNITS_MAX) {
      calls.push([text])
      units = text.length
    } else {
      last.push(text)
      units += text.length
    }
  }
  return calls
}
