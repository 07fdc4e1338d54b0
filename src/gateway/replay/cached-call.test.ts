import assert from 'node:assert/strict'
import { test } from 'node:test'
import { settled } from '../../../tests/kit/clock.ts'
import { completion } from '../../../tests/kit/engine.ts'
import { RecordedReply, request } from '../../../tests/kit/exchange.ts'
import { ASK, closing, type GatewayOptions, openGateway, USAGE } from '../../../tests/kit/gateway.ts'
import type { Headers } from '../../base/http.ts'
import type { JsonObject } from '../../base/json.ts'
import { readCacheControl } from './cache-control.ts'

const STREAM = { ...ASK, stream: true }

function open(options: GatewayOptions = {}) {
  const opened = openGateway({ cache: {}, ...options })
  const { first, ask } = opened
  const put = async (body: unknown = ASK, headers: Headers = {}): Promise<RecordedReply> => {
    const reply = await ask(body, '/v1/chat/completions', 'POST', headers)
    await settled()
    return reply
  }
  const answer = async (text = 'Hi.', at = first.calls.length - 1): Promise<void> => {
    first.calls[at]?.sink.frame(completion(text))
    first.calls[at]?.sink.end({ usage: USAGE, rawUsage: { prompt_tokens: 12, completion_tokens: 4, vendor: 1 } })
    await settled()
    await settled()
  }
  return { ...opened, put, answer }
}

const stateOf = (reply: RecordedReply): string | undefined => reply.headers['x-headworks-cache']

test('the same question is answered again, at no cost, under an id of its own', async () => {
  const { clock, first, put, answer, events } = open()
  const miss = await put()
  await answer()
  clock.advance(2_500)
  const hit = await put({ messages: ASK.messages, model: 'chat', user: 'somebody' })
  assert.deepEqual([hit.text, stateOf(miss), stateOf(hit), hit.headers['age']], [miss.text, 'miss', 'hit', '2'])
  assert.equal(hit.json().usage.vendor, 1)
  assert.deepEqual([miss.headers['x-headworks-cost-nanousd'], hit.headers['x-headworks-cost-nanousd']], ['4050', '0'])
  assert.notEqual(hit.headers['x-request-id'], miss.headers['x-request-id'])
  assert.equal(hit.headers['x-headworks-model'], 'first/weights')
  const { cache, costNanoUsd, usage, priceVersion } = await closing(events, hit)
  assert.deepEqual([cache, costNanoUsd, usage, priceVersion], ['hit', '0', USAGE, 'cache'])
  assert.equal((await closing(events, miss))['cache'], 'miss')
  assert.equal(first.calls.length, 1)
})

test('a stream is given again as a stream, as fast as it is read, also in the other dialect', async () => {
  const { first, put, ask, gateway, clock } = open()
  const miss = await put(STREAM)
  for (const word of ['One ', 'two ', 'three']) first.last.say(word, word === 'three' ? 'stop' : null)
  first.last.sink.end({ usage: USAGE })
  await settled()
  const hit = await put(STREAM)
  assert.deepEqual([hit.text, stateOf(hit)], [miss.text, 'hit'])
  for (const calls of [2, 2]) {
    const messages = await ask({ ...STREAM, max_tokens: 100 }, '/v1/messages')
    await settled()
    assert.equal(first.calls.length, calls, 'another cap is another question')
    if (!messages.ended) {
      first.last.say('Hi', 'stop')
      first.last.sink.end({ usage: USAGE })
      await settled()
    }
    assert.match(messages.text, /event: message_stop/)
  }
  assert.deepEqual([gateway.inFlight, clock.pending], [0, 0])
})

test('a slow reader of a cached stream is waited for, and one who leaves is let go', async () => {
  const { first, put, gateway, clock } = open()
  await put(STREAM)
  for (const word of ['One ', 'two ', 'three']) first.last.say(word, word === 'three' ? 'stop' : null)
  first.last.sink.end({ usage: USAGE })
  await settled()
  const slow = new RecordedReply()
  slow.keepsUp = false
  gateway.handle(request('POST', '/v1/chat/completions', STREAM), slow)
  for (let turn = 0; turn < 4; turn++) await settled()
  assert.ok(slow.text.includes('One') && !slow.text.includes('two'))
  slow.drain()
  assert.ok(slow.text.includes('two') && !slow.text.includes('three'))
  slow.leave()
  await settled()
  assert.deepEqual([gateway.inFlight, clock.pending], [0, 0])
})

test('ten at once ask the engine once', async () => {
  const { first, put, answer, clock, gateway } = open()
  const replies = await Promise.all(Array.from({ length: 10 }, () => put()))
  assert.equal(first.calls.length, 1)
  await answer()
  assert.deepEqual(replies.map(stateOf), ['miss', ...Array.from({ length: 9 }, () => 'hit')])
  assert.deepEqual([new Set(replies.map(({ text }) => text)).size, gateway.inFlight, clock.pending], [1, 0, 0])
})

test('when the first leaves another asks; when it fails each asks for itself', async () => {
  const { first, second, put, answer } = open()
  const [one, two, three] = [await put(), await put(), await put()]
  one.leave()
  await settled()
  assert.equal(first.calls.length, 2)
  await answer()
  assert.deepEqual([stateOf(two), stateOf(three)], ['miss', 'hit'])

  const other = { ...ASK, seed: 7 }
  const [failing, ...others] = [await put(other), await put(other), await put(other)]
  first.last.fail()
  second.last.fail()
  await settled()
  assert.equal(failing.status, 502)
  await settled()
  assert.equal(first.calls.length, 5)
  for (const [at, reply] of others.entries()) {
    await answer('Hi.', 3 + at)
    assert.deepEqual([reply.status, stateOf(reply)], [200, 'miss'])
  }
})

