import assert from 'node:assert/strict'
import { test } from 'node:test'
import { settled } from '../../tests/kit/clock.ts'
import { chunk, completion } from '../../tests/kit/engine.ts'
import { ASK, closing, type GatewayOptions, openGateway, USAGE } from '../../tests/kit/gateway.ts'
import { PII_KINDS } from '../config/pii-kinds.ts'
import type { Guardrail } from '../guard/guardrails/guardrail.ts'
import { piiDetector } from '../guard/guardrails/pii.ts'
import type { RemoteVerdict } from '../guard/guardrails/remote.ts'

const COMMON = { budgetMs: 50, onFailure: 'block' } as const
const pii = (points: Pick<Guardrail, 'input' | 'output'>): Guardrail => ({
  ...COMMON,
  name: 'privacy',
  kind: 'spans',
  detector: piiDetector(PII_KINDS),
  ...points,
})
const shape: Guardrail = { ...COMMON, name: 'shape', kind: 'schema', output: 'block' }
const remote = (ask: () => Promise<RemoteVerdict>, more: Partial<Guardrail> = {}): Guardrail =>
  ({ ...COMMON, name: 'other', kind: 'remote', check: { ask }, input: 'block', ...more }) as Guardrail

const saying = (content: string, more: object = {}) => ({ ...ASK, messages: [{ role: 'user', content }], ...more })
const MAIL = 'I am ann@example.org.'

function open(guardrails: readonly Guardrail[], options: GatewayOptions = {}) {
  const opened = openGateway({ guardrails, ...options })
  const end = async (): Promise<void> => {
    opened.first.last.sink.end({ usage: USAGE })
    await settled()
    await settled()
  }
  const answer = async (text: string): Promise<void> => {
    opened.first.last.sink.frame(completion(text))
    await end()
  }
  return { ...opened, end, answer }
}

const sent = ({ first }: { first: { last: { call: { body: unknown } } } }): string =>
  JSON.stringify(first.last.call.body)

test('what a request says is redacted before an engine sees it, and the record counts it without saying it', async () => {
  const opened = open([pii({ input: 'redact' })])
  const parts = {
    role: 'user',
    content: [
      { type: 'text', text: 'Or +49 30 901820' },
      { type: 'image_url', image_url: {} },
    ],
  }
  const reply = await opened.ask({
    ...ASK,
    messages: [{ role: 'system', content: 'Help.' }, { role: 'user', content: MAIL }, parts],
  })
  await opened.answer('Hello.')
  assert.equal(reply.status, 200)
  assert.match(sent(opened), /I am \[EMAIL\]\./)
  assert.match(sent(opened), /Or \[PHONE\]/)
  assert.match(sent(opened), /Help\..*image_url/)
  const record = await closing(opened.events, reply)
  assert.deepEqual(record['guards'], [
    { guard: 'privacy', point: 'input', action: 'redact', found: { email: 1, phone: 1 } },
  ])
  assert.ok(!JSON.stringify(record).includes('ann@'))
})

test('what the model sees under a name the caller has back in the answer, streamed and in calls too', async () => {
  const opened = open([pii({ input: 'tokenise' })])
  const whole = await opened.ask(saying(`${MAIL} Not "quoted"@example.org, ann@example.org!`))
  assert.match(sent(opened), /I am <EMAIL_1>\..*<EMAIL_1>!/)
  await opened.answer('Hello <EMAIL_1>, and <EMAIL_7>.')
  assert.equal(whole.json().choices[0].message.content, 'Hello ann@example.org, and <EMAIL_7>.')
  const stream = await opened.ask(saying(MAIL, { stream: true }))
  const { last } = opened.first
  last.say('Mail <EM')
  last.say('AIL_1> now')
  last.sink.frame(
    chunk({ tool_calls: [{ index: 0, id: 'c', type: 'function', function: { name: 'f', arguments: '{"to":"<EMA' } }] }),
  )
  last.sink.frame(chunk({ tool_calls: [{ index: 0, function: { arguments: 'IL_1>"}' } }] }))
  last.sink.frame(chunk({}, 'tool_calls'))
  await opened.end()
  const frames = stream.events().filter((one) => typeof one === 'object')
  const deltas = frames.map((frame) => frame.choices[0]?.delta ?? {})
  assert.equal(deltas.map(({ content }) => content ?? '').join(''), 'Mail ann@example.org now')
  const args = deltas.flatMap(({ tool_calls: calls = [] }) => calls).map((call) => call.function.arguments)
  assert.equal(args.join(''), '{"to":"ann@example.org"}')
})

test('a request that is blocked calls nobody and says why', async () => {
  const opened = open([pii({ input: 'block' })])
  const reply = await opened.ask(saying(MAIL))
  assert.deepEqual([reply.status, reply.json().error.code, opened.first.calls.length], [400, 'guard_blocked', 0])
  assert.match(reply.json().error.message, /"privacy" refused the request: it has what looks like: email/)
  assert.ok(!reply.text.includes('ann@'))
  assert.equal((await closing(opened.events, reply))['outcome'], 'refused')
})

