import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ManualClock } from '../../../tests/kit/clock.ts'
import { HandWire } from '../../../tests/kit/wire.ts'
import { DeploymentHealth } from '../health.ts'
import { MetricsWatch } from './watch.ts'

const PAGE = 'vllm:num_requests_running 6\nvllm:num_requests_waiting 4\nvllm:kv_cache_usage_perc 0.99\n'

function open() {
  const clock = new ManualClock()
  const wire = new HandWire()
  const health = new DeploymentHealth('gpu/m', { clock })
  const turns: (string | undefined)[] = []
  const watch = new MetricsWatch({ clock, client: wire, onTurn: (_, reason) => void turns.push(reason) }, [
    {
      name: 'gpu',
      url: 'http://gpu/metrics',
      headers: { 'x-a': 'b' },
      intervalMs: 1_000,
      deployments: [{ model: 'm', health }],
    },
  ])
  watch.start()
  return { clock, wire, health, turns, watch }
}

test('what the engine says is read every interval and raises our own count', () => {
  const { clock, wire, health, watch } = open()
  assert.deepEqual(
    [wire.requests[0]?.url, wire.requests[0]?.headers],
    ['http://gpu/metrics', { 'x-a': 'b', accept: 'text/plain' }],
  )
  for (let n = 0; n < 2; n++) health.begin('chat', { tokens: 100 })
  assert.equal(health.load, 200)
  wire.answer(200, 'text/plain', PAGE.slice(0, 30), PAGE.slice(30))
  // Ten calls, of which two are ours.
  assert.deepEqual([health.load, health.isCrowded], [1_000, true])
  assert.deepEqual([health.status.running, health.status.waiting, health.status.kvUse], [6, 4, 0.99])
  clock.advance(1_000)
  assert.equal(wire.requests.length, 2)
  wire.answer(200, 'text/plain', 'vllm:num_requests_running 0\n')
  assert.deepEqual([health.load, health.isCrowded], [200, false])
  watch.close()
  assert.equal(clock.pending, 0)
})

test('a page that comes no more is believed until it is stale, then our own books alone', () => {
  const { clock, wire, health, turns } = open()
  health.begin('chat', { tokens: 100 })
  wire.answer(200, 'text/plain', PAGE)
  clock.advance(2_999)
  assert.equal(health.load, 1_000)
  assert.deepEqual(turns, ['it did not answer within 1000 ms'])
  clock.advance(1)
  assert.deepEqual([health.load, health.isCrowded, health.status.running], [100, false, null])
  wire.answer(200, 'text/plain', PAGE)
  assert.equal(health.load, 1_000)
  assert.deepEqual(turns, ['it did not answer within 1000 ms', undefined])
})

test('what is no page changes nothing, and is told once', () => {
  const { clock, wire, health, turns } = open()
  const bad: (() => void)[] = [
    () => wire.answer(500, 'text/plain', PAGE),
    () => wire.answer(404, 'text/html', '<html>'),
    () => wire.handler?.fail(new Error('ECONNREFUSED')),
    () => {
      wire.handler?.head(200, {})
      for (let n = 0; n < 5; n++) wire.handler?.data(Buffer.alloc(2 ** 20, 'x'))
      wire.handler?.end()
    },
  ]
  for (const one of bad) {
    one()
    clock.advance(1_000)
  }
  assert.equal(turns.length, 1)
  assert.deepEqual([health.load, health.circuit('chat').admits], [0, true])
})

test('an engine that says anything at all is still asked', () => {
  const { wire, health } = open()
  wire.answer(200, 'text/plain', 'vllm:num_requests_running 1000000\nvllm:num_requests_waiting 1000000\n')
  const visit = health.begin('chat', { tokens: 7 })
  assert.ok(visit !== undefined && Number.isSafeInteger(health.load))
})

test('a page that is late says nothing after the watch has closed', () => {
  const { wire, health, watch } = open()
  watch.close()
  wire.handler?.head(200, {})
  wire.handler?.data(Buffer.from(PAGE))
  wire.handler?.end()
  assert.equal(health.status.running, null)
  assert.ok(wire.aborted)
})
