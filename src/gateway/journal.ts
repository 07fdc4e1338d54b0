import type { Clock } from '../base/clock.ts'
import type { JsonObject } from '../base/json.ts'
import type { Entry, Events } from '../store/events.ts'

/** One entry when a request is admitted, one when it is over: exactly one terminal event per
 *  accepted request, whatever happened, a crash included.
 *
 *  The opening entry is durable before the first byte of content leaves (it is written while the
 *  engine works, so it costs no time), the closing one before the answer is complete. */

/** How a request ended. `interrupted`: this process died, and found the request open when it
 *  came back. */
export type Outcome = 'answered' | 'failed' | 'cancelled' | 'interrupted'

export const REQUEST_KIND = 'request'

const RECOVER_PAGE = 1000

export class Journal {
  readonly #clock: Clock
  readonly #events: Events

  constructor(clock: Clock, events: Events) {
    this.#clock = clock
    this.#events = events
  }

  /** Rejects with a `Fault` when it cannot be made durable. */
  open(id: string, body: JsonObject): Promise<void> {
    return this.#events.append([this.#entry(id, 'open', body)])
  }

  /** A second closing of the same id changes nothing. */
  close(id: string, body: JsonObject & { readonly outcome: Outcome }): Promise<void> {
    return this.#events.append([this.#entry(id, 'close', body)])
  }

  /** Closes what a crash left open. To be called before the first request is taken. Returns how
   *  many there were. */
  async recover(): Promise<number> {
    let count = 0
    for (;;) {
      const open = (await this.#events.unclosed(RECOVER_PAGE)).filter((entry) => entry.kind === REQUEST_KIND)
      if (open.length === 0) return count
      await this.#events.append(open.map((entry) => this.#entry(entry.id, 'close', { ...entry.body, outcome: 'interrupted' })))
      count += open.length
    }
  }

  #entry(id: string, phase: Entry['phase'], body: JsonObject): Entry {
    return { id, phase, kind: REQUEST_KIND, atMs: this.#clock.wallMs(), body }
  }
}
