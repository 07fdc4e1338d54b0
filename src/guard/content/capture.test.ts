import assert from 'node:assert/strict'
import { test } from 'node:test'
import { settled } from '../../../tests/kit/clock.ts'
import type { JsonObject } from '../../base/json.ts'
import type { Log } from '../../base/log.ts'
import { AssembledAnswer } from './answer.ts'
import { Capture, type CapturedContent } from './capture.ts'
import { keepingOf, type ContentRules } from './policy.ts'
import { ContentQueue } from './queue.ts'

const RULES: ContentRules = {
  keep: 'metadata',
  rules: [
    { tenants: ['acme'], models: ['chat*'], keep: 'redacted' },
    { keys: ['key_debug'], keep: 'full', days: 1 },
    { tenants: ['acme'], keep: 'off' },
    { workflows: ['docs'], keep: 'full' },
  ],
  retention: { redactedDays: 30, fullDays: 7 },
}

test('the first rule that fits holds, and what no rule names is as the configuration says', () => {
  const scopes = { key: 'key_1', model: 'other' }
  const of = (more: object) => keepingOf(RULES, { ...scopes, ...more })
  assert.deepEqual(of({}), { keep: 'metadata', days: 0 })
  assert.deepEqual(of({ tenant: 'acme', model: 'chat-large', key: 'key_debug' }), { keep: 'redacted', days: 30 })
  assert.deepEqual(of({ key: 'key_debug' }), { keep: 'full', days: 1 })
  assert.deepEqual(of({ tenant: 'acme' }), { keep: 'off', days: 0 })
  assert.deepEqual(of({ workflow: 'docs' }), { keep: 'full', days: 7 })
  assert.deepEqual(of({ model: 'chat' }), { keep: 'metadata', days: 0 })
})

const chunk = (delta: JsonObject, finish: string | null = null, index = 0): JsonObject => ({
  choices: [{ index, delta, finish_reason: finish }],
})

test('a stream becomes one answer, its calls and its second choice with it', () => {
  const answer = new AssembledAnswer()
  const call = (more: JsonObject) => chunk({ tool_calls: [{ index: 0, ...more }] })
  for (const frame of [
    chunk({ role: 'assistant', content: '' }),
    chunk({ content: 'Hel' }),
    chunk({ content: 'Bye' }, 'stop', 1),
    chunk({ content: 'lo', reasoning_content: 'hm' }),
    call({ id: 'c1', function: { name: 'find', arguments: '{"a"' } }),
    call({ function: { arguments: ':1}' } }),
    chunk({}, 'tool_calls'),
    { choices: [], usage: {} },
  ])
    answer.frame(frame)
  assert.deepEqual(answer.choices(), [
    {
      index: 0,
      finish_reason: 'tool_calls',
      content: 'Hello',
      reasoning_content: 'hm',
      tool_calls: [{ id: 'c1', function: { name: 'find', arguments: '{"a":1}' } }],
    },
    { index: 1, finish_reason: 'stop', content: 'Bye' },
  ])
})

test('frames of any shape are survived, and an answer without end is cut', () => {
  const answer = new AssembledAnswer()
  const odd = [
    {},
    { choices: 'x' },
    { choices: [null, 1, { delta: [] }, { delta: { tool_calls: [null, {}, { index: 1e9, function: 3 }] } }] },
  ]
  for (const frame of odd) answer.frame(frame)
  assert.equal(answer.isCut, false)
  for (let at = 0; at < 5; at++) answer.frame(chunk({ content: 'x'.repeat(1024 * 1024) }))
  assert.deepEqual([answer.units, answer.isCut], [2 * 1024 * 1024, true])
  for (let index = 1; index < 300; index++) answer.frame(chunk({ content: '' }, null, index))
  assert.equal(answer.choices().length, 128)
})

const FACTS = {
  requestId: 'req_1',
  traceId: '0af7651916cd43dd8448eb211c80319c',
  atMs: 0,
  subject: { kind: 'key', id: 'key_1' },
  tenant: '',
  key: 'key_1',
  model: 'chat',
  workflow: '',
} as const
const INPUT = {
  model: 'chat',
  messages: [
    { role: 'system', content: 'Be kind.' },
    { role: 'user', content: [{ type: 'text', text: 'Hello?' }] },
    { role: 7, content: 'odd' },
  ],
}

test('metadata says how much was said and by whom; nothing is offered', () => {
  const offered: CapturedContent[] = []
  const capture = new Capture(FACTS, { keep: 'metadata', days: 0 }, INPUT, (one) => offered.push(one))
  capture.frame(chunk({ content: 'Hi' }, 'stop'))
  capture.close()
  assert.deepEqual(capture.shape(), {
    keep: 'metadata',
    roles: { system: 1, user: 1, other: 1 },
    inputChars: 17,
    outputChars: 2,
    finish: ['stop'],
  })
  assert.deepEqual(offered, [])
})

test('what is to be kept is offered once, when the request is over', () => {
  const offered: CapturedContent[] = []
  const capture = new Capture(FACTS, { keep: 'full', days: 7 }, INPUT, (one) => offered.push(one))
  capture.frame(chunk({ content: 'Hi' }, 'stop'))
  assert.equal(offered.length, 0)
  capture.close()
  capture.close()
  assert.equal(offered.length, 1)
  assert.deepEqual(JSON.parse(offered[0]?.text ?? ''), {
    input: INPUT,
    output: [{ index: 0, finish_reason: 'stop', content: 'Hi' }],
  })
})

const captured = (units: number): CapturedContent => ({ ...FACTS, keep: 'full', days: 7, text: 'x'.repeat(units) })

test('a store that does not answer costs texts, which are counted, and holds no more than the bound', async () => {
  const lines: string[] = []
  const log: Log = { write: (_, message) => lines.push(message) }
  const stuck = Promise.withResolvers<void>()
  const batches: number[] = []
  const queue = new ContentQueue({
    write: (batch) => {
      batches.push(batch.length)
      return stuck.promise
    },
    log,
  })
  const text = captured(3 * 1024 * 1024)
  for (let at = 0; at < 30; at++) queue.offer(text)
  queue.offer(captured(3 * 1024 * 1024 + 1))
  await settled()
  assert.deepEqual(queue.counts, { written: 0, dropped: 10, failed: 0, waiting: 21 })
  assert.equal(lines.length, 4) // The first, second, fourth and eighth.
  stuck.resolve()
  await queue.drain()
  assert.deepEqual(queue.counts, { written: 21, dropped: 10, failed: 0, waiting: 0 })
  assert.ok(batches.every((size) => size <= 2))
  queue.offer(text)
  await queue.drain()
  assert.equal(queue.counts.written, 22)
})

test('what the store refuses is counted and said, and what comes later is written', async () => {
  const lines: string[] = []
  let full = true
  const queue = new ContentQueue({
    write: () => (full ? Promise.reject(new Error('no space')) : Promise.resolve()),
    log: { write: (level, message) => lines.push(`${level} ${message}`) },
  })
  queue.offer(captured(10))
  await queue.drain()
  full = false
  queue.offer(captured(10))
  await queue.drain()
  assert.deepEqual(queue.counts, { written: 1, dropped: 0, failed: 1, waiting: 0 })
  assert.deepEqual(lines, ['error inputs and outputs could not be kept'])
})
