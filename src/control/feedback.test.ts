import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ManualClock } from '../../tests/kit/clock.ts'
import { request } from '../../tests/kit/exchange.ts'
import { Refusal } from '../base/errors.ts'
import { newId } from '../base/ids.ts'
import type { Json, JsonObject } from '../base/json.ts'
import { seededRandom } from '../base/random.ts'
import { MemoryEvents } from '../drivers/memory/events.ts'
import { readBindings } from '../guard/bindings.ts'
import type { CapturedContent } from '../guard/content/capture.ts'
import type { Keep } from '../guard/content/policy.ts'
import type { Principal } from '../guard/principal.ts'
import { traceIdOf } from '../trace/journal.ts'
import type { ScoredTrace } from '../trace/port.ts'
import type { ScoreRow } from '../trace/span.ts'
import { feedbackRoutes } from './feedback.ts'
import { scoreRoutes } from './scores.ts'

const key = (id: string, terms: JsonObject = {}, role: 'user' | 'admin' = 'user'): Principal => {
  const bindings = readBindings(terms, role)
  return bindings instanceof Refusal ? assert.fail(bindings.code) : { id, name: id, role, bindings }
}
const OWNER = key('key_own')

async function open(keep: Keep = 'full') {
  const clock = new ManualClock()
  const events = new MemoryEvents()
  const id = newId('req', clock, seededRandom(1))
  const facts = { key: 'key_own', user: 'ada', model: 'chat', prompt: 'support@3', tenant: 'acme' }
  const entry = { id, kind: 'request', atMs: clock.wallMs() }
  await events.append([
    { ...entry, phase: 'open', body: facts },
    { ...entry, phase: 'close', body: { ...facts, outcome: 'answered' } },
  ])
  const scores: ScoreRow[] = []
  const kept: CapturedContent[] = []
  const telemetry = {
    // This index has not caught up: the journal alone knows the request.
    trace: async () => undefined,
    score: async (score: ScoreRow) => void scores.push(score),
    scores: async (): Promise<ScoredTrace[]> =>
      scores.map((score) => ({ score, requestId: score.requestId ?? '', model: '' })),
  }
  const content = {
    rules: () => ({ keep, rules: [], retention: { redactedDays: 30, fullDays: 7 } }),
    keep: async (batch: readonly CapturedContent[]) => void kept.push(...batch),
  }
  const [post] = feedbackRoutes({ clock, events, telemetry, content })
  const [list] = scoreRoutes({ clock, events, telemetry })
  const common = { params: {}, bytes: new Uint8Array(), requestId: 'req_0' }
  const say = async (body: Json, principal: Principal = OWNER) => {
    const asked = request('POST', '/api/feedback', body)
    return await post?.answer({ ...common, query: new URLSearchParams(), body, request: asked, principal })
  }
  const ask = async (query = '') => {
    const asked = request('GET', '/api/scores', undefined)
    return await list?.answer({
      ...common,
      query: new URLSearchParams(query),
      body: null,
      request: asked,
      principal: OWNER,
    })
  }
  return { id, clock, scores, kept, say, ask }
}

const codeOf = (answer: unknown): string => (answer instanceof Refusal ? answer.code : 'ok')

test('a number, a boolean, a category and a comment are kept as what they are', async () => {
  const { id, clock, scores, say } = await open()
  for (const body of [
    { value: 0.5 },
    { value: true },
    { value: 'rude' },
    { comment: 'No.' },
    { value: 2, label: 'fair' },
  ]) {
    clock.advance(1)
    assert.equal(codeOf(await say({ trace: id, ...body })), 'ok')
  }
  assert.deepEqual(
    scores.map(({ value, label, comment }) => [value, label, comment]),
    [
      [0.5, '', ''],
      [1, 'true', ''],
      [null, 'rude', ''],
      [null, '', 'No.'],
      [2, 'fair', ''],
    ],
  )
  assert.ok(scores.every(({ traceId, requestId }) => traceId === traceIdOf(id) && requestId === id))
  assert.equal(new Set(scores.map((one) => one.id)).size, 5)
})

