import { newId } from '../src/base/ids.ts'
import { type Fault, fault } from '../src/base/errors.ts'
import type { Handler, Headers, Reply, Request } from '../src/base/http.ts'
import type { Dice } from './dice.ts'
import type { Kernel } from './kernel.ts'
import type { Life } from './life.ts'
import { CRUMBS_TO_CALLERS, type Packet, Pipe } from './pipe.ts'

/** The network between callers and the house, as the `Request` and `Reply` ports. */

/** What a caller sends, and how the sending goes. */
export interface Upload {
  readonly method: string
  readonly target: string
  readonly headers: Headers
  readonly body: Uint8Array
  /** `stalls`: the server gives up waiting. `breaks`: the caller is gone before the last byte. */
  readonly fate: 'arrives' | 'stalls' | 'breaks'
}

/** Below this much unread, `write` says go on; how much a socket takes is up to the machine. */
const HIGH_WATER_BYTES = [48, 512, 16_384, 65_536] as const

/** What may be written to a caller who does not read, past the point where `write` said stop: what
 *  a packet already on its way from an engine can bring. */
const OVERRUN_BYTES_MAX = 16 * 1024

const BODY_TIMEOUT_MS = 400

const encoder = new TextEncoder()

const ID_TAIL_LENGTH = 16

const randomPart = (drawn: Uint8Array): string =>
  newId('', { wallMs: () => 0, monotonicMs: () => 0, after: () => ({ cancel() {} }) }, { bytes: () => drawn }).slice(
    -ID_TAIL_LENGTH,
  )

/** One request and its reply, on a connection of its own. */
export class Connection implements Reply {
  readonly #kernel: Kernel
  readonly #dice: Dice
  readonly #label: string
  readonly #life: Life
  readonly #upload: Upload
  readonly #pipe: Pipe
  readonly #highWaterBytes: number
  readonly #drainListeners: (() => void)[] = []
  readonly #goneListeners: (() => void)[] = []
  #rejectBody: ((cause: Fault) => void) | undefined
  /** When the house was told that the caller is gone. */
  toldGoneMs: number | undefined
  /** Since when the house waits for this caller to read. */
  stuckSinceMs: number | undefined
  /** The random part of the id that the house gave the request. */
  idTail: string | undefined
  /** What the house answered, whether or not it arrived. */
  answered: { readonly status: number; readonly requestId: string | undefined } | undefined
  #headSent = false
  #ended = false
  #wantsDrain = false
  #flushed = false

