import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { test } from 'node:test'
import { ManualClock, settled } from '../../../tests/kit/clock.ts'
import type { ClientHandler, ClientRequest, Exchange, HttpClient } from '../../base/http.ts'
import { silentLog } from '../../base/log.ts'
import { seededRandom } from '../../base/random.ts'
import { MemoryQueue } from '../../drivers/memory/queue.ts'
import { MemoryRows } from '../../drivers/memory/rows.ts'
import { Alerts } from './alerts.ts'
import { signed } from './signature.ts'
import { Deliveries } from './deliveries.ts'
import type { Destination } from './destination.ts'
import { Silences, SILENCES_MAX } from './silences.ts'
import { slack, webhook } from './webhook.ts'

type Answer = (handler: ClientHandler) => void

const status =
  (code: number, bytes = 0): Answer =>
  (handler) => {
    handler.head(code, { location: 'https://elsewhere.example/' })
    if (bytes > 0) handler.data(new Uint8Array(bytes))
    handler.end()
  }

/** Receivers that answer as told; the last answer stays. */
class Receivers implements HttpClient {
  readonly requests: ClientRequest[] = []
  aborted = 0
  readonly #answers: Answer[]

  constructor(...answers: Answer[]) {
    this.#answers = answers
  }

  start(request: ClientRequest, handler: ClientHandler): Exchange {
    this.requests.push(request)
    const answer = this.#answers.length > 1 ? this.#answers.shift() : this.#answers[0]
    queueMicrotask(() => answer?.(handler))
    return { abort: () => void this.aborted++, pause() {}, resume() {} }
  }

  async close(): Promise<void> {}
}

interface Webhook {
  readonly url: string
  readonly secret?: { reveal(): string }
}

function open(client: Receivers, ...webhooks: (Webhook | Destination)[]) {
  const clock = new ManualClock()
  const random = seededRandom(1)
  const rows = new MemoryRows()
  const queue = new MemoryQueue(clock)
  const alerts = new Alerts({ clock, random, rows })
  const silences = new Silences({ clock, random, rows })
  const posting = { clock, client: async () => client }
  const start = (): Deliveries =>
    new Deliveries({
      clock,
      random,
      rows,
      queue,
      log: silentLog,
      silences,
      destinations: () => webhooks.map((one) => ('kind' in one ? one : webhook(posting, one.url, one.secret))),
    })
  const raise = (key = 'a') =>
    alerts.raise({ kind: 'usage_anomaly', subject: { user: 'ann' }, evidence: { n: 5 }, key })
  return { clock, hooks: start(), start, raise, webhooks, alerts, silences, posting }
}

const URL = 'https://ops.example/hook'

test('a message is signed as Standard Webhooks has it', () => {
  // The example of the specification's own libraries.
  const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'
  const body = '{"test": 2432232314}'
  const headers = signed('msg_p5jXN8AQM9LWM0D4loKWxJek', 1614265330_000, body, secret)
  assert.deepEqual(headers, {
    'webhook-id': 'msg_p5jXN8AQM9LWM0D4loKWxJek',
    'webhook-timestamp': '1614265330',
    'webhook-signature': 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
  })
  const plain = createHmac('sha256', 'plain').update('m.1.x').digest('base64')
  assert.equal(signed('m', 1000, 'x', 'plain')['webhook-signature'], `v1,${plain}`)
  assert.equal(signed('m', 1000, 'x', undefined)['webhook-signature'], undefined)
})

test('every webhook gets every message once, with an id of its own', async () => {
  const client = new Receivers(status(204))
  const { hooks, raise } = open(
    client,
    { url: URL, secret: { reveal: () => 'whsec_AAAA' } },
    { url: 'http://b.example/' },
  )
  await raise('a')
  await raise('b')
  await hooks.pass()
  await hooks.pass()
  assert.equal(client.requests.length, 4)
  const [first] = client.requests
  const body = JSON.parse(String(first?.body))
  assert.deepEqual(
    [first?.method, body.type, body.data.kind, body.data.subject, body.data.state],
    ['POST', 'alert.raised', 'usage_anomaly', { user: 'ann' }, 'open'],
  )
  assert.equal(new Set(client.requests.map(({ headers }) => headers['webhook-id'])).size, 2)
  for (const one of await hooks.status())
    assert.deepEqual([one['delivered'], one['waiting'], one['failing']], [2, 0, null])
})

test('what fails is tried again, later and later, and shows why; then it is given up', async () => {
  const client = new Receivers(status(500))
  const { clock, hooks, raise } = open(client, { url: URL })
  await raise()
  await hooks.pass()
  await hooks.pass()
  assert.equal(client.requests.length, 1)
  assert.deepEqual(await hooks.status(), [
    {
      kind: 'webhook',
      to: URL,
      signed: false,
      waiting: 1,
      delivered: 0,
      givenUp: 0,
      failing: { reason: 'it answered 500', attempts: 1 },
    },
  ])
  clock.advance(5_500)
  await hooks.pass()
  assert.equal(client.requests.length, 2)
  assert.equal(client.requests[0]?.headers['webhook-id'], client.requests[1]?.headers['webhook-id'])
  for (let day = 0; day < 20; day++) {
    clock.advance(86_400_000 * 1.1)
    await hooks.pass()
  }
  assert.equal(client.requests.length, 10)
  const [shown] = await hooks.status()
  assert.deepEqual([shown?.['waiting'], shown?.['givenUp']], [0, 1])
})

