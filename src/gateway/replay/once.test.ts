import assert from 'node:assert/strict'
import { test } from 'node:test'
import { accountingOf } from '../../../tests/kit/accounting.ts'
import { ManualClock, settled } from '../../../tests/kit/clock.ts'
import { completion } from '../../../tests/kit/engine.ts'
import type { RecordedReply } from '../../../tests/kit/exchange.ts'
import { ASK, type GatewayOptions, openGateway, USAGE } from '../../../tests/kit/gateway.ts'
import { fault } from '../../base/errors.ts'
import { MemoryEvents } from '../../drivers/memory/events.ts'
import { MemoryRows } from '../../drivers/memory/rows.ts'
import type { Rows } from '../../store/rows.ts'
import { ANSWER_BYTES_MAX } from './shared-answer.ts'

const STREAM = { ...ASK, stream: true }

function open(options: GatewayOptions = {}) {
  const opened = openGateway(options)
  const again = async (body: unknown = ASK, key = 'k1', path = '/v1/chat/completions'): Promise<RecordedReply> => {
    const reply = await opened.ask(body, path, 'POST', { 'idempotency-key': key })
    await rest()
    return reply
  }
  const answer = async (text = 'Hi.'): Promise<void> => {
    opened.first.last.sink.frame(completion(text))
    opened.first.last.sink.end({ usage: USAGE })
    await rest()
  }
  return { ...opened, again, answer }
}

/** The store in memory takes a few turns. */
async function rest(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await settled()
}

test('ten at once make one call and get the same bytes; the eleventh gets them after a restart', async () => {
  const clock = new ManualClock()
  const rows = new MemoryRows()
  const { first, again, answer, gateway } = open({ clock, rows })
  const replies = await Promise.all(Array.from({ length: 10 }, () => again()))
  assert.equal(first.calls.length, 1)
  await answer()
  const texts = new Set(replies.map(({ text }) => text))
  assert.deepEqual([texts.size, replies[0]?.json().choices[0].message.content], [1, 'Hi.'])
  assert.deepEqual(
    replies.map(({ headers }) => headers['idempotent-replayed']),
    [undefined, ...Array.from({ length: 9 }, () => 'true')],
  )
  assert.equal(new Set(replies.map(({ headers }) => headers['x-request-id'])).size, 1)
  assert.deepEqual([gateway.inFlight, clock.pending], [0, 0])

  const restarted = open({ clock, rows })
  const late = await restarted.again()
  assert.deepEqual([late.text, late.status, restarted.first.calls.length], [replies[0]?.text, 200, 0])
  assert.equal(late.headers['idempotent-replayed'], 'true')
  assert.equal(late.headers['x-request-id'], replies[0]?.headers['x-request-id'])
})

test('who comes late to a stream gets what was sent and follows it', async () => {
  const { first, again, gateway } = open()
  const early = await again(STREAM)
  first.last.say('One ')
  await rest()
  const late = await again(STREAM)
  assert.deepEqual([late.text, late.status], [early.text, 200])
  first.last.say('two', 'stop')
  first.last.sink.end({ usage: USAGE })
  await rest()
  assert.ok(early.ended && early.text.endsWith('[DONE]\n\n'))
  assert.deepEqual([late.text, late.ended, first.calls.length, gateway.inFlight], [early.text, true, 1, 0])
  assert.equal((await again(STREAM)).text, early.text, 'and whoever comes after it')
})

test('another body, or another path, with the same key is refused, while it runs and after', async () => {
  const { first, again, answer } = open()
  const early = await again()
  const other = { ...ASK, temperature: 0 }
  for (const when of ['while it runs', 'after']) {
    const refused = await again(other)
    assert.deepEqual([refused.status, refused.json().error.code], [422, 'idempotency_key_reused'], when)
    assert.equal(refused.headers['x-should-retry'], 'false')
    const count = { model: 'chat', messages: ASK.messages, max_tokens: 5 }
    assert.equal((await again(count, 'k1', '/v1/messages')).status, 422, when)
    if (!early.ended) await answer()
  }
  assert.equal(first.calls.length, 1)
  await again(other, 'k2')
  assert.equal(first.calls.length, 2, 'another key is another request')
})

