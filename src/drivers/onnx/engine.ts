import { basename } from 'node:path'
import { Worker } from 'node:worker_threads'
import type { Clock, Timer } from '../../base/clock.ts'
import { Fault, fault, reasonOf } from '../../base/errors.ts'
import type { Attempt, ChatCall, ChatSink, EmbedCall, EmbedResult, Engine, Operation } from '../../engine/port.ts'
import { unsupported, unsupportedChat } from '../../engine/unsupported.ts'
import { NO_USAGE } from '../../meter/usage.ts'
import type { Pooling } from './pool.ts'
import type { Opening, Reply } from './protocol.ts'

/** A model for embeddings from a local folder, run by ONNX Runtime in a thread of this process. */
export interface OnnxOptions {
  readonly name: string
  readonly folder: string
  /** Of the package `onnxruntime-node`. */
  readonly runtime: string
  readonly pooling?: Pooling
  readonly threads: number
  readonly clock: Clock
}

/** A thread that nobody asks gives its memory back. */
const IDLE_MS = 300_000
const WAITING_MAX = 256

interface Waiting {
  resolve(reply: Exclude<Reply, { readonly code: unknown }>): void
  reject(cause: Fault): void
}

export class OnnxEngine implements Engine {
  readonly name: string
  readonly operations: ReadonlySet<Operation> = new Set(['embed'])
  readonly #options: OnnxOptions
  readonly #waiting = new Map<number, Waiting>()
  #worker: Worker | undefined
  #idle: Timer | undefined
  #lastId = 0

  constructor(options: OnnxOptions) {
    this.name = options.name
    this.#options = options
  }

  chat(_call: ChatCall, sink: ChatSink): Attempt {
    return unsupportedChat(this.name, sink)
  }

  rerank(): Promise<never> {
    return Promise.reject(unsupported(this.name, 'rerank'))
  }

  async models(): Promise<string[]> {
    return [basename(this.#options.folder)]
  }

  async embed({ inputs, signal, describe }: EmbedCall): Promise<EmbedResult> {
    signal.throwIfAborted()
    if (this.#waiting.size >= WAITING_MAX)
      throw fault('engine_busy', { engine: this.name, reason: 'too many calls wait for its thread' })
    const asked = Promise.withResolvers<Exclude<Reply, { readonly code: unknown }>>()
    const id = ++this.#lastId
    this.#waiting.set(id, asked)
    const gone = (): void => asked.reject(signal.reason as Fault)
    signal.addEventListener('abort', gone, { once: true })
    this.#idle?.cancel()
    this.#thread().postMessage({ id, texts: inputs })
    try {
      const { vectors, tokens, revision, pooling } = await asked.promise
      const usage = { ...NO_USAGE, inputTokens: tokens }
      return describe === true ? { vectors, usage, facts: { revision, pooling } } : { vectors, usage }
    } finally {
      signal.removeEventListener('abort', gone)
      this.#waiting.delete(id)
      if (this.#waiting.size === 0) this.#rest()
    }
  }

  /** Ends its thread; a later call starts another. */
  async close(): Promise<void> {
    this.#idle?.cancel()
    const worker = this.#worker
    this.#worker = undefined
    await worker?.terminate()
  }

  #thread(): Worker {
    if (this.#worker !== undefined) return this.#worker
    const { name, folder, runtime, pooling, threads } = this.#options
    const workerData: Opening = { name, folder, runtime, pooling, threads }
    const worker = new Worker(WORKER, { workerData })
    this.#worker = worker
    worker.unref()
    worker.on('message', (reply: Reply) => {
      const waiting = this.#waiting.get(reply.id)
      if ('code' in reply) waiting?.reject(new Fault(reply.code, reply.details))
      else waiting?.resolve(reply)
    })
    worker.on('error', (cause) => this.#lost(worker, reasonOf(cause)))
    worker.on('exit', () => this.#lost(worker, 'its thread ended'))
    return worker
  }

  #lost(worker: Worker, reason: string): void {
    if (this.#worker !== worker) return
    this.#worker = undefined
    for (const { reject } of this.#waiting.values()) reject(fault('engine_unreachable', { engine: this.name, reason }))
  }

  #rest(): void {
    this.#idle?.cancel()
    this.#idle = this.#options.clock.after(IDLE_MS, () => void this.close())
  }
}

const WORKER = new URL(`./worker${import.meta.url.slice(import.meta.url.lastIndexOf('.'))}`, import.meta.url)
