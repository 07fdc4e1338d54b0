import assert from 'node:assert/strict'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { ManualClock } from '../../../tests/kit/clock.ts'
import { recordChat } from '../../../tests/kit/chat-recorder.ts'
import { unlimited } from '../../../tests/kit/spending.ts'
import { HandWire } from '../../../tests/kit/wire.ts'
import type { Problem } from '../../base/errors.ts'
import { seededRandom } from '../../base/random.ts'
import { callModel } from '../../gateway/call.ts'
import type { LogicalModel } from '../../gateway/catalogue.ts'
import { Trace } from '../../trace/trace.ts'
import { OpenAiEngine } from './engine.ts'

/** Engines that lie, each kind of lie by itself. What is garbled or broken in other ways stands in
 *  `engine.test.ts`. */

const SSE = 'text/event-stream'
const part = (content: string, finish: string | null = null): string =>
  `data: ${JSON.stringify({ id: 'c', choices: [{ index: 0, delta: { content }, finish_reason: finish }] })}\n\n`
const DONE = 'data: [DONE]\n\n'

function open() {
  const wire = new HandWire()
  const engine = new OpenAiEngine({ name: 'liar', url: 'http://liar.test/v1', capField: 'max_tokens', client: wire })
  return { wire, engine }
}

test('an event of 10 MB is given up long before its end, in one line or in many', () => {
  for (const line of ['x', 'data: x\n']) {
    const { wire, engine } = open()
    const { got } = recordChat(engine, true)
    wire.handler?.head(200, { 'content-type': SSE })
    const piece = Buffer.from(line.repeat(2 ** 20 / line.length))
    let taken = 0
    for (; taken < 40 && got.fault === undefined; taken++) wire.handler?.data(piece)
    assert.equal(got.fault?.code, 'engine_garbled')
    assert.ok(taken <= 33 && wire.aborted, `${taken} MB`)
  }
})

test('what is compressed is not unpacked, whole or streamed, chat or embeddings', async () => {
  const bomb = gzipSync(Buffer.alloc(50_000_000))
  for (const stream of [true, false]) {
    const { wire, engine } = open()
    const { got } = recordChat(engine, stream)
    wire.handler?.head(200, { 'content-type': stream ? SSE : 'application/json', 'content-encoding': 'gzip' })
    wire.handler?.data(bomb)
    assert.deepEqual([got.fault?.code, wire.aborted], ['engine_garbled', true])
  }
  const { wire, engine } = open()
  const listed = engine.models(1_000)
  wire.handler?.head(200, { 'content-encoding': 'br' })
  await assert.rejects(listed, { code: 'engine_garbled' })
})

test('a whole answer beyond its bound is given up', () => {
  const { wire, engine } = open()
  const { got } = recordChat(engine, false)
  wire.handler?.head(200, { 'content-type': 'application/json' })
  const piece = Buffer.alloc(2 ** 20, ' ')
  for (let n = 0; n < 65; n++) wire.handler?.data(piece)
  assert.deepEqual([got.fault?.code, wire.aborted], ['engine_garbled', true])
})

test('two ends are one, and what comes after is nobody’s', () => {
  const { wire, engine } = open()
  const { got } = recordChat(engine, true)
  wire.answer(200, SSE, part('All.', 'stop'), DONE, DONE, part('More.'), 'data: {"error":{"message":"late"}}\n\n')
  assert.deepEqual([got.frames.length, got.fault, got.end === undefined], [1, undefined, false])
})

/** A call that is watched by a clock. */
function call() {
  const { wire, engine } = open()
  const clock = new ManualClock()
  const model: LogicalModel = {
    name: 'm',
    kind: 'model',
    description: '',
    operations: ['chat'],
    deployments: [{ engine, model: 'w', weight: 1 }],
    fallback: [],
    outputTokensMax: 10,
    timeouts: { connectMs: 100, firstTokenMs: 1_000, betweenTokensMs: 500, totalMs: 60_000 },
  }
  const seen: { text: string; problem?: Problem } = { text: '' }
  callModel(
    { clock, random: seededRandom(1), catalogue: () => new Map() },
    {
      requestId: 'r',
      model,
      body: { messages: [] },
      stream: true,
      outputTokensMax: 10,
      span: new Trace(clock).open('call'),
      spending: unlimited(clock).spending('r', {}),
    },
    {
      commit() {},
      frame: (frame) => void (seen.text += JSON.stringify(frame)),
      end() {},
      fail: (problem) => void (seen.problem = problem),
    },
  )
  wire.handler?.head(200, { 'content-type': SSE })
  return { wire, clock, seen }
}

test('comments and single bytes are no words: a server that drips them is timed out', () => {
  const before = call()
  for (let ms = 0; ms < 1_000; ms += 10) {
    before.wire.handler?.data(Buffer.from(ms % 20 === 0 ? ': still here\n' : 'd'))
    before.clock.advance(10)
  }
  assert.deepEqual([before.seen.problem?.code, before.wire.aborted], ['engine_timeout', true])
  const within = call()
  within.wire.handler?.data(Buffer.from(part('Well')))
  for (const byte of part('more words').slice(0, 50)) {
    within.wire.handler?.data(Buffer.from(byte))
    within.clock.advance(10)
  }
  assert.deepEqual([within.seen.problem?.code, within.wire.aborted], ['engine_timeout', true])
})

test('frames that say nothing are counted, and then it is no answer', () => {
  const { wire, seen } = call()
  for (let n = 0; n < 65; n++) wire.handler?.data(Buffer.from(part('')))
  assert.deepEqual([seen.problem?.code, seen.text], ['engine_garbled', ''])
})
