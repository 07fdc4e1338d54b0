import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { OneTrace, TraceSpan } from '../api/traces.ts'
import { factsOf, stagesOf } from './words.ts'

const span = (id: string, parent: string, atMs: number, more: Partial<TraceSpan> = {}): TraceSpan => ({
  id,
  parent,
  kind: 'span',
  name: id,
  atMs,
  durationMs: 5,
  status: 'ok',
  error: '',
  model: '',
  prompt: '',
  attributes: {},
  ...more,
})

const one = (record: OneTrace['record'], spans: readonly TraceSpan[] = []): OneTrace => ({
  trace: undefined,
  spans,
  scores: [],
  total: spans.length,
  record,
})

test('stages count from the first of them, and know their parents by place', () => {
  const stages = stagesOf([
    span('a', '', 1_000),
    span('b', 'a', 1_002, { name: '', kind: 'tool' }),
    span('c', 'far', 1_001),
  ])
  assert.deepEqual(
    stages.map(({ name, parent, startMs, endMs }) => [name, parent, startMs, endMs]),
    [
      ['a', -1, 0, 5],
      ['tool', 0, 2, 7],
      ['c', -1, 1, 6],
    ],
  )
  assert.deepEqual(stagesOf([]), [])
})

test('what guards found and did is said; what is none of it is not', () => {
  const guards = [
    { guard: 'privacy', point: 'input', action: 'redact', found: { email: 1, phone: 2 } },
    { guard: 'judge', point: 'output', action: 'block', found: {}, verdict: 'none' },
    'no guard',
  ]
  assert.equal(
    factsOf(one({ guards })).guards,
    'privacy, input: redact (email 1, phone 2); judge, output: block, did not answer in time',
  )
  assert.equal(factsOf(one({ guards: 'none' })).guards, '')
})

test('the record says model and prompt, and where there is none the spans', () => {
  const spans = [span('a', '', 0), span('b', 'a', 0, { prompt: 'support@3' })]
  const { model, prompt, outcome } = factsOf(one({ model: 'chat', outcome: 'answered' }, spans))
  assert.deepEqual([model, prompt, outcome], ['chat', 'support@3', 'answered'])
  assert.equal(factsOf(one({ prompt: 'support@4' }, spans)).prompt, 'support@4')
})
