/** Telemetry of the real program: its own requests and the spans of another one, in one place. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { ADMIN_KEY, type RunningHouse, startHouse } from '../kit/house.ts'
import { agentSpans, otlpJsonOf, protobufOf } from '../kit/otlp.ts'
import { answers, startUpstream, type Upstream } from './upstream.ts'

const AUTH = { authorization: `Bearer ${ADMIN_KEY}` }
const CANARY = 'canary-5e1f9d'
const POLL_MS = 50
const POLLS_MAX = 200

let house: RunningHouse
let upstream: Upstream

const get = (path: string): Promise<Response> => fetch(`${house.url}${path}`, { headers: AUTH })
// oxlint-disable-next-line typescript/no-explicit-any -- A test reads whatever shape it expects.
const json = async (path: string): Promise<any> => (await get(path)).json()

const send = (body: Uint8Array, type = 'application/x-protobuf', path = '/v1/traces'): Promise<Response> =>
  fetch(`${house.url}${path}`, {
    method: 'POST',
    headers: { ...AUTH, 'content-type': type },
    body: body as Uint8Array<ArrayBuffer>,
  })

async function until<Value>(what: string, look: () => Promise<Value | undefined>): Promise<Value> {
  for (let polls = 0; polls < POLLS_MAX; polls++) {
    const found = await look()
    if (found !== undefined) return found
    await sleep(POLL_MS)
  }
  return assert.fail(`${what} did not come`)
}

async function ask(model: string): Promise<string> {
  const answer = await fetch(`${house.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { ...AUTH, 'content-type': 'application/json' },
    body: JSON.stringify({ model, user: 'ada', messages: [{ role: 'user', content: CANARY }] }),
  })
  assert.equal(answer.status, 200)
  await answer.text()
  return answer.headers.get('x-request-id') ?? ''
}

describe('telemetry of one house', () => {
  before(async () => {
    upstream = await startUpstream()
    upstream.behave(answers)
    house = await startHouse({
      documents: {},
      config: {
        gateways: 2,
        engines: { up: { kind: 'openai', url: upstream.url } },
        models: { m: { deployments: [{ engine: 'up', model: 'weights', price: { inputUsd: '1', outputUsd: '2' } }] } },
      },
    })
  })
  after(async () => {
    await house?.stop()
    await upstream?.stop()
  })

  test('a request is a trace of its own: listed with its figures, shown with its stages', async () => {
    const id = await ask('m')
    const listed = await until('its trace', async () =>
      (await json('/api/traces?service=headworks')).traces.find((one: { id: string }) => one.id === id),
    )
    assert.deepEqual(
      [listed.name, listed.model, listed.status, listed.inputTokens, listed.outputTokens, listed.costNanoUsd],
      ['chat m', 'm', 'ok', 7, 3, '13000'],
    )
    const shown = await json(`/api/traces/${id}`)
    assert.deepEqual([shown.body.outcome, shown.trace.traceId], ['answered', listed.traceId])
    const names = shown.spans.map(({ kind, name }: { kind: string; name: string }) => `${kind} ${name}`)
    assert.ok(names.includes('request chat m') && names.includes('generation attempt'), names.join(', '))
    assert.deepEqual((await json(`/api/traces/${listed.traceId}`)).id, id)
  })

  test('spans of another program are taken at any gateway, found, summed up and exported', async () => {
    const spans = agentSpans(1, 25, Date.now() * 1000 - 60_000_000)
    const traceId = spans[0]?.traceId ?? ''
    assert.equal((await send(protobufOf(spans))).status, 200)
    assert.deepEqual(await (await send(otlpJsonOf(spans), 'application/json')).json(), {})
    const trace = await until('the trace', async () => {
      const found = await json(`/api/traces/${traceId}`)
      return found.error === undefined ? found : undefined
    })
    assert.deepEqual([trace.total, trace.spans.length, trace.trace.service], [8, 8, 'shop'])
    const series = await json('/api/telemetry/series?by=model&kind=generation&service=shop&steps=false')
    const counts = series.points.map(({ model, spans: n }: { model: string; spans: number }) => `${model} ${n}`)
    assert.ok(counts.includes('gpt-4o 28'), counts.join(', '))
    const lines = (await (await get('/api/telemetry/export')).text()).trim().split('\n')
    assert.equal(lines.filter((line) => line.includes('"service":"shop"')).length, 200)
    const parquet = new Uint8Array(await (await get('/api/telemetry/export?format=parquet')).arrayBuffer())
    assert.equal(Buffer.from(parquet.slice(0, 4)).toString(), 'PAR1')
  })

  test('what a person says goes with the trace, and only with one that is there', async () => {
    const id = await ask('m')
    await until('its trace', async () => ((await json(`/api/traces/${id}`)).trace === undefined ? undefined : id))
    const say = (body: object): Promise<Response> =>
      fetch(`${house.url}/api/feedback`, { method: 'POST', headers: AUTH, body: JSON.stringify(body) })
    assert.equal((await say({ trace: id, name: 'thumbs', value: 1, comment: 'Right.' })).status, 200)
    const scores = await until('the score', async () => {
      const found = (await json(`/api/traces/${id}`)).scores
      return found.length > 0 ? found : undefined
    })
    assert.deepEqual([scores[0].name, scores[0].value, scores[0].comment], ['thumbs', 1, 'Right.'])
    assert.equal((await say({ trace: 'ab'.repeat(16), value: 1 })).status, 404)
    for (const bad of [
      { trace: 'x', value: 1 },
      { trace: id },
      { trace: id, value: { one: 1 } },
      { trace: id, span: 'y', value: 1 },
    ])
      assert.equal((await say(bad)).status, 400, JSON.stringify(bad))
  })

  test('what Prometheus scrapes is OpenMetrics to the last line, with an example of each histogram', async () => {
    await ask('m')
    const text = await until('counters of requests', async () => {
      const answer = await get('/metrics')
      assert.match(answer.headers.get('content-type') ?? '', /^application\/openmetrics-text; version=1\.0\.0/)
      const found = await answer.text()
      return found.includes('kind="request"') ? found : undefined
    })
    assert.ok(text.endsWith('# EOF\n'))
    assert.match(text, /^headworks_spans_total\{service="headworks",kind="request",model="m"\} [1-9]/m)
    assert.match(text, /_bucket\{[^}]*le="[\d.]+"\} \d+ # \{trace_id="[0-9a-f]{32}"\} [\d.e-]+ \d+\.\d{3}$/m)
    for (const line of text.trimEnd().split('\n'))
      assert.match(line, /^(?:# (?:TYPE|HELP|EOF)|\w+(?:\{(?:\w+="(?:[^"\\]|\\.)*",?)*\})? [\d.e+-]+(?: # .*)?$)/)
    assert.equal((await fetch(`${house.url}/metrics`)).status, 401)
  })

  test('neither the log nor any file of spans has what was asked', async () => {
    const spans = agentSpans(900, 1, Date.now() * 1000).map((span) => ({
      ...span,
      attributes: { ...span.attributes, 'gen_ai.input.messages': CANARY, 'input.value': CANARY, 'ai.prompt': CANARY },
    }))
    assert.equal((await send(protobufOf(spans))).status, 200)
    assert.equal((await send(Buffer.from(CANARY))).status, 400)
    const found = await until('the trace', async () => {
      const text = await (await get(`/api/traces/${spans[0]?.traceId}`)).text()
      return text.includes('"spans"') ? text : undefined
    })
    for (const text of [found, house.said(), await (await get('/api/telemetry/export')).text()])
      assert.ok(!text.includes(CANARY))
  })
})
