import { Dice } from './dice.ts'
import type { Invariant, Violation } from './invariants.ts'

/** The simulation's one source of time and order. Everything that happens is an event in its
 *  queue; it delivers one at a time, lets every microtask drain, has the invariants checked, and
 *  takes the next. Same seed, same run, to the last step. */

export interface Scheduled {
  cancel(): void
}

export interface Outcome<Name extends string = Invariant> {
  readonly steps: number
  readonly elapsedMs: number
  readonly violation: Violation<Name> | undefined
  /** Of the whole trace: two runs of one seed have the same. */
  readonly hash: number
}

type KernelInvariant = 'comes to rest' | 'nothing throws into a port'

interface Happening {
  readonly atMs: number
  /** Settles the order of what is due at the same time. */
  readonly tie: number
  readonly label: string
  readonly run: () => void
  cancelled: boolean
}

export interface TraceLine {
  readonly step: number
  readonly atMs: number
  readonly text: string
}

/** `Name`: of what its run may break, beside what the kernel sees itself. */
export class Kernel<Name extends string = Invariant> {
  readonly seed: number
  readonly #order: Dice
  readonly #queue = new Heap()
  readonly #checks: (() => void)[] = []
  readonly #trace: TraceLine[] | undefined
  #nowMs = 0
  #step = 0
  #hash = 0x811c9dc5
  #violation: Violation<Name | KernelInvariant> | undefined

  /** `keepTrace` costs a third of the speed; the hash is always kept. */
  constructor(seed: number, keepTrace = false) {
    this.seed = seed
    this.#order = new Dice(seed).fork('order')
    this.#trace = keepTrace ? [] : undefined
  }

  get nowMs(): number {
    return this.#nowMs
  }

  /** The number of the step under way: what happens in one step happens in one go. */
  get step(): number {
    return this.#step
  }

  get trace(): readonly TraceLine[] {
    return this.#trace ?? []
  }

  /** Makes something happen `delayMs` from now. Of several things due at once the seed picks. */
  after(delayMs: number, label: string, run: () => void): Scheduled {
    const happening: Happening = {
      atMs: this.#nowMs + Math.max(0, delayMs),
      tie: this.#order.int(0, 0xffff),
      label,
      run,
      cancelled: false,
    }
    this.#queue.push(happening)
    return {
      cancel: () => {
        happening.cancelled = true
      },
    }
  }

  /** A line of the trace that is no step of its own. */
  note(text: string): void {
    this.#mix(text)
    this.#trace?.push({ step: this.#step, atMs: this.#nowMs, text })
  }

  /** Runs `check` after every step; what it finds broken it reports to `violate`. */
  afterEveryStep(check: () => void): void {
    this.#checks.push(check)
  }

  /** Reports what an observer saw break. The first report ends the run. */
  violate(invariant: Name | KernelInvariant, detail: string): void {
    if (this.#violation !== undefined) return
    this.#violation = { invariant, detail }
    this.note(`BROKEN ${invariant}: ${detail}`)
  }

  /** Runs until nothing is left to happen, an invariant breaks, or `stepsMax` is passed, which is
   *  a violation too: the house never came to rest. */
  run(stepsMax: number): Promise<Outcome<Name | KernelInvariant>> {
    return new Promise((resolve) => {
      const step = (): void => {
        for (const check of this.#checks) check()
        const next = this.#violation === undefined ? this.#queue.pop() : undefined
        if (next === undefined) return resolve(this.outcome())
        if (++this.#step > stepsMax)
          this.violate('comes to rest', `still busy after ${stepsMax} steps, next: ${next.label}`)
        this.#deliver(next)
        // A tick queued by a microtask runs only when the microtask queue is empty: the cheapest
        // way to let everything that can go on without the outside world go on.
        queueMicrotask(() => process.nextTick(step))
      }
      process.nextTick(step)
    })
  }

  #deliver(happening: Happening): void {
    this.#nowMs = Math.max(this.#nowMs, happening.atMs)
    this.note(happening.label)
    try {
      happening.run()
    } catch (thrown) {
      this.violate(
        'nothing throws into a port',
        thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown),
      )
    }
  }

  outcome(): Outcome<Name | KernelInvariant> {
    return { steps: this.#step, elapsedMs: this.#nowMs, violation: this.#violation, hash: this.#hash >>> 0 }
  }

  /** FNV-1a over the labels and times. */
  #mix(text: string): void {
    let hash = this.#hash ^ (this.#nowMs * 16 + text.length)
    for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
    this.#hash = hash
  }
}

/** A binary heap by time, then by tie. */
class Heap {
  readonly #items: Happening[] = []

  push(item: Happening): void {
    const items = this.#items
    let at = items.length
    items.push(item)
    while (at > 0) {
      const up = (at - 1) >> 1
      const parent = items[up]
      if (parent === undefined || !before(item, parent)) break
      items[at] = parent
      at = up
    }
    items[at] = item
  }

  pop(): Happening | undefined {
    for (let item = this.#take(); item !== undefined; item = this.#take()) if (!item.cancelled) return item
    return undefined
  }

  #take(): Happening | undefined {
    const items = this.#items
    const top = items[0]
    const last = items.pop()
    if (top === undefined || last === undefined || items.length === 0) return top
    let at = 0
    for (;;) {
      let down = at * 2 + 1
      let child = items[down]
      if (child === undefined) break
      const right = items[down + 1]
      if (right !== undefined && before(right, child)) {
        child = right
        down++
      }
      if (!before(child, last)) break
      items[at] = child
      at = down
    }
    items[at] = last
    return top
  }
}

const before = (a: Happening, b: Happening): boolean => a.atMs < b.atMs || (a.atMs === b.atMs && a.tie < b.tie)
