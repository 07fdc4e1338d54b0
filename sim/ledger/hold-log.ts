import { fault } from '../../src/base/errors.ts'
import type { HoldLogEntry, ReadHoldLog } from '../../src/meter/ledger/evidence.ts'
import type { Dice } from '../dice.ts'
import type { Kernel } from '../kernel.ts'
import type { Life } from '../life.ts'

/** A node's log of holds: late, out of order, sometimes twice; what is on its way at a crash
 *  arrives or does not. */
export class HoldLog {
  readonly #kernel: Kernel<string>
  readonly #dice: Dice
  readonly #durable: HoldLogEntry[] = []

  constructor(kernel: Kernel<string>, dice: Dice) {
    this.#kernel = kernel
    this.#dice = dice
  }

  /** Resolves when it is durable, in the life that asked. */
  append(life: Life, entry: HoldLogEntry): Promise<void> {
    return new Promise((resolve) => {
      if (!life.effect(`log ${entry.kind}`)) return
      this.#kernel.after(this.#dice.delayMs(), `log ${entry.kind}`, () => {
        if (!life.alive && this.#dice.chance(0.5)) return
        this.#durable.push(entry)
        if (this.#dice.chance(0.1)) this.#durable.push(entry)
        if (life.alive) resolve()
      })
    })
  }

  /** As JSON brings it back. */
  reader(life: Life): ReadHoldLog {
    return (node, epoch) =>
      new Promise((resolve, reject) => {
        if (!life.effect('read the log')) return
        this.#kernel.after(this.#dice.delayMs(), 'read the log', () => {
          if (!life.alive) return
          if (this.#dice.chance(0.05)) return reject(fault('store_unavailable', { reason: 'the log is late' }))
          const whole = this.#durable.filter((entry) => entry.node === node && entry.epoch === epoch)
          resolve(JSON.parse(JSON.stringify(whole)) as HoldLogEntry[])
        })
      })
  }
}
