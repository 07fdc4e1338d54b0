import assert from 'node:assert/strict'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { PbfReader } from 'pbf'
import { settled } from '../../tests/kit/clock.ts'
import { RecordedReply, request } from '../../tests/kit/exchange.ts'
import { agentSpans, otlpJsonOf, protobufOf } from '../../tests/kit/otlp.ts'
import { fault, refuse } from '../base/errors.ts'
import { unbound } from '../guard/bindings.ts'
import { Adapter } from '../trace/adapt.ts'
import { type Delivery, readDelivery } from '../trace/intake.ts'
import { isOfTelemetry, otlpHandler } from './otlp.ts'

const START_US = 1_760_000_000_000_000
const CANARY = 'sk-canary-7f3a'

function open(take?: (delivery: Delivery) => Promise<never>) {
  const taken: Delivery[] = []
  const handler = otlpHandler({
    store: {
      take: async (delivery) => {
        if (take !== undefined) return take(delivery)
        taken.push(delivery)
        return readDelivery(delivery, new Adapter(() => undefined)).rejected
      },
    },
    authenticate: ({ headers }) =>
      headers['authorization'] === 'Bearer good'
        ? { id: 'key_1', name: 'app', role: 'user', bindings: { ...unbound('user'), tenant: 'acme' } }
        : refuse('key_unknown', {}),
    newRequestId: () => 'req_1',
  })
  async function call(
    body: Uint8Array,
    headers: { [name: string]: string } = {},
    path = '/v1/traces',
    method = 'POST',
  ) {
    const reply = new RecordedReply()
    const all = { authorization: 'Bearer good', 'content-type': 'application/x-protobuf', ...headers }
    handler(request(method, path, body, all), reply)
    for (let turns = 0; turns < 20 && !reply.ended; turns++) await settled()
    return reply
  }
  return { call, taken }
}

test('only the paths of OTLP are its own', () => {
  assert.deepEqual(['/v1/traces', '/v1/logs?x', '/v1/metrics', '/v1/models', '/v1/traces/a'].map(isOfTelemetry), [
    true,
    true,
    true,
    false,
    false,
  ])
})

test('what was taken is answered in the encoding it came in, for the tenant of its key', async () => {
  const { call, taken } = open()
  const spans = agentSpans(1, 2, START_US)
  const binary = await call(protobufOf(spans))
  assert.deepEqual(
    [binary.status, binary.headers['content-type'], binary.bytes.length],
    [200, 'application/x-protobuf', 0],
  )
  const json = await call(gzipSync(otlpJsonOf(spans)), {
    'content-type': 'application/json; charset=utf-8',
    'content-encoding': 'gzip',
  })
  assert.deepEqual([json.status, json.json()], [200, {}])
  assert.deepEqual(
    taken.map(({ tenant }) => tenant),
    ['acme', 'acme'],
  )
})

test('a bad span is named in partial_success, in protobuf and in JSON', async () => {
  const { call } = open()
  const spans = agentSpans(1, 2, START_US).map((span, at) => (at === 3 ? { ...span, spanId: '' } : span))
  const { bytes } = await call(protobufOf(spans))
  const told: { count?: number; reason?: string } = {}
  new PbfReader(bytes).readFields((field, _, pbf) => {
    if (field !== 1) return
    pbf.readMessage((inner, into: typeof told) => {
      if (inner === 1) into.count = pbf.readVarint()
      else if (inner === 2) into.reason = pbf.readString()
    }, told)
  }, undefined)
  assert.deepEqual(told, { count: 1, reason: 'record 3: its span id is not 8 bytes' })
  const json = await call(otlpJsonOf(spans), { 'content-type': 'application/json' })
  assert.deepEqual(json.json().partialSuccess, { rejectedSpans: '1', errorMessage: told.reason })
})

test('who may not, and what cannot be read, is refused before anything is kept', async () => {
  const { call, taken } = open()
  const body = protobufOf(agentSpans(1, 1, START_US))
  const statuses = [
    await call(body, { authorization: 'Bearer bad' }),
    await call(body, {}, '/v1/traces', 'GET'),
    await call(body, { 'content-type': 'text/plain' }),
    await call(body, { 'content-encoding': 'br' }),
  ].map(({ status }) => status)
  assert.deepEqual(statuses, [401, 405, 400, 400])
  assert.equal(taken.length, 0)
})

test('what passes is said so that an exporter tries again: 429 and 503 with Retry-After', async () => {
  for (const [thrown, status] of [
    [fault('telemetry_full', { limitBytes: 1, retryAfterMs: 1500 }), 429],
    [fault('disk_full', { path: '/data' }), 503],
    [fault('store_unavailable', { reason: 'it is closed' }), 503],
  ] as const) {
    const { call } = open(async () => {
      throw thrown
    })
    const reply = await call(protobufOf(agentSpans(1, 1, START_US)))
    assert.deepEqual([reply.status, reply.headers['retry-after']], [status, '2'])
  }
})

test('no answer repeats what was sent, wherever in it a secret stood', async () => {
  const { call } = open()
  const [span] = agentSpans(1, 1, START_US)
  assert.ok(span !== undefined)
  const bad = [
    { ...span, spanId: '', name: CANARY, attributes: { [CANARY]: CANARY } },
    { ...span, traceId: '00', message: CANARY, status: 2 },
  ]
  const broken = Buffer.from(`{"resourceSpans": "${CANARY}`)
  for (const reply of [
    await call(protobufOf(bad)),
    await call(otlpJsonOf(bad), { 'content-type': 'application/json' }),
    await call(Buffer.from(CANARY)),
    await call(broken, { 'content-type': 'application/json' }),
    await call(broken, { 'content-type': CANARY, 'content-encoding': CANARY }),
  ])
    assert.doesNotMatch(Buffer.from(reply.bytes).toString() + JSON.stringify(reply.headers), new RegExp(CANARY))
})
