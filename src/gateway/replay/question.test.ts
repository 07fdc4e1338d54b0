import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { settled } from '../../../tests/kit/clock.ts'
import { completion } from '../../../tests/kit/engine.ts'
import { RecordedReply, request } from '../../../tests/kit/exchange.ts'
import { closing, type GatewayOptions, openGateway, USAGE } from '../../../tests/kit/gateway.ts'
import { fault, Refusal } from '../../base/errors.ts'
import type { Headers } from '../../base/http.ts'
import type { JsonObject } from '../../base/json.ts'
import { PII_KINDS } from '../../config/pii-kinds.ts'
import { NO_USAGE } from '../../meter/usage.ts'
import { readBindings } from '../../guard/bindings.ts'
import { piiDetector } from '../../guard/guardrails/pii.ts'
import type { Principal } from '../../guard/principal.ts'

const SEMANTIC = { embedding: 'vectors', similarityMin: 0.9, turnsMax: 1 }

/** Where texts lie: the angle between two of them, in degrees. */
const ANGLES: Readonly<Record<string, number>> = {
  'How do I pay?': 0,
  'How can I pay?': 10,
  'How may one pay?': 20,
  'How do I pay 2 bills?': 0,
  'How do I pay 3 bills?': 1,
  'Where is the harbour?': 90,
}

function open(options: GatewayOptions = {}) {
  const { cache, ...others } = options
  const opened = openGateway({ cache: { semantic: SEMANTIC, ...cache }, ...others })
  const { first, embedder, gateway } = opened
  embedder.embeds = async ({ inputs }) => ({
    vectors: inputs.map((text) => {
      const angle = ((ANGLES[text] ?? 180) * Math.PI) / 180
      return Float32Array.of(3 * Math.cos(angle), 3 * Math.sin(angle), 0, 0, 0)
    }),
    usage: { ...NO_USAGE, inputTokens: 4 },
  })
  /** Answered with its own words where the engine is asked. */
  const put = async (
    text: string,
    { as, headers = {}, ...more }: { as?: Principal; headers?: Headers; [field: string]: unknown } = {},
  ): Promise<RecordedReply> => {
    const reply = new RecordedReply()
    const body = { model: 'chat', messages: [{ role: 'user', content: text }], ...more }
    const calls = first.calls.length
    const asked = request('POST', '/v1/chat/completions', body, headers)
    if (as === undefined) gateway.handle(asked, reply)
    else gateway.handleFor(as)(asked, reply)
    for (let turn = 0; turn < 4; turn++) await settled()
    if (first.calls.length > calls) {
      first.last.sink.frame(completion(`To: ${text}`))
      first.last.sink.end({ usage: USAGE })
    }
    for (let turn = 0; turn < 4; turn++) await settled()
    return reply
  }
  return { ...opened, put }
}

const stateOf = ({ headers }: RecordedReply): string => `${headers['x-headworks-cache']}`
const nearOf = ({ headers }: RecordedReply): string | undefined => headers['x-headworks-cache-similarity']
const said = (reply: RecordedReply): string => reply.json().choices[0].message.content

function keyOf(id: string, terms: JsonObject = {}): Principal {
  const bindings = readBindings(terms, 'user')
  return bindings instanceof Refusal ? assert.fail(JSON.stringify(bindings)) : { id, name: id, role: 'user', bindings }
}

test('a question in other words is answered again: the answer is free, to measure it is not', async () => {
  const { put, first, embedder, events, clock } = open()
  const miss = await put('How do I pay?')
  clock.advance(3_000)
  const hit = await put('How can I pay?')
  assert.deepEqual([said(hit), stateOf(miss), stateOf(hit)], ['To: How do I pay?', 'miss', 'hit'])
  assert.deepEqual([nearOf(miss), nearOf(hit), hit.headers['age']], [undefined, '0.9848', '3'])
  assert.equal(hit.headers['x-headworks-cost-nanousd'], '600')
  const { cache, cacheAgeMs, cacheSimilarity, charges } = await closing(events, hit)
  assert.deepEqual([cache, cacheAgeMs, cacheSimilarity], ['hit', 3_000, '0.9848'])
  assert.deepEqual(
    (charges as { deployment: string; costNanoUsd: string }[]).map(({ deployment, costNanoUsd }) => [
      deployment,
      costNanoUsd,
    ]),
    [
      ['embedder/weights', '600'],
      ['first/weights', '0'],
    ],
  )
  assert.deepEqual([first.calls.length, embedder.embedded.length], [1, 2])
  const again = await put('How can I pay?')
  assert.deepEqual([stateOf(again), nearOf(again), again.headers['x-headworks-cost-nanousd']], ['hit', '0.9848', '0'])
  assert.equal(embedder.embedded.length, 2, 'known words are not measured again')
})