test('an answer is redacted as it streams, wherever it is cut, and its token probabilities are left out', async () => {
  const opened = open([pii({ output: 'redact' })])
  const reply = await opened.ask({ ...ASK, stream: true })
  for (const piece of ['Write ', 'to ann', '@exam', 'ple.or', 'g or', ' call'])
    opened.first.last.sink.frame({
      ...chunk({ content: piece }),
      choices: [
        { index: 0, delta: { content: piece }, logprobs: { content: [{ token: piece }] }, finish_reason: null },
      ],
    })
  opened.first.last.sink.frame(chunk({}, 'stop'))
  await opened.end()
  assert.ok(!reply.text.includes('ann'), reply.text)
  const frames = reply.events().filter((one) => typeof one === 'object')
  assert.equal(frames.map((frame) => frame.choices[0]?.delta?.content ?? '').join(''), 'Write to [EMAIL] or call')
})

test('an answer that is blocked ends as filtered ones do; the engine is stopped and what it made is charged', async () => {
  const opened = open([pii({ output: 'block' })])
  const reply = await opened.ask({ ...ASK, stream: true })
  opened.first.last.say('Here it is: ann@example.org and')
  await settled()
  await settled()
  assert.ok(opened.first.last.cancelled)
  assert.ok(!reply.text.includes('ann@'))
  assert.match(reply.text, /"finish_reason":"content_filter"/)
  assert.match(reply.text, /\[DONE\]/)
  const record = await closing(opened.events, reply)
  assert.equal(record.outcome, 'answered')
  assert.ok(BigInt(String(record['costNanoUsd'])) > 0n)
  const whole = await opened.ask(ASK)
  await opened.answer('ann@example.org')
  assert.deepEqual(
    [whole.json().choices[0].finish_reason, whole.json().choices[0].message.content],
    ['content_filter', null],
  )
})

test('an answer must be what its schema says before any of it leaves', async () => {
  const opened = open([shape])
  const format = { type: 'json_schema', json_schema: { name: 'a', schema: { type: 'object', required: ['city'] } } }
  const good = await opened.ask({ ...ASK, response_format: format, stream: true })
  opened.first.last.say('{"city":')
  await settled()
  assert.equal(good.text, '')
  opened.first.last.say('"Oslo"}', 'stop')
  await opened.end()
  assert.match(good.text, /Oslo/)
  const bad = await opened.ask({ ...ASK, response_format: format })
  await opened.answer('{"town": "Oslo"}')
  assert.deepEqual([bad.status, bad.json().error.code], [400, 'guard_blocked'])
  const free = await opened.ask(ASK)
  await opened.answer('no JSON at all')
  assert.equal(free.status, 200)
})

test("somebody else's verdict is waited for, may replace the texts, and its absence is a refusal or not", async () => {
  const replaced = open([remote(() => Promise.resolve({ allow: true, texts: ['Good day?'] }))])
  await replaced.ask(ASK)
  await settled()
  assert.match(sent(replaced), /Good day/)
  const refused = open([remote(() => Promise.resolve({ allow: false, reason: 'not today' }))])
  const no = await refused.ask(ASK)
  await settled()
  assert.match(no.json().error.message, /not today/)
  const failing = (): Promise<RemoteVerdict> => Promise.reject(new Error('nobody there'))
  const failed = open([remote(failing)])
  const none = await failed.ask(ASK)
  await settled()
  assert.deepEqual([none.status, none.json().error.code], [503, 'guard_failed'])
  const passing = open([remote(failing, { onFailure: 'pass' })])
  const passed = await passing.ask(ASK)
  await settled()
  await passing.answer('Hi.')
  assert.equal(passed.status, 200)
})

test('a caller who leaves while the verdict is waited for calls nobody', async () => {
  const verdict = Promise.withResolvers<RemoteVerdict>()
  const opened = open([remote(() => verdict.promise)])
  const reply = await opened.ask(ASK)
  reply.leave()
  await settled()
  verdict.resolve({ allow: true })
  await settled()
  await settled()
  assert.deepEqual([opened.first.calls.length, opened.gateway.inFlight, opened.clock.pending], [0, 0, 0])
})

test('a request on which a guardrail runs out of time is refused', async () => {
  const slow: Guardrail = {
    ...COMMON,
    name: 'slow',
    kind: 'spans',
    input: 'block',
    detector: {
      spanCharsMax: 10,
      openFrom: (text) => text.length,
      find: () => {
        opened.clock.advance(60)
        return []
      },
    },
  }
  const opened = open([slow])
  const reply = await opened.ask(saying('x'.repeat(9_000)))
  assert.deepEqual([reply.status, reply.json().error.code], [503, 'guard_failed'])
})
