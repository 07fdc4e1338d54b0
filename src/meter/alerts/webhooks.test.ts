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
import { type Webhook, Webhooks } from './webhooks.ts'

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

function open(client: Receivers, ...webhooks: Webhook[]) {
  const clock = new ManualClock()
  const random = seededRandom(1)
  const rows = new MemoryRows()
  const queue = new MemoryQueue(clock)
  const alerts = new Alerts({ clock, random, rows })
  const start = (): Webhooks =>
    new Webhooks({
      clock,
      random,
      rows,
      queue,
      log: silentLog,
      webhooks: () => webhooks,
      client: async () => client,
    })
  const raise = (key = 'a') =>
    alerts.raise({ kind: 'usage_anomaly', subject: { user: 'ann' }, evidence: { n: 5 }, key })
  return { clock, hooks: start(), start, raise, webhooks }
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
      url: URL,
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
