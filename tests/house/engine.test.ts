/** The real program before a model server that misbehaves, over real sockets. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { ADMIN_KEY, startHouse, type RunningHouse } from '../kit/house.ts'
import {
  answers,
  type Behaviour,
  breaksOff,
  endsEarly,
  hangs,
  overloaded,
  resets,
  rubbish,
  stalls,
  startUpstream,
  talks,
  type Upstream,
} from './upstream.ts'

let house: RunningHouse
let first: Upstream
let second: Upstream

/** Each has a deployment of its own: what one does to its circuit is nothing to the others. */
const MOODS = ['well', 'hung', 'reset', 'garbled', 'busy', 'broken', 'early', 'stalled', 'left'] as const

const timeouts = { connectMs: 500, firstTokenMs: 400, betweenTokensMs: 400, totalMs: 5000 }

before(async () => {
  first = await startUpstream()
  second = await startUpstream()
  const model = (engine: string, more: object = {}, weights = 'weights') => ({
    deployments: [{ engine, model: weights }],
    timeouts,
    ...more,
  })
  house = await startHouse({
    documents: {},
    config: {
      engines: {
        first: { kind: 'openai', url: first.url },
        second: { kind: 'openai', url: second.url },
        down: { kind: 'openai', url: 'http://127.0.0.1:1/v1' },
      },
      models: {
        ...Object.fromEntries(
          MOODS.flatMap((mood) => [
            [`alone-${mood}`, model('first', {}, mood)],
            [`backed-${mood}`, model('first', { fallback: ['second/weights'] }, mood)],
          ]),
        ),
        gone: model('down'),
        spare: model('down', { fallback: ['second/weights'] }),
      },
    },
  })
})

after(async () => {
  await house?.stop()
  await first?.stop()
  await second?.stop()
})

const post = (model: string, stream: boolean, signal?: AbortSignal): Promise<Response> =>
  fetch(`${house.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${ADMIN_KEY}`, 'content-type': 'application/json' },
    body: JSON.stringify({ model, stream, messages: [{ role: 'user', content: 'Hello?' }] }),
    ...(signal === undefined ? {} : { signal }),
  })

async function trace(
  id: string | null,
): Promise<{ outcome: string; usage: { estimated: boolean; outputTokens: number } }> {
  const found = await fetch(`${house.url}/api/traces/${id}`, { headers: { authorization: `Bearer ${ADMIN_KEY}` } })
  return ((await found.json()) as { body: { outcome: string; usage: { estimated: boolean; outputTokens: number } } })
    .body
}

const errorIn = (text: string): string => /"code":"(\w+)"/.exec(text)?.[1] ?? text

test('a server that answers is passed on, streamed and whole', async () => {
  first.behave(answers)
  const whole = await post('alone-well', false)
  assert.equal(
    ((await whole.json()) as { choices: { message: { content: string } }[] }).choices[0]?.message.content,
    'All is well.',
  )
  const streamed = await (await post('alone-well', true)).text()
  assert.ok(streamed.endsWith('data: [DONE]\n\n'))
  assert.deepEqual(
    await trace(whole.headers.get('x-request-id')).then(({ outcome, usage }) => [
      outcome,
      usage.estimated,
      usage.outputTokens,
    ]),
    ['answered', false, 3],
  )
})

test("before the first word, each way of failing becomes a status, or the fallback's answer", async (t) => {
  const cases: readonly [(typeof MOODS)[number], Behaviour, number, string][] = [
    ['hung', hangs, 504, 'engine_timeout'],
    ['reset', resets, 502, 'engine_unreachable'],
    ['garbled', rubbish, 502, 'engine_garbled'],
    ['busy', overloaded, 503, 'engine_busy'],
  ]
  for (const [mood, behaviour, status, code] of cases) {
    await t.test(mood, async () => {
      first.behave(behaviour)
      second.behave(answers)
      const alone = await post(`alone-${mood}`, true)
      assert.deepEqual([alone.status, errorIn(await alone.text())], [status, code])
      const backed = await post(`backed-${mood}`, true)
      assert.deepEqual([backed.status, backed.headers.get('x-headworks-model')], [200, 'second/weights'])
      assert.ok((await backed.text()).includes('[DONE]'))
    })
  }
})

