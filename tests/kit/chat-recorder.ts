import assert from 'node:assert/strict'
import type { Fault } from '../../src/base/errors.ts'
import type { JsonObject } from '../../src/base/json.ts'
import type { Attempt, ChatEnd, Engine } from '../../src/engine/port.ts'
import { Trace } from '../../src/trace/trace.ts'
import { ManualClock } from './clock.ts'
import { someSpending } from './spending.ts'

/** What came of one chat with an engine, of which a test sends the bytes. */
export interface Recorded {
  readonly frames: JsonObject[]
  end?: ChatEnd
  fault?: Fault
}

export const callContext = () => ({
  requestId: 'req_1',
  span: new Trace(new ManualClock()).open('call'),
  connectTimeoutMs: 10,
  spending: someSpending(),
})

export function recordChat(
  engine: Engine,
  stream: boolean,
  body: JsonObject = {},
): { readonly got: Recorded; readonly attempt: Attempt } {
  const got: Recorded = { frames: [] }
  const only = (): void => assert.ok(got.end === undefined && got.fault === undefined, 'exactly one end')
  const call = {
    ...callContext(),
    model: 'weights',
    stream,
    outputTokensMax: 50,
    body: { messages: [{ role: 'user', content: 'x' }], ...body },
  }
  const attempt = engine.chat(call, {
    frame: (frame) => void got.frames.push(frame),
    end: (end) => {
      only()
      got.end = end
    },
    fail: (cause) => {
      only()
      got.fault = cause
    },
  })
  return { got, attempt }
}

export const deltasOf = (frames: readonly JsonObject[]): JsonObject[] =>
  frames.map((frame) => (frame['choices'] as readonly { readonly delta: JsonObject }[])[0]?.delta ?? {})

export const finishOf = (frames: readonly JsonObject[]): unknown =>
  (frames.at(-1)?.['choices'] as readonly JsonObject[] | undefined)?.[0]?.['finish_reason']
