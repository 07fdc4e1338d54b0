import { type Fault, fault, toFault } from '../../src/base/errors.ts'
import type { JsonObject } from '../../src/base/json.ts'
import type { Attempt, ChatCall, ChatSink, EmbedCall, EmbedResult, Engine, Operation } from '../../src/engine/port.ts'
import type { Kernel } from '../kernel.ts'
import type { RoutingInvariant } from './invariants.ts'
import type { Ailment, DeploymentPlan, RequestPlan } from './scenario.ts'

/** A model server that is well, or ails as its plan says, and notes what it is asked: the truth that
 *  circuits and books are held against. */

export interface Watcher {
  began(call: EngineCall): void
  /** The first words of its answer, or all of it. */
  spoke(call: EngineCall): void
  ended(call: EngineCall, how: Ending, askedMs: number): void
}

/** `failed` and `busy` are the engine's own; `stopped`: the house hung up. */
export type Ending = 'answered' | 'rejected' | 'failed' | 'busy' | 'stopped'

export interface EngineCall {
  readonly engine: SimEngine
  readonly requestId: string
  readonly operation: RequestPlan['operation']
}

const REFUSES_AFTER_MS = 3
const SLOW_BY_MS = 1_500
const ASKS_FOR_MS = [300, 1_500, 4_000] as const

export class SimEngine implements Engine {
  readonly name: string
  readonly operations: ReadonlySet<Operation> = new Set(['chat', 'embed'])
  readonly plan: DeploymentPlan
  /** Calls it works on. */
  inFlight = 0
  readonly #kernel: Kernel<RoutingInvariant>
  readonly #watcher: Watcher
  readonly #requests: ReadonlyMap<string, RequestPlan>
  #asked = 0

  constructor(
    name: string,
    plan: DeploymentPlan,
    kernel: Kernel<RoutingInvariant>,
    watcher: Watcher,
    requests: ReadonlyMap<string, RequestPlan>,
  ) {
    this.name = name
    this.plan = plan
    this.#kernel = kernel
    this.#watcher = watcher
    this.#requests = requests
  }

  chat(call: ChatCall, sink: ChatSink): Attempt {
    const speak = (content: string, finish: string | null): void =>
      sink.frame({ choices: [{ index: 0, delta: { content }, finish_reason: finish }] } satisfies JsonObject)
    const stop = this.#serve(call.requestId, {
      first: () => call.stream && speak('well', null),
      all: () => {
        speak(' then', 'stop')
        sink.end({})
      },
      fail: (cause) => sink.fail(cause),
    })
    return { cancel: stop, pause() {}, resume() {} }
  }

  embed(call: EmbedCall): Promise<EmbedResult> {
    return new Promise((resolve, reject) => {
      const stop = this.#serve(call.requestId, {
        first: () => {},
        all: () => resolve({ vectors: call.inputs.map(() => new Float32Array(1)) }),
        fail: reject,
      })
      call.signal.addEventListener('abort', () => (stop(), reject(toFault(call.signal.reason))), { once: true })
    })
  }

  rerank(): Promise<never> {
    return Promise.reject(fault('operation_unsupported', { model: this.name, operation: 'rerank' }))
  }

  async models(): Promise<string[]> {
    return ['m']
  }

  /** Begins; returns how to stop it. */
  #serve(
    requestId: string,
    sink: { readonly first: () => void; readonly all: () => void; readonly fail: (cause: Fault) => void },
  ): () => void {
    const { worksMs = 10, stream = false, operation = 'chat' } = this.#requests.get(requestId) ?? {}
    const call: EngineCall = { engine: this, requestId, operation }
    const how = this.#ailment()
    let over = false
    const end = (ending: Ending, tell: () => void, askedMs = 0): void => {
      if (over) return
      over = true
      this.inFlight--
      this.#watcher.ended(call, ending, askedMs)
      tell()
    }
    const later = (ms: number, run: () => void): void =>
      void this.#kernel.after(ms, `${this.name} at work on ${requestId}`, () => over || run())
    this.inFlight++
    this.#watcher.began(call)
    if (how === undefined || how === 'breaks' || how === 'slow') {
      const tookMs = how === 'slow' ? worksMs + SLOW_BY_MS : worksMs
      if (stream || how !== 'breaks')
        later(tookMs / 2, () => {
          if (stream) this.#watcher.spoke(call)
          sink.first()
        })
      later(tookMs, () => {
        if (how === 'breaks') return end('failed', () => sink.fail(this.#faultOf('breaks', 0)))
        this.#watcher.spoke(call)
        end('answered', sink.all)
      })
    } else if (how !== 'hangs') {
      const askedMs = how === 'asks' ? (ASKS_FOR_MS[this.#asked++ % ASKS_FOR_MS.length] ?? 0) : 0
      const ending = how === 'rejects' ? 'rejected' : how === 'busy' || how === 'asks' ? 'busy' : 'failed'
      later(REFUSES_AFTER_MS, () => end(ending, () => sink.fail(this.#faultOf(how, askedMs)), askedMs))
    }
    return () => end('stopped', () => {})
  }

  #ailment(): Ailment | undefined {
    const { nowMs } = this.#kernel
    return this.plan.outages.find(({ fromMs, forMs }) => nowMs >= fromMs && nowMs < fromMs + forMs)?.how
  }

  #faultOf(how: Ailment, retryAfterMs: number): Fault {
    const details = { engine: this.name, reason: how }
    if (how === 'rejects') return fault('engine_rejected', details)
    if (how === 'busy' || how === 'asks')
      return fault('engine_busy', { ...details, ...(retryAfterMs > 0 ? { retryAfterMs } : {}) })
    if (how === 'errs') return fault('engine_refused', { ...details, status: 500 })
    return how === 'breaks' ? fault('stream_broken', details) : fault('engine_unreachable', details)
  }
}