test('what is near to a hit is not near to the answer', async () => {
  const { put } = open({ cache: { semantic: { ...SEMANTIC, similarityMin: 0.98 } } })
  assert.equal(stateOf(await put('How do I pay?')), 'miss')
  assert.equal(stateOf(await put('How can I pay?')), 'hit')
  assert.equal(stateOf(await put('How may one pay?')), 'miss', 'ten degrees from the second, twenty from the first')
  assert.equal(stateOf(await put('Where is the harbour?')), 'miss')
})

test('nobody is answered from what another scope was told', async () => {
  for (const [scope, them] of [
    ['key', keyOf('key_2')],
    ['key', keyOf('key_2', { tenant: 'acme' })],
    ['tenant', keyOf('key_2', { tenant: 'evil' })],
    ['tenant', keyOf('key_2')],
    ['user', keyOf('key_1', { tenant: 'acme', user: 'mallory' })],
  ] as const) {
    const { put } = open({ cache: { scope } })
    const us = keyOf('key_1', { tenant: 'acme', user: 'ann' })
    await put('How do I pay?', { as: us })
    // As the one who asked, by every name that a body and a header can say.
    const names = { user: 'ann', metadata: { user: 'ann', tenant: 'acme' }, numerals: [], whose: { key: 'key_1' } }
    const theirs = await put('How can I pay?', { as: them, ...names, headers: { 'x-headworks-user': 'ann' } })
    assert.notEqual(stateOf(theirs), 'hit', scope)
    assert.equal(stateOf(await put('How do I pay?', { as: them })), 'miss', scope)
    assert.equal(stateOf(await put('How can I pay?', { as: us })), 'hit', scope)
  }
})

test('everything else has to be the very same', async () => {
  const { put } = open({ cache: { tools: true } })
  await put('How do I pay?')
  const system = [
    { role: 'system', content: 'Be rude.' },
    { role: 'user', content: 'How can I pay?' },
  ]
  const tools = [{ type: 'function', function: { name: 'pay', parameters: {} } }]
  for (const more of [
    { temperature: 0 },
    { max_tokens: 7 },
    { stop: ['!'] },
    { tools },
    { messages: system },
    { messages: [{ role: 'user', name: 'Ann', content: 'How can I pay?' }] },
  ])
    assert.equal(stateOf(await put('How can I pay?', more)), 'miss', JSON.stringify(more))
  assert.equal(stateOf(await put('How can I pay?')), 'hit')
})

test('a number makes another question', async () => {
  const { put } = open()
  await put('How do I pay 2 bills?')
  assert.equal(stateOf(await put('How do I pay 3 bills?')), 'miss')
  assert.equal(stateOf(await put('How do I pay?')), 'miss')
})

test('what is more than words of the user, or goes on too long, is not measured', async () => {
  const { put, embedder } = open()
  const user = { role: 'user', content: 'How do I pay?' }
  const picture = { type: 'image_url', image_url: { url: 'data:image/png;base64,AAAA' } }
  for (const messages of [
    [user, { role: 'assistant', content: 'So.' }, user],
    [user, { role: 'assistant', content: 'So.' }],
    [{ role: 'user', content: [{ type: 'text', text: 'What is it?' }, picture] }],
    [{ role: 'user', content: '  ' }],
    [{ role: 'user', content: 'long '.repeat(1_700) }],
  ])
    assert.equal(stateOf(await put('', { messages })), 'miss')
  assert.equal(embedder.embedded.length, 0)
  const tools = [{ type: 'function', function: { name: 'pay', parameters: {} } }]
  assert.equal(stateOf(await put('How do I pay?', { tools })), 'bypass')
  assert.equal(stateOf(await put('How do I pay?', { headers: { 'cache-control': 'no-store' } })), 'bypass')
  assert.equal(embedder.embedded.length, 0)
  const longer = open({ cache: { semantic: { ...SEMANTIC, turnsMax: 2 } } })
  const talk = (text: string): JsonObject => ({
    messages: [user, { role: 'assistant', content: 'So.' }, { role: 'user', content: [{ type: 'text', text }] }],
  })
  assert.equal(stateOf(await longer.put('', talk('How do I pay?'))), 'miss')
  assert.equal(stateOf(await longer.put('', talk('How can I pay?'))), 'hit')
})

test('time, max-age and a purge end it; another model of meanings begins anew', async () => {
  const { put, clock, gateway, embedder } = open()
  await put('How do I pay?')
  clock.advance(10_000)
  const aged = { headers: { 'cache-control': 'max-age=9' } }
  assert.equal(stateOf(await put('How can I pay?', aged)), 'miss')
  assert.equal(nearOf(await put('How do I pay?', aged)), '0.9848', 'the younger answer is near enough')
  gateway.purgeCache('chat')
  assert.equal(stateOf(await put('How can I pay?')), 'miss')
  embedder.embeds = async () => ({ vectors: [Float32Array.of(3, 0, 0)] })
  assert.equal(stateOf(await put('How may one pay?')), 'miss', 'other dimensions')
  clock.advance(60_000)
  assert.equal(stateOf(await put('How can I pay?')), 'miss')
})

