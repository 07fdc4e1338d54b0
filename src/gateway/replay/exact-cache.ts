import type { Clock } from '../../base/clock.ts'
import type { JsonObject } from '../../base/json.ts'
import type { ChatEnd } from '../../engine/port.ts'
import type { Usage } from '../../meter/usage.ts'
import type { Deployment } from '../catalogue.ts'
import { Meanings, type Near } from './meanings.ts'

/** Answers that may be given again to the very same question, in the memory of this process: bounded
 *  in bytes, the least recently used go first. Chat completions, vectors of texts, and what stands for the
 *  answer to a question that means the same. */

export type CachedValue = CachedAnswer | CachedVector | CachedLink

export interface CachedAnswer {
  /** Of whom it is, as callers name it. */
  readonly model: string
  readonly deployment: Deployment
  readonly frames: readonly JsonObject[]
  readonly end: ChatEnd & { readonly usage: Usage }
  /** Where it may answer questions that mean the same: what was asked, and among which others. */
  readonly asked?: Asked
}

export interface Asked {
  /** Of the same everything else. */
  readonly group: string
  /** Of length 1. */
  readonly vector: Float32Array
}

export interface CachedVector {
  readonly model: string
  readonly deployment: Deployment
  readonly vector: Float32Array
  /** Of the text, as it was counted here. */
  readonly tokens: number
}

export interface CachedLink {
  readonly model: string
  /** Of the answer that it stands for. */
  readonly to: string
  /** Cosine of both questions. */
  readonly similarity: number
}

interface Kept {
  readonly value: CachedValue
  readonly bytes: number
  readonly keptMs: number
  readonly ttlMs: number
}

/** Of one answer; a larger one is not kept. */
const ANSWER_BYTES_MAX = 4 * 2 ** 20
/** What an entry costs beside what it holds. */
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
  readonly #meanings = new Meanings()
  #bytes = 0

  constructor(dependencies: ExactCacheDependencies) {
    this.#dependencies = dependencies
  }

  get bytes(): number {
    return this.#bytes
  }

  /** At most `ageMsMax` old. */
  find(key: string, ageMsMax: number): { readonly value: CachedValue; readonly ageMs: number } | undefined {
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
    return { value: kept.value, ageMs }
  }

  keep(key: string, value: CachedValue, ttlMs: number): void {
    const bytes = ENTRY_BYTES + bytesOf(value)
    const bytesMax = this.#dependencies.bytesMax()
    const former = this.#kept.get(key)
    if (former !== undefined) this.#drop(key, former)
    if (bytes > Math.min(ANSWER_BYTES_MAX, bytesMax)) return
    this.#kept.set(key, { value, bytes, keptMs: this.#dependencies.clock.monotonicMs(), ttlMs })
    this.#bytes += bytes
    const asked = askedOf(value)
    if (asked !== undefined) this.#meanings.add(asked.group, key, asked.vector)
    for (const [oldest, kept] of this.#kept) {
      if (this.#bytes <= bytesMax) break
      this.#drop(oldest, kept)
    }
  }

  /** Forgets all answers of a model, or of all; returns how many there were. */
  purge(model?: string): number {
    let count = 0
    for (const [key, kept] of this.#kept) {
      if (model !== undefined && kept.value.model !== model) continue
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

  /** Resolves when what another is getting under this key has landed; undefined where nobody is. */
  flight(key: string): Promise<Landing> | undefined {
    const waiting = this.#flights.get(key)
    return waiting === undefined ? undefined : new Promise((landed) => void waiting.push(landed))
  }

  /** The answer to the nearest question of that group, at most `ageMsMax` old. */
  near({ group, vector }: Asked, similarityMin: number, ageMsMax: number): Near | undefined {
    const nowMs = this.#dependencies.clock.monotonicMs()
    return this.#meanings.nearest(group, vector, similarityMin, (key) => {
      const kept = this.#kept.get(key)
      return kept !== undefined && nowMs - kept.keptMs < kept.ttlMs && nowMs - kept.keptMs <= ageMsMax
    })
  }

  #drop(key: string, kept: Kept): void {
    this.#kept.delete(key)
    this.#bytes -= kept.bytes
    const asked = askedOf(kept.value)
    if (asked !== undefined) this.#meanings.remove(asked.group, key)
  }
}

const askedOf = (value: CachedValue): Asked | undefined => ('frames' in value ? value.asked : undefined)

function bytesOf(value: CachedValue): number {
  if ('to' in value) return 0
  if ('vector' in value) return value.vector.byteLength
  const asked = value.asked?.vector.byteLength ?? 0
  return value.frames.reduce((sum, frame) => sum + Buffer.byteLength(JSON.stringify(frame)), asked)
}

/** `kept`: it can be had. `abandoned`: whoever made it left, and one of the others may. `useless`: each
 *  has to ask for itself. */
export type Landing = 'kept' | 'abandoned' | 'useless'

export interface Lead {
  /** Once; what comes later changes nothing. */
  land(landing: Landing): void
}
