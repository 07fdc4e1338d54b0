import assert from 'node:assert/strict'
import { test } from 'node:test'
import { settled } from '../../../tests/kit/clock.ts'
import type { RecordedReply } from '../../../tests/kit/exchange.ts'
import { closing, type GatewayOptions, openGateway } from '../../../tests/kit/gateway.ts'
import { fault } from '../../base/errors.ts'
import type { Headers } from '../../base/http.ts'
import type { EmbedCall, EmbedResult } from '../../engine/port.ts'
import { NO_USAGE } from '../../meter/usage.ts'

/** A vector by which its text is known again, and ten tokens for each. */
const embed = async ({ inputs }: Pick<EmbedCall, 'inputs'>): Promise<EmbedResult> => ({
  vectors: inputs.map((text) => Float32Array.of(text.length, text.charCodeAt(0), 1)),
  usage: { ...NO_USAGE, inputTokens: inputs.length * 10 },
})

function open(options: GatewayOptions = {}) {
  const opened = openGateway({ vectorCache: {}, ...options })
  const { embedder, ask } = opened
  embedder.embeds = embed
  const put = async (input: unknown, headers: Headers = {}, body: object = {}): Promise<RecordedReply> => {
    const reply = await ask({ model: 'vectors', input, ...body }, '/v1/embeddings', 'POST', headers)
    await settled()
    await settled()
    return reply
  }
  return { ...opened, put, asked: () => embedder.embedded.map(({ inputs }) => inputs) }
}

const stateOf = ({ headers }: RecordedReply): string | undefined => headers['x-headworks-cache']
const costOf = ({ headers }: RecordedReply): string | undefined => headers['x-headworks-cost-nanousd']
const vectorsIn = (reply: RecordedReply): unknown[] =>
  (reply.json().data as { embedding: unknown }[]).map(({ embedding }) => embedding)

test('only texts that nobody has asked are asked, and the rest costs nothing', async () => {
  const { put, asked, events, clock } = open()
  const miss = await put(['one', 'three'])
  clock.advance(2_500)
  const partial = await put(['three', 'four', 'one', 'four'])
  const hit = await put(['four', 'one'])
  assert.deepEqual(asked(), [['one', 'three'], ['four']])
  assert.deepEqual([miss, partial, hit].map(stateOf), ['miss', 'partial', 'hit'])
  assert.deepEqual([miss, partial, hit].map(costOf), ['3000', '1500', '0'])
  assert.deepEqual(
    vectorsIn(partial),
    ['three', 'four', 'one', 'four'].map((text) => [text.length, text.charCodeAt(0), 1]),
  )
  assert.deepEqual([miss.headers['age'], hit.headers['age']], [undefined, '2'])
  assert.ok(partial.json().usage.prompt_tokens > 10, 'what came from the cache was read too')
  const { cache, cacheAgeMs, costNanoUsd, priceVersion } = await closing(events, hit)
  assert.deepEqual([cache, cacheAgeMs, costNanoUsd, priceVersion], ['hit', 2_500, '0', 'cache'])
  assert.equal((await closing(events, partial))['cache'], 'partial')
})

test('the form of an answer is no part of the question', async () => {
  const { put, asked } = open()
  await put('one')
  const hit = await put('one', {}, { encoding_format: 'base64', user: 'somebody' })
  const bytes = Buffer.from(String(vectorsIn(hit)[0]), 'base64')
  assert.deepEqual([bytes.readFloatLE(0), bytes.length, stateOf(hit)], [3, 12, 'hit'])
  assert.equal(asked().length, 1)
})

test('Cache-Control of the caller is heeded, and time, bytes and a purge end it', async () => {
  const { put, asked, clock, gateway } = open()
  const ask = async (control: string): Promise<string> => {
    const before = asked().length
    const reply = await put('one', control === '' ? {} : { 'cache-control': control })
    return `${stateOf(reply)} ${asked().length - before}`
  }
  assert.deepEqual([await ask('no-store'), await ask(''), await ask('')], ['bypass 1', 'miss 1', 'hit 0'])
  clock.advance(10_000)
  assert.deepEqual([await ask('max-age=10'), await ask('max-age=9')], ['hit 0', 'miss 1'])
  assert.deepEqual([await ask('no-cache'), await ask('')], ['miss 1', 'hit 0'])
  clock.advance(60_000)
  assert.equal(await ask(''), 'miss 1')
  assert.deepEqual([gateway.purgeCache('chat'), gateway.purgeCache('vectors'), await ask('')], [0, 1, 'miss 1'])
  const small = open({ cacheBytesMax: 1_200 })
  for (const text of ['one', 'two', 'three', 'one']) await small.put(text)
  assert.equal(small.asked().length, 4, 'the oldest went')
})

