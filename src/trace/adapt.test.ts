import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { JsonObject } from '../base/json.ts'
import { Adapter, type PriceOf } from './adapt.ts'
import type { RawSpan } from './raw.ts'
import { SPAN_COLUMNS, spanCells, spanOf, SCHEMA_VERSION } from './span.ts'

const START_US = 1_760_000_000_000_000

/** 2 USD a million read, a tenth of it from the cache, 8 written. */
const priceOf: PriceOf = (provider, model, _, tokens) =>
  model === 'gpt-5-mini' && (provider === 'openai' || provider === '')
    ? {
        provider: 'openai',
        costNanoUsd:
          tokens.inputTokens * 2000 +
          tokens.cachedInputTokens * 200 +
          (tokens.outputTokens + tokens.reasoningTokens) * 8000,
      }
    : undefined

function raw(name: string, attributes: JsonObject, more: Partial<RawSpan> = {}): RawSpan {
  return {
    traceId: 'ab'.repeat(16),
    spanId: 'cd'.repeat(8),
    parentId: '',
    name,
    startUs: START_US,
    endUs: START_US + 1_500_000,
    status: 1,
    statusMessage: '',
    attributes: Object.entries(attributes).map(([key, value]) => [key, value ?? null]),
    events: [],
    ...more,
  }
}

const read = (span: RawSpan, prices = priceOf) =>
  new Adapter(prices).read(span, { resource: [['service.name', 'shop']], scope: '' }, 'acme')

/** One call: 1,200 tokens read, 1,000 of them from the cache, 70 written, 20 of them reasoned. */
const SIX: { readonly [dialect: string]: RawSpan } = {
  'OpenTelemetry GenAI up to 1.36': raw(
    'chat gpt-5-mini',
    {
      'gen_ai.operation.name': 'chat',
      'gen_ai.system': 'openai',
      'gen_ai.request.model': 'gpt-5-mini',
      'gen_ai.response.model': 'gpt-5-mini',
      'gen_ai.usage.input_tokens': 1200,
      'gen_ai.usage.cache_read_input_tokens': 1000,
      'gen_ai.usage.output_tokens': 70,
      'gen_ai.usage.reasoning_tokens': 20,
      'gen_ai.response.finish_reasons': ['stop'],
      'gen_ai.conversation.id': 's-1',
      'user.id': 'u-1',
      'gen_ai.prompt': '[{"role":"user","content":"My card is 4111"}]',
    },
    { events: [{ name: 'gen_ai.first_token', atUs: START_US + 250_000, attributes: [] }] },
  ),
  'OpenTelemetry GenAI from 1.37': raw('chat gpt-5-mini', {
    'gen_ai.operation.name': 'chat',
    'gen_ai.provider.name': 'openai',
    'gen_ai.request.model': 'gpt-5-mini',
    'gen_ai.response.model': 'gpt-5-mini',
    'gen_ai.usage.input_tokens': 1200,
    'gen_ai.usage.cache_read.input_tokens': 1000,
    'gen_ai.usage.output_tokens': 70,
    'gen_ai.usage.reasoning.output_tokens': 20,
    'gen_ai.response.finish_reasons': ['stop'],
    'gen_ai.response.time_to_first_chunk': 0.25,
    'gen_ai.conversation.id': 's-1',
    'user.id': 'u-1',
    'gen_ai.input.messages': '[{"role":"user","parts":[{"type":"text","content":"My card is 4111"}]}]',
  }),
  OpenInference: raw(
    'ChatCompletion',
    {
      'openinference.span.kind': 'LLM',
      'llm.model_name': 'gpt-5-mini',
      'llm.provider': 'openai',
      'llm.system': 'openai',
      'llm.token_count.prompt': 1200,
      'llm.token_count.prompt_details.cache_read': 1000,
      'llm.token_count.completion': 70,
      'llm.token_count.completion_details.reasoning': 20,
      'llm.token_count.total': 1270,
      'llm.finish_reason': 'stop',
      'session.id': 's-1',
      'user.id': 'u-1',
      'input.value': 'My card is 4111',
      'llm.input_messages.0.message.content': 'My card is 4111',
    },
    { events: [{ name: 'First Token Stream Event', atUs: START_US + 250_000, attributes: [] }] },
  ),
  Traceloop: raw(
    'openai.chat',
    {
      'llm.request.type': 'chat',
      'gen_ai.system': 'OpenAI',
      'gen_ai.request.model': 'gpt-5-mini',
      'gen_ai.response.model': 'gpt-5-mini',
      'gen_ai.usage.prompt_tokens': 1200,
      'gen_ai.usage.cache_read_input_tokens': 1000,
      'gen_ai.usage.completion_tokens': 70,
      'gen_ai.usage.reasoning_tokens': 20,
      'llm.usage.total_tokens': 1270,
      'gen_ai.completion.0.finish_reason': 'stop',
      'traceloop.association.properties.user_id': 'u-1',
      'traceloop.association.properties.session_id': 's-1',
      'gen_ai.prompt.0.content': 'My card is 4111',
      'llm.is_streaming': true,
    },
    { events: [{ name: 'gen_ai.first_token', atUs: START_US + 250_000, attributes: [] }] },
  ),
  'Vercel AI SDK': raw('ai.streamText.doStream', {
    'ai.operationId': 'ai.streamText.doStream',
    'operation.name': 'ai.streamText.doStream',
    'ai.model.id': 'gpt-5-mini',
    'ai.model.provider': 'openai.responses',
    'ai.response.model': 'gpt-5-mini',
    'ai.response.finishReason': 'stop',
    'ai.response.msToFirstChunk': 250,
    'ai.usage.inputTokens': 1200,
    'ai.usage.cachedInputTokens': 1000,
    'ai.usage.outputTokens': 70,
    'ai.usage.reasoningTokens': 20,
    'ai.usage.totalTokens': 1270,
    'ai.telemetry.metadata.userId': 'u-1',
    'ai.telemetry.metadata.sessionId': 's-1',
    'ai.prompt.messages': '[{"role":"user","content":"My card is 4111"}]',
    'ai.response.text': 'Sorry.',
  }),
  Langfuse: raw('OpenAI-generation', {
    'langfuse.observation.type': 'generation',
    'langfuse.observation.model.name': 'gpt-5-mini',
    'langfuse.observation.usage_details':
      '{"input":200,"input_cached_tokens":1000,"output":50,"output_reasoning_tokens":20,"total":1270}',
    'langfuse.observation.completion_start_time': `"${new Date(START_US / 1000 + 250).toISOString()}"`,
    'langfuse.observation.metadata.finish_reason': 'stop',
    'langfuse.user.id': 'u-1',
    'langfuse.session.id': 's-1',
    'langfuse.observation.input': 'My card is 4111',
  }),
}

