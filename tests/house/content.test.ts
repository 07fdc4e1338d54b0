/** Inputs and outputs of the real program, over two gateways: kept, read by whom they may be, erased. */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { ADMIN_KEY, type RunningHouse, startHouse } from '../kit/house.ts'
import { answers, startUpstream, type Upstream } from './upstream.ts'

const CANARY = 'canary-71c02e'
const POLL_MS = 50
const POLLS_MAX = 200

let house: RunningHouse
let upstream: Upstream

interface Answered {
  readonly status: number
  // oxlint-disable-next-line typescript/no-explicit-any -- A test reads whatever shape it expects.
  readonly json: any
}

async function call(method: string, path: string, body?: unknown, key = ADMIN_KEY): Promise<Answered> {
  const reply = await fetch(`${house.url}${path}`, {
    method,
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  return { status: reply.status, json: await reply.json() }
}

async function ask(model: string, key = ADMIN_KEY, more: object = {}): Promise<string> {
  const answer = await fetch(`${house.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify({ model, messages: [{ role: 'user', content: `${CANARY} of ada@example.com` }], ...more }),
  })
  assert.equal(answer.status, 200)
  await answer.text()
  return answer.headers.get('x-request-id') ?? ''
}

async function until<Value>(look: () => Promise<Value | undefined>): Promise<Value> {
  for (let polls = 0; polls < POLLS_MAX; polls++) {
    const found = await look()
    if (found !== undefined) return found
    await sleep(POLL_MS)
  }
  return assert.fail('it did not come')
}

async function contentOf(id: string, key = ADMIN_KEY) {
  return await until(async () => {
    const found = await call('GET', `/api/traces/${id}/content`, undefined, key)
    return found.status === 404 ? undefined : found
  })
}

const bytesOf = (folder: string): Buffer =>
  Buffer.concat(
    readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => readFileSync(join(entry.parentPath, entry.name))),
  )

describe('inputs and outputs', () => {
  before(async () => {
    upstream = await startUpstream()
    upstream.behave(answers)
    const model = { deployments: [{ engine: 'up', model: 'weights' }] }
    house = await startHouse({
      documents: {},
      config: {
        gateways: 2,
        engines: { up: { kind: 'openai', url: upstream.url } },
        models: { full: model, redacted: model, plain: model },
        content: {
          rules: [
            { models: ['full'], keep: 'full' },
            { models: ['red*'], keep: 'redacted' },
          ],
        },
      },
    })
  })
  after(async () => {
    await house?.stop()
    await upstream?.stop()
  })

  test('what was asked and answered is shown to administrators, each read on record; metadata to all who see the trace', async () => {
    const [whole, stream, redacted] = [
      await ask('full'),
      await ask('full', ADMIN_KEY, { stream: true }),
      await ask('redacted'),
    ]
    const { json } = await contentOf(whole)
    const [one] = json.content
    assert.deepEqual([one.request, one.keep, one.model], [whole, 'full', 'full'])
    assert.ok(one.input.messages[0].content.startsWith(CANARY))
    const said = one.output[0].content
    assert.ok(typeof said === 'string' && said.length > 0)
    assert.equal((await contentOf(stream)).json.content[0].output[0].content, said)
    const clean = (await contentOf(redacted)).json.content[0].input.messages[0].content
    assert.equal(clean, `${CANARY} of [EMAIL]`)
    const plain = await ask('plain')
    const trace = await call('GET', `/api/traces/${plain}`)
    assert.deepEqual([trace.json.body.content.keep, trace.json.body.content.roles], ['metadata', { user: 1 }])
    assert.equal((await call('GET', `/api/traces/${plain}/content`)).status, 404)
    const { acts } = (await call('GET', '/api/audit?limit=500')).json
    const reads = acts.filter((act: { action: string }) => act.action === 'content.read')
    assert.ok(reads.some((act: { object: string; found: boolean }) => act.object === whole && act.found))
  })

  test('a key reads what it was made to read, and nobody else’s', async () => {
    const made = async (body: object): Promise<string> => (await call('POST', '/api/keys', body)).json.key
    const own = await made({ name: 'own', content: 'own' })
    const none = await made({ name: 'none' })
    const acme = await made({ name: 'acme', tenant: 'acme' })
    const clerk = await made({ name: 'clerk', tenant: 'acme', content: 'tenant' })
    const boss = await made({ name: 'boss', role: 'admin', tenant: 'globex' })
    const [ofOwn, ofAcme] = [await ask('full', own), await ask('full', acme)]
    assert.equal((await contentOf(ofOwn, own)).status, 200)
    assert.equal((await contentOf(ofAcme, clerk)).status, 200)
    const path = `/api/traces/${ofAcme}/content`
    const statuses = [own, none, acme, boss].map(async (key) => (await call('GET', path, undefined, key)).status)
    assert.deepEqual(await Promise.all(statuses), [404, 403, 403, 404])
    assert.equal((await call('POST', '/api/keys', { name: 'x', content: 'tenant' })).status, 400)
    assert.equal((await call('POST', '/api/keys', { name: 'x', content: 'all' })).status, 400)
    const erase = '/api/subjects/user:ada/erase'
    assert.equal((await call('POST', erase, {}, own)).status, 403)
    assert.equal((await call('POST', erase, { tenant: 'acme' }, boss)).status, 403)
    for (const [at, body] of [
      ['ada', {}],
      ['team:ada', {}],
      ['user:', {}],
      ['user:ada', { tenant: 7 }],
    ] as const)
      assert.equal((await call('POST', `/api/subjects/${at}/erase`, body)).status, 400, at)
    assert.equal((await call('GET', '/api/traces/nonsense/content')).status, 404)
  })

  test('what people and programs say of an answer is shown with its trace and added up; a correction goes with its content', async () => {
    const id = await ask('full', ADMIN_KEY, { user: 'grace' })
    const told = await call('POST', '/api/feedback', {
      trace: id,
      name: 'thumbs',
      value: true,
      correction: 'Say blue.',
    })
    assert.deepEqual([told.status, told.json.corrected], [200, true])
    const { traceId } = await until(async () => (await call('GET', `/api/traces/${id}`)).json.trace)
    const attributes = [
      { key: 'gen_ai.evaluation.name', value: { stringValue: 'relevance' } },
      { key: 'gen_ai.evaluation.score.value', value: { doubleValue: 0.75 } },
      { key: 'gen_ai.evaluation.score.label', value: { stringValue: 'good' } },
    ]
    const event = { timeUnixNano: `${Date.now()}000000`, traceId, eventName: 'gen_ai.evaluation.result', attributes }
    await call('POST', '/v1/logs', { resourceLogs: [{ scopeLogs: [{ logRecords: [event] }] }] })
    const scores = await until(async () => {
      const found = (await call('GET', `/api/traces/${id}`)).json.scores
      return found.length === 2 ? found : undefined
    })
    assert.deepEqual(scores.map(({ name, kind }: { name: string; kind: string }) => `${kind} ${name}`).sort(), [
      'feedback thumbs',
      'score relevance',
    ])
    const sums = (await call('GET', '/api/scores?by=model')).json.scores
    assert.deepEqual(
      sums.map((one: { name: string; of: object; n: number; mean: number }) => [one.name, one.of, one.n, one.mean]),
      [
        ['relevance', { model: 'full' }, 1, 0.75],
        ['thumbs', { model: 'full' }, 1, 1],
      ],
    )
    const kept = (await contentOf(id)).json.content
    assert.deepEqual(
      kept.map(({ correction }: { correction?: string }) => correction),
      [undefined, 'Say blue.'],
    )
    const receipt = await call('POST', '/api/subjects/user:grace/erase', {})
    assert.equal(receipt.json.texts, 2)
  })

  test('no byte of an erased subject is left in the data folder, whatever key one has', async () => {
    const id = await ask('full', ADMIN_KEY, { user: 'ada' })
    await contentOf(id)
    const receipt = await call('POST', '/api/subjects/user:ada/erase', { reason: 'asked for it' })
    assert.deepEqual(
      [receipt.status, receipt.json.subject, receipt.json.keysDestroyed, receipt.json.texts],
      [200, 'user:ada', 1, 1],
    )
    assert.equal((await call('GET', `/api/traces/${id}/content`)).status, 404)
    const bytes = bytesOf(join(house.folder, 'data'))
    for (const said of [CANARY, Buffer.from(CANARY).toString('base64').slice(0, 16)])
      assert.equal(bytes.includes(said), false, said)
    assert.equal(house.said().includes(CANARY), false)
    const { acts } = (await call('GET', '/api/audit')).json
    const [act] = acts.filter((one: { action: string }) => one.action === 'content.erase')
    assert.deepEqual([act.object, act.outcome, act.texts, act.reason], ['user:ada', 'done', 1, 'asked for it'])
  })
})
