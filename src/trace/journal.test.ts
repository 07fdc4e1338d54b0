import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { JsonObject } from '../base/json.ts'
import type { Entry } from '../store/events.ts'
import { requestIdOf, spansOf, traceIdOf, traceOfEntry } from './journal.ts'

const ID = 'req_01k9p3v7c2e8x4m6n0q5r1t9wz'
const CALLER = `00-${'ab'.repeat(16)}-${'cd'.repeat(8)}-01`

const entry = (body: JsonObject, admission: JsonObject = {}): Entry => ({
  id: ID,
  phase: 'close',
  kind: 'request',
  atMs: 1_760_000_001_000,
  body: {
    operation: 'chat',
    model: 'docs',
    totalMs: 1000,
    stages: [
      { name: 'admit', parent: -1, start_ms: 0, end_ms: 0.5, attributes: { key: 'key_1', ...admission } },
      { name: 'call', parent: -1, start_ms: 1, end_ms: 900, attributes: {} },
      {
        name: 'attempt',
        parent: 1,
        start_ms: 1,
        end_ms: 890,
        attributes: { deployment: 'up/weights', outcome: 'failed', reason: 'Gone.' },
      },
    ],
    ...body,
  },
})

test('a request is a root with a span for each stage, below the stage it was part of', () => {
  const usage = { inputTokens: 5, cachedInputTokens: 2, outputTokens: 3, reasoningTokens: 1, estimated: false }
  const spans = spansOf(entry({ outcome: 'answered', usage, costNanoUsd: '1234', firstTokenMs: 12.5, user: 'ada' }))
  const [root, admit, call, attempt] = spans
  assert.ok(root !== undefined && admit !== undefined && call !== undefined && attempt !== undefined)
  assert.deepEqual(
    [root.kind, root.name, root.startUs, root.durationUs, root.status, root.costNanoUsd, root.firstTokenUs, root.user],
    ['request', 'chat docs', 1_760_000_000_000_000, 1_000_000, 'ok', 1234, 12_500, 'ada'],
  )
  assert.deepEqual([root.inputTokens, root.cachedInputTokens, root.outputTokens, root.reasoningTokens], [5, 2, 3, 1])
  assert.deepEqual([admit.parentId, call.parentId, attempt.parentId], [root.spanId, root.spanId, call.spanId])
  assert.deepEqual(
    [attempt.kind, attempt.status, attempt.error, attempt.deployment],
    ['generation', 'error', 'Gone.', 'up/weights'],
  )
  assert.ok(spans.every(({ traceId, spanId }) => traceId === traceIdOf(ID) && /^[0-9a-f]{16}$/.test(spanId)))
  assert.equal(new Set(spans.map(({ spanId }) => spanId)).size, 4)
  assert.equal(
    spans.slice(1).filter(({ costNanoUsd, inputTokens }) => costNanoUsd !== null || inputTokens !== null).length,
    0,
  )
  assert.equal(requestIdOf(root), ID)
  assert.deepEqual(
    spansOf(entry({ outcome: 'answered', usage, costNanoUsd: '1234', firstTokenMs: 12.5, user: 'ada' })),
    spans,
  )
})

test('a caller with a trace of its own finds the request in it', () => {
  const called = entry({ outcome: 'answered' }, { traceparent: CALLER })
  const [root] = spansOf(called)
  assert.deepEqual([root?.traceId, root?.parentId], ['ab'.repeat(16), 'cd'.repeat(8)])
  assert.equal(traceOfEntry(called), 'ab'.repeat(16))
  for (const traceparent of ['', 'x', `00-${'0'.repeat(32)}-${'cd'.repeat(8)}-01`, CALLER.toUpperCase()])
    assert.equal(traceOfEntry(entry({}, { traceparent })), traceIdOf(ID))
})

test('what failed says why, what was cancelled has not failed, and other entries are no spans', () => {
  const root = (body: JsonObject) => spansOf(entry(body))[0]
  assert.deepEqual(
    [
      root({ outcome: 'failed', error: 'engine_timeout', reason: 'Late.' })?.error,
      root({ outcome: 'interrupted' })?.error,
    ],
    ['engine_timeout: Late.', 'interrupted'],
  )
  assert.equal(root({ outcome: 'cancelled' })?.status, 'unset')
  assert.deepEqual(spansOf({ ...entry({}), kind: 'ingest' }), [])
})