test('who waits for another waits half a minute at most', async () => {
  const slow = open()
  const waiting = await slow.put()
  const late = await slow.put()
  slow.clock.advance(4_999)
  assert.equal(slow.first.calls.length, 1)
  slow.clock.advance(1) // The first has had its time; the second has its own.
  await settled()
  assert.deepEqual([waiting.status, late.status, slow.first.calls.length], [504, 0, 2])
})

test('what shapes an answer is told apart', async () => {
  const asked: readonly JsonObject[] = [
    ASK,
    { ...ASK, temperature: 0 },
    { ...ASK, max_tokens: 5 },
    { ...ASK, stream: true },
    { ...ASK, messages: [{ role: 'user', content: 'hello?' }] },
    { ...ASK, response_format: { type: 'json_object' } },
    { ...ASK, vendor_field: [1, 2] },
    { ...ASK, vendor_field: [2, 1] },
  ]
  const { first, put } = open()
  for (const body of asked) await put(body)
  assert.equal(first.calls.length, asked.length)
})

test('answers are shared as far as the scope says', async () => {
  const named = { mayName: { user: 'accept' }, tenant: 'acme' } as const
  for (const [scope, expected] of [
    ['key', ['miss', 'hit', 'hit']],
    ['tenant', ['miss', 'hit', 'hit']],
    ['user', ['miss', 'miss', 'hit']],
  ] as const) {
    const { put, answer, first } = open({ cache: { scope }, key: named })
    const states: (string | undefined)[] = []
    for (const user of ['ann', 'bob', 'ann']) {
      const calls = first.calls.length
      const reply = await put({ ...ASK, user })
      if (first.calls.length > calls) await answer()
      states.push(stateOf(reply))
    }
    assert.deepEqual(states, expected, scope)
  }
})

test('what would not be said again is not kept', async (t) => {
  await t.test('an answer that was cut short', async () => {
    const { first, put } = open()
    await put()
    first.last.sink.frame({ ...completion('Hi'), choices: [{ index: 0, message: {}, finish_reason: 'length' }] })
    first.last.sink.end({ usage: USAGE })
    await settled()
    await put()
    assert.equal(first.calls.length, 2)
  })
  await t.test("a fallback's", async () => {
    const { first, second, put } = open()
    await put()
    first.last.fail()
    second.last.sink.frame(completion('Hi'))
    second.last.sink.end({ usage: USAGE })
    await settled()
    await put()
    assert.equal(first.calls.length, 2)
  })
})

test('tools take part only where the model says so', async () => {
  const withTools = { ...ASK, tools: [{ type: 'function', function: { name: 'pay', parameters: {} } }] }
  const careful = open()
  for (let times = 0; times < 2; times++) {
    const reply = await careful.put(withTools)
    await careful.answer()
    assert.equal(stateOf(reply), 'bypass')
  }
  const bold = open({ cache: { tools: true } })
  await bold.put(withTools)
  await bold.answer()
  assert.equal(stateOf(await bold.put(withTools)), 'hit')
})

test('Cache-Control of the caller is heeded', async () => {
  const { clock, put, answer, first } = open()
  const ask = async (control?: string): Promise<string | undefined> => {
    const calls = first.calls.length
    const reply = await put(ASK, control === undefined ? {} : { 'cache-control': control })
    if (first.calls.length > calls) await answer(`Answer ${calls}.`)
    return `${stateOf(reply)} ${reply.json().choices[0].message.content}`
  }
  assert.equal(await ask('no-store'), 'bypass Answer 0.')
  assert.equal(await ask(), 'miss Answer 1.', 'what was not to be stored was not')
  assert.equal(await ask('no-cache'), 'miss Answer 2.')
  assert.equal(await ask(), 'hit Answer 2.', 'and its answer took the place of the former')
  clock.advance(10_000)
  assert.equal(await ask('max-age=10'), 'hit Answer 2.')
  assert.equal(await ask('max-age=9'), 'miss Answer 3.')
  assert.deepEqual(readCacheControl('No-Store , max-age="5", max-age=x'), {
    noStore: true,
    noCache: false,
    maxAgeMs: 5_000,
  })
})

test('answers end with their time, their bytes and a purge; a model without a cache says nothing of one', async () => {
  const { clock, put, answer, gateway } = open({ cache: { ttlMs: 1_000 }, cacheBytesMax: 1_000 })
  await put()
  await answer()
  clock.advance(1_000)
  assert.equal((await put()).status, 0, 'it is asked anew')
  await answer()
  const other = { ...ASK, seed: 1 }
  await put(other)
  await answer()
  assert.equal(stateOf(await put(other)), 'hit')
  assert.equal((await put()).status, 0, 'the oldest went')
  await answer()
  assert.deepEqual([gateway.purgeCache('docs'), gateway.purgeCache('chat'), gateway.purgeCache()], [0, 1, 0])
  assert.equal((await put()).status, 0)
  const plain = openGateway()
  const reply = await plain.ask(ASK)
  plain.first.last.sink.frame(completion('Hi'))
  plain.first.last.sink.end({ usage: USAGE })
  await settled()
  assert.equal(stateOf(reply), undefined)
})
