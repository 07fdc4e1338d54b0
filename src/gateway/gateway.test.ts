import assert from 'node:assert/strict'
import { test } from 'node:test'
import { settled } from '../../tests/kit/clock.ts'
import { chunk, completion } from '../../tests/kit/engine.ts'
import { RecordedReply, request } from '../../tests/kit/exchange.ts'
import { ASK, closing, openGateway, USAGE } from '../../tests/kit/gateway.ts'
import { fault } from '../base/errors.ts'
import type { JsonObject } from '../base/json.ts'
import { MemoryEvents } from '../drivers/memory/events.ts'
import type { Entry, Events } from '../store/events.ts'

test('a whole answer carries usage, cost, and an id whose event says the same', async () => {
  const { first, ask, events, gateway } = openGateway()
  const reply = await ask(ASK)
  assert.equal(first.last.call.outputTokensMax, 100, 'a cap is always sent')
  first.last.sink.frame(completion('Hi.'))
  first.last.sink.end({
    usage: USAGE,
    rawUsage: { prompt_tokens: 12, completion_tokens: 4, total_tokens: 16, vendor_field: 1 },
  })
  await settled()
  assert.equal(reply.status, 200)
  assert.equal(reply.json().choices[0].message.content, 'Hi.')
  assert.equal(reply.json().usage.vendor_field, 1, "the engine's own usage survives")
  // (10 x 150 + 2 x 75 + 4 x 600) nano-USD
  assert.equal(reply.headers['x-headworks-cost-nanousd'], '4050')
  assert.equal(reply.headers['x-headworks-model'], 'first/weights')
  const event = await closing(events, reply)
  assert.deepEqual([event.outcome, event['costNanoUsd'], event['usage']], ['answered', '4050', USAGE])
  assert.equal(event['priceVersion'], 'config')
  assert.equal(gateway.inFlight, 0)
})

test('a stream holds back the status until there is content, then keeps one id and ends with [DONE]', async () => {
  const { first, ask, events } = openGateway()
  const reply = await ask({ ...ASK, stream: true, stream_options: { include_usage: true } })
  first.last.sink.frame(chunk({ role: 'assistant', content: '' }))
  await settled()
  assert.equal(reply.status, 0, 'a role is no content')
  first.last.say('Hel')
  first.last.sink.frame({ ...chunk({ content: 'lo' }, 'stop'), id: 'another' })
  first.last.sink.end({ usage: USAGE })
  await settled()
  const sent = reply.events()
  assert.equal(sent.at(-1), '[DONE]')
  assert.deepEqual(
    sent.slice(0, -2).map((event) => event.choices[0].delta.content),
    ['', 'Hel', 'lo'],
  )
  assert.deepEqual([...new Set(sent.slice(0, -1).map((event) => event.id))], ['chatcmpl-1'])
  assert.deepEqual(
    sent.slice(0, -2).map((event) => event.usage),
    [null, null, null],
  )
  assert.deepEqual([sent.at(-2).choices, sent.at(-2).usage.total_tokens], [[], 16])
  assert.equal((await closing(events, reply)).outcome, 'answered')
})

test('before the first content another deployment takes over, and the client sees only that one', async () => {
  const { first, second, ask, events } = openGateway()
  const reply = await ask({ ...ASK, stream: true })
  first.last.sink.frame(chunk({ role: 'assistant', content: '' }))
  first.last.fail()
  assert.equal(second.calls.length, 1)
  second.last.say('From the second.', 'stop')
  second.last.sink.end({ usage: USAGE })
  await settled()
  assert.deepEqual(
    reply.events().map((event) => event.choices?.[0].delta.content),
    ['From the second.', undefined],
  )
  assert.equal(reply.headers['x-headworks-model'], 'second/small')
  const event = await closing(events, reply)
  assert.equal(event['costNanoUsd'], null, 'a deployment without a price has an unknown cost, not a cost of nothing')
  assert.equal(event['priceVersion'], null)
})

