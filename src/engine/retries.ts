import type { Clock } from '../base/clock.ts'
import { type Random, uniform } from '../base/random.ts'

/** How often a failure may be followed by another attempt: what keeps an outage from being made
 *  worse by those who retry (Google, "Site Reliability Engineering", chapter 21). */

/** Each request earns this much of an attempt. */
const EARNED_BY_REQUEST = 0.08
/** So does time, for models that are seldom called. */
const EARNED_BY_SECOND = 0.1
/** What may be saved up, and is there at the start. */
const SAVED_MAX = 10

/** Further attempts of one model in one process, whatever deployment they go to. Of n requests in t
 *  seconds at most 10 + 0.08 n + 0.1 t are followed by one: from 1,000 requests on, at 10 a second or
 *  more, 1.1 calls a request although every one fails. */
export class RetryBudget {
  readonly #clock: Clock
  #saved = SAVED_MAX
  #atMs: number

  constructor(clock: Clock) {
    this.#clock = clock
    this.#atMs = clock.monotonicMs()
  }

  /** A request makes its first attempt. */
  earn(): void {
    this.#pass(EARNED_BY_REQUEST)
  }

  /** Whether another attempt may be made; it is then taken for made. */
  spend(): boolean {
    this.#pass(0)
    if (this.#saved < 1) return false
    this.#saved--
    return true
  }

  /** Likewise, for what is only convenient: half of what may be saved is left to those who fail. */
  spendSpare(): boolean {
    this.#pass(0)
    return this.#saved >= SAVED_MAX / 2 + 1 && this.spend()
  }

  #pass(earned: number): void {
    const nowMs = this.#clock.monotonicMs()
    this.#saved = Math.min(SAVED_MAX, this.#saved + earned + ((nowMs - this.#atMs) / 1000) * EARNED_BY_SECOND)
    this.#atMs = nowMs
  }
}

const BACKOFF_MS = 200
const BACKOFF_MS_MAX = 2_000

/** How long to wait before the same engine is asked again: exponential with full jitter (Brooker,
 *  "Exponential Backoff and Jitter", 2015), and not before the engine says. `failures`: from 1. */
export const backoffMs = (failures: number, retryAfterMs: number, random: Random): number =>
  retryAfterMs + uniform(random) * Math.min(BACKOFF_MS_MAX, BACKOFF_MS * 2 ** (failures - 1))
