import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ManualClock, settled } from '../../../tests/kit/clock.ts'
import { completion } from '../../../tests/kit/engine.ts'
import { closing, ASK, openGateway, USAGE } from '../../../tests/kit/gateway.ts'
import { Refusal } from '../../base/errors.ts'
import { Gate, type Pass, type Priority } from './gate.ts'
import { AdaptiveLimit } from './limit.ts'

function open(inFlightMax = 2, queueMax = 3) {
  const clock = new ManualClock()
  const gate = new Gate(clock, 'chat', { queueMax, queueMs: 1_000, inFlightMax, batchShare: 0.9 })
  const order: string[] = []
  const passes = new Map<string, Pass>()
  const leaves = new Map<string, () => void>()
  const enter = async (name: string, tenant = 'a', priority: Priority = 'interactive'): Promise<void> => {
    const entered = gate.enter({ priority, tenant }, (leave) => void leaves.set(name, leave))
    const told = (answer: Awaited<typeof entered>): void => {
      order.push(answer instanceof Refusal ? `${name} refused` : answer === 'left' ? `${name} left` : name)
      if (!(answer instanceof Refusal) && answer !== 'left') passes.set(name, answer)
    }
    if (entered instanceof Promise) void entered.then(told)
    else told(entered)
    await settled()
  }
  const leave = async (name: string): Promise<void> => {
    passes.get(name)?.leave()
    await settled()
  }
  return { clock, gate, order, enter, leave, leaves }
}

test('beyond the limit they wait in turn, and one that leaves twice leaves once', async () => {
  const { gate, order, enter, leave, clock } = open()
  for (const name of ['1', '2', '3', '4']) await enter(name)
  assert.deepEqual([order, gate.inFlight, gate.waiting], [['1', '2'], 2, 2])
  await leave('1')
  await leave('1')
  assert.deepEqual([order, gate.inFlight], [['1', '2', '3'], 2])
  for (const name of ['2', '3', '4']) await leave(name)
  assert.deepEqual([gate.inFlight, gate.waiting, clock.pending], [0, 0, 0])
})

test('interactive goes before batch, and batch leaves a place free for it', async () => {
  const { order, enter, leave } = open(4)
  for (const name of ['b1', 'b2', 'b3', 'b4']) await enter(name, 'a', 'batch')
  assert.deepEqual(order, ['b1', 'b2', 'b3'])
  await enter('i1')
  assert.deepEqual(order.slice(3), ['i1'])
  await enter('i2')
  await leave('b1')
  assert.deepEqual(order.slice(4), ['i2'])
  await leave('b2')
  await leave('b3')
  assert.deepEqual(order.slice(5), ['b4'])
})

test('the tenant with the least in flight is next', async () => {
  const { order, enter, leave } = open(2, 9)
  await enter('a1', 'a')
  await enter('a2', 'a')
  for (const name of ['a3', 'a4', 'b1', 'c1']) await enter(name, name.slice(0, 1))
  for (const name of ['a1', 'a2', 'b1', 'c1']) await leave(name)
  assert.deepEqual(order, ['a1', 'a2', 'b1', 'a3', 'c1', 'a4'], 'of equals, who came first')
})

test('where the queue is full the lower class makes room, then the tenant with most in it', async () => {
  const { order, enter } = open(1, 3)
  await enter('i1', 'a')
  for (const name of ['b1', 'b2']) await enter(name, 'a', 'batch')
  await enter('b3', 'b', 'batch')
  await enter('i2', 'b')
  assert.deepEqual(order, ['i1', 'b2 refused'])
  await enter('b4', 'b', 'batch')
  await enter('i3', 'b')
  await enter('i4', 'b')
  assert.deepEqual(order.slice(2).sort(), ['b1 refused', 'b3 refused', 'b4 refused'])
  await enter('i5', 'b')
  await enter('i6', 'c')
  await enter('b5', 'c', 'batch')
  assert.deepEqual(order.slice(5), ['i5 refused', 'i4 refused', 'b5 refused'])
})

test('who waits too long is told when to come back, and who leaves is forgotten', async () => {
  const { clock, gate, order, enter, leaves } = open(1)
  await enter('1')
  await enter('2')
  await enter('3')
  leaves.get('3')?.()
  await settled()
  clock.advance(1_000)
  await settled()
  assert.deepEqual([order, gate.waiting, clock.pending], [['1', '3 left', '2 refused'], 0, 0])
})

test('the limit grows while answers keep their pace, falls when they slow down, and follows refusals', () => {
  const limit = new AdaptiveLimit({ inFlightMin: 1, inFlightMax: 100 }, 20)
  const answers = (count: number, ms: number): void => {
    for (let at = 0; at < count; at++) limit.answered(ms, limit.value)
  }
  answers(2_000, 100)
  const grown = limit.value
  assert.ok(grown > 40, String(grown))
  answers(2_000, 400)
  assert.ok(limit.value < grown / 4, String(limit.value))
  answers(2_000, 100)
  const before = limit.value
  limit.overloaded()
  limit.overloaded()
  assert.equal(limit.value, Math.floor(before * 0.8), 'once for all that a crowd is told at a time')
  answers(9_000, 100)
  assert.equal(limit.value, 100)
})

test('a limit that is never reached does not grow', () => {
  const limit = new AdaptiveLimit({ inFlightMin: 1, inFlightMax: 100 }, 20)
  for (let at = 0; at < 1_000; at++) limit.answered(100, 3)
  assert.equal(limit.value, 20)
})

test('a model with admission holds requests back, refuses them fast, and lets go of who leaves', async () => {
  const { first, ask, events, gateway, clock } = openGateway({
    admission: { queueMax: 1, queueMs: 500, inFlightMax: 1, batchShare: 0.9 },
  })
  await ask(ASK)
  const waiting = await ask(ASK)
  const refused = await ask(ASK, '/v1/chat/completions', 'POST', { 'x-headworks-priority': 'batch' })
  assert.deepEqual([first.calls.length, waiting.status, refused.status], [1, 0, 503])
  assert.deepEqual([refused.json().error.code, refused.headers['retry-after-ms']], ['overloaded', '500'])
  await settled()
  assert.equal((await closing(events, refused)).outcome, 'failed')
  waiting.leave()
  await settled()
  const next = await ask(ASK)
  first.last.sink.frame(completion('Hi.'))
  first.last.sink.end({ usage: USAGE })
  await settled()
  await settled()
  assert.equal(first.calls.length, 2)
  first.last.sink.frame(completion('Hi.'))
  first.last.sink.end({ usage: USAGE })
  await settled()
  await settled()
  assert.deepEqual([next.status, gateway.inFlight, clock.pending], [200, 0, 0])
  const wrong = await ask(ASK, '/v1/chat/completions', 'POST', { 'x-headworks-priority': 'urgent' })
  assert.deepEqual([wrong.status, wrong.json().error.param], [400, 'x-headworks-priority'])
})

test('a key for batch cannot step forward', async () => {
  const { ask, first } = openGateway({
    key: { priority: 'batch' },
    admission: { queueMax: 9, queueMs: 500, inFlightMax: 2, batchShare: 0.9 },
  })
  const headers = { 'x-headworks-priority': 'interactive' }
  await ask(ASK, '/v1/chat/completions', 'POST', headers)
  await ask(ASK, '/v1/chat/completions', 'POST', headers)
  assert.equal(first.calls.length, 1, 'the last place is for others')
})
