import assert from 'node:assert/strict'
import { before, test } from 'node:test'
import fc from 'fast-check'
import { countTokens } from 'gpt-tokenizer/encoding/o200k_base'
import { hardText } from '../../tests/kit/texts.ts'
import { JSON_RENDERINGS, schema, toolName } from '../../tests/kit/tools.ts'
import { isObject, type Json, type JsonObject } from '../base/json.ts'
import { PublishedTokenizer } from '../drivers/tiktoken/tokenizer.ts'
import { choicesMax, inputTokensBound, TOKENIZED_BYTES_MAX, unboundedInput } from './bound.ts'
import { BYTES, TEMPLATE_TOKENS_MAX, type Tokenizer } from './tokenizer/tokenizer.ts'

const text = fc.string({ unit: 'binary', maxLength: 200 })

const published = new PublishedTokenizer('o200k_base', (reason) => assert.fail(reason))
const TOKENIZER: Tokenizer = {
  name: published.name,
  count: (text) => published.count(text),
  countMax: (text) => published.countMax(text),
  spacesMax: (length) => published.spacesMax(length),
  templateTokensMax: 64,
  imageTokensMax: 1_000,
}
before(() => published.load())

test('no text has more tokens than its bytes, wherever it stands', () => {
  fc.assert(
    fc.property(fc.array(text, { minLength: 1, maxLength: 5 }), text, (contents, tool) => {
      const messages = contents.map((content, i) => ({
        role: 'user',
        content: i % 2 === 0 ? content : [{ type: 'text', text: content }],
      }))
      const bytes = [...contents, tool].reduce((sum, one) => sum + Buffer.byteLength(one.toWellFormed()), 0)
      const bound = inputTokensBound({
        messages,
        tools: [{ type: 'function', function: { name: 'f', description: tool } }],
      })
      assert.ok(bound >= bytes + 16 * contents.length, `${bound} for ${bytes} bytes`)
    }),
  )
})

const message: fc.Arbitrary<JsonObject> = fc.oneof(
  fc.record({ role: fc.constantFrom('system', 'user'), content: hardText, name: toolName }),
  fc.record({
    role: fc.constant('user'),
    content: fc.array(fc.record({ type: fc.constant('text'), text: hardText }), { maxLength: 3 }),
  }),
  fc.record({
    role: fc.constant('assistant'),
    content: fc.constant(null),
    tool_calls: fc.array(
      fc.record({
        id: toolName,
        type: fc.constant('function'),
        function: fc.record({
          name: toolName,
          arguments: fc.oneof(
            hardText,
            schema.map((one) => JSON.stringify(one)),
          ),
        }),
      }),
      { maxLength: 2 },
    ),
  }),
  fc.record({ role: fc.constant('tool'), tool_call_id: toolName, content: hardText }),
) as fc.Arbitrary<JsonObject>

const body: fc.Arbitrary<JsonObject> = fc.record({ messages: fc.array(message, { minLength: 1, maxLength: 4 }) })

/** Of the answer: `<|im_start|>assistant` and a line's end, of which bytes are ten. */
const OPENING_TOKENS = 11

/** A chat template: ChatML around everything that the messages hold. */
function prompt({ messages }: JsonObject, render: (value: Json) => string): string {
  let text = ''
  for (const message of messages as readonly JsonObject[]) {
    const { role, content, tool_calls: calls, ...rest } = message
    text += `<|im_start|>${String(role)}`
    for (const value of Object.values(rest)) text += ` ${String(value)}`
    text += '\n'
    if (typeof content === 'string') text += role === 'tool' ? render(content) : content.trim()
    if (Array.isArray(content)) for (const part of content as readonly JsonObject[]) text += String(part['text'])
    for (const call of (calls ?? []) as readonly JsonObject[]) {
      const { name, arguments: given } = call['function'] as JsonObject
      text += `\n<tool_call>\n{"name": ${render(name ?? null)}, "arguments": ${render(read(String(given)))}}\n</tool_call>`
    }
    text += '<|im_end|>\n'
  }
  return `${text}<|im_start|>assistant\n`.toWellFormed()
}

/** Templates read a call's arguments where they are JSON. */
function read(text: string): Json {
  try {
    const value = JSON.parse(text) as Json
    return isObject(value) ? value : text
  } catch {
    return text
  }
}

for (const [name, tokenizer, bytesPerToken] of [
  ['bytes', BYTES, 1],
  ['o200k_base', TOKENIZER, 0],
] as const)
  test(`${name}: no chat has a prompt above its bound, however its template writes it`, () => {
    fc.assert(
      fc.property(body, (chat) => {
        const bound = inputTokensBound(chat, { ...tokenizer, templateTokensMax: OPENING_TOKENS })
        for (const render of JSON_RENDERINGS) {
          const rendered = prompt(chat, render)
          const tokens =
            bytesPerToken === 1
              ? Buffer.byteLength(rendered.replaceAll(/<\|im_(?:start|end)\|>/g, '.'))
              : countTokens(rendered, { allowedSpecial: 'all' })
          assert(bound >= tokens, `${bound} for ${tokens}: ${rendered}`)
        }
      }),
      { numRuns: 400 },
    )
  })

