import assert from 'node:assert/strict'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { agentSpans, otlpJsonOf, protobufOf } from '../../tests/kit/otlp.ts'
import { Fault } from '../base/errors.ts'
import { Adapter } from './adapt.ts'
import { type Delivery, readDelivery } from './intake.ts'
import { otlpOf } from './otlp/export.ts'

const START_US = 1_760_000_000_000_000
const read = (bytes: Uint8Array, more: Partial<Delivery> = {}) =>
  readDelivery(
    { signal: 'traces', encoding: 'protobuf', compression: '', bytes, tenant: 't', ...more },
    new Adapter(() => undefined),
  )
const codeOf = (task: () => unknown): string => {
  try {
    task()
  } catch (thrown) {
    return thrown instanceof Fault ? thrown.code : String(thrown)
  }
  return 'none'
}

test('protobuf and JSON, packed or not, say the same', () => {
  const spans = agentSpans(1, 20, START_US)
  const binary = read(protobufOf(spans))
  assert.equal(binary.spans.length, 160)
  assert.deepEqual(read(otlpJsonOf(spans), { encoding: 'json' }), binary)
  assert.deepEqual(read(gzipSync(protobufOf(spans)), { compression: 'gzip' }), binary)
})

test('of ten thousand spans the one that is bad is named and the others are taken', () => {
  const spans = agentSpans(1, 1250, START_US).map((span, at) => (at === 4711 ? { ...span, spanId: '00' } : span))
  for (const encoding of ['protobuf', 'json'] as const) {
    const body = encoding === 'json' ? otlpJsonOf(spans) : protobufOf(spans)
    const { spans: taken, rejected } = read(body, { encoding })
    assert.equal(taken.length, 9_999)
    assert.deepEqual(rejected, { count: 1, reason: 'record 4711: its span id is not 8 bytes' })
  }
})

test('many bad ones are counted, a few of them named', () => {
  const spans = agentSpans(1, 10, START_US).map((span) => ({ ...span, traceId: '0'.repeat(32) }))
  const { rejected } = read(protobufOf(spans))
  assert.equal(rejected.count, 80)
  assert.match(rejected.reason, /^record 0: its trace id is not 16 bytes; .*and 75 more$/)
})

test('what is no OTLP is refused, whatever it is', () => {
  assert.equal(
    codeOf(() => read(Buffer.from('{"a":'), { encoding: 'json' })),
    'body_malformed',
  )
  assert.equal(
    codeOf(() => read(Buffer.from('[1]'), { encoding: 'json' })),
    'body_malformed',
  )
  assert.equal(
    codeOf(() => read(Buffer.from('no gzip'), { compression: 'gzip' })),
    'body_malformed',
  )
  assert.equal(
    codeOf(() => read(Buffer.from('['.repeat(1000)), { encoding: 'json' })),
    'body_too_deep',
  )
})

test('a small body that unpacks to a huge one is refused', () => {
  const bomb = gzipSync(Buffer.alloc(65 * 1024 * 1024))
  assert.ok(bomb.length < 100_000)
  assert.equal(
    codeOf(() => read(bomb, { compression: 'gzip' })),
    'body_too_large',
  )
})

test('any bytes are read or refused, never anything else', () => {
  const whole = protobufOf(agentSpans(1, 2, START_US))
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(whole.length), fc.nat(255), (bytes, at, byte) => {
      const broken = whole.slice()
      broken[at] = byte
      for (const one of [bytes, broken, whole.slice(0, at)])
        assert.match(
          codeOf(() => read(one)),
          /^(?:none|body_malformed)$/,
        )
    }),
    { numRuns: 300 },
  )
})

test('an evaluation that is logged is a score of its span, once however often it is sent', () => {
  const record = {
    timeUnixNano: '1760000000000000000',
    traceId: 'ab'.repeat(16),
    spanId: 'cd'.repeat(8),
    eventName: 'gen_ai.evaluation.result',
    attributes: [
      { key: 'gen_ai.evaluation.name', value: { stringValue: 'relevance' } },
      { key: 'gen_ai.evaluation.score.value', value: { doubleValue: 0.8 } },
      { key: 'gen_ai.evaluation.score.label', value: { stringValue: 'relevant' } },
    ],
  }
  const body = Buffer.from(JSON.stringify({ resourceLogs: [{ scopeLogs: [{ logRecords: [record] }] }] }))
  const [first, second] = [0, 1].map(() => read(body, { signal: 'logs', encoding: 'json' }).scores[0])
  assert.deepEqual(first, second)
  assert.deepEqual(
    [first?.name, first?.value, first?.label, first?.spanId],
    ['relevance', 0.8, 'relevant', 'cd'.repeat(8)],
  )
})

test('points of metrics are taken, histograms by their count and sum', () => {
  const metrics = [
    { name: 'gpu.power', gauge: { dataPoints: [{ timeUnixNano: '1760000000000000000', asDouble: 312.5 }] } },
    { name: 'latency', histogram: { dataPoints: [{ timeUnixNano: '1760000000000000000', count: '4', sum: 10 }] } },
  ]
  const body = Buffer.from(JSON.stringify({ resourceMetrics: [{ scopeMetrics: [{ metrics }] }] }))
  const { points } = read(body, { signal: 'metrics', encoding: 'json' })
  assert.deepEqual(
    points.map(({ name, value, count }) => [name, value, count]),
    [
      ['gpu.power', 312.5, null],
      ['latency', 10, 4],
    ],
  )
})

test('what is exported as OTLP comes back as the same rows', () => {
  const { spans } = read(protobufOf(agentSpans(97, 3, START_US)))
  const again = read(Buffer.from(JSON.stringify(otlpOf(spans))), { encoding: 'json' })
  assert.deepEqual(
    again.spans.map((span) => ({ ...span, attributes: '' })),
    spans.map((span) => ({ ...span, attributes: '' })),
  )
})
