/** OpenTelemetry's own SDK for Node sends to a running house: what it exports is found, and the calls
 *  it makes lie in its traces. */
import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto'
import { resourceFromAttributes } from '@opentelemetry/resources'
import { TracerProvider, BatchSpanProcessor } from '@opentelemetry/sdk-trace'
import { ADMIN_KEY, type RunningHouse, startHouse } from '../kit/house.ts'
import { answers, startUpstream, type Upstream } from '../house/upstream.ts'

const AUTH = { authorization: `Bearer ${ADMIN_KEY}` }
const POLL_MS = 50
const POLLS_MAX = 200

let house: RunningHouse
let upstream: Upstream

interface Shown {
  readonly trace: { readonly service: string; readonly inputTokens: number; readonly costNanoUsd: string }
  readonly spans: readonly {
    readonly kind: string
    readonly service: string
    readonly spanId: string
    readonly parentId: string
    readonly attributes: { readonly [name: string]: unknown }
  }[]
}

suite('the OpenTelemetry SDK for Node', () => {
  before(async () => {
    upstream = await startUpstream()
    upstream.behave(answers)
    house = await startHouse({
      documents: {},
      config: {
        engines: { up: { kind: 'openai', url: upstream.url } },
        models: { m: { deployments: [{ engine: 'up', model: 'weights', price: { inputUsd: '1', outputUsd: '2' } }] } },
      },
    })
  })
  after(async () => {
    await house?.stop()
    await upstream?.stop()
  })

  test('its spans and the request they made are one trace, and cost what the request did', async () => {
    const exporter = new OTLPTraceExporter({ url: `${house.url}/v1/traces`, headers: AUTH })
    const provider = new TracerProvider({
      resource: resourceFromAttributes({ 'service.name': 'checkout' }),
      spanProcessors: [new BatchSpanProcessor({ exporter })],
    })
    const span = provider.getTracer('checkout').startSpan('chat m')
    const { traceId, spanId } = span.spanContext()
    const answer = await fetch(`${house.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { ...AUTH, 'content-type': 'application/json', traceparent: `00-${traceId}-${spanId}-01` },
      body: JSON.stringify({ model: 'm', messages: [{ role: 'user', content: 'Hello?' }] }),
    })
    const { usage } = (await answer.json()) as { usage: { prompt_tokens: number; completion_tokens: number } }
    span.setAttributes({
      'gen_ai.operation.name': 'chat',
      'gen_ai.request.model': 'gpt-4o',
      'gen_ai.usage.input_tokens': usage.prompt_tokens,
      'gen_ai.usage.output_tokens': usage.completion_tokens,
      'order.id': 4711,
    })
    span.end()
    await provider.forceFlush()
    await provider.shutdown()
    const shown = await until(async () => {
      const found = await fetch(`${house.url}/api/traces/${traceId}`, { headers: AUTH })
      const body = (await found.json()) as Shown
      return found.status === 200 && new Set(body.spans.map(({ service }) => service)).size === 2 ? body : undefined
    })
    const own = shown.spans.find(({ kind }) => kind === 'request')
    const sent = shown.spans.find(({ service }) => service === 'checkout')
    assert.deepEqual([own?.parentId, sent?.spanId, sent?.kind], [spanId, spanId, 'generation'])
    assert.equal(sent?.attributes['order.id'], 4711)
    assert.deepEqual([shown.trace.inputTokens, shown.trace.costNanoUsd], [7, '13000'])
    assert.equal(shown.trace.service, 'checkout')
  })
})

async function until<Value>(look: () => Promise<Value | undefined>): Promise<Value> {
  for (let polls = 0; polls < POLLS_MAX; polls++) {
    const found = await look()
    if (found !== undefined) return found
    await sleep(POLL_MS)
  }
  return assert.fail('the trace did not come')
}