const GOLDEN = {
  traceId: 'ab'.repeat(16),
  spanId: 'cd'.repeat(8),
  parentId: '',
  kind: 'generation',
  name: 'chat gpt-5-mini',
  service: 'shop',
  tenant: 'acme',
  user: 'u-1',
  session: 's-1',
  workflow: '',
  prompt: '',
  startUs: START_US,
  durationUs: 1_500_000,
  status: 'ok',
  error: '',
  operation: 'chat',
  provider: 'openai',
  model: 'gpt-5-mini',
  deployment: '',
  finishReason: 'stop',
  inputTokens: 200,
  cachedInputTokens: 1000,
  cacheWriteTokens: 0,
  outputTokens: 50,
  reasoningTokens: 20,
  costNanoUsd: 200 * 2000 + 1000 * 200 + 70 * 8000,
  firstTokenUs: 250_000,
  probability: 1,
  attributes: '{}',
}

for (const [dialect, span] of Object.entries(SIX))
  test(`the same call in ${dialect} is the same row, at the same cost`, () => assert.deepEqual(read(span), GOLDEN))

test('the columns are what they were: a new one stands at the end', () => {
  assert.equal(SCHEMA_VERSION, 1)
  assert.equal(
    SPAN_COLUMNS.map(([name]) => name).join(' '),
    'traceId spanId parentId kind name service tenant user session workflow prompt startUs durationUs status error operation provider model deployment finishReason inputTokens cachedInputTokens cacheWriteTokens outputTokens reasoningTokens costNanoUsd firstTokenUs probability attributes',
  )
  const row = read(SIX['Langfuse'] ?? assert.fail())
  assert.deepEqual(spanOf(spanCells(row)), row)
})

test('what goes round a call repeats its tokens, and counts none', () => {
  const outer = read(raw('ai.streamText', { 'ai.operationId': 'ai.streamText', 'ai.usage.inputTokens': 1200 }))
  const agent = read(raw('agent', { 'gen_ai.operation.name': 'invoke_agent', 'gen_ai.usage.input_tokens': 1200 }))
  for (const row of [outer, agent]) assert.deepEqual([row.inputTokens, row.costNanoUsd], [null, null])
  assert.deepEqual([outer.kind, agent.kind], ['workflow', 'agent'])
})

test('a cost that was sent stands where nobody knows the price', () => {
  const row = read(
    raw('x', {
      'openinference.span.kind': 'LLM',
      'llm.model_name': 'ours',
      'llm.token_count.prompt': 5,
      'llm.cost.total': 0.0042,
    }),
  )
  assert.equal(row.costNanoUsd, 4_200_000)
})

test('a tenant is whose key it was, whatever the span says', () => {
  assert.equal(read(raw('x', { tenant: 'other', 'headworks.tenant': 'other' })).tenant, 'acme')
})

test('inputs and outputs are not kept, in any dialect', () => {
  for (const span of Object.values(SIX)) assert.doesNotMatch(JSON.stringify(read(span)), /4111|Sorry/)
})

test('what is beyond its bounds is cut or left out, and sums stay exact', () => {
  const long = 'x'.repeat(10_000_000)
  const row = read(
    raw(
      long,
      {
        'openinference.span.kind': 'LLM',
        note: long,
        'llm.token_count.prompt': 1e300,
        'llm.token_count.completion': -5,
        'user.id': `\ud800 ${long}`,
        ...Object.fromEntries(Array.from({ length: 1_000 }, (_, at) => [`a${at}`, at])),
      },
      { startUs: 1e300, endUs: -1 },
    ),
  )
  assert.ok(JSON.stringify(row).length < 20_000, 'bounded')
  assert.deepEqual([row.inputTokens, row.outputTokens, row.durationUs], [null, null, 0])
  assert.ok(Number.isSafeInteger(row.startUs + row.durationUs))
  assert.ok(row.user.isWellFormed())
})

test('clocks of 1970 and 2100 are taken as they are', () => {
  for (const year of [1970, 2100]) {
    const startUs = Date.UTC(year, 0, 2) * 1000
    assert.equal(read(raw('x', {}, { startUs, endUs: startUs + 5 })).startUs, startUs)
  }
})
