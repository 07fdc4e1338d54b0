import type { Clock, Timer } from '../base/clock.ts'
import type { JsonObject } from '../base/json.ts'
import type { Log } from '../base/log.ts'
import type { Entry, Events } from '../store/events.ts'
import { SCAN_MAX } from '../store/rows.ts'

/** One entry when a request is admitted, one when it is over: exactly one terminal event per
 *  accepted request, whatever happened, a crash included.
 *
 *  The opening entry is durable before the first byte of content leaves (it is written while the
 *  engine works, so it costs no time), the closing one before the answer is complete. A closing
 *  that the store refused is kept and written when the store takes entries again. An opening and
 *  a closing that fall together are written together. Every entry names the process it is of, so
 *  that the end of one of several closes that one's requests and no other's. */

/** How a request ended. `refused`: a budget or a rate limit did not let it pass. `interrupted`:
 *  this process died, and found the request open when it came back. */
export type Outcome = 'answered' | 'refused' | 'failed' | 'cancelled' | 'interrupted'

export type Closing = JsonObject & { readonly outcome: Outcome }

const REQUEST_KIND = 'request'

const RECOVER_PAGE = 1000
/** Open entries looked at when one of several processes has died, those of the others included. Of
 *  more than that the newest wait for the next start. */
const RECOVER_AMONG_MAX = SCAN_MAX

/** How long an opening may wait for its closing to come along: a call that is answered sooner
 *  costs one durable write instead of two. */
const OPENING_PAUSE_MS = 2

/** Closings kept for a store that refuses them; one more is given up, to be closed as
 *  `interrupted` at the next start. */
const LATE_MAX = 10_000
const LATE_BATCH = 200
const LATE_PAUSES_MS = [100, 500, 2000, 5000] as const

export interface JournalDependencies {
  readonly clock: Clock
  readonly events: Events
  readonly log: Log
  /** The name of this process among those that share the store. */
  readonly node: string
}

export class Journal {
  readonly #dependencies: JournalDependencies
  /** Openings not known to be durable: they go with their closings, so that none stands alone.
   *  An entry that is there already is ignored. */
  readonly #unopened = new Map<string, Entry>()
  /** Openings that wait for `OPENING_PAUSE_MS`. */
  readonly #paused = new Map<string, Timer>()
  #late: Entry[][] = []
  #timer: Timer | undefined
  #refusals = 0
  #flushing: Promise<boolean> | undefined

  constructor(dependencies: JournalDependencies) {
    this.#dependencies = dependencies
  }

  /** Requests whose closing waits for the store. */
  get late(): number {
    return this.#late.length
  }

  /** Resolves when it is durable; rejects with a `Fault` when it cannot be made so. `at_once` where
   *  content waits for it; `soon` where only the closing does, which then takes it along if it
   *  comes first, and nobody learns of it here. */
  open(id: string, body: JsonObject, when: 'at_once' | 'soon'): Promise<void> {
    const entry = this.#entry(id, 'open', body)
    this.#unopened.set(id, entry)
    if (when === 'at_once') return this.#append(id, entry)
    return new Promise((resolve, reject) => {
      const timer = this.#dependencies.clock.after(OPENING_PAUSE_MS, () => {
        this.#paused.delete(id)
        this.#append(id, entry).then(resolve, reject)
      })
      this.#paused.set(id, timer)
    })
  }

  /** Rejects with a `Fault` when it cannot be made durable: say so to the caller, and `closeLater`.
   *  A second closing of the same id changes nothing. */
  async close(id: string, body: Closing): Promise<void> {
    await this.#dependencies.events.append(this.#closing(id, body))
    this.#unopened.delete(id)
  }

  /** Keeps the closing until the store takes it. */
  closeLater(id: string, body: Closing): void {
    if (this.#late.length < LATE_MAX) this.#late.push(this.#closing(id, body))
    else this.#dependencies.log.write('error', 'too many closing entries wait for the store; one is given up', { id })
    this.#unopened.delete(id)
    this.#schedule()
  }

  /** One last try to write what is kept; false when the store still refuses. */
  flush(): Promise<boolean> {
    this.#flushing ??= this.#write().finally(() => (this.#flushing = undefined))
    return this.#flushing
  }

  async #write(): Promise<boolean> {
    this.#disarm()
    while (this.#late.length > 0) {
      const batch = this.#late.slice(0, LATE_BATCH)
      try {
        await this.#dependencies.events.append(batch.flat())
      } catch {
        return false
      }
      this.#late.splice(0, batch.length)
      this.#refusals = 0
    }
    this.#disarm() // A retry that was set while this wrote has nothing left to do.
    return true
  }

  /** Closes what a crash left open: everything, to be called before the first request is taken
   *  anywhere, or what the process `node` left, once nothing of it can arrive any more. Returns how
   *  many there were. */
  async recover(node?: string): Promise<number> {
    const { events } = this.#dependencies
    const isLeft = ({ kind, body }: Entry): boolean =>
      kind === REQUEST_KIND && (node === undefined || body['node'] === node)
    let count = 0
    for (;;) {
      const open = (await events.unclosed(node === undefined ? RECOVER_PAGE : RECOVER_AMONG_MAX)).filter(isLeft)
      if (open.length === 0) return count
      await events.append(
        open.map((entry) => this.#entry(entry.id, 'close', { ...entry.body, outcome: 'interrupted' })),
      )
      count += open.length
    }
  }

  async #append(id: string, opening: Entry): Promise<void> {
    await this.#dependencies.events.append([opening])
    this.#unopened.delete(id)
  }

  #closing(id: string, body: Closing): Entry[] {
    this.#paused.get(id)?.cancel()
    this.#paused.delete(id)
    const close = this.#entry(id, 'close', body)
    const open = this.#unopened.get(id)
    return open === undefined ? [close] : [open, close]
  }

  #schedule(): void {
    if (this.#timer !== undefined) return
    const pauseMs = LATE_PAUSES_MS[Math.min(this.#refusals, LATE_PAUSES_MS.length - 1)] ?? 0
    this.#timer = this.#dependencies.clock.after(pauseMs, () => void this.#retry())
  }

  #disarm(): void {
    this.#timer?.cancel()
    this.#timer = undefined
  }

  async #retry(): Promise<void> {
    if (await this.flush()) return
    if (this.#refusals++ === 0)
      this.#dependencies.log.write('error', 'the store refuses the closing entries of requests; they are kept', {
        kept: this.late,
      })
    this.#schedule()
  }

  #entry(id: string, phase: Entry['phase'], body: JsonObject): Entry {
    const { clock, node } = this.#dependencies
    return { id, phase, kind: REQUEST_KIND, atMs: clock.wallMs(), body: { node, ...body } }
  }
}
