import type { Headers } from '../src/base/http.ts'
import type { Dice } from './dice.ts'
import type { Kernel } from './kernel.ts'

/** One direction of a connection: in order, late, and cut anywhere but where the sender cut. */

export type Packet =
  | { readonly kind: 'head'; readonly status: number; readonly headers: Headers }
  | { readonly kind: 'data'; readonly bytes: Uint8Array }
  | { readonly kind: 'end' }
  | { readonly kind: 'reset'; readonly reason: string }

/** How bytes arrive: as they were written, run together and cut at random, or crumb by crumb. */
export type Temper = 'whole' | 'merged' | 'crumbs'

const CRUMB_BYTES_MAX = 40

/** ... and a sixteenth of what waits, or a long answer would take for ever. */
const CRUMB_SHARE = 16

/** What one read brings at most. */
const READ_BYTES_MAX = 8 * 1024

/** How often crumbs, as a weight against 9: to a caller never, for how its bytes are cut is nothing
 *  to the house, and it would only take longer. */
export const CRUMBS_FROM_ENGINES = 1
export const CRUMBS_TO_CALLERS = 0

export class Pipe {
  readonly #kernel: Kernel
  readonly #dice: Dice
  readonly #label: string
  readonly #temper: Temper
  readonly #receive: (packet: Packet) => void
  #queue: Packet[] = []
  #bufferedBytes = 0
  #scheduled = false
  #paused = false
  #closed = false

  constructor(kernel: Kernel, dice: Dice, label: string, crumbs: number, receive: (packet: Packet) => void) {
    this.#kernel = kernel
    this.#dice = dice
    this.#label = label
    this.#temper = dice.weighted<Temper>({ whole: 5, merged: 4, crumbs })
    this.#receive = receive
  }

  /** Sent and not yet received. */
  get bufferedBytes(): number {
    return this.#bufferedBytes
  }

  send(packet: Packet): void {
    if (this.#closed) return
    if (packet.kind === 'data') {
      if (packet.bytes.length === 0) return
      this.#bufferedBytes += packet.bytes.length
    }
    this.#queue.push(packet)
    this.#pump()
  }

  /** A reset: like TCP's, it may destroy what is still on its way. */
  reset(reason: string): void {
    if (this.#closed) return
    const kept = this.#dice.chance(0.5) ? this.#queue.length : this.#dice.int(0, this.#queue.length)
    this.#queue = this.#queue.slice(0, kept).filter((packet) => packet.kind !== 'end')
    this.#bufferedBytes = this.#queue.reduce(
      (sum, packet) => sum + (packet.kind === 'data' ? packet.bytes.length : 0),
      0,
    )
    this.#queue.push({ kind: 'reset', reason })
    this.#pump()
  }

  pause(): void {
    this.#paused = true
  }

  resume(): void {
    if (!this.#paused) return
    this.#paused = false
    this.#pump()
  }

  /** Nothing is received any more. */
  close(): void {
    this.#closed = true
    this.#queue = []
    this.#bufferedBytes = 0
  }

  #pump(): void {
    if (this.#scheduled || this.#paused || this.#closed || this.#queue.length === 0) return
    this.#scheduled = true
    this.#kernel.after(this.#dice.delayMs(), this.#label, () => {
      this.#scheduled = false
      if (this.#paused || this.#closed) return
      const packet = this.#take()
      if (packet === undefined) return
      if (packet.kind === 'end' || packet.kind === 'reset') this.#closed = true
      this.#receive(packet)
      this.#pump()
    })
  }

  #take(): Packet | undefined {
    const first = this.#queue.shift()
    if (first?.kind !== 'data') return first
    let bytes = first.bytes
    if (this.#temper === 'merged') {
      const parts = [bytes]
      let size = bytes.length
      for (
        let next = this.#queue[0];
        next?.kind === 'data' && size + next.bytes.length <= READ_BYTES_MAX;
        next = this.#queue[0]
      ) {
        parts.push(next.bytes)
        size += next.bytes.length
        this.#queue.shift()
      }
      bytes = parts.length === 1 ? bytes : Buffer.concat(parts)
      if (this.#dice.chance(0.5)) bytes = this.#cut(bytes, this.#dice.int(1, bytes.length))
    } else if (this.#temper === 'crumbs') {
      bytes = this.#cut(bytes, this.#dice.int(1, CRUMB_BYTES_MAX + Math.floor(this.#bufferedBytes / CRUMB_SHARE)))
    }
    this.#bufferedBytes -= bytes.length
    return { kind: 'data', bytes }
  }

  #cut(bytes: Uint8Array, at: number): Uint8Array {
    if (at >= bytes.length) return bytes
    this.#queue.unshift({ kind: 'data', bytes: bytes.subarray(at) })
    return bytes.subarray(0, at)
  }
}
