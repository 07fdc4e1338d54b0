import type { Clock } from '../src/base/clock.ts'
import { fault } from '../src/base/errors.ts'
import type { Entry, Events } from '../src/store/events.ts'
import type { Leases } from '../src/store/leases.ts'
import type { Change, Rows } from '../src/store/rows.ts'
import type { Dice } from './dice.ts'
import type { Kernel } from './kernel.ts'
import { type Life, ORIGIN_MS } from './life.ts'
import type { Scenario } from './scenario.ts'

/** The store's ports behind a disk that is late, fills up, and forgets at a crash what it had not
 *  yet acknowledged. What is durable stands in `image`, which outlives every crash. */

export interface Image {
  readonly events: Events
  readonly rows: Rows
  readonly leases: Leases
}

/** Told of what has just become durable. */
export interface Witness {
  entered(entries: readonly Entry[]): void
  committed(changes: readonly Change[]): void
}

/** A write on its way: whole, or not at all. */
interface Write {
  readonly label: string
  readonly apply: () => Promise<unknown>
  readonly done: (value: unknown) => void
  readonly refused: (cause: Error) => void
}

/** The store's own time, which no life's clock changes. */
export const storeClock = (kernel: Kernel): Clock => ({
  monotonicMs: () => kernel.nowMs,
  wallMs: () => ORIGIN_MS + Math.floor(kernel.nowMs),
  after: (delayMs, task) => kernel.after(delayMs, 'store', task),
})

const FAST_MS = [0, 0, 1, 2] as const
const SLOW_MS = [5, 20, 60, 150] as const

export class SimDisk {
  readonly #kernel: Kernel
  readonly #dice: Dice
  readonly #scenario: Scenario
  readonly #image: Image
  readonly #witness: Witness
  #writes: Write[] = []
  #writing = false
  #healed = false
  /** Writes turned away because the disk was full. */
  refusals = 0
  /** Writes that outlived a crash although nobody had been told of them. */
  survivals = 0
  /** Grows with every crash: a write that was under way for an earlier life is nobody's. */
  #mount = 0

  constructor(kernel: Kernel, scenario: Scenario, image: Image, witness: Witness, dice: Dice) {
    this.#kernel = kernel
    this.#dice = dice
    this.#scenario = scenario
    this.#image = image
    this.#witness = witness
  }

  /** Writes not yet acknowledged. */
  get pending(): number {
    return this.#writes.length + (this.#writing ? 1 : 0)
  }

  /** The ports, for one life of the house. */
  ports(life: Life): Image {
    const { events, rows, leases } = this.#image
    const write = <Value>(label: string, apply: () => Promise<Value>): Promise<Value> => this.#write(life, label, apply)
    const read = <Value>(label: string, query: () => Promise<Value>): Promise<Value> => this.#read(life, label, query)
    return {
      events: {
        append: (entries) => {
          const frozen = structuredClone(entries)
          return write(
            `append ${frozen.map((entry) => `${entry.phase} ${entry.id.slice(-4)}`).join(', ')}`,
            async () => {
              await events.append(frozen)
              this.#witness.entered(frozen)
            },
          )
        },
        read: (id) => read('events read', () => events.read(id)),
        recent: (options) => read('events recent', () => events.recent(options)),
        follow: (position, limit) => read('events follow', () => events.follow(position, limit)),
        unclosed: (limit) => read('events unclosed', () => events.unclosed(limit)),
      },
      rows: {
        get: (from, key) => read('rows get', () => rows.get(from, key)),
        getMany: (from, keys) => read('rows getMany', () => rows.getMany(from, keys)),
        scan: (from, range) => read('rows scan', () => rows.scan(from, range)),
        commit: (changes) => {
          const frozen = structuredClone(changes)
          return write('rows commit', async () => {
            const done = await rows.commit(frozen)
            if (done) this.#witness.committed(frozen)
            return done
          })
        },
        close: () => Promise.resolve(),
      },
      leases: {
        acquire: (name, holder, durationMs) => write(`acquire ${name}`, () => leases.acquire(name, holder, durationMs)),
        renew: (lease, durationMs) => write(`renew ${lease.name}`, () => leases.renew(lease, durationMs)),
        release: (lease) => write(`release ${lease.name}`, () => leases.release(lease)),
        read: (name) => read('leases read', () => leases.read(name)),
      },
    }
  }

  /** Somebody makes room. */
  heal(): void {
    this.#healed = true
  }

  /** Power is cut: of what waits unacknowledged, the oldest may have reached the platter. */
  async crash(): Promise<void> {
    const writes = this.#writes.splice(0)
    this.#mount++
    this.#writing = false
    const kept = this.#dice.chance(0.5) ? 0 : this.#dice.int(0, writes.length)
    for (const write of writes.slice(0, kept)) {
      this.survivals++
      this.#kernel.note(`survived the crash: ${write.label}`)
      await write.apply()
    }
  }

  #write<Value>(life: Life, label: string, apply: () => Promise<Value>): Promise<Value> {
    return new Promise((resolve, reject) => {
      if (!life.effect(label)) return
      const ifAlive = (settle: () => void): void => {
        this.#kernel.after(this.#delayMs() / 2, `disk answers ${label}`, () => {
          if (life.alive) settle()
        })
      }
      this.#writes.push({
        label,
        apply,
        done: (value) => ifAlive(() => resolve(value as Value)),
        refused: (cause) => ifAlive(() => reject(cause)),
      })
      this.#next()
    })
  }

  /** One after another, in order, as the one writer of a store does. */
  #next(): void {
    const write = this.#writes[0]
    if (this.#writing || write === undefined) return
    this.#writing = true
    const mount = this.#mount
    this.#kernel.after(this.#delayMs(), `disk ${write.label}`, () => {
      if (mount !== this.#mount) return
      this.#writes.shift()
      if (this.#isFull()) {
        this.refusals++
        write.refused(fault('disk_full', { path: '/data' }))
      } else {
        write.apply().then(write.done, write.refused)
      }
      this.#writing = false
      this.#next()
    })
  }

  #read<Value>(life: Life, label: string, query: () => Promise<Value>): Promise<Value> {
    return new Promise((resolve, reject) => {
      if (!life.effect(label)) return
      this.#kernel.after(this.#delayMs(), `disk ${label}`, () => {
        if (life.alive) query().then(resolve, (cause: Error) => reject(cause))
      })
    })
  }

  #isFull(): boolean {
    const nowMs = this.#kernel.nowMs
    return (
      !this.#healed && this.#scenario.diskFull.some(({ fromMs, forMs }) => nowMs >= fromMs && nowMs < fromMs + forMs)
    )
  }

  #delayMs(): number {
    return this.#dice.pick(this.#scenario.diskSlow ? SLOW_MS : FAST_MS)
  }
}