test('after the first content a failure is an error frame without [DONE], never another model', async () => {
  const { first, second, ask, events } = openGateway()
  const reply = await ask({ ...ASK, stream: true })
  first.last.say('Half of')
  await settled()
  first.last.fail('stream_broken')
  await settled()
  assert.equal(second.calls.length, 0)
  assert.equal(reply.events().at(-1).error.code, 'stream_broken')
  assert.ok(!reply.text.includes('[DONE]') && reply.ended)
  const event = await closing(events, reply)
  assert.deepEqual([event.outcome, (event['usage'] as JsonObject)['estimated']], ['failed', true])
})

test("when every deployment fails, the status is the last one's", async () => {
  const { first, second, ask } = openGateway()
  const reply = await ask(ASK)
  first.last.fail()
  second.last.sink.fail(fault('engine_busy', { engine: 'second' }))
  await settled()
  assert.deepEqual([reply.status, reply.json().error.code, reply.headers['retry-after']], [503, 'engine_busy', '1'])
})

test('a request the engine rejects is not sent to another', async () => {
  const { first, second, ask } = openGateway()
  const reply = await ask(ASK)
  first.last.sink.fail(fault('engine_rejected', { engine: 'first', reason: 'temperature is too high' }))
  await settled()
  assert.deepEqual([second.calls.length, reply.status, reply.headers['x-should-retry']], [0, 400, 'false'])
})

test('a silent engine is given up at each deadline', async (t) => {
  await t.test('no first token: the next deployment', async () => {
    const { clock, first, second, ask } = openGateway()
    await ask({ ...ASK, stream: true })
    clock.advance(1000)
    assert.deepEqual([first.last.cancelled, second.calls.length], [true, 1])
  })
  await t.test('a pause between tokens: an error frame', async () => {
    const { clock, first, ask } = openGateway()
    const reply = await ask({ ...ASK, stream: true })
    first.last.say('Well')
    await settled()
    clock.advance(500)
    await settled()
    assert.equal(reply.events().at(-1).error.code, 'engine_timeout')
    assert.equal(clock.pending, 0)
  })
  await t.test('too long in all', async () => {
    const { clock, first, ask } = openGateway()
    const reply = await ask({ ...ASK, stream: true })
    for (let i = 0; i < 11; i++) {
      clock.advance(450)
      first.last.say('and ')
      await settled()
    }
    clock.advance(450)
    await settled()
    assert.match(reply.events().at(-1).error.message, /did not finish within 5000 ms/)
  })
})

test('a client that leaves stops the engine at once, and what it had is posted', async () => {
  const { clock, first, ask, events, gateway } = openGateway()
  const reply = await ask({ ...ASK, stream: true })
  first.last.say('One')
  await settled()
  reply.leave()
  assert.ok(first.last.cancelled)
  await settled()
  const event = await closing(events, reply)
  assert.deepEqual([event.outcome, (event['usage'] as JsonObject)['outputTokens']], ['cancelled', 1])
  assert.deepEqual([gateway.inFlight, clock.pending], [0, 0])
})

test('a slow reader pauses the engine, and one that never reads is cut off', async () => {
  const { clock, first, ask, events } = openGateway()
  const reply = await ask({ ...ASK, stream: true })
  first.last.say('One')
  await settled()
  reply.keepsUp = false
  first.last.say('Two')
  assert.ok(first.last.paused)
  reply.drain()
  assert.ok(!first.last.paused)
  first.last.say('Three')
  clock.advance(2000)
  await settled()
  assert.ok(reply.aborted && first.last.cancelled)
  assert.equal((await closing(events, reply)).outcome, 'cancelled')
})

test('a fault while the answer is written costs that answer alone', async () => {
  for (const stream of [true, false]) {
    const { first, gateway } = openGateway()
    const reply = new RecordedReply()
    reply.head = () => {
      throw new Error('no header may hold this')
    }
    gateway.handle(request('POST', '/v1/chat/completions', { ...ASK, stream }), reply)
    await settled()
    first.last.sink.frame(stream ? chunk({}, 'stop') : completion('Hi.'))
    first.last.sink.end({ usage: USAGE })
    await settled()
    await settled()
    assert.deepEqual([reply.aborted, gateway.inFlight], [true, 0], String(stream))
  }
})