test('with its tokenizer, a chat in plain words is bounded near what it has', () => {
  const content = 'Please say in a few words what the house keeps, where it keeps it, and why. '.repeat(40)
  const chat = { model: 'm', messages: [{ role: 'user', content }], temperature: 0.5, max_tokens: 5 }
  const tokens = countTokens(content)
  const bound = inputTokensBound(chat, TOKENIZER)
  assert(bound > tokens && bound < tokens + 64 + 16 + 40, `${bound} for ${tokens}`)
  assert(inputTokensBound(chat) > 4 * tokens)
})

test('what is longer than may be tokenized is counted as far as that, and then taken at its bytes', () => {
  const content = 'All the words of a very long text. '.repeat(4_000)
  const bound = inputTokensBound({ messages: [{ role: 'user', content }] }, TOKENIZER)
  const tokenized = countTokens(content.slice(0, TOKENIZED_BYTES_MAX))
  const expected = content.length - TOKENIZED_BYTES_MAX + tokenized
  assert(bound > expected && bound < expected + 64 + 16 + 40, `${bound} for ${expected}`)
})

test('a field that is not known counts, those that say how to answer do not', () => {
  const plain = inputTokensBound({ messages: [] })
  assert.equal(plain, TEMPLATE_TOKENS_MAX)
  assert.equal(inputTokensBound({ messages: [], temperature: 1, max_tokens: 5, user: 'u'.repeat(500) }), plain)
  assert(inputTokensBound({ messages: [], documents: ['d'.repeat(500)] }) >= plain + 500)
  assert(inputTokensBound({ messages: [], response_format: { json_schema: 's'.repeat(500) } }) >= plain + 500)
})

test('a picture counts by itself, not by the length of its address', () => {
  const picture = { type: 'image_url', image_url: { url: 'http://a.test/b' } }
  const one = inputTokensBound({ messages: [{ role: 'user', content: [picture] }] })
  const two = inputTokensBound({ messages: [{ role: 'user', content: [picture, picture] }] })
  assert.ok(one > 50_000 && two > 100_000)
  const known = inputTokensBound({ messages: [{ role: 'user', content: [picture] }] }, TOKENIZER)
  assert(known > 1_000 && known < 1_200)
})

test('sound counts by its bytes', () => {
  const part = { type: 'input_audio', input_audio: { data: 'A'.repeat(900), format: 'wav' } }
  assert(inputTokensBound({ messages: [{ role: 'user', content: [part] }] }) > 900 + TEMPLATE_TOKENS_MAX)
})

test('what no bound can be given for is named', () => {
  const asks = (content: Json, more: JsonObject = {}) =>
    unboundedInput(
      {
        messages: [
          { role: 'user', content: 'hi' },
          { role: 'user', content },
        ],
        ...more,
      },
      TOKENIZER,
    )
  assert.equal(asks('hi'), undefined)
  assert.equal(
    asks([
      { type: 'text', text: 'hi' },
      { type: 'image_url', image_url: { url: 'x' } },
    ]),
    undefined,
  )
  assert.equal(asks([{ type: 'input_audio', input_audio: { data: 'x', format: 'mp3' } }]), undefined)
  for (const part of [{ type: 'file', file: { file_id: 'f' } }, { type: 'video_url' }, {}, { type: 'text' }])
    assert.equal(asks([{ type: 'text', text: 'hi' }, part])?.field, 'messages[1].content[1]')
  for (const field of [
    'web_search_options',
    'chat_template',
    'plugins',
    'mm_processor_kwargs',
    'mcp_servers',
    'container',
  ])
    assert.equal(asks('hi', { [field]: {} })?.field, field)
  const spoken = { messages: [{ role: 'assistant', audio: { id: 'a' } }] }
  assert.equal(unboundedInput(spoken)?.field, 'messages[0].audio')
  const claude = { messages: [], anthropic: { thinking: { type: 'adaptive' }, top_k: 5 } }
  assert.equal(unboundedInput(claude), undefined)
  const searching = { ...claude, anthropic: { ...claude.anthropic, tools: [{ type: 'web_search_20260318' }] } }
  assert.equal(unboundedInput(searching)?.field, 'anthropic.tools')
  const picture = { messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url: 'x' } }] }] }
  assert.match(unboundedInput(picture)?.reason ?? '', /`imageTokensMax`/)
})

test('every answer that may be written counts, whoever is asked for it', () => {
  const cases: [JsonObject, number][] = [
    [{}, 1],
    [{ n: 3 }, 3],
    [{ n: 2, best_of: 5 }, 5],
    [{ best_of: 1.2 }, 2],
    [{ n: 0, best_of: -4 }, 1],
    [{ best_of: 'many' }, 1],
  ]
  for (const [body, choices] of cases) assert.equal(choicesMax(body), choices, JSON.stringify(body))
})
