/** Time as an argument. Everything that waits or measures takes a `Clock`, so that the
 *  simulator can own time and a test never sleeps. */
export interface Clock {
  /** Milliseconds since an arbitrary origin, never going back. For durations and deadlines. */
  monotonicMs(): number
  /** Milliseconds since the Unix epoch. May jump; only for what people or other systems read. */
  wallMs(): number
  /** Runs `task` once after `delayMs`. */
  after(delayMs: number, task: () => void): Timer
}

export interface Timer {
  cancel(): void
}

/** The machine's clock. Its timers keep the process alive unless cancelled. */
export const systemClock: Clock = {
  monotonicMs: () => performance.now(),
  wallMs: () => Date.now(),
  after(delayMs, task) {
    const handle = setTimeout(task, delayMs)
    return { cancel: () => clearTimeout(handle) }
  },
}

/** Resolves after `delayMs`, or at once when `signal` aborts. Never rejects. */
export function sleep(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve()
    const timer = clock.after(delayMs, done)
    function done(): void {
      timer.cancel()
      signal?.removeEventListener('abort', done)
      resolve()
    }
    signal?.addEventListener('abort', done, { once: true })
  })
}