test('nothing leaves before the opening entry is durable', async () => {
  const memory = new MemoryEvents()
  let durable = (): void => {}
  const slow: Events = {
    append: (entries: readonly Entry[]) =>
      new Promise((resolve) => (durable = () => void memory.append(entries).then(resolve))),
    read: (id) => memory.read(id),
    recent: (options) => memory.recent(options),
    follow: (position, limit) => memory.follow(position, limit),
    unclosed: (limit) => memory.unclosed(limit),
  }
  const { first, ask } = openGateway({ events: slow })
  const reply = await ask({ ...ASK, stream: true })
  first.last.say('Early.', 'stop')
  first.last.sink.end({ usage: USAGE })
  await settled()
  assert.equal(reply.status, 0)
  durable()
  await settled()
  assert.equal(reply.status, 200)
  assert.ok(!reply.text.includes('[DONE]'), 'the end waits for the closing entry')
  durable()
  await settled()
  assert.ok(reply.text.endsWith('[DONE]\n\n'))
})

test('a store that cannot be written refuses with 503 and stops the engine', async () => {
  const broken: Events = {
    append: () => Promise.reject(fault('store_unavailable', { reason: 'no space' })),
    read: async () => [],
    recent: async () => ({ entries: [] }),
    follow: async (position) => ({ entries: [], position }),
    unclosed: async () => [],
  }
  const { clock, first, ask, gateway } = openGateway({ events: broken })
  const reply = await ask(ASK)
  clock.advance(2)
  await settled()
  assert.deepEqual(
    [reply.status, reply.json().error.code, first.last.cancelled, gateway.inFlight],
    [503, 'store_unavailable', true, 0],
  )
})

test('an answer that comes at once costs one write, with its opening', async () => {
  const memory = new MemoryEvents()
  const batches: string[][] = []
  const counted: Events = {
    append(entries: readonly Entry[]) {
      batches.push(entries.map(({ phase }) => phase))
      return memory.append(entries)
    },
    read: (id) => memory.read(id),
    recent: (options) => memory.recent(options),
    follow: (position, limit) => memory.follow(position, limit),
    unclosed: (limit) => memory.unclosed(limit),
  }
  const { clock, first, ask } = openGateway({ events: counted })
  await ask(ASK)
  first.last.sink.frame(completion('Hi.'))
  first.last.sink.end({ usage: USAGE })
  await settled()
  await ask(ASK)
  clock.advance(2)
  await settled()
  first.last.sink.frame(completion('Hi.'))
  first.last.sink.end({ usage: USAGE })
  await settled()
  assert.deepEqual(batches, [['open', 'close'], ['open'], ['close']])
  assert.equal(clock.pending, 0)
})

test('what a crash left open is closed as interrupted, once', async () => {
  const events = new MemoryEvents()
  const before = openGateway({ events })
  const reply = await before.ask(ASK)
  assert.equal(reply.status, 0)
  before.clock.advance(2)
  await settled()
  const after = openGateway({ events })
  assert.equal(await after.gateway.recover(), 1)
  assert.equal(await after.gateway.recover(), 0)
  const [entry] = (await events.recent({ limit: 1 })).entries
  assert.equal(entry?.body['outcome'], 'interrupted')
})

test('of several processes only what the dead one left is closed, and each entry names its own', async () => {
  const events = new MemoryEvents()
  for (const [at, node] of ['gateway-1', 'gateway-2'].entries()) {
    const { ask, clock } = openGateway({ events, node })
    clock.advance(at) // Ids are made of the time and of chance, and theirs is the same.
    await ask(ASK)
    clock.advance(2)
  }
  await settled()
  await events.append([{ id: 'run', phase: 'open', kind: 'ingest', atMs: 0, body: { node: 'gateway-2' } }])
  const primary = openGateway({ events })
  assert.equal(await primary.gateway.recover('gateway-2'), 1)
  assert.equal(await primary.gateway.recover('gateway-2'), 0)
  const closed = (await events.recent({ limit: 9 })).entries
  assert.deepEqual(
    closed.map(({ body }) => [body['node'], body['outcome']]),
    [['gateway-2', 'interrupted']],
  )
  assert.deepEqual(
    (await events.unclosed(9)).map(({ kind, body }) => [kind, body['node']]),
    [
      ['request', 'gateway-1'],
      ['ingest', 'gateway-2'],
    ],
  )
})