test('redirects are not followed, long answers not read, dead connections and silence are failures', async (t) => {
  const cases: readonly [string, Answer, string | null, number][] = [
    ['a redirect', status(307), 'it answered 307', 0],
    ['a long answer that takes it', status(200, 100_000), null, 1],
    [
      'a connection that breaks',
      (handler) => handler.fail(new Error('connect ECONNREFUSED')),
      'connect ECONNREFUSED',
      0,
    ],
    ['silence', () => {}, 'no answer within 15000 ms', 1],
  ]
  for (const [name, answer, reason, aborted] of cases) {
    await t.test(name, async () => {
      const client = new Receivers(answer)
      const { clock, hooks, raise } = open(client, { url: URL })
      await raise()
      const passing = hooks.pass()
      for (let i = 0; i < 10; i++) await settled()
      clock.advance(15_000)
      await passing
      const [shown] = await hooks.status()
      assert.equal((shown?.['failing'] as { reason: string } | null)?.reason ?? null, reason)
      assert.deepEqual([client.requests.length, client.aborted >= aborted], [1, true])
    })
  }
})

test('a webhook that was taken out of the configuration gets nothing more', async () => {
  const client = new Receivers(status(500))
  const { clock, hooks, raise, webhooks } = open(client, { url: URL })
  await raise()
  await hooks.pass()
  webhooks.pop()
  clock.advance(86_400_000)
  await hooks.pass()
  assert.equal(client.requests.length, 1)
})

test('a stop breaks deliveries off and loses none', async () => {
  const client = new Receivers(() => {}, status(200))
  const { clock, hooks, start, raise } = open(client, { url: URL })
  await raise()
  hooks.keepUp()
  clock.advance(5_000)
  for (let i = 0; i < 10; i++) await settled()
  await hooks.stop()
  assert.deepEqual([client.requests.length, clock.pending], [1, 0])
  clock.advance(60_000)
  await start().pass()
  assert.deepEqual(
    client.requests.map(({ headers }) => headers['webhook-id']),
    [client.requests[0]?.headers['webhook-id'], client.requests[0]?.headers['webhook-id']],
  )
})

const typesOf = (client: Receivers): string[] => client.requests.map(({ body }) => JSON.parse(String(body)).type)

test('while a silence holds nobody is told; what is open when it ends is told once, what is over never', async () => {
  const client = new Receivers(status(204))
  const { clock, hooks, raise, alerts, silences } = open(client, { url: URL })
  await raise('before')
  await hooks.pass()
  const hour = { untilMs: clock.wallMs() + 3_600_000, reason: 'upgrade', by: 'ops' }
  await silences.add({ ...hour, kind: 'usage_anomaly', subject: { user: 'ann' } })
  await raise('during')
  await raise('short')
  await alerts.raise({ kind: 'usage_anomaly', subject: { user: 'bob' }, evidence: {}, key: 'other' })
  await hooks.pass()
  assert.deepEqual(typesOf(client), ['alert.raised', 'alert.raised'], 'of another user they are told')
  await alerts.close('short', 'over')
  await alerts.close('before', 'over')
  await alerts.raise({ kind: 'usage_anomaly', subject: { user: 'ann' }, evidence: {}, key: 'during', step: '2' })
  await hooks.pass()
  assert.deepEqual(typesOf(client).slice(2), ['alert.closed'], 'what they know of ends')
  clock.advance(3_600_000)
  await hooks.pass()
  await hooks.pass()
  assert.deepEqual(typesOf(client).slice(3), ['alert.raised'], 'though it went a step further meanwhile')
})

test('a silence that is ended lets through what it kept; there is a bound on them', async () => {
  const client = new Receivers(status(204))
  const { clock, hooks, raise, silences } = open(client, { url: URL })
  const wanted = { kind: 'usage_anomaly', untilMs: clock.wallMs() + 1000, reason: 'x', by: 'ops' } as const
  const silence = await silences.add(wanted)
  await raise()
  await hooks.pass()
  assert.equal(client.requests.length, 0)
  assert.equal(await silences.end(silence?.id ?? ''), true)
  assert.equal(await silences.end('sil_no'), false)
  await hooks.pass()
  assert.equal(client.requests.length, 1)
  for (let i = 0; i < SILENCES_MAX; i++) await silences.add(wanted)
  assert.equal(await silences.add(wanted), undefined)
  clock.advance(1000)
  assert.deepEqual(await silences.list(), [])
  assert.notEqual(await silences.add({ ...wanted, untilMs: clock.wallMs() + 1 }), undefined)
})

test('a channel gets text in which nothing a caller wrote is markup, and its address is shown nowhere', async () => {
  const client = new Receivers(status(404))
  const clock = new ManualClock()
  const address = 'https://hooks.example/T0/secret'
  const posting = { clock, client: async () => client }
  const channel = slack(posting, 'ops', { reveal: () => address }, 'https://ai.example/')
  const { hooks, alerts } = open(client, channel)
  const subject = { model: '<!channel> & *bold*\nnext' }
  const evidence = { burn: 14.444444, n: 5, nested: { x: 1 }, link: '/api/traces?status=error' }
  await alerts.raise({ kind: 'objective_burn', subject, evidence, key: 'a' })
  await hooks.pass()
  const [request] = client.requests
  assert.equal(request?.url, address)
  const { text } = JSON.parse(String(request.body))
  const [title, ...lines] = text.split('\n')
  assert.equal(title, '*objective_burn raised: model &lt;!channel&gt; &amp; ·bold· next*')
  assert.deepEqual(lines.slice(0, 3), ['burn: 14.44', 'n: 5', 'evidence: https://ai.example/api/traces?status=error'])
  const shown = await hooks.status()
  assert.equal(shown[0]?.['to'], 'ops')
  assert.ok(!JSON.stringify(shown).includes('secret'))
  assert.match(
    (await slack(posting, 'x', { reveal: () => 'ftp://h/' }).send('m', '{}', new AbortController().signal)) ?? '',
    /is no http/,
  )
})
