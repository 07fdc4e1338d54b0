import { type ErrorCode, Fault, fault, toFault, toProblem } from '../../base/errors.ts'

/** Calls by name between a process and its child over Node's IPC, either way: each end answers its
 *  own methods and asks the other's. What is said in one turn of the event loop travels in one
 *  message, since a message costs more than what it carries. */

export type Methods = { readonly [method: string]: (argument: never, handle?: unknown) => Promise<unknown> }

/** What a `ChildProcess` and the child's own `process` have in common. */
export interface End {
  readonly connected: boolean
  send?: ((message: never, handle: never, options: undefined, callback: () => void) => boolean) | undefined
  on(event: 'message', listener: (message: unknown, handle: unknown) => void): unknown
}

interface Parcel {
  /** `id, method, argument` of each call. */
  readonly calls: unknown[]
  /** `id, value` of each call that went well. */
  readonly done: unknown[]
  readonly failed: Failure[]
}

interface Failure {
  readonly id: number
  readonly code: ErrorCode
  readonly details: { readonly [name: string]: unknown }
}

interface Waiting {
  resolve(value: unknown): void
  reject(reason: Fault): void
}

/** Calls that were not answered yet; one more is refused (`overloaded`) rather than held in memory. */
const CALLS_WAITING_MAX = 20_000

const noParcel = (): Parcel => ({ calls: [], done: [], failed: [] })

export class Channel {
  readonly #end: End
  readonly #methods: Methods
  readonly #gone: (reason: string) => Fault
  readonly #waiting = new Map<number, Waiting>()
  #lastId = 0
  #answered = 0
  #outbox: Parcel | undefined
  #closed: Fault | undefined
  /** Calls of the other end that are being answered, and who waits for the last of them. */
  #answering = 0
  #quiet: (() => void)[] = []

  /** @param gone What a call fails with that the other end can answer no more. */
  constructor(end: End, methods: Methods, gone: (reason: string) => Fault) {
    this.#end = end
    this.#methods = methods
    this.#gone = gone
    end.on('message', (message, handle) => this.#receive(message as Parcel, handle))
  }

  /** Calls that wait for their answer. */
  get waiting(): number {
    return this.#waiting.size
  }

  /** Calls that were answered, since the beginning. */
  get answered(): number {
    return this.#answered
  }

  /** Runs `method` at the other end. Rejects with its `Fault`, or with `gone`. A `handle` (a socket
   *  to listen on) goes along with the call. */
  call<Value>(method: string, argument: unknown, handle?: unknown): Promise<Value> {
    return new Promise<Value>((resolve, reject) => {
      if (this.#closed !== undefined || !this.#end.connected) return reject(this.#closed ?? this.#gone('not running'))
      if (this.#waiting.size >= CALLS_WAITING_MAX)
        return reject(fault('overloaded', { what: 'calls between processes', limit: CALLS_WAITING_MAX }))
      const id = ++this.#lastId
      this.#waiting.set(id, { resolve, reject })
      if (handle === undefined) return void this.#next().calls.push(id, method, argument)
      this.#flush()
      this.#send({ ...noParcel(), calls: [id, method, argument] }, handle)
    })
  }

  /** The other end is gone: whatever waits for it fails. */
  close(reason: string): void {
    this.#closed = this.#gone(reason)
    const waiting = [...this.#waiting.values()]
    this.#waiting.clear()
    for (const one of waiting) one.reject(this.#closed)
  }

  /** Resolves once every call that has arrived is answered. */
  quiet(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#answering === 0) resolve()
      else this.#quiet.push(resolve)
    })
  }

  #next(): Parcel {
    if (this.#outbox === undefined) {
      this.#outbox = noParcel()
      setImmediate(() => this.#flush())
    }
    return this.#outbox
  }

  #flush(): void {
    const parcel = this.#outbox
    this.#outbox = undefined
    if (parcel !== undefined) this.#send(parcel)
  }

  /** Where something cannot be sent at all, it costs its own call and no other. */
  #send(parcel: Parcel, handle?: unknown): void {
    if (!this.#end.connected) return // The end of the other process is told by whoever watches it.
    try {
      this.#end.send?.(parcel as never, handle as never, undefined, () => {})
    } catch (thrown) {
      const { calls, done, failed } = parcel
      if (calls.length + done.length + failed.length > 3) this.#sendApart(parcel)
      else if (calls.length > 0) this.#take(calls[0])?.reject(toFault(thrown))
      else if (done.length > 0) this.#send({ ...noParcel(), failed: [failure(done[0] as number, thrown)] })
    }
  }

  #sendApart({ calls, done, failed }: Parcel): void {
    for (let at = 0; at < calls.length; at += 3) this.#send({ ...noParcel(), calls: calls.slice(at, at + 3) })
    for (let at = 0; at < done.length; at += 2) this.#send({ ...noParcel(), done: done.slice(at, at + 2) })
    for (const { id, code } of failed) this.#send({ ...noParcel(), failed: [{ id, code, details: {} }] })
  }

  #receive({ calls, done, failed }: Parcel, handle: unknown): void {
    this.#answered += done.length / 2 + failed.length
    for (let at = 0; at < done.length; at += 2) this.#take(done[at])?.resolve(done[at + 1])
    for (const { id, code, details } of failed) this.#take(id)?.reject(new Fault(code, details))
    for (let at = 0; at < calls.length; at += 3)
      void this.#answer(calls[at] as number, calls[at + 1] as string, calls[at + 2], handle)
  }

  async #answer(id: number, method: string, argument: unknown, handle: unknown): Promise<void> {
    this.#answering++
    try {
      const run = Object.hasOwn(this.#methods, method) ? this.#methods[method] : undefined
      if (run === undefined) throw fault('internal', { reason: `no method ${method}` })
      const value = await run(argument as never, handle)
      this.#next().done.push(id, value)
    } catch (thrown) {
      this.#next().failed.push(failure(id, thrown))
    }
    if (--this.#answering > 0) return
    for (const resolve of this.#quiet.splice(0)) resolve()
  }

  #take(id: unknown): Waiting | undefined {
    const waiting = this.#waiting.get(id as number)
    this.#waiting.delete(id as number)
    return waiting
  }
}

function failure(id: number, thrown: unknown): Failure {
  const { code, details } = toProblem(thrown)
  return { id, code, details }
}
