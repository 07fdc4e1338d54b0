import { Worker } from 'node:worker_threads'
import { Fault, fault } from '../../base/errors.ts'
import type { Log } from '../../base/log.ts'
import type { CallName, Calls, FromThread, StoreCaller, ThreadOptions } from './protocol.ts'

interface Waiting {
  resolve(value: never): void
  reject(reason: Fault): void
}

/** Calls that were not answered yet. Beyond it the disk is not keeping up, and a new call is
 *  refused (`overloaded`) rather than held in memory. */
const CALLS_WAITING_MAX = 20_000

/** The store's thread, seen from the one that asks. The calls of one turn of the event loop travel
 *  in one message, since a message costs more than what it carries. A thread that died is started
 *  again by the next call; the calls it had not answered fail, their outcome unknown. */
export class StoreThread implements StoreCaller {
  readonly #options: ThreadOptions
  readonly #entry: URL
  readonly #log: Log
  readonly #waiting = new Map<number, Waiting>()
  #worker: Worker | undefined
  #outbox: unknown[] = []
  #lastId = 0
  #closed: Promise<void> | undefined

  constructor(options: ThreadOptions, log: Log, entry: URL = WORKER) {
    this.#options = options
    this.#entry = entry
    this.#log = log
  }

  /** Rejects with the thread's `Fault`. */
  call<Name extends CallName>(name: Name, ...values: Parameters<Calls[Name]>): Promise<ReturnType<Calls[Name]>> {
    return new Promise((resolve, reject) => {
      if (this.#closed !== undefined) return reject(fault('store_unavailable', { reason: 'it is closed' }))
      if (this.#waiting.size >= CALLS_WAITING_MAX)
        return reject(fault('overloaded', { what: 'the store', limit: CALLS_WAITING_MAX }))
      const id = ++this.#lastId
      this.#waiting.set(id, { resolve, reject })
      if (this.#outbox.length === 0) setImmediate(() => this.#flush())
      this.#outbox.push(id, name, values)
    })
  }

  /** Answers what was asked, then ends the thread. */
  close(): Promise<void> {
    this.#closed ??= this.#end()
    return this.#closed
  }

  async #end(): Promise<void> {
    this.#flush()
    const worker = this.#worker
    if (worker === undefined) return
    const ended = new Promise<void>((resolve) => worker.once('exit', () => resolve()))
    worker.postMessage('close')
    await ended
  }

  #flush(): void {
    if (this.#outbox.length === 0) return
    const calls = this.#outbox
    this.#outbox = []
    this.#worker ??= this.#start()
    this.#worker.postMessage(calls)
  }

  #start(): Worker {
    const worker = new Worker(this.#entry, { workerData: this.#options, execArgv: [], name: 'store' })
    let reason = ''
    worker.on('message', (answers: FromThread) => this.#receive(answers))
    worker.on('error', (error) => {
      reason = error instanceof Error ? error.message : String(error)
    })
    worker.on('exit', (code) => this.#ended(reason === '' ? `code ${code}` : reason))
    return worker
  }

  #receive({ done, failed, unusable }: FromThread): void {
    for (let at = 0; at < done.length; at += 2) this.#take(done[at] as number)?.resolve(done[at + 1] as never)
    for (const { id, code, details } of failed) this.#take(id)?.reject(new Fault(code, details))
    if (unusable !== undefined) this.#failAll(() => new Fault(unusable.code, unusable.details))
  }

  #take(id: number): Waiting | undefined {
    const waiting = this.#waiting.get(id)
    this.#waiting.delete(id)
    return waiting
  }

  #ended(reason: string): void {
    this.#worker = undefined
    if (this.#waiting.size === 0) return
    this.#log.write('error', "the store's thread ended", { reason, unanswered: this.#waiting.size })
    this.#failAll(() => fault('store_unavailable', { reason: `its thread ended (${reason})` }))
  }

  #failAll(reason: () => Fault): void {
    this.#outbox = []
    const waiting = [...this.#waiting.values()]
    this.#waiting.clear()
    for (const one of waiting) one.reject(reason())
  }
}

/** TypeScript in development, JavaScript once compiled. */
const WORKER = new URL(import.meta.url.endsWith('.ts') ? './worker.ts' : './worker.js', import.meta.url)
