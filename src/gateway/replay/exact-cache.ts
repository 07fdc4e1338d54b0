import type { Clock } from '../../base/clock.ts'
import type { JsonObject } from '../../base/json.ts'
import type { ChatEnd } from '../../engine/port.ts'
import type { Usage } from '../../meter/usage.ts'
import type { Deployment } from '../catalogue.ts'

/** Answers that may be given again to the very same question, in the memory of this process: bounded
 *  in bytes, the least recently used go first. */

export interface CachedAnswer {
  /** Of whom it is, as callers name it. */
  readonly model: string
  readonly deployment: Deployment
  readonly frames: readonly JsonObject[]
  readonly end: ChatEnd & { readonly usage: Usage }
}

interface Kept {
  readonly answer: CachedAnswer
  readonly bytes: number
  readonly keptMs: number
  readonly ttlMs: number
}

/** Of one answer; a larger one is not kept. */
const ANSWER_BYTES_MAX = 4 * 2 ** 20
/** What an entry costs beside its frames. */
const ENTRY_BYTES = 512

export interface ExactCacheDependencies {
  readonly clock: Clock
  /** Read at every change, so that a reload takes effect at once. */
  readonly bytesMax: () => number
}

export class ExactCache {
  readonly #dependencies: ExactCacheDependencies
  /** The least recently used first. */
  readonly #kept = new Map<string, Kept>()
  /** Who waits for an answer that is being made: told whether another should be tried. */
  readonly #flights = new Map<string, ((landing: Landing) => void)[]>()
  #bytes = 0

  constructor(dependencies: ExactCacheDependencies) {
    this.#dependencies = dependencies
  }

  get bytes(): number {
    return this.#bytes
  }

  /** At most `ageMsMax` old. */
  find(key: string, ageMsMax: number): { readonly answer: CachedAnswer; readonly ageMs: number } | undefined {
    const kept = this.#kept.get(key)
    if (kept === undefined) return undefined
    const ageMs = this.#dependencies.clock.monotonicMs() - kept.keptMs
    if (ageMs >= kept.ttlMs) {
      this.#drop(key, kept)
      return undefined
    }
    if (ageMs > ageMsMax) return undefined
    this.#kept.delete(key)
    this.#kept.set(key, kept)
    return { answer: kept.answer, ageMs }
  }

  keep(key: string, answer: CachedAnswer, ttlMs: number): void {
    const bytes = ENTRY_BYTES + answer.frames.reduce((sum, frame) => sum + Buffer.byteLength(JSON.stringify(frame)), 0)
    const bytesMax = this.#dependencies.bytesMax()
    const former = this.#kept.get(key)
    if (former !== undefined) this.#drop(key, former)
    if (bytes > Math.min(ANSWER_BYTES_MAX, bytesMax)) return
    this.#kept.set(key, { answer, bytes, keptMs: this.#dependencies.clock.monotonicMs(), ttlMs })
    this.#bytes += bytes
    for (const [oldest, kept] of this.#kept) {
      if (this.#bytes <= bytesMax) break
      this.#drop(oldest, kept)
    }
  }

  /** Forgets all answers of a model, or of all; returns how many there were. */
  purge(model?: string): number {
    let count = 0
    for (const [key, kept] of this.#kept) {
      if (model !== undefined && kept.answer.model !== model) continue
      this.#drop(key, kept)
      count++
    }
    return count
  }

  /** The first to ask makes the answer, and says when it has `landed`. Undefined for who comes later:
   *  `onLanded` is called then. */
  lead(key: string, onLanded: (landing: Landing) => void): Lead | undefined {
    const waiting = this.#flights.get(key)
    if (waiting !== undefined) {
      waiting.push(onLanded)
      return undefined
    }
    const others: ((landing: Landing) => void)[] = []
    this.#flights.set(key, others)
    return {
      land: (landing) => {
        if (this.#flights.get(key) !== others) return
        this.#flights.delete(key)
        for (const tell of others) tell(landing)
      },
    }
  }

  #drop(key: string, kept: Kept): void {
    this.#kept.delete(key)
    this.#bytes -= kept.bytes
  }
}

/** `kept`: it can be had. `abandoned`: whoever made it left, and one of the others may. `useless`: each
 *  has to ask for itself. */
export type Landing = 'kept' | 'abandoned' | 'useless'

export interface Lead {
  /** Once; what comes later changes nothing. */
  land(landing: Landing): void
}
