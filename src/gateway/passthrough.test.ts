import assert from 'node:assert/strict'
import { test } from 'node:test'
import { accountingOf } from '../../tests/kit/accounting.ts'
import { ManualClock, settled } from '../../tests/kit/clock.ts'
import { type RecordedReply } from '../../tests/kit/exchange.ts'
import { closing, type GatewayOptions, openGateway } from '../../tests/kit/gateway.ts'

const PATHS = [
  '/moderations',
  '/images/generations',
  '/images/edits',
  '/audio/speech',
  '/audio/transcriptions',
  '/score',
]
const PICTURES = { model: 'chat', prompt: 'a lighthouse', n: 2, vendor: { deep: [1] } }

function open(options: GatewayOptions = {}) {
  const opened = openGateway({ paths: PATHS, ...options })
  const post = async (path: string, body: unknown, type = 'application/json'): Promise<RecordedReply> => {
    const reply = await opened.ask(body, path, 'POST', { 'content-type': type })
    await settled()
    return reply
  }
  const passed = () => opened.first.passed.at(-1) ?? assert.fail('nothing was passed through')
  return { ...opened, post, passed }
}

async function rest(): Promise<void> {
  for (let turn = 0; turn < 4; turn++) await settled()
}

test('a request for pictures is passed on with the engine’s name, and its answer back, counted and priced', async () => {
  const { post, passed, events, gateway, clock } = open()
  const reply = await post('/v1/images/generations', PICTURES)
  const { call, handler } = passed()
  assert.deepEqual([call.path, call.contentType], ['/images/generations', 'application/json'])
  assert.deepEqual(JSON.parse(Buffer.from(call.body).toString()), { ...PICTURES, model: 'weights' })
  handler.head(200, { 'content-type': 'application/json', 'set-cookie': 'x=1', server: 'x' })
  handler.data(Buffer.from('{"created": 1,  '))
  await rest()
  assert.equal(reply.text, '{"created": 1,  ', 'what is there goes out at once')
  handler.data(Buffer.from('"data": []}'))
  handler.end()
  await rest()
  assert.deepEqual([reply.text, reply.ended, reply.status], ['{"created": 1,  "data": []}', true, 200])
  assert.deepEqual([reply.headers['set-cookie'], reply.headers['server']], [undefined, undefined])
  assert.equal(reply.headers['x-headworks-cost-nanousd'], '80000000')
  const { outcome, costNanoUsd, usage, operation, path } = await closing(events, reply)
  assert.deepEqual([outcome, costNanoUsd, operation, path], ['answered', '80000000', 'images', '/images/generations'])
  assert.equal((usage as { units?: number }).units, 2)
  assert.deepEqual([gateway.inFlight, clock.pending], [0, 0])
})

test('sound comes back byte for byte, as fast as it is read', async () => {
  const { post, passed, gateway, clock } = open()
  const reply = await post('/v1/audio/speech', { model: 'chat', input: 'Hello', voice: 'x' })
  const { handler } = passed()
  handler.head(200, { 'content-type': 'audio/mpeg' })
  await rest()
  reply.keepsUp = false
  const bytes = Buffer.from([0, 255, 128, 7])
  handler.data(bytes)
  assert.ok(passed().paused)
  reply.drain()
  assert.ok(!passed().paused)
  handler.data(bytes)
  clock.advance(2_000)
  await rest()
  assert.ok(reply.aborted && passed().cancelled, 'one who takes nothing is cut off')
  assert.deepEqual([reply.bytes.subarray(0, 4), reply.headers['content-type']], [bytes, 'audio/mpeg'])
  assert.deepEqual([gateway.inFlight, clock.pending], [0, 0])
})

test('of a form all but the name of the model is passed on byte for byte', async () => {
  const { post, passed } = open()
  const type = 'multipart/form-data; boundary=XX'
  const part = (name: string, value: string, more = ''): string =>
    `--XX\r\nContent-Disposition: form-data; name="${name}"${more}\r\n\r\n${value}\r\n`
  const file = part('file', 'RIFF name="model"\r\n--X\r\nmodel', '; filename="a.wav"')
  const reply = await post(
    '/v1/audio/transcriptions',
    `${file}${part('model', 'chat')}${part('language', 'en')}--XX--\r\n`,
    type,
  )
  const { call, handler } = passed()
  assert.equal(
    Buffer.from(call.body).toString(),
    `${file}${part('model', 'weights')}${part('language', 'en')}--XX--\r\n`,
  )
  assert.equal(call.contentType, type)
  handler.head(200, { 'content-type': 'application/json' })
  handler.data(Buffer.from('{"text":"Hi"}'))
  handler.end()
  await rest()
  assert.equal(reply.text, '{"text":"Hi"}')
  for (const [body, field] of [
    [`${file}--XX--\r\n`, 'model'],
    ['no form at all', 'model'],
    [`${part('model', '')}--XX--`, 'model'],
    [`${part('model', 'x'.repeat(2000))}--XX--`, 'model'],
  ] as const)
    assert.equal((await post('/v1/audio/transcriptions', body, type)).json().error.param, field)
  const many = `${part('model', 'chat')}${part('n', '1e9')}--XX--`
  assert.equal((await post('/v1/images/edits', many, type)).json().error.param, 'n')
})

