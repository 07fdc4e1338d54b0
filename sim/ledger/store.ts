import { fault } from '../../src/base/errors.ts'
import { MemoryRows } from '../../src/drivers/memory/rows.ts'
import { ACCOUNTS, type AccountRow } from '../../src/meter/ledger/account-row.ts'
import type { Leases } from '../../src/store/leases.ts'
import type { Change, Rows } from '../../src/store/rows.ts'
import type { Dice } from '../dice.ts'
import type { Kernel } from '../kernel.ts'
import type { Life } from '../life.ts'
import { Image } from './image.ts'

/** The rows that nodes share, behind a network that delays, loses, repeats and parts. Commits are
 *  applied whole, in the order in which they arrive. */

export interface Weather {
  /** Messages take up to 120 ms instead of 3. */
  readonly slow: boolean
  /** Of a hundred messages, so many are lost, on the way there or back. */
  readonly lossPercent: number
  /** Of a hundred commits, so many arrive a second time, later. */
  readonly repeatPercent: number
  /** While one lasts, nothing gets from the node to the store. */
  readonly partitions: readonly {
    /** Undefined: from none. */
    readonly node: number | undefined
    readonly fromMs: number
    readonly untilMs: number
  }[]
}

export const STORE_EPOCH_MS = 1_780_000_000_000
const REPLY_LOST_MS = [20, 120, 400] as const

interface Message {
  readonly node: number
  readonly life: Life
  readonly onReply: () => void
  readonly label: string
  /** It may arrive twice. */
  readonly repeats: boolean
}

/** Every so-manieth seed keeps its rows as JSON. */
const JSON_EVERY = 8

/** An account changed or, without a row, went. */
type OnAccount = (name: string, row: AccountRow | undefined, by: number) => void

/** Who sends that is no node. */
export const OPERATOR = -1
export const RESETTER = -2

export class SimStore {
  readonly #kernel: Kernel<string>
  readonly #weather: Weather
  readonly #dice: Dice
  readonly #image: Rows
  readonly #onAccount: OnAccount
  /** A fault planted in the store itself. */
  readonly #alter: (changes: readonly Change[]) => readonly Change[]
  #healed = false
  readonly seen = { lost: 0, repeated: 0, parted: 0, conflicts: 0 }

  constructor(
    kernel: Kernel<string>,
    weather: Weather,
    dice: Dice,
    onAccount: OnAccount,
    alter: (changes: readonly Change[]) => readonly Change[],
  ) {
    this.#kernel = kernel
    this.#image = kernel.seed % JSON_EVERY === 0 ? new MemoryRows() : new Image()
    this.#weather = weather
    this.#dice = dice
    this.#onAccount = onAccount
    this.#alter = alter
  }

  /** What is durable, without the network: for the judge. */
  get image(): Rows {
    return this.#image
  }

  /** From here on the network is sound. */
  heal(): void {
    this.#healed = true
  }

  /** The store's clock, for one life of a node. */
  leases(node: number, life: Life): Pick<Leases, 'acquire'> {
    const expiresAtMs = (durationMs: number): number => STORE_EPOCH_MS + Math.floor(this.#kernel.nowMs) + durationMs
    return {
      acquire: (name, holder, durationMs) =>
        this.#send({ node, life, onReply: () => {}, label: 'acquire', repeats: false }, () =>
          Promise.resolve({ name, holder, epoch: 1, expiresAtMs: expiresAtMs(durationMs) }),
        ),
    }
  }

  /** The port, for one life of a node. `onReply`: something reached it. */
  ports(node: number, life: Life, onReply: () => void = () => {}): Rows {
    const image = this.#image
    const send = <Value>(label: string, apply: () => Promise<Value>, repeats = false): Promise<Value> =>
      this.#send({ node, life, onReply, label, repeats }, apply)
    return {
      get: (from, key) => send('get', () => image.get(from, key)),
      getMany: (from, keys) => send('getMany', () => image.getMany(from, keys)),
      scan: (from, range) => send('scan', () => image.scan(from, range)),
      commit: (changes) => send('commit', () => this.#commit(changes, node), true),
      close: () => Promise.resolve(),
    }
  }

  async #commit(changes: readonly Change[], by: number): Promise<boolean> {
    const done = await this.#image.commit(this.#alter(changes))
    if (!done) this.seen.conflicts++
    else
      for (const change of changes)
        if (change.table === ACCOUNTS.name)
          this.#onAccount(change.key.join('\0'), change.op === 'put' ? (change.row as AccountRow) : undefined, by)
    return done
  }

  #send<Value>({ node, life, onReply, label, repeats }: Message, apply: () => Promise<Value>): Promise<Value> {
    return new Promise((resolve, reject) => {
      const reply = (delayMs: number, run: () => void): void =>
        void this.#kernel.after(delayMs, `reply ${label} ${node}`, () => {
          if (!life.alive) return
          onReply()
          run()
        })
      const lose = (): void =>
        reply(this.#dice.pick(REPLY_LOST_MS), () => reject(fault('store_unavailable', { reason: 'no answer' })))
      if (!life.effect(`${label} of node ${node}`)) return
      if (this.#parted(node)) {
        this.seen.parted++
        return lose()
      }
      if (this.#loses()) return lose()
      const arrive = (): void =>
        void apply().then((value) => (this.#loses() ? lose() : reply(this.#delayMs(), () => resolve(value))), reject)
      this.#kernel.after(this.#delayMs(), `${label} ${node}`, arrive)
      if (!repeats || this.#healed || !this.#dice.chance(this.#weather.repeatPercent / 100)) return
      this.seen.repeated++
      this.#kernel.after(this.#dice.int(1, 600), `${label} ${node} again`, () => void apply())
    })
  }

  #delayMs(): number {
    return this.#weather.slow ? this.#dice.delayMs() : this.#dice.int(0, 3)
  }

  #loses(): boolean {
    const lost = !this.#healed && this.#dice.chance(this.#weather.lossPercent / 100)
    if (lost) this.seen.lost++
    return lost
  }

  #parted(node: number): boolean {
    const nowMs = this.#kernel.nowMs
    return (
      !this.#healed &&
      this.#weather.partitions.some((one) => (one.node ?? node) === node && nowMs >= one.fromMs && nowMs < one.untilMs)
    )
  }
}
