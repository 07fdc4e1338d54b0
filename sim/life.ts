import type { Clock } from '../src/base/clock.ts'
import type { Random } from '../src/base/random.ts'
import { seededRandom } from '../src/base/random.ts'
import type { Kernel } from './kernel.ts'

/** Where wall clocks stand when a run begins. */
export const ORIGIN_MS = 1_780_000_000_000

export interface LifeOptions {
  /** 0 for the first start. */
  readonly number: number
  /** The house dies just before its so-manieth effect on the world; Infinity: it lives on. */
  readonly crashAtEffect: number
  /** How far its wall clock is off, and how far it jumps after every reading. */
  readonly skewMs: number
  readonly onCrash: () => void
}

/** One life of the house, from a start to a crash. Every port is bound to the life it was given
 *  to. A crash may fall between any two effects the house has on the world: the rest of the running
 *  code then speaks into the void, its timers never fire, and nothing reaches it any more. */
export class Life {
  readonly number: number
  readonly clock: Clock
  readonly random: Random
  /** What the house drew last: a request's id is made of it, the moment the request comes. */
  drawn: Uint8Array = new Uint8Array()
  /** What was left running; for the invariant that nothing is. */
  readonly timers = new Set<string>()
  readonly #kernel: Kernel<string>
  readonly #options: LifeOptions
  #effects = 0
  #nextTimer = 1
  #alive = true

  constructor(kernel: Kernel<string>, options: LifeOptions) {
    this.#kernel = kernel
    this.#options = options
    this.number = options.number
    this.clock = this.#makeClock()
    const random = seededRandom(kernel.seed * 31 + options.number)
    this.random = { bytes: (count) => (this.drawn = random.bytes(count)) }
  }

  get alive(): boolean {
    return this.#alive
  }

  /** Asked by a port before anything the house does takes effect. */
  effect(label: string): boolean {
    if (!this.#alive) return false
    if (++this.#effects >= this.#options.crashAtEffect) {
      this.end(`crash before ${label}`)
      return false
    }
    return true
  }

  /** How many effects it had: the places where a crash could have fallen. */
  get effects(): number {
    return this.#effects
  }

  end(why: string): void {
    if (!this.#alive) return
    this.#alive = false
    this.timers.clear()
    this.#kernel.note(`life ${this.number} ends: ${why}`)
    this.#options.onCrash()
  }

  #makeClock(): Clock {
    const kernel = this.#kernel
    let readings = 0
    return {
      monotonicMs: () => kernel.nowMs,
      wallMs: () => ORIGIN_MS + Math.floor(kernel.nowMs) + this.#options.skewMs * (readings++ % 3),
      after: (delayMs, task) => {
        if (!this.#alive) return { cancel: () => {} }
        const name = `timer ${this.number}.${this.#nextTimer++} (${Math.round(delayMs)} ms)`
        this.timers.add(name)
        const scheduled = kernel.after(delayMs, name, () => {
          if (!this.#alive) return
          this.timers.delete(name)
          task()
        })
        return {
          cancel: () => {
            this.timers.delete(name)
            scheduled.cancel()
          },
        }
      },
    }
  }
}