test('what the configuration allows is passed through, and nothing else', async () => {
  const { post, first, passed } = open()
  await post('/v1/score', { model: 'chat', text_1: 'a' })
  assert.equal(passed().call.path, '/score')
  assert.equal((await post('/v1/classify', { model: 'chat' })).status, 404)
  assert.equal((await post('/v1/../score', { model: 'chat' })).status, 404)
  const other = await post('/v1/images/variations', { model: 'chat' })
  assert.deepEqual([other.status, other.json().error.code], [400, 'operation_unsupported'])
  assert.equal(
    (await post('/v1/moderations', { model: 'second', input: 'x' })).json().error.code,
    'operation_unsupported',
  )
  for (const body of ['{', [], {}, { model: 7 }]) assert.equal((await post('/v1/moderations', body)).status, 400)
  for (const n of [0, 1.5, 1000, 'x'])
    assert.equal((await post('/v1/images/generations', { ...PICTURES, n })).json().error.param, 'n')
  assert.equal(first.passed.length, 1)
})

test('a refusal of the engine is told as ours; a break after the head breaks the answer', async () => {
  const { post, passed, events } = open()
  const rejected = await post('/v1/moderations', { model: 'chat', input: 'x' })
  passed().handler.head(400, {})
  passed().handler.data(Buffer.from('{"error":{"message":"too long"}}'))
  passed().handler.end()
  await rest()
  assert.deepEqual([rejected.status, rejected.json().error.code], [400, 'engine_rejected'])
  assert.match(rejected.json().error.message, /too long/)
  const gone = await post('/v1/moderations', { model: 'chat', input: 'x' })
  passed().handler.fail(new Error('refused'))
  await rest()
  assert.deepEqual([gone.status, gone.json().error.code], [502, 'engine_unreachable'])
  const broken = await post('/v1/moderations', { model: 'chat', input: 'x' })
  passed().handler.head(200, { 'content-type': 'application/json' })
  passed().handler.data(Buffer.from('{"id":'))
  await rest()
  passed().handler.fail(new Error('reset'))
  await rest()
  assert.ok(broken.aborted && !broken.ended)
  assert.equal((await closing(events, broken)).outcome, 'failed')
})

test('who leaves stops the engine at once, and it is on record; who waits too long is told', async () => {
  const { post, passed, events, gateway, clock } = open()
  const reply = await post('/v1/audio/speech', { model: 'chat', input: 'Hello' })
  passed().handler.head(200, { 'content-type': 'audio/mpeg' })
  await rest()
  reply.leave()
  assert.ok(passed().cancelled)
  await rest()
  assert.equal((await closing(events, reply)).outcome, 'cancelled')
  const silent = await post('/v1/audio/speech', { model: 'chat', input: 'Hello' })
  clock.advance(5_000)
  await rest()
  assert.deepEqual([silent.status, silent.json().error.code], [504, 'engine_timeout'])
  assert.deepEqual([gateway.inFlight, clock.pending], [0, 0])
})

test('budgets in money and in requests hold before an engine is asked', async () => {
  const clock = new ManualClock()
  const { accounting } = await accountingOf(
    clock,
    'budgets: [{ id: money, scope: global, limit: { usd: 0.1 }, window: day }]',
  )
  const { post, passed, first } = open({ clock, accounting })
  await post('/v1/images/generations', PICTURES)
  await rest()
  passed().handler.head(200, {})
  passed().handler.end()
  await rest()
  const refused = await post('/v1/images/generations', PICTURES)
  await rest()
  assert.deepEqual([refused.status, refused.json().error.code, first.passed.length], [429, 'budget_spent', 1])
  const tokens = { ...PICTURES, n: 1 }
  assert.equal((await post('/v1/images/generations', tokens)).status, 429, '0.08 of 0.1 are spent')
})
