import type { Clock, Timer } from '../../src/base/clock.ts'

/** A clock that stands still until told to move. */
export class ManualClock implements Clock {
  #nowMs = 0
  #timers: { atMs: number; task: () => void }[] = []
  readonly #epochMs: number

  constructor(epochMs = Date.UTC(2026, 0, 1)) {
    this.#epochMs = epochMs
  }

  /** Timers that are set and have not run. */
  get pending(): number {
    return this.#timers.length
  }

  monotonicMs(): number {
    return this.#nowMs
  }

  wallMs(): number {
    return this.#epochMs + this.#nowMs
  }

  after(delayMs: number, task: () => void): Timer {
    const timer = { atMs: this.#nowMs + Math.max(0, delayMs), task }
    this.#timers.push(timer)
    return { cancel: () => void (this.#timers = this.#timers.filter((one) => one !== timer)) }
  }

  /** Runs what falls due within `ms`, in order of time. */
  advance(ms: number): void {
    const untilMs = this.#nowMs + ms
    for (;;) {
      const next = this.#timers.toSorted((a, b) => a.atMs - b.atMs)[0]
      if (next === undefined || next.atMs > untilMs) break
      this.#timers = this.#timers.filter((one) => one !== next)
      this.#nowMs = next.atMs
      next.task()
    }
    this.#nowMs = untilMs
  }
}

/** Lets everything that can go on without time passing go on. */
export const settled = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve))