test('a key speaks of its own requests, one of a tenant of that tenant’s, an administrator of all', async () => {
  const { id, say } = await open()
  const by = async (principal: Principal) => codeOf(await say({ trace: id, value: 1 }, principal))
  assert.equal(await by(OWNER), 'ok')
  assert.equal(await by(key('key_other')), 'not_found')
  assert.equal(await by(key('key_other', { tenant: 'acme' })), 'ok')
  assert.equal(await by(key('key_other', { tenant: 'globex' })), 'not_found')
  assert.equal(await by(key('key_own', { tenant: 'globex' })), 'not_found')
  assert.equal(await by(key('key_admin', {}, 'admin')), 'ok')
  assert.equal(await by(key('key_admin', { tenant: 'globex' }, 'admin')), 'not_found')
})

test('feedback of any other shape is refused, field by field', async () => {
  const { id, say, scores } = await open()
  const wrong: readonly (readonly [string, Json])[] = [
    ['body', []],
    ['trace', {}],
    ['trace', { trace: 'req_1', value: 1 }],
    ['trace', { trace: 7, value: 1 }],
    ['span', { trace: id, span: 'x', value: 1 }],
    ['value', { trace: id }],
    ['value', { trace: id, value: [] }],
    ['value', { trace: id, value: null }],
    ['label', { trace: id, value: 'a', label: 'b' }],
    ['name', { trace: id, name: 1, value: 1 }],
    ['comment', { trace: id, comment: {} }],
    ['correction', { trace: id, correction: 'x'.repeat(100_001) }],
    ['stars', { trace: id, stars: 5 }],
  ]
  for (const [field, body] of wrong) {
    const answer = await say(body)
    assert.deepEqual(answer instanceof Refusal && answer.details['field'], field, JSON.stringify(body)?.slice(0, 80))
  }
  assert.equal(codeOf(await say({ trace: 'req_00000000000000000000000000', value: 1 })), 'not_found')
  assert.equal(codeOf(await say({ trace: '0'.repeat(32), value: 1 })), 'not_found')
  assert.deepEqual(scores, [])
})

test('a correction lies with the answer, under its subject, as its inputs and outputs do', async () => {
  for (const [keep, kept, days] of [
    ['full', 'full', 7],
    ['redacted', 'redacted', 30],
    ['metadata', 'redacted', 30],
  ] as const) {
    const house = await open(keep)
    assert.equal(codeOf(await house.say({ trace: house.id, correction: 'It is blue.' })), 'ok')
    const [one] = house.kept
    assert.deepEqual(
      [one?.keep, one?.days, one?.subject, one?.tenant],
      [kept, days, { kind: 'user', id: 'ada' }, 'acme'],
    )
    assert.deepEqual(JSON.parse(one?.text ?? ''), { about: house.id, correction: 'It is blue.' })
    assert.equal(JSON.stringify(house.scores).includes('blue'), false)
  }
  const { id, say, scores } = await open('off')
  assert.equal(codeOf(await say({ trace: id, correction: 'It is blue.' })), 'field_invalid')
  assert.deepEqual(scores, [])
})

test('scores are added up by the prompt and the model of their request', async () => {
  const { id, clock, say, ask } = await open()
  for (const value of [true, true, false]) {
    clock.advance(1)
    await say({ trace: id, name: 'thumbs', value })
  }
  const answer = await ask()
  const value = answer !== undefined && 'value' in answer ? (answer.value as JsonObject) : assert.fail('refused')
  const [group] = value['scores'] as readonly JsonObject[]
  assert.deepEqual(
    [group?.['name'], group?.['of'], group?.['n'], group?.['method']],
    ['thumbs', { model: 'chat', prompt: 'support@3' }, 3, 'wilson'],
  )
  assert.ok(Math.abs(Number(group?.['mean']) - 2 / 3) < 1e-9 && Number(group?.['low']) < 0.21)
  assert.equal(codeOf(await ask('by=color')), 'field_invalid')
  assert.equal(codeOf(await ask('from=yesterday')), 'field_invalid')
})
