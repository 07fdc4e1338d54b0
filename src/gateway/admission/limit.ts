/** How many calls a pool can work on at once without making them wait for each other, found out by
 *  its answers' times.
 *
 *  As of the Gradient algorithm of Netflix's concurrency-limits (2018), which goes back to TCP Vegas
 *  (Brakmo and Peterson, 1995) and FAST TCP (Jin, Wei and Low, 2004): the limit is led towards
 *  `gradient x limit + sqrt(limit)`, where the gradient is the time of an unhurried answer over the
 *  time of answers now. At rest a queue of the root of the limit stands at the engine, so that it
 *  never idles. Times are means of whole windows, since answers differ in length by nature. */

const WINDOW_SAMPLES_MIN = 50
/** How far one window leads the unhurried time down: means of few answers vary. */
const UNHURRIED_STEP = 0.2
/** In a crowd that lasts nobody sees an unhurried answer. After so many windows the limit is lowered for
 *  two: one in which the queue goes, and one to measure. */
const PROBE_AFTER_WINDOWS = 100
const PROBE_SHARE = 0.7
/** The part of the way that one window goes down. */
const STEP_DOWN = 0.3
/** Slower by as much is no sign of a queue. */
const TOLERANCE = 1.15
/** At most as fast down. */
const GRADIENT_MIN = 0.5
/** An engine that says it is overloaded is believed at once, and then for a window. */
const BACKOFF = 0.8

export interface LimitBounds {
  readonly inFlightMin: number
  readonly inFlightMax: number
}

export class AdaptiveLimit {
  readonly #bounds: LimitBounds
  #limit: number
  #unhurriedMs = Infinity
  #meanMs = 0
  #windows = 0
  /** Windows of a probe still to come, and the limit after it. */
  #probing = 0
  #afterProbe = 0
  #sumMs = 0
  #samples = 0
  #wasFull = false
  #hasBackedOff = false

  constructor(bounds: LimitBounds, initial: number) {
    this.#bounds = bounds
    this.#limit = this.#bounded(initial)
  }

  get value(): number {
    return Math.floor(this.#limit)
  }

  /** The mean time of an answer now. */
  get answerMs(): number {
    return this.#meanMs > 0 || this.#samples === 0 ? this.#meanMs : this.#sumMs / this.#samples
  }

  /** An answer took so long, with so many in flight as it began. */
  answered(ms: number, inFlight: number): void {
    this.#sumMs += ms
    this.#samples++
    this.#wasFull ||= inFlight >= this.value
    if (this.#samples < Math.max(WINDOW_SAMPLES_MIN, this.value)) return
    this.#meanMs = this.#sumMs / this.#samples
    if (this.#probing > 0) this.#probe()
    else this.#adjust()
    this.#begin()
  }

  #adjust(): void {
    const step = Math.min(0, this.#meanMs - this.#unhurriedMs) * UNHURRIED_STEP
    this.#unhurriedMs = this.#unhurriedMs === Infinity ? this.#meanMs : this.#unhurriedMs + step
    const gradient = Math.max(GRADIENT_MIN, Math.min(1, (TOLERANCE * this.#unhurriedMs) / this.#meanMs))
    // What was never full says nothing about more.
    if (!this.#wasFull && gradient === 1) return
    const target = gradient * this.#limit + Math.sqrt(this.#limit)
    const part = target > this.#limit ? 1 : STEP_DOWN
    this.#limit = this.#bounded(this.#limit + part * (target - this.#limit))
    if (++this.#windows < PROBE_AFTER_WINDOWS) return
    this.#windows = 0
    this.#probing = 2
    this.#afterProbe = this.#limit
    this.#limit = this.#bounded(this.#limit * PROBE_SHARE)
  }

  #probe(): void {
    if (--this.#probing > 0) return
    this.#unhurriedMs = this.#meanMs
    this.#limit = this.#afterProbe
  }

  /** The engine refused for load, or did not answer in time. */
  overloaded(): void {
    if (this.#hasBackedOff) return
    this.#limit = this.#bounded(this.#limit * BACKOFF)
    this.#begin()
    this.#hasBackedOff = true
  }

  #begin(): void {
    this.#sumMs = 0
    this.#samples = 0
    this.#wasFull = false
    this.#hasBackedOff = false
  }

  #bounded(limit: number): number {
    return Math.min(this.#bounds.inFlightMax, Math.max(this.#bounds.inFlightMin, limit))
  }
}
