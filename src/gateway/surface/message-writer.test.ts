import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { chunk } from '../../../tests/kit/engine.ts'
import { isObject, type Json, type JsonObject } from '../../base/json.ts'
import { ANTHROPIC, readMessagesRequest } from './anthropic.ts'
import type { AnswerWriter, ChatRequest } from './dialect.ts'

const request = readMessagesRequest({ model: 'chat', messages: [{ role: 'user', content: 'x' }] }) as ChatRequest
const writer = (): AnswerWriter => ANTHROPIC.answer(request, { requestId: 'req_1', model: 'chat', now: () => 1 })

/** What a client makes of the events of a stream. */
function contentOf(events: string): JsonObject[] {
  const blocks: { [field: string]: Json | undefined }[] = []
  let open = -1
  for (const line of events.split('\n').filter((one) => one.startsWith('data: '))) {
    const event = JSON.parse(line.slice('data: '.length)) as JsonObject
    const { type, index, delta, content_block: block } = event
    if (type === 'content_block_start' && isObject(block)) {
      assert.deepEqual([open, index], [-1, blocks.length], 'one block at a time')
      blocks.push({ ...block, ...(block['type'] === 'tool_use' ? { input: '' } : {}) })
      open = Number(index)
    } else if (type === 'content_block_delta' && isObject(delta)) {
      assert.equal(index, open)
      const { type: _, ...said } = delta
      const [field, text] = Object.entries(said)[0] ?? assert.fail()
      const into = field === 'partial_json' ? 'input' : field
      const one = blocks[open] ?? assert.fail()
      one[into] = `${String(one[into])}${String(text)}`
    } else if (type === 'content_block_stop') {
      assert.equal(index, open)
      open = -1
    }
  }
  assert.equal(open, -1)
  return blocks.map((block) =>
    block['type'] === 'tool_use' ? { ...block, input: JSON.parse(String(block['input'])) as Json } : block,
  )
}

/** A text in pieces, none of them empty. */
const pieces = fc.array(fc.string({ minLength: 1, unit: 'grapheme' }), { minLength: 1, maxLength: 4 })
const call = fc
  .tuple(fc.string({ minLength: 1 }), fc.dictionary(fc.string(), fc.integer()), fc.nat(9))
  .map(([name, input, cut]) => ({ name, json: JSON.stringify(input), cut }))

test('streamed, in whatever pieces, an answer is the one that it is whole', () => {
  fc.assert(
    fc.property(fc.option(pieces), fc.option(pieces), fc.array(call, { maxLength: 3 }), (thought, text, calls) => {
      const named = calls.map(({ name, json }, index) => ({ id: `t${index}`, function: { name, arguments: json } }))
      const message = {
        ...(thought === null ? {} : { reasoning_content: thought.join('') }),
        content: text?.join('') ?? null,
        tool_calls: named,
      }
      const whole = writer().whole({ choices: [{ index: 0, message, finish_reason: 'stop' }] })
      const deltas = [
        ...(thought ?? []).map((reasoning): JsonObject => ({ reasoning_content: reasoning })),
        ...(text ?? []).map((content): JsonObject => ({ content })),
        ...calls.flatMap(({ name, json, cut }, index): JsonObject[] => [
          { tool_calls: [{ index, id: `t${index}`, function: { name, arguments: '' } }] },
          { tool_calls: [{ index, function: { arguments: json.slice(0, cut) } }] },
          { tool_calls: [{ index, function: { arguments: json.slice(cut) } }] },
        ]),
      ]
      const streaming = writer()
      const events = [...deltas.map((delta) => chunk(delta)), chunk({}, 'stop')].map((one) => streaming.chunk(one))
      const all = [...events, ...streaming.end({ output_tokens: 1 })].join('')
      assert.deepEqual(contentOf(all), whole['content'])
      assert.ok(all.includes(`"stop_reason":${JSON.stringify(whole['stop_reason'])},"stop_sequence"`))
    }),
  )
})

test('citations of a workflow come as its own, whole and streamed, one for each place', () => {
  const cite = (start: number, source = 1): JsonObject => ({
    type: 'url_citation',
    url_citation: { start_index: 4, end_index: 7, title: 'Guide', url: 'docs/a.md' },
    headworks: { source, document: 'doc_1', ranges: [{ start, end: start + 5, text: 'Keys.' }] },
  })
  const foreign = { type: 'url_citation', url_citation: { title: 'Elsewhere', url: 'https://x.example' } }
  const annotations = [cite(100), cite(100), cite(200, 2), foreign]
  const expected = [
    [0, 100, 105],
    [1, 200, 205],
  ].map(([index = 0, start = 0, end = 0]) => ({
    type: 'char_location',
    cited_text: 'Keys.',
    document_index: index,
    document_title: 'Guide',
    start_char_index: start,
    end_char_index: end,
    file_id: null,
  }))
  const whole = writer().whole({
    choices: [{ index: 0, message: { content: 'Yes [1].', annotations }, finish_reason: 'stop' }],
  })
  assert.deepEqual(whole['content'], [{ type: 'text', text: 'Yes [1].', citations: expected }])
  const streaming = writer()
  const events = [
    streaming.chunk(chunk({ content: 'Yes [1].' })),
    streaming.chunk(chunk({ annotations }, 'stop')),
    ...streaming.end({}),
  ].join('')
  const deltas = events
    .split('\n')
    .filter((line) => line.includes('citations_delta'))
    .map((line) => JSON.parse(line.slice('data: '.length)) as { index: number; delta: { citation: JsonObject } })
  assert.deepEqual(
    deltas.map(({ index, delta: { citation } }) => [index, citation]),
    expected.map((citation) => [0, citation]),
  )
  assert.equal(events.split('content_block_start').length - 1, 2, 'one block, named in its event and in its data')
})