test('bad input is refused before any engine is called', async (t) => {
  const cases: readonly [string, unknown, number, string][] = [
    ['no JSON', '{"model":', 400, 'body_malformed'],
    ['an unfinished string', '"\\ud800', 400, 'body_malformed'],
    ['an array', [], 400, 'field_invalid'],
    ['too deep', `${'['.repeat(50)}${']'.repeat(50)}`, 400, 'body_too_deep'],
    ['too large', JSON.stringify({ ...ASK, user: 'x'.repeat(20_000) }), 413, 'body_too_large'],
    ['no model', { messages: ASK.messages }, 400, 'field_invalid'],
    ['an unknown model', { ...ASK, model: 'gpt-9' }, 404, 'model_not_found'],
    ['a model called constructor', { ...ASK, model: 'constructor' }, 404, 'model_not_found'],
    ['no messages', { model: 'chat' }, 400, 'field_invalid'],
    ['empty messages', { model: 'chat', messages: [] }, 400, 'field_invalid'],
    ['a message without a role', { model: 'chat', messages: [{ content: 'x' }] }, 400, 'field_invalid'],
    ['a number as content', { model: 'chat', messages: [{ role: 'user', content: 5 }] }, 400, 'field_invalid'],
    ['stream as text', { ...ASK, stream: 'yes' }, 400, 'field_invalid'],
    ['a cap of 0', { ...ASK, max_tokens: 0 }, 400, 'field_invalid'],
    ['a fractional cap', { ...ASK, max_completion_tokens: 1.5 }, 400, 'field_invalid'],
    ['too many choices', { ...ASK, n: 1000 }, 400, 'field_invalid'],
  ]
  for (const [name, body, status, code] of cases) {
    await t.test(name, async () => {
      const { first, ask } = openGateway()
      const reply = await ask(body)
      assert.deepEqual([reply.status, reply.json().error.code], [status, code])
      assert.deepEqual(Object.keys(reply.json().error), ['message', 'type', 'param', 'code'])
      assert.match(String(reply.headers['x-request-id']), /^req_/)
      assert.equal(first.calls.length, 0)
    })
  }
})

test("an unknown key, path or method is refused in the client's own shape", async () => {
  assert.equal((await openGateway({ allow: false }).ask(ASK)).status, 401)
  assert.equal((await openGateway().ask(ASK, '/v1/nothing')).status, 404)
  assert.equal((await openGateway().ask('', '/v1/chat/completions', 'GET')).status, 405)
  assert.equal((await openGateway().ask('', '/v1/models/%ff', 'GET')).status, 404)
})

test("the caller's lower cap counts, whichever name it has", async () => {
  const { first, ask } = openGateway()
  await ask({ ...ASK, max_tokens: 7, max_completion_tokens: 9 })
  assert.equal(first.last.call.outputTokensMax, 7)
})

test('beyond the limit in flight, and while draining, a request is refused at once and may be retried', async () => {
  const { ask, gateway } = openGateway({ inFlightMax: 1 })
  await ask(ASK)
  const crowded = await ask(ASK)
  assert.deepEqual(
    [crowded.status, crowded.json().error.code, crowded.headers['retry-after-ms']],
    [503, 'overloaded', '500'],
  )
  gateway.drain()
  assert.equal((await ask(ASK)).json().error.code, 'stopping')
})

test('models lists what there is, and what each serves', async () => {
  const reply = await openGateway().ask('', '/v1/models', 'GET')
  assert.deepEqual(
    reply.json().data.map((one: { id: string }) => one.id),
    ['chat', 'second', 'vectors', 'docs'],
  )
  assert.equal((await openGateway().ask('', '/v1/models/chat', 'GET')).json().headworks.operations[0], 'chat')
})

