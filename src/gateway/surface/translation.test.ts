import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { ManualClock } from '../../../tests/kit/clock.ts'
import { someSpending } from '../../../tests/kit/spending.ts'
import { Refusal } from '../../base/errors.ts'
import type { Json, JsonObject } from '../../base/json.ts'
import { messagesBody } from '../../drivers/anthropic/request.ts'
import { Trace } from '../../trace/trace.ts'
import { readMessagesRequest } from './anthropic.ts'

/** There and back: what a caller says in Anthropic's dialect reaches an engine of that dialect whole. */
function thereAndBack(body: JsonObject): JsonObject {
  const request = readMessagesRequest(body)
  if (request instanceof Refusal) return assert.fail(JSON.stringify(request.details))
  const back = messagesBody({
    requestId: 'req_1',
    span: new Trace(new ManualClock()).open('call'),
    connectTimeoutMs: 10,
    spending: someSpending(),
    model: request.model,
    stream: request.stream,
    outputTokensMax: request.outputTokensMax ?? 0,
    body: request.body,
  })
  return typeof back === 'string' ? assert.fail(back) : back
}

const words = fc.string({ minLength: 1, unit: 'grapheme' })
const cached = fc.option(fc.record({ cache_control: fc.constant({ type: 'ephemeral', ttl: '1h' }) }), { nil: {} })
const withCache = <Block extends JsonObject>(block: fc.Arbitrary<Block>): fc.Arbitrary<JsonObject> =>
  fc.tuple(block, cached).map(([one, more]) => ({ ...one, ...more }))

const text = withCache(fc.record({ type: fc.constant('text'), text: words }))
const base64 = (media: string) =>
  fc.record({ type: fc.constant('base64'), media_type: fc.constant(media), data: fc.base64String() })
const image = withCache(
  fc.record({
    type: fc.constant('image'),
    source: fc.oneof(base64('image/png'), fc.record({ type: fc.constant('url'), url: fc.webUrl() })),
  }),
)
const document = withCache(
  fc.record(
    { type: fc.constant('document'), source: base64('application/pdf'), title: words },
    { requiredKeys: ['type', 'source'] },
  ),
)
const result = withCache(
  fc.record(
    {
      type: fc.constant('tool_result'),
      tool_use_id: words,
      content: fc.oneof(fc.string(), fc.array(fc.oneof(text, image), { minLength: 1 })),
      is_error: fc.boolean(),
    },
    { requiredKeys: ['type', 'tool_use_id', 'content'] },
  ),
)
const input = fc.dictionary(
  words,
  fc.jsonValue({ maxDepth: 2, noNegativeZero: true } as object),
) as fc.Arbitrary<JsonObject>
const call = withCache(fc.record({ type: fc.constant('tool_use'), id: words, name: words, input }))
const thought = fc.oneof(
  fc.record({ type: fc.constant('thinking'), thinking: fc.string(), signature: words }),
  fc.record({ type: fc.constant('redacted_thinking'), data: words }),
)

const user = fc.oneof(
  words.map((content): Json => content),
  fc.array(fc.oneof(result, text, image, document), { minLength: 1 }),
)
const assistant = fc.oneof(
  words.map((content): Json => content),
  fc
    .tuple(fc.array(thought), fc.array(text), fc.array(call))
    .map((blocks): Json => blocks.flat())
    .filter((blocks) => Array.isArray(blocks) && blocks.length > 0),
)
const turns = fc.array(fc.tuple(user, assistant), { minLength: 1, maxLength: 4 }).map((pairs) =>
  pairs.flatMap(([asked, said]): JsonObject[] => [
    { role: 'user', content: asked },
    { role: 'assistant', content: said },
  ]),
)

const tool = withCache(
  fc.record(
    {
      name: words,
      description: words,
      input_schema: fc.constant({ type: 'object', properties: {} }),
      strict: fc.boolean(),
    },
    { requiredKeys: ['name', 'input_schema'] },
  ),
)
const alone = fc.option(fc.record({ disable_parallel_tool_use: fc.constant(true) }), { nil: {} })
const choice = fc.oneof(
  fc.constant({ type: 'none' }),
  fc.tuple(fc.constantFrom('auto', 'any'), alone).map(([type, more]) => ({ type, ...more })),
  fc.tuple(words, alone).map(([name, more]) => ({ type: 'tool', name, ...more })),
)
const body = fc.record(
  {
    model: words,
    max_tokens: fc.integer({ min: 1, max: 1_000_000 }),
    stream: fc.boolean(),
    messages: turns,
    system: fc.oneof(words, fc.array(text, { minLength: 1 })),
    tools: fc.array(tool, { minLength: 1 }),
    tool_choice: choice,
    stop_sequences: fc.array(fc.string()),
    temperature: fc.double({ min: 0, max: 1, noNaN: true }),
    top_p: fc.double({ min: 0, max: 1, noNaN: true }),
    top_k: fc.nat(),
    metadata: fc.record({ user_id: words }),
    thinking: fc.constant({ type: 'enabled', budget_tokens: 1024 }),
    output_config: fc.constantFrom({ effort: 'max' }, { format: { type: 'json_schema', schema: { type: 'object' } } }),
    field_of_tomorrow: fc.jsonValue().filter((value) => value !== null),
  },
  { requiredKeys: ['model', 'max_tokens', 'stream', 'messages'] },
)

/** A text is short for one block of it. */
const inBlocks = (content: Json): Json => (typeof content === 'string' ? [{ type: 'text', text: content }] : content)

test('translated there and back a request keeps its messages, its tools and all else', () => {
  fc.assert(
    fc.property(body, (asked) => {
      const { messages, system, tool_choice: chosen, ...rest } = asked
      const expected = {
        ...rest,
        messages: messages.map((turn) => ({ ...turn, content: inBlocks(turn['content'] ?? null) })),
        ...(system === undefined ? {} : { system: inBlocks(system) }),
        // Without tools there is nothing to choose.
        ...(chosen === undefined || rest.tools === undefined ? {} : { tool_choice: chosen }),
      }
      const wire = JSON.parse(JSON.stringify(thereAndBack(JSON.parse(JSON.stringify(asked)) as JsonObject))) as object
      assert.deepEqual(wire, JSON.parse(JSON.stringify(expected)))
    }),
  )
})