  constructor(
    kernel: Kernel,
    dice: Dice,
    label: string,
    life: Life,
    upload: Upload,
    receive: (packet: Packet) => void,
  ) {
    this.#kernel = kernel
    this.#dice = dice
    this.#label = label
    this.#life = life
    this.#upload = upload
    this.#highWaterBytes = dice.pick(HIGH_WATER_BYTES)
    this.#pipe = new Pipe(kernel, dice, `${label} <`, CRUMBS_TO_CALLERS, (packet) => {
      if (packet.kind === 'end' || packet.kind === 'reset') this.#flushed = true
      receive(packet)
      this.#drain()
    })
  }

  /** Hands the request to the house, if it is up. */
  open(handler: Handler | undefined): void {
    if (handler === undefined) this.#pipe.reset('ECONNREFUSED')
    else {
      handler(this.#request(), this)
      this.idTail = randomPart(this.#life.drawn)
    }
  }

  // The caller's end

  /** The caller hangs up. Nothing reaches it any more; the house learns of it a little later. */
  leave(): void {
    this.#pipe.close()
    if (this.#flushed) return
    this.#kernel.after(this.#dice.delayMs(), `${this.#label} gone`, () => this.#tellGone())
  }

  stopReading(): void {
    this.#pipe.pause()
  }

  goOnReading(): void {
    this.#pipe.resume()
  }

  /** The house died: its socket is closed by the kernel under it. One that stopped in good order
   *  has seen to it that whole replies are delivered. */
  crash(inGoodOrder: boolean): void {
    if (!this.#flushed && !(inGoodOrder && this.#ended)) this.#pipe.reset('ECONNRESET')
  }

  // The house's end

  get headSent(): boolean {
    return this.#headSent
  }

  head(status: number, headers: Headers): void {
    if (!this.#life.effect(`${this.#label} head ${status}`)) return
    if (this.#headSent) return this.#misused('head twice')
    this.#headSent = true
    this.answered = { status, requestId: headers['x-request-id'] }
    this.#pipe.send({ kind: 'head', status, headers })
  }

  write(bytes: string | Uint8Array): boolean {
    if (!this.#life.effect(`${this.#label} write`)) return true
    if (!this.#headSent || this.#ended) this.#misused(this.#ended ? 'write after end' : 'write before head')
    this.#pipe.send({ kind: 'data', bytes: typeof bytes === 'string' ? encoder.encode(bytes) : bytes })
    if (this.#pipe.bufferedBytes > this.#highWaterBytes + OVERRUN_BYTES_MAX) {
      this.#kernel.violate('a slow reader is waited for', `${this.#label} has ${this.#pipe.bufferedBytes} unread bytes`)
    }
    this.#wantsDrain = this.#pipe.bufferedBytes >= this.#highWaterBytes
    if (this.#wantsDrain) this.stuckSinceMs ??= this.#kernel.nowMs
    return !this.#wantsDrain
  }

  end(bytes?: string | Uint8Array): void {
    if (!this.#life.effect(`${this.#label} end`)) return
    if (!this.#headSent || this.#ended) return this.#misused(this.#ended ? 'end twice' : 'end before head')
    if (bytes !== undefined)
      this.#pipe.send({ kind: 'data', bytes: typeof bytes === 'string' ? encoder.encode(bytes) : bytes })
    this.#ended = true
    this.#pipe.send({ kind: 'end' })
  }

  abort(): void {
    if (!this.#life.effect(`${this.#label} abort`)) return
    this.#ended = true
    this.#pipe.reset('ECONNRESET')
  }

  onDrain(listener: () => void): void {
    this.#drainListeners.push(listener)
  }

  onGone(listener: () => void): void {
    if (this.toldGoneMs === undefined) this.#goneListeners.push(listener)
    else queueMicrotask(() => this.#life.alive && listener())
  }

  #drain(): void {
    if (!this.#wantsDrain || this.#pipe.bufferedBytes > this.#highWaterBytes / 2) return
    this.#wantsDrain = false
    this.stuckSinceMs = undefined
    this.#kernel.after(0, `${this.#label} drain`, () => {
      if (!this.#life.alive || this.toldGoneMs !== undefined) return
      for (const listener of this.#drainListeners) listener()
    })
  }

  #tellGone(): void {
    if (!this.#life.alive || this.#flushed || this.toldGoneMs !== undefined) return
    this.toldGoneMs = this.#kernel.nowMs
    this.#rejectBody?.(fault('request_refused', { reason: 'the body broke off' }))
    for (const listener of this.#goneListeners) listener()
  }

  #misused(what: string): void {
    this.#kernel.violate('the reply is used as its port says', `${this.#label}: ${what}`)
  }

  #request(): Request {
    const { method, target, headers } = this.#upload
    const body = (bytesMax: number): Promise<Uint8Array> => this.#body(bytesMax)
    const pieces = async function* (bytesMax: number): AsyncGenerator<Uint8Array> {
      yield await body(bytesMax)
    }
    return { method, target, headers, peer: 'network', body, pieces }
  }

  #body(bytesMax: number): Promise<Uint8Array> {
    const { body, fate } = this.#upload
    if (body.length > bytesMax) return Promise.reject(fault('body_too_large', { limitBytes: bytesMax }))
    return new Promise((resolve, reject) => {
      this.#rejectBody = reject
      const later = (delayMs: number, what: string, run: () => void): void => {
        this.#kernel.after(delayMs, `${this.#label} body ${what}`, () => {
          if (this.#life.alive && this.toldGoneMs === undefined) run()
        })
      }
      if (fate === 'arrives') {
        later(this.#dice.delayMs(), 'arrives', () => resolve(body))
      }
      if (fate === 'stalls')
        later(BODY_TIMEOUT_MS, 'times out', () => reject(fault('body_timeout', { limitMs: BODY_TIMEOUT_MS })))
      if (fate === 'breaks') later(this.#dice.delayMs(), 'breaks', () => this.#tellGone())
    })
  }
}
