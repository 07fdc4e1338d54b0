import { fault } from '../../src/base/errors.ts'
import type { JsonObject } from '../../src/base/json.ts'
import type { ClientHandler, Exchange } from '../../src/base/http.ts'
import type {
  Attempt,
  ChatCall,
  ChatSink,
  EmbedCall,
  EmbedResult,
  Engine,
  Operation,
  PassedCall,
  Passthrough,
} from '../../src/engine/port.ts'

/** An engine whose every step a test takes by hand. */
export class HandEngine implements Engine {
  readonly name: string
  readonly operations: ReadonlySet<Operation>
  readonly calls: HandCall[] = []
  readonly passed: HandPassed[] = []
  readonly passthrough: Passthrough
  /** Embeddings it was asked for. */
  readonly embedded: EmbedCall[] = []
  /** How it embeds; it does not until told. */
  embeds: ((call: EmbedCall) => Promise<EmbedResult>) | undefined

  constructor(name: string, operations: readonly Operation[] = ['chat'], paths: readonly string[] = []) {
    this.name = name
    this.operations = new Set(operations)
    this.passthrough = {
      paths: new Set(paths),
      start: (call, handler) => {
        const made = new HandPassed(call, handler)
        this.passed.push(made)
        return made
      },
    }
  }

  get last(): HandCall {
    const call = this.calls.at(-1)
    if (call === undefined) throw new Error(`${this.name} was not called`)
    return call
  }

  chat(call: ChatCall, sink: ChatSink): Attempt {
    const made = new HandCall(call, sink)
    this.calls.push(made)
    return made
  }

  rerank(): Promise<never> {
    return Promise.reject(fault('operation_unsupported', { model: this.name, operation: 'rerank' }))
  }

  embed(call: EmbedCall): Promise<EmbedResult> {
    this.embedded.push(call)
    if (this.embeds !== undefined) return this.embeds(call)
    return Promise.reject(fault('operation_unsupported', { model: this.name, operation: 'embed' }))
  }

  async models(): Promise<string[]> {
    return [this.name]
  }
}

/** A request that is passed through. */
export class HandPassed implements Exchange {
  readonly call: PassedCall
  readonly handler: ClientHandler
  cancelled = false
  paused = false

  constructor(call: PassedCall, handler: ClientHandler) {
    this.call = call
    this.handler = handler
  }

  abort(): void {
    this.cancelled = true
  }

  pause(): void {
    this.paused = true
  }

  resume(): void {
    this.paused = false
  }
}

export class HandCall implements Attempt {
  readonly call: ChatCall
  readonly sink: ChatSink
  cancelled = false
  paused = false

  constructor(call: ChatCall, sink: ChatSink) {
    this.call = call
    this.sink = sink
  }

  cancel(): void {
    this.cancelled = true
  }

  pause(): void {
    this.paused = true
  }

  resume(): void {
    this.paused = false
  }

  say(content: string, finish: string | null = null): void {
    this.sink.frame(chunk({ content }, finish))
  }

  fail(code: 'engine_unreachable' | 'stream_broken' = 'engine_unreachable'): void {
    this.sink.fail(fault(code, { engine: 'hand', reason: 'told to' }))
  }
}

export const chunk = (delta: JsonObject, finish: string | null = null): JsonObject => ({
  id: 'chatcmpl-1',
  object: 'chat.completion.chunk',
  created: 1,
  model: 'weights',
  choices: [{ index: 0, delta, finish_reason: finish }],
})

export const completion = (content: string): JsonObject => ({
  id: 'chatcmpl-1',
  object: 'chat.completion',
  created: 1,
  model: 'weights',
  choices: [{ index: 0, message: { role: 'assistant', content }, finish_reason: 'stop' }],
})