test('what ended in a failure that may pass is not kept; what will always fail is', async () => {
  const { first, second, again, answer } = open()
  const failed = await again()
  first.last.fail()
  second.last.fail()
  await rest()
  assert.equal(failed.status, 502)
  const better = await again()
  await answer()
  assert.deepEqual([better.status, first.calls.length], [200, 2])

  const rejected = await again(ASK, 'k2')
  first.last.sink.fail(fault('engine_rejected', { engine: 'first', reason: 'no' }))
  await rest()
  assert.deepEqual([rejected.status, (await again(ASK, 'k2')).text], [400, rejected.text])
  assert.equal(first.calls.length, 3)
})

test('a stream that broke is broken for all who followed, and made anew', async () => {
  const { first, again } = open()
  const replies = [await again(STREAM), await again(STREAM)]
  first.last.say('Half')
  await rest()
  first.last.fail('stream_broken')
  await rest()
  for (const reply of replies) assert.equal(reply.events().at(-1).error.code, 'stream_broken')
  await again(STREAM)
  assert.equal(first.calls.length, 2)
})

test('one who leaves does not take it from the others; when all have left the engine is stopped', async () => {
  const { clock, first, again, gateway } = open()
  const one = await again(STREAM)
  const two = await again(STREAM)
  first.last.say('Well')
  one.leave()
  await rest()
  assert.ok(!first.last.cancelled)
  first.last.say(' then')
  assert.ok(two.text.includes(' then') && !one.text.includes(' then'))
  two.leave()
  assert.ok(first.last.cancelled)
  await rest()
  assert.deepEqual([gateway.inFlight, clock.pending], [0, 0])
  await again(STREAM)
  assert.equal(first.calls.length, 2)
})

test('a slow reader holds nobody up until all are slow, and one that never reads is cut off', async () => {
  const { clock, first, again, gateway } = open()
  const slow = await again(STREAM)
  const quick = await again(STREAM)
  slow.keepsUp = false
  first.last.say('One')
  assert.ok(!first.last.paused)
  quick.keepsUp = false
  first.last.say('Two')
  assert.ok(first.last.paused)
  quick.keepsUp = true
  quick.drain()
  assert.ok(!first.last.paused && !slow.text.includes('Two'))
  first.last.say('Three', 'stop')
  first.last.sink.end({ usage: USAGE })
  await rest()
  assert.deepEqual([quick.ended, slow.ended, gateway.inFlight], [true, false, 1])
  slow.keepsUp = true
  slow.drain()
  await rest()
  assert.deepEqual([slow.text, gateway.inFlight], [quick.text, 0])

  const never = await again(STREAM, 'k2')
  never.keepsUp = false
  first.last.say('One')
  clock.advance(2000)
  await rest()
  assert.deepEqual([never.aborted, first.last.cancelled, gateway.inFlight, clock.pending], [true, true, 0, 0])
})

test('budgets are charged once', async () => {
  const clock = new ManualClock()
  const { accounting } = await accountingOf(clock, 'budgets: [{ scope: global, limit: { requests: 2 }, window: day }]')
  const { again, answer } = open({ clock, accounting })
  const replies = [await again(), await again()]
  await rest()
  await answer()
  assert.deepEqual(
    [...replies, await again()].map(({ status }) => status),
    [200, 200, 200],
  )
  await again(ASK, 'k2')
  await answer()
  const third = await again(ASK, 'k3')
  assert.deepEqual([third.status, third.json().error.code], [429, 'budget_spent'])
})

