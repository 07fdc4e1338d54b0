import { parentPort, Worker, type Transferable } from 'node:worker_threads'
import { type ErrorCode, Fault, fault, reasonOf, toFault } from './errors.ts'

/** A thread that is asked by the names of its methods. What its methods take and answer travels by
 *  structured clone. */

export interface ThreadOptions {
  readonly entry: URL
  readonly name: string
  /** What it begins with, as `workerData`. */
  readonly data: unknown
  readonly transfer?: readonly Transferable[]
  /** It ended and was not told to. */
  readonly onEnd?: (reason: string) => void
}

type Reply =
  | { readonly id: number; readonly value: unknown }
  | { readonly id: number; readonly code: ErrorCode; readonly details: Fault['details'] }

interface Asked {
  readonly id: number
  readonly method: string
  readonly values: readonly unknown[]
}

export class Thread {
  readonly #worker: Worker
  readonly #name: string
  readonly #waiting = new Map<number, PromiseWithResolvers<unknown>>()
  readonly #exited: Promise<void>
  #lastId = 0
  #end: string | undefined
  #isClosing = false

  constructor({ entry, name, data, transfer = [], onEnd }: ThreadOptions) {
    this.#name = name
    this.#worker = new Worker(entry, { workerData: data, transferList: [...transfer], execArgv: [], name })
    this.#worker.on('message', (reply: Reply) => this.#receive(reply))
    this.#worker.on('error', (error) => (this.#end ??= reasonOf(error)))
    this.#exited = new Promise((resolve) =>
      this.#worker.once('exit', (code) => {
        this.#over(this.#end ?? `code ${code}`)
        resolve()
        if (!this.#isClosing) onEnd?.(this.#end ?? `code ${code}`)
      }),
    )
  }

  /** Rejects with the thread's own `Fault`, or `store_unavailable` where it has ended. */
  call<Value>(method: string, values: readonly unknown[], transfer: readonly Transferable[] = []): Promise<Value> {
    if (this.#end !== undefined) return Promise.reject(this.#ended(this.#end))
    const id = ++this.#lastId
    const answer = Promise.withResolvers<unknown>()
    this.#waiting.set(id, answer)
    this.#worker.postMessage({ id, method, values } satisfies Asked, [...transfer])
    return answer.promise as Promise<Value>
  }

  /** Asks its method `close`, and waits for its end. */
  async close(): Promise<void> {
    this.#isClosing = true
    if (this.#end === undefined) await this.call('close', []).catch(() => {})
    await this.#worker.terminate()
    await this.#exited
  }

  #receive(reply: Reply): void {
    const waiting = this.#waiting.get(reply.id)
    this.#waiting.delete(reply.id)
    if ('code' in reply) waiting?.reject(new Fault(reply.code, reply.details))
    else waiting?.resolve(reply.value)
  }

  #over(reason: string): void {
    this.#end = reason
    for (const one of this.#waiting.values()) one.reject(this.#ended(reason))
    this.#waiting.clear()
  }

  #ended(reason: string): Fault {
    return fault('store_unavailable', { reason: `the thread for ${this.#name} ended (${reason})` })
  }
}

export type ThreadMethods = { readonly [name: string]: (...values: never[]) => unknown }

/** The other side: answers by `methods`, in this thread. */
export function serveThread(methods: ThreadMethods): void {
  const port = parentPort
  if (port === null) return
  port.on('message', ({ id, method, values }: Asked) => {
    void answer(methods[method] as ((...all: unknown[]) => unknown) | undefined, values).then(
      (value) => port.postMessage({ id, value } satisfies Reply),
      (thrown: unknown) => {
        const { code, details } = toFault(thrown)
        port.postMessage({ id, code, details } satisfies Reply)
      },
    )
  })
}

async function answer(method: ((...all: unknown[]) => unknown) | undefined, values: readonly unknown[]) {
  if (method === undefined) throw fault('internal', { reason: 'the thread has no such method' })
  return await method(...values)
}

/** The file of a thread beside `from`: TypeScript in development, JavaScript once compiled. */
export const threadFile = (from: string, name: string): URL =>
  new URL(`./${name}.${from.endsWith('.ts') ? 'ts' : 'js'}`, from)