test('the version of a workflow is on its listing, its answers and its entries; so is what it noted', async () => {
  const { ask, second, events } = openGateway()
  const listed = (await ask('', '/v1/models/docs', 'GET')).json().headworks
  assert.deepEqual([listed.kind, listed.version], ['workflow', 'v1'])
  assert.equal((await ask('', '/v1/models/chat', 'GET')).json().headworks.version, undefined)
  for (const stream of [false, true]) {
    const reply = await ask({ ...ASK, model: 'docs', stream })
    const { call, sink } = second.last
    call.span.note({ answered: true, lineage: { promptVersion: 'p1' } })
    call.span.note({ answered: false })
    sink.frame(stream ? chunk({ content: 'Hi.' }, 'stop') : completion('Hi.'))
    sink.end({ usage: USAGE })
    await settled()
    assert.equal(reply.headers['x-headworks-workflow-version'], 'v1')
    const entries = await events.read(String(reply.headers['x-request-id']))
    assert.deepEqual(
      entries.map(({ body }) => body['workflowVersion']),
      ['v1', 'v1'],
    )
    const { answered, lineage } = await closing(events, reply)
    assert.deepEqual([answered, lineage], [false, { promptVersion: 'p1' }])
  }
})

test('a key calls and sees what it may call, and learns nothing about the rest', async () => {
  const { ask, first, second } = openGateway({ key: { models: ['cha*'], workflows: ['docs'] } })
  const listed = await ask('', '/v1/models', 'GET')
  assert.deepEqual(
    listed.json().data.map((one: { id: string }) => one.id),
    ['chat', 'docs'],
  )
  await ask(ASK)
  await ask({ ...ASK, model: 'docs' })
  assert.deepEqual([first.calls.length, second.calls.length], [1, 1])
  for (const name of ['second', 'nothing']) {
    for (const refused of [await ask({ ...ASK, model: name }), await ask('', `/v1/models/${name}`, 'GET')]) {
      const { message, ...rest } = refused.json().error
      assert.deepEqual(rest, { type: 'permission_error', param: 'model', code: 'model_not_allowed' })
      assert.ok(message.startsWith(`This key may not call "${name}".`), message)
      assert.deepEqual([refused.status, refused.headers['x-should-retry']], [403, 'false'])
    }
  }
  assert.equal((await ask({ ...ASK, model: 'chapter' })).json().error.code, 'model_not_found')
  const rerank = await ask({ model: 'second', query: 'q', documents: ['d'] }, '/v1/rerank')
  assert.equal(rerank.json().error.code, 'model_not_allowed')
  assert.deepEqual([first.calls.length, second.calls.length], [1, 1])
})

test('a request is on record under its scopes', async () => {
  const key = { team: 'web', tags: ['eu'], mayName: { user: 'accept', workflow: 'accept' } }
  const facts = async (body: JsonObject): Promise<JsonObject> => {
    const { ask, events, first, second } = openGateway({ key })
    const reply = await ask({ ...ASK, ...body })
    const { last } = first.calls.length > 0 ? first : second
    last.sink.frame(completion('Hi.'))
    last.sink.end({ usage: USAGE })
    await settled()
    const { key: id, user, team, tags, workflow } = await closing(events, reply)
    return { id, user, team, tags, workflow }
  }
  const all = { id: 'key_1', team: 'web', tags: ['eu'] }
  assert.deepEqual(await facts({}), { ...all, user: undefined, workflow: undefined })
  const metadata = { workflow: 'checkout' }
  assert.deepEqual(await facts({ user: 'ann', metadata }), { ...all, user: 'ann', workflow: 'checkout' })
  assert.deepEqual(await facts({ model: 'docs', metadata }), { ...all, user: undefined, workflow: 'docs' })
})

test('a name the key may not give is refused before any engine is called', async () => {
  const { ask, first } = openGateway({ key: { mayName: { user: 'refuse' } } })
  const refused = await ask({ ...ASK, user: 'eve' })
  const { code, type } = refused.json().error
  assert.deepEqual([refused.status, code, type, first.calls.length], [403, 'name_not_allowed', 'permission_error', 0])
})