test('a server that is down is said to be so, and a fallback answers for it', async () => {
  const gone = await post('gone', false)
  assert.deepEqual([gone.status, errorIn(await gone.text())], [502, 'engine_unreachable'])
  second.behave(answers)
  assert.equal((await post('spare', false)).status, 200)
})

test('a server that stays down is left out, and the status says since when and why', async () => {
  let refused = await post('gone', false)
  while (!(await refused.clone().text()).includes('again and again')) refused = await post('gone', false)
  assert.equal(refused.status, 502)
  assert.ok(Number(refused.headers.get('retry-after-ms')) >= 1_000)
  const status = await fetch(`${house.url}/api/status`, { headers: { authorization: `Bearer ${ADMIN_KEY}` } })
  const { gateways } = (await status.json()) as { gateways: { deployments: Record<string, unknown>[] }[] }
  const down = gateways[0]?.deployments.find(({ deployment }) => deployment === 'down/weights')
  assert.deepEqual(
    [down?.['circuit'], down?.['leftOut'], down?.['trouble'], down?.['callsInFlight'], down?.['tokensInFlight']],
    ['open', ['chat'], 'unreachable', 0, 0],
  )
  assert.match(String(down?.['reason']), /"down" cannot be reached/)
  assert.ok(Date.parse(String(down?.['since'])) <= Date.now())
})

test('after the first word, a failure is an error frame and never another model', async (t) => {
  for (const [mood, behaviour, code] of [
    ['broken', breaksOff, 'stream_broken'],
    ['early', endsEarly, 'stream_broken'],
    ['stalled', stalls, 'engine_timeout'],
  ] as const) {
    await t.test(mood, async () => {
      first.behave(behaviour)
      const asked = second.asked
      const answer = await post(`backed-${mood}`, true)
      const text = await answer.text()
      assert.equal(answer.status, 200)
      assert.deepEqual(
        [text.includes('Well'), text.includes('[DONE]'), errorIn(text), second.asked - asked],
        [true, false, code, 0],
      )
      assert.equal((await trace(answer.headers.get('x-request-id'))).outcome, 'failed')
    })
  }
})

test('a client that leaves stops the model server', async (t) => {
  first.behave(talks)
  const abandoned = first.abandoned
  const leave = new AbortController()
  const answer = await post('alone-left', true, leave.signal)
  await answer.body?.getReader().read()
  const left = performance.now()
  leave.abort()
  while (first.abandoned === abandoned) {
    assert.ok(performance.now() - left < 5000, 'the model server is still talking')
    await sleep(1)
  }
  t.diagnostic(`the model server was stopped after ${(performance.now() - left).toFixed(1)} ms (aim: 50)`)
  assert.equal((await trace(answer.headers.get('x-request-id'))).outcome, 'cancelled')
})

test('a reload takes a model in and out while it runs, and refuses a file with a mistake whole', async () => {
  const { readFile, writeFile } = await import('node:fs/promises')
  const path = `${house.folder}/headworks.yaml`
  const before = await readFile(path, 'utf8')
  const config = JSON.parse(before) as { models: Record<string, unknown> }
  const models = async (): Promise<string[]> => {
    const listed = await fetch(`${house.url}/v1/models`, { headers: { authorization: `Bearer ${ADMIN_KEY}` } })
    return ((await listed.json()) as { data: { id: string }[] }).data.map(({ id }) => id)
  }
  const until = async (wanted: boolean): Promise<void> => {
    for (let waited = 0; (await models()).includes('added') !== wanted; waited += 50) {
      assert.ok(waited < 10_000, 'the change was not taken over')
      await sleep(50)
    }
  }
  await writeFile(
    path,
    JSON.stringify({
      ...config,
      models: { ...config.models, added: { deployments: [{ engine: 'first', model: 'x' }] } },
    }),
  )
  await until(true)
  await writeFile(path, 'models: { added: { deployments: [{ engine: nowhere, model: x }] } }')
  await sleep(500)
  assert.ok((await models()).includes('added'), 'a mistake changes nothing')
  await writeFile(path, before)
  await until(false)
})
