import type { ClientHandler, ClientRequest, Exchange, Headers, HttpClient } from '../src/base/http.ts'
import type { Dice } from './dice.ts'
import type { Kernel } from './kernel.ts'
import type { Life } from './life.ts'
import { CRUMBS_FROM_ENGINES, type Packet, Pipe } from './pipe.ts'

/** The network between the house and its model servers, as the `HttpClient` port. */

/** A server's end of one exchange. */
export interface ServerSide {
  readonly request: ClientRequest
  head(status: number, headers: Headers): void
  data(bytes: Uint8Array): void
  end(): void
  reset(reason: string): void
  /** Whether the house has hung up, and when the server learns of it. */
  readonly gone: boolean
  onGone(listener: () => void): void
}

/** How connecting goes: `timeout` is a machine that swallows packets. */
export type Connect = 'ok' | 'refused' | 'timeout'

export interface Server {
  connect(request: ClientRequest): Connect
  accept(side: ServerSide): void
}

/** What an observer of the wire sees of one exchange. */
export interface ExchangeRecord {
  readonly request: ClientRequest
  readonly life: number
  readonly startedMs: number
  /** When the house hung up, or the exchange ended by itself. */
  overMs: number | undefined
  aborted: boolean
  /** On its way to the house. */
  readonly unreadBytes: number
}

export class Outgoing {
  readonly records: ExchangeRecord[] = []
  readonly #kernel: Kernel
  readonly #dice: Dice
  readonly #serverOf: (url: string) => Server | undefined

  constructor(kernel: Kernel, dice: Dice, serverOf: (url: string) => Server | undefined) {
    this.#kernel = kernel
    this.#dice = dice
    this.#serverOf = serverOf
  }

  /** The port, for one life of the house. */
  client(life: Life): HttpClient {
    return {
      start: (request, handler) => this.#start(life, request, handler),
      close: () => Promise.resolve(),
    }
  }

  /** The machine died: its servers see every connection break. */
  crash(): void {
    for (const record of this.records) if (record.overMs === undefined) (record as Wire).hangUp('crash')
  }

  #start(life: Life, request: ClientRequest, handler: ClientHandler): Exchange {
    const number = this.records.length
    const server = this.#serverOf(request.url)
    const wire = new Wire(this.#kernel, this.#dice.fork(`exchange ${number}`), life, request, handler, number)
    this.records.push(wire)
    if (!life.effect(`connect ${number}`)) wire.hangUp('crash')
    else wire.connect(server)
    return wire
  }
}

class Wire implements Exchange, ExchangeRecord, ServerSide {
  readonly request: ClientRequest
  readonly life: number
  readonly startedMs: number
  overMs: number | undefined
  aborted = false
  gone = false
  readonly #kernel: Kernel
  readonly #dice: Dice
  readonly #life: Life
  readonly #handler: ClientHandler
  readonly #label: string
  readonly #pipe: Pipe
  #goneListeners: (() => void)[] = []

  constructor(kernel: Kernel, dice: Dice, life: Life, request: ClientRequest, handler: ClientHandler, number: number) {
    this.request = request
    this.life = life.number
    this.startedMs = kernel.nowMs
    this.#kernel = kernel
    this.#dice = dice
    this.#life = life
    this.#handler = handler
    this.#label = `upstream ${number}`
    this.#pipe = new Pipe(kernel, dice, `${this.#label} >`, CRUMBS_FROM_ENGINES, (packet) => this.#receive(packet))
  }

  connect(server: Server | undefined): void {
    const how = server?.connect(this.request) ?? 'refused'
    const delayMs = how === 'timeout' ? this.request.connectTimeoutMs : this.#dice.delayMs()
    this.#kernel.after(delayMs, `${this.#label} connect ${how}`, () => {
      if (this.overMs !== undefined) return
      if (how === 'ok') return server?.accept(this)
      const code = how === 'refused' ? 'ECONNREFUSED' : 'UND_ERR_CONNECT_TIMEOUT'
      this.#receive({ kind: 'reset', reason: code })
    })
  }

  get unreadBytes(): number {
    return this.#pipe.bufferedBytes
  }

  // The house's end

  abort(): void {
    if (this.overMs !== undefined || !this.#life.effect(`${this.#label} abort`)) return
    this.aborted = true
    this.hangUp('abort')
  }

  pause(): void {
    if (this.#life.alive) this.#pipe.pause()
  }

  resume(): void {
    if (this.#life.alive) this.#pipe.resume()
  }

  // The server's end

  head(status: number, headers: Headers): void {
    this.#pipe.send({ kind: 'head', status, headers })
  }

  data(bytes: Uint8Array): void {
    this.#pipe.send({ kind: 'data', bytes })
  }

  end(): void {
    this.#pipe.send({ kind: 'end' })
  }

  reset(reason: string): void {
    this.#pipe.reset(reason)
  }

  onGone(listener: () => void): void {
    this.#goneListeners.push(listener)
  }

  /** Ends the exchange from the house's side; the server learns of it later. */
  hangUp(why: string): void {
    this.overMs = this.#kernel.nowMs
    this.#pipe.close()
    this.#kernel.after(this.#dice.delayMs(), `${this.#label} gone (${why})`, () => {
      this.gone = true
      for (const listener of this.#goneListeners.splice(0)) listener()
    })
  }

  #receive(packet: Packet): void {
    if (this.overMs !== undefined || !this.#life.alive) return
    if (packet.kind === 'head') return this.#handler.head(packet.status, packet.headers)
    if (packet.kind === 'data') return this.#handler.data(packet.bytes)
    this.overMs = this.#kernel.nowMs
    this.#pipe.close()
    if (packet.kind === 'end') this.#handler.end()
    else this.#handler.fail(Object.assign(new Error(packet.reason), { code: packet.reason }))
  }
}