test('two processes make one call, and the second gives the same bytes', async () => {
  const clock = new ManualClock()
  const rows = new MemoryRows()
  const events = new MemoryEvents()
  const one = open({ clock, rows, events, node: 'gateway-1' })
  const two = open({ clock, rows, events, node: 'gateway-2' })
  const early = await one.again()
  const late = await two.again()
  clock.advance(4_000)
  await rest()
  assert.deepEqual([late.status, two.first.calls.length], [0, 0])
  await one.answer()
  clock.advance(50)
  await rest()
  assert.deepEqual([late.text, late.status, two.first.calls.length], [early.text, 200, 0])
})

test('of a process that died another takes over after its claim, and itself at once', async () => {
  const clock = new ManualClock()
  const rows = new MemoryRows()
  const dead = open({ clock, rows, node: 'gateway-1' })
  await dead.again()
  await dead.again(ASK, 'k2')
  const deadClock = clock.pending
  assert.ok(deadClock > 0)
  const reborn = open({ clock: new ManualClock(), rows, node: 'gateway-1' })
  await reborn.again()
  assert.equal(reborn.first.calls.length, 1)
  const laterClock = new ManualClock(Date.UTC(2026, 0, 1) + 40_000)
  const other = open({ clock: laterClock, rows, node: 'gateway-2' })
  await other.again(ASK, 'k2')
  assert.equal(other.first.calls.length, 1)
})

test('a store that fails costs no answer; one that fails before the call lets none be made', async () => {
  const memory = new MemoryRows()
  let isFull = false
  const rows: Rows = {
    get: (from, key) => memory.get(from, key),
    getMany: (from, keys) => memory.getMany(from, keys),
    scan: (from, range) => memory.scan(from, range),
    commit: (changes) => (isFull ? Promise.reject(fault('disk_full', { path: '/data' })) : memory.commit(changes)),
    close: () => memory.close(),
  }
  const { first, again, answer, clock } = open({ rows })
  const replies = [await again(), await again()]
  isFull = true
  await answer()
  for (const reply of replies) assert.equal(reply.json().choices[0].message.content, 'Hi.')
  const refused = await again(ASK, 'k2')
  assert.deepEqual([refused.status, refused.json().error.code], [507, 'disk_full'])
  isFull = false
  await again()
  assert.equal(first.calls.length, 2)
  await answer()
  assert.equal(clock.pending, 0)
})

test('an answer that is too large is passed on, and can be asked for anew', async () => {
  const { first, again } = open()
  const one = await again(STREAM)
  const half = 'x'.repeat(ANSWER_BYTES_MAX / 2)
  first.last.say(half)
  first.last.say(half)
  await rest()
  const busy = await again(STREAM)
  assert.deepEqual([busy.status, busy.json().error.code], [409, 'idempotency_key_busy'])
  first.last.say('end', 'stop')
  first.last.sink.end({ usage: USAGE })
  await rest()
  assert.ok(one.ended && one.text.length > ANSWER_BYTES_MAX && one.text.endsWith('[DONE]\n\n'))
  await again(STREAM)
  assert.equal(first.calls.length, 2)
})

test('kept answers end after a day', async () => {
  const clock = new ManualClock()
  const { first, again, answer } = open({ clock })
  await again()
  await answer()
  clock.advance(24 * 3_600_000 - 1)
  await again()
  assert.equal(first.calls.length, 1)
  clock.advance(1)
  await again()
  assert.equal(first.calls.length, 2)
})

test('a key that is no name is refused before anything is called', async () => {
  const { first, again } = open()
  for (const key of ['', 'x'.repeat(256), 'naïve', 'a\nb']) {
    const refused = await again(ASK, key)
    assert.deepEqual([refused.status, refused.json().error.param], [400, 'Idempotency-Key'], key)
  }
  assert.equal(first.calls.length, 0)
})

test('keys are the own of each API key', async () => {
  const rows = new MemoryRows()
  const owner = open({ rows })
  await owner.again()
  await owner.answer()
  const other = open({ rows, key: {} })
  await other.again()
  assert.equal(other.first.calls.length, 1)
})