test('where the question cannot be measured it is answered all the same', async (t) => {
  await t.test('the engine fails', async () => {
    const { put, embedder, clock, gateway } = open()
    embedder.embeds = () => Promise.reject(fault('engine_rejected', { engine: 'e', status: 400, reason: 'told to' }))
    const reply = await put('How do I pay?')
    assert.deepEqual([reply.status, stateOf(reply), gateway.inFlight, clock.pending], [200, 'miss', 0, 0])
  })
  await t.test('the engine is silent for five seconds', async () => {
    const { put, embedder, clock, first } = open()
    embedder.embeds = ({ signal }) =>
      new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)))
    const reply = await put('How do I pay?')
    clock.advance(4_999)
    await settled()
    assert.equal(first.calls.length, 0)
    clock.advance(1)
    for (let turn = 0; turn < 4; turn++) await settled()
    assert.deepEqual([first.calls.length, reply.ended], [1, false])
  })
  await t.test('the vector points nowhere', async () => {
    const { put, embedder } = open()
    embedder.embeds = async () => ({ vectors: [Float32Array.of(0, NaN, 0)] })
    assert.deepEqual([stateOf(await put('How do I pay?')), stateOf(await put('How can I pay?'))], ['miss', 'miss'])
  })
  await t.test('who asked leaves meanwhile', async () => {
    const { ask, embedder, clock, gateway, first } = open()
    embedder.embeds = ({ signal }) =>
      new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)))
    const reply = await ask({ model: 'chat', messages: [{ role: 'user', content: 'How do I pay?' }] })
    reply.leave()
    for (let turn = 0; turn < 4; turn++) await settled()
    assert.deepEqual([gateway.inFlight, clock.pending, first.calls.length], [0, 0, 0])
  })
})

test('ten at once in the same words are measured once', async () => {
  const { put, embedder, first } = open()
  await put('How do I pay?')
  const replies = await Promise.all(Array.from({ length: 10 }, () => put('How can I pay?')))
  assert.deepEqual(new Set(replies.map(stateOf)), new Set(['hit']))
  assert.deepEqual([embedder.embedded.length, first.calls.length], [2, 1])
})

test('words that a guardrail changes or stops are not measured, and leave for no other engine', async () => {
  for (const input of ['redact', 'tokenise', 'block'] as const) {
    const { put, embedder } = open({
      guardrails: [
        { name: 'privacy', kind: 'spans', detector: piiDetector(PII_KINDS), input, budgetMs: 50, onFailure: 'block' },
      ],
    })
    await put('I am ann@example.org. How do I pay?')
    const other = await put('I am bob@example.org. How do I pay?')
    assert.notEqual(stateOf(other), 'hit')
    assert.equal(embedder.embedded.length, 0)
    assert.equal(stateOf(await put('How do I pay?')), 'miss')
    assert.equal(stateOf(await put('How can I pay?')), 'hit', 'what passes unchanged is')
  }
})

test('of what was ever asked, only near questions of the same scope are answered again', async () => {
  const asks = fc.array(fc.record({ key: fc.integer({ min: 0, max: 2 }), angle: fc.integer({ min: 0, max: 90 }) }), {
    minLength: 2,
    maxLength: 12,
  })
  await fc.assert(
    fc.asyncProperty(asks, async (all) => {
      const { put, embedder } = open()
      const word = (angle: number): string => `at ${'i'.repeat(angle)}`
      embedder.embeds = async ({ inputs }) => ({
        vectors: inputs.map((text) => {
          const angle = ((text.length - 3) * Math.PI) / 180
          return Float32Array.of(Math.cos(angle), Math.sin(angle))
        }),
      })
      const told = new Map<number, Set<number>>()
      for (const { key, angle } of all) {
        const reply = await put(word(angle), { as: keyOf(`key_${key}`) })
        const known = told.get(key) ?? new Set()
        const from = said(reply).length - 'To: at '.length
        const nearest = Math.min(...[...known].map((one) => Math.abs(one - angle)))
        const isNear = Math.cos((nearest * Math.PI) / 180) >= SEMANTIC.similarityMin
        assert.equal(stateOf(reply), isNear ? 'hit' : 'miss')
        assert.ok(isNear ? known.has(from) && Math.abs(from - angle) <= 25 : from === angle)
        if (!isNear) told.set(key, known.add(angle))
      }
    }),
    { numRuns: 50 },
  )
})