test('ten at once ask the engine once; when it fails each of the others asks', async () => {
  const { put, asked, embedder, gateway, clock } = open()
  const answers: PromiseWithResolvers<void>[] = []
  embedder.embeds = async (call) => {
    const answer = Promise.withResolvers<void>()
    answers.push(answer)
    await answer.promise
    return embed(call)
  }
  const replies = await Promise.all(Array.from({ length: 10 }, () => put(['one', 'two'])))
  assert.equal(asked().length, 1)
  answers[0]?.resolve()
  for (let turn = 0; turn < 4; turn++) await settled()
  assert.deepEqual(replies.map(stateOf), ['miss', ...Array.from({ length: 9 }, () => 'hit')])
  assert.deepEqual([gateway.inFlight, clock.pending], [0, 0])

  const failing = [await put('three'), await put('three')]
  answers[1]?.reject(fault('engine_rejected', { engine: 'embedder', status: 400, reason: 'told to' }))
  for (let turn = 0; turn < 4; turn++) await settled()
  assert.equal(asked().length, 3)
  answers[2]?.resolve()
  for (let turn = 0; turn < 4; turn++) await settled()
  assert.deepEqual([(failing[0]?.status ?? 0) >= 400, failing[1]?.status], [true, 200])
  assert.deepEqual([gateway.inFlight, clock.pending], [0, 0])
})

test('when the first leaves one of the others asks', async () => {
  const { put, asked, embedder, gateway, clock } = open()
  embedder.embeds = ({ signal }) =>
    new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)))
  const [first, ...others] = [await put('one'), await put('one'), await put('one')]
  embedder.embeds = embed
  first.leave()
  for (let turn = 0; turn < 4; turn++) await settled()
  assert.equal(asked().length, 2)
  assert.deepEqual(others.map(stateOf), ['miss', 'hit'])
  assert.deepEqual([gateway.inFlight, clock.pending], [0, 0])
})

test('vectors of a fallback are neither kept nor mixed with those of the model', async () => {
  const { put, asked, embedder, second } = open()
  await put('one')
  embedder.embeds = () => Promise.reject(fault('engine_unreachable', { engine: 'embedder', reason: 'told to' }))
  second.embeds = async ({ inputs }) => ({ vectors: inputs.map(() => Float32Array.of(7)) })
  const elsewhere = await put(['one', 'two'])
  assert.deepEqual([vectorsIn(elsewhere), stateOf(elsewhere)], [[[7], [7]], 'miss'])
  assert.deepEqual(second.embedded[0]?.inputs, ['one', 'two'])
  assert.deepEqual(asked().at(-1), ['two'])
  embedder.embeds = embed
  const back = await put(['one', 'two'])
  assert.deepEqual([vectorsIn(back).length, stateOf(back)], [2, 'partial'])
})

test('vectors are shared as far as the scope says', async () => {
  const named = { mayName: { user: 'accept' }, tenant: 'acme' } as const
  for (const [scope, expected] of [
    ['key', ['miss', 'hit', 'hit']],
    ['tenant', ['miss', 'hit', 'hit']],
    ['user', ['miss', 'miss', 'hit']],
  ] as const) {
    const { put } = open({ vectorCache: { scope }, key: named })
    const states: (string | undefined)[] = []
    for (const user of ['ann', 'bob', 'ann']) states.push(stateOf(await put('one', {}, { user })))
    assert.deepEqual(states, expected, scope)
  }
})

test('a model without a cache says nothing of one', async () => {
  const { embedder, ask } = openGateway()
  embedder.embeds = embed
  const reply = await ask({ model: 'vectors', input: 'one' }, '/v1/embeddings')
  await settled()
  assert.deepEqual([reply.status, stateOf(reply)], [200, undefined])
})
