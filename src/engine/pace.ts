import type { Clock } from '../base/clock.ts'

/** How soon a deployment begins to answer: what routing by latency, hedging and the ejection of outliers
 *  go by. First tokens of streams alone: the time of a whole answer says more of its length. */

/** The latest, of which percentiles are made. */
const SAMPLES_MAX = 128
/** Of fewer nothing is said. */
const SAMPLES_MIN = 20
/** Percentiles are made again after so many. */
const RENEW_AFTER = 8
/** After so long what was seen counts a third of what is seen now. */
const DECAY_MS = 10_000

export class Pace {
  readonly #clock: Clock
  readonly #samples = new Float64Array(SAMPLES_MAX)
  #count = 0
  #meanMs = 0
  #meanAtMs = 0
  #sorted: Float64Array = new Float64Array()
  #sortedAt = -1

  constructor(clock: Clock) {
    this.#clock = clock
  }

  record(ms: number): void {
    this.#samples[this.#count++ % SAMPLES_MAX] = ms
    // Peak EWMA (Finagle, `PeakEwma`): what is slower is believed at once, what is faster by and by.
    const keep = ms > this.expectedMs ? 0 : this.#kept()
    this.#meanMs = ms * (1 - keep) + this.#meanMs * keep
    this.#meanAtMs = this.#clock.monotonicMs()
  }

  /** How soon it begins, as far as it was asked lately: what was slow is forgotten, so that it is tried
   *  again. 0 where nothing is known. */
  get expectedMs(): number {
    return this.#meanMs * this.#kept()
  }

  /** Undefined of too few. `share`: 0.95 for the 95th percentile. */
  percentileMs(share: number): number | undefined {
    const known = Math.min(this.#count, SAMPLES_MAX)
    if (known < SAMPLES_MIN) return undefined
    if (this.#sortedAt < 0 || this.#count - this.#sortedAt >= RENEW_AFTER) {
      this.#sorted = this.#samples.slice(0, known).sort()
      this.#sortedAt = this.#count
    }
    return this.#sorted[Math.ceil(share * this.#sorted.length) - 1]
  }

  forget(): void {
    this.#count = 0
    this.#sortedAt = -1
    this.#meanMs = 0
  }

  #kept(): number {
    return Math.exp((this.#meanAtMs - this.#clock.monotonicMs()) / DECAY_MS)
  }
}
