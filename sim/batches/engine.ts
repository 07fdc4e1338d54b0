import { fault } from '../../src/base/errors.ts'
import { isObject } from '../../src/base/json.ts'
import type { Attempt, ChatCall, ChatSink, Engine } from '../../src/engine/port.ts'
import type { Catalogue, LogicalModel } from '../../src/gateway/catalogue.ts'
import { always, FREE } from '../../src/meter/prices.ts'

/** A model server that takes its time, and fails now and then. */

export interface EngineHost {
  /** Calls of this process that the engine works on. */
  inFlight: number
}

export interface EngineParts {
  readonly life: EngineHost
  readonly after: (delayMs: number, run: () => void) => void
  readonly delayMs: () => number
  readonly fails: () => boolean
  readonly called: () => void
  /** An answer has left. */
  readonly finished: () => void
}

const TIMEOUTS = { connectMs: 1_000, firstTokenMs: 5_000, betweenTokensMs: 5_000, totalMs: 10_000 }
const PRICE = { ...FREE, inputNanoUsd: 1_000_000_000n, outputNanoUsd: 2_000_000_000n }

export function catalogueOf(parts: EngineParts): () => Catalogue {
  const model: LogicalModel = {
    name: 'chat',
    kind: 'model',
    description: '',
    operations: ['chat'],
    deployments: [{ engine: engineOf(parts), model: 'weights', weight: 1, priceAt: always(PRICE, 'config') }],
    fallback: [],
    outputTokensMax: 100,
    timeouts: TIMEOUTS,
  }
  const catalogue = new Map([[model.name, model]])
  return () => catalogue
}

const engineOf = ({ life, after, delayMs, fails, called, finished }: EngineParts): Engine => ({
  name: 'far',
  operations: new Set(['chat']),
  chat(call: ChatCall, sink: ChatSink): Attempt {
    called()
    life.inFlight++
    let isOver = false
    const over = (): boolean => {
      if (isOver) return false
      isOver = true
      life.inFlight--
      return true
    }
    after(delayMs(), () => {
      if (!over()) return
      if (fails()) return sink.fail(fault('engine_unreachable', { engine: 'far', reason: 'told to' }))
      const line = lineOf(call)
      finished()
      const usage = {
        inputTokens: 5,
        cachedInputTokens: 0,
        outputTokens: line.length,
        reasoningTokens: 0,
        estimated: false,
      }
      sink.frame({
        id: 'chatcmpl-1',
        object: 'chat.completion',
        created: 1,
        model: 'weights',
        choices: [{ index: 0, message: { role: 'assistant', content: line }, finish_reason: 'stop' }],
      })
      sink.end({ usage })
    })
    return { cancel: () => void over(), pause() {}, resume() {} }
  },
  rerank: () => Promise.reject(fault('operation_unsupported', { model: 'far', operation: 'rerank' })),
  embed: () => Promise.reject(fault('operation_unsupported', { model: 'far', operation: 'embed' })),
  models: async () => ['weights'],
})

function lineOf({ body }: ChatCall): string {
  const { messages } = body
  const [first] = Array.isArray(messages) ? (messages as readonly unknown[]) : []
  return isObject(first) ? String(first['content']) : ''
}
