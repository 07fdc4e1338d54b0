import assert from 'node:assert/strict'
import { test } from 'node:test'
import { settled } from '../../../tests/kit/clock.ts'
import { chunk, completion } from '../../../tests/kit/engine.ts'
import { openWorkflow as open, passage, SPEC } from '../../../tests/kit/workflow.ts'
import { fault } from '../../base/errors.ts'
import type { JsonObject } from '../../base/json.ts'
import type { InnerCall } from '../../engine/port.ts'
import { readSources } from '../../engine/sources.ts'
import { NO_USAGE } from '../../meter/usage.ts'
import { versionOf } from './spec.ts'

const KEYS = passage('Make a key with `keys create`. Keys expire after a year.')
const DISK = passage('When the disk is full, writes are refused.', {
  document: 'doc_2',
  title: 'Operations',
  headings: [],
})

// oxlint-disable-next-line typescript/no-explicit-any -- Tests read whatever shape they expect.
const last = (frames: JsonObject[]): any => frames.at(-1)

const messagesOf = (call: InnerCall | undefined) =>
  (call?.body['messages'] ?? []) as { role: string; content: string }[]

test('a stream carries the sources with its first chunk and the citations with its last', async () => {
  const { inner, got, start, trace, spending } = open([KEYS, DISK])
  start(true)
  await settled()
  const [call] = inner
  assert.equal(call?.model, 'chat')
  assert.deepEqual(readSources(JSON.stringify(call?.call.body)).length, 0, 'the prompt is text, not JSON')
  const [system, ...rest] = messagesOf(call?.call)
  assert.deepEqual(
    readSources(system?.content ?? '').map(({ number, title }) => [number, title]),
    [
      [1, 'Guide › Keys'],
      [2, 'Operations'],
    ],
  )
  assert.deepEqual(
    rest.map(({ role }) => role),
    ['system', 'user'],
  )
  call?.sink.frame(chunk({ role: 'assistant', content: 'Make one with `keys ' }))
  call?.sink.frame(chunk({ content: 'create` [1].' }))
  call?.sink.frame(chunk({}, 'stop'))
  assert.equal(got.frames.length, 2, 'the last chunk waits for the citations')
  const usage = { inputTokens: 9, cachedInputTokens: 0, outputTokens: 4, reasoningTokens: 0, estimated: false }
  call?.sink.end({ usage })
  const first = got.frames[0] as { model: string; headworks: { sources: { document: string }[] } }
  assert.deepEqual([first.model, first.headworks.sources.map(({ document }) => document)], ['docs', ['doc_1', 'doc_2']])
  const end = last(got.frames)
  assert.deepEqual(end.choices[0].delta.annotations, [
    {
      type: 'url_citation',
      url_citation: { start_index: 28, end_index: 31, title: 'Guide › Keys', url: 'docs/a.md' },
      headworks: {
        source: 1,
        document: 'doc_1',
        ranges: [{ start: 100, end: 130, text: 'Make a key with `keys create`.' }],
      },
    },
  ])
  assert.equal(end.headworks.answered, true)
  const [quote] = end.headworks.sources[0].quotes
  assert.equal(KEYS.text.slice(quote.start, quote.end).trim(), 'Make a key with `keys create`.')
  assert.deepEqual([got.end?.usage, call?.call.spending], [usage, spending])
  assert.deepEqual(
    trace.spans().map(({ name }) => name),
    ['attempt', 'search', 'assemble', 'generate', 'ground'],
  )
})

test('a whole answer has them on its message, and what the engine says of its quotes stands', async () => {
  const { inner, got, start } = open([KEYS])
  start(false)
  await settled()
  inner[0]?.sink.frame({
    ...completion('Yes [1]'),
    headworks: { answered: true, quotes: [{ source: 1, start: 0, end: 4 }] },
  })
  inner[0]?.sink.end({})
  assert.equal(last(got.frames).choices[0].message.annotations.length, 1)
  assert.deepEqual(last(got.frames).headworks.sources[0].quotes, [{ start: 0, end: 4 }])
})

test('what a strange server says of its quotes is believed only as far as it makes sense', async () => {
  const quotes = [
    { source: 1, start: 0, end: 4 },
    { source: 2, start: 0, end: 4 },
    { source: 1, start: 4, end: 4 },
    { source: 1, start: 0, end: 1e9 },
    'x',
    null,
  ]
  for (const [said, kept] of [
    [{ answered: 'yes', quotes: 'all of them' }, []],
    [{ answered: true, quotes }, [{ start: 0, end: 4 }]],
  ] as const) {
    const { inner, got, start } = open([KEYS])
    start(false)
    await settled()
    inner[0]?.sink.frame({ ...completion('Bananas [1]'), headworks: said })
    inner[0]?.sink.end({})
    assert.deepEqual(last(got.frames).headworks.sources[0].quotes, kept)
    assert.equal(last(got.frames).headworks.answered, true)
    assert.ok(got.end !== undefined)
  }
})

test('an answer that cites nothing, or a source there is not, is not an answer from the sources', async () => {
  for (const text of ['The sources do not say.', 'See [7].', 'See [0].']) {
    const { inner, got, start } = open([KEYS])
    start(false)
    await settled()
    inner[0]?.sink.frame(completion(text))
    inner[0]?.sink.end({})
    assert.deepEqual(
      [last(got.frames).headworks.answered, last(got.frames).choices[0].message.annotations],
      [false, []],
    )
  }
})

test('when nothing is found no model is asked to invent something', async () => {
  for (const stream of [true, false]) {
    const { inner, got, start } = open([])
    start(stream)
    await settled()
    assert.equal(inner.length, 0)
    assert.equal(last(got.frames).headworks.answered, false)
    assert.deepEqual(got.end, {})
  }
})

test('a reranker gets more than is wanted, decides what is kept, and is paid for by the same request', async () => {
  const { inner, asked, got, start, spending, payers } = open([KEYS, DISK, passage('Third.'), passage('Fourth.')], {
    rerank: 'lexical',
    topK: 1,
  })
  start(true)
  await settled()
  assert.equal(asked[0]?.k, 4)
  const [system] = messagesOf(inner[0]?.call)
  assert.deepEqual(
    readSources(system?.content ?? '').map(({ text }) => text),
    ['Fourth.'],
  )
  inner[0]?.sink.frame(chunk({ content: 'Yes [1]' }, 'stop'))
  inner[0]?.sink.end({ usage: { ...NO_USAGE, inputTokens: 9, outputTokens: 4 } })
  assert.deepEqual(got.end, {}, 'the usage of the last call alone would be too little')
  assert.deepEqual([...payers, inner[0]?.call.spending], [spending, spending])
})

test('cancelling at each stage stops the next', async () => {
  const early = open([KEYS])
  early.start(true).cancel()
  await settled()
  assert.deepEqual([early.inner.length, early.got.frames.length], [0, 0])
  const late = open([KEYS])
  const attempt = late.start(true)
  await settled()
  attempt.pause()
  assert.equal(late.inner[0]?.paused, true)
  attempt.cancel()
  assert.equal(late.inner[0]?.cancelled, true)
  late.inner[0]?.sink.frame(chunk({ content: 'late' }))
  late.inner[0]?.sink.end({})
  assert.deepEqual(late.got, { frames: [] })
})

test('a search or a model that fails is the fault of the call, once', async () => {
  const search = open(fault('index_unavailable', { reason: 'gone' }))
  search.start(true)
  await settled()
  assert.equal(search.got.fault?.code, 'index_unavailable')
  const model = open([KEYS])
  model.start(true)
  await settled()
  model.inner[0]?.sink.fail(fault('engine_busy', { engine: 'e' }))
  assert.equal(model.got.fault?.code, 'engine_busy')
})

test('a conversation without a question is refused', async () => {
  const { got, start } = open([KEYS])
  start(true, '  ')
  await settled()
  assert.equal(got.fault?.code, 'field_invalid')
})

test('where the passages do not speak of what is asked, no model is asked, and the answer says who decided', async () => {
  for (const stream of [true, false]) {
    const { inner, got, start } = open([KEYS, DISK], { evidenceMin: 0.3 })
    start(stream, 'Who composed this opera in Vienna?')
    await settled()
    assert.equal(inner.length, 0)
    const { headworks, choices } = last(got.frames)
    assert.deepEqual(
      [headworks.answered, headworks.unanswered_by, headworks.evidence, choices[0].finish_reason],
      [false, 'retrieval', 0, 'stop'],
    )
    assert.deepEqual(got.end, {})
  }
})

test('a passage that was found by its vector may answer in other words', async () => {
  const { inner, start } = open([{ ...KEYS, legs: { vector: { score: 0.8, rank: 1 } } }], { evidenceMin: 0.3 })
  start(false, 'Who composed this opera in Vienna?')
  await settled()
  assert.equal(inner.length, 1)
})

test('who says that the sources hold no answer: the engine, a statement, missing citations', async () => {
  for (const [text, said, by] of [
    ['Keys [1].', { answered: false }, 'engine'],
    ['The sources do not say how keys are made [1].', undefined, 'statement'],
    ['Keys are made of brass.', undefined, 'citations'],
    ['Keys are made with `keys create` [1].', undefined, undefined],
  ] as const) {
    const { inner, got, start, trace } = open([KEYS])
    start(false)
    await settled()
    inner[0]?.sink.frame({ ...completion(text), ...(said === undefined ? {} : { headworks: said }) })
    inner[0]?.sink.end({})
    const { headworks } = last(got.frames)
    assert.deepEqual([headworks.answered, headworks.unanswered_by], [by === undefined, by])
    assert.equal(headworks.groundedness === undefined, by !== undefined)
    assert.equal(trace.notes['answered'], by === undefined)
  }
})

test('a judge is asked where one is named; when it fails or rambles, words judge, and are labelled so', async () => {
  for (const [reply, method] of [
    ['1. no', 'model'],
    ['I think it is fine.', 'lexical'],
    [undefined, 'lexical'],
  ] as const) {
    const { inner, got, start } = open([KEYS], { groundedness: 'judge' })
    start(true)
    await settled()
    inner[0]?.sink.frame(chunk({ content: 'Make a key with `keys create` [1].' }))
    inner[0]?.sink.frame(chunk({}, 'stop'))
    inner[0]?.sink.end({ usage: { ...NO_USAGE, inputTokens: 9 } })
    await settled()
    assert.equal(got.end, undefined, 'the end waits for the judge')
    const judge = inner[1]
    assert.equal(judge?.model, 'judge')
    if (reply === undefined) judge?.sink.fail(fault('engine_busy', { engine: 'e' }))
    else {
      judge?.sink.frame(completion(reply))
      judge?.sink.end({})
    }
    await settled()
    const { groundedness } = last(got.frames).headworks
    assert.deepEqual([groundedness.method, groundedness.score], [method, method === 'model' ? 0 : 1])
    assert.deepEqual(got.end, {}, 'the usage of the last call alone would be too little')
  }
})

test('an answer that is cancelled while it is judged stops the judge', async () => {
  const { inner, got, start } = open([KEYS], { groundedness: 'judge' })
  const attempt = start(false)
  await settled()
  inner[0]?.sink.frame(completion('Make a key with `keys create` [1].'))
  inner[0]?.sink.end({})
  await settled()
  attempt.cancel()
  await settled()
  assert.deepEqual([inner[1]?.cancelled, got.frames, got.end], [true, [], undefined])
})

const CONVERSATION = {
  messages: [
    { role: 'user', content: 'How do I rotate a key?' },
    { role: 'assistant', content: 'With `keys rotate` [1].' },
    { role: 'user', content: 'And how long is the old one valid?' },
  ],
}

test('a question that points back is searched with what it points at, and asked as it stands', async () => {
  const { inner, asked, startWith, trace } = open([KEYS])
  startWith(false, CONVERSATION)
  await settled()
  assert.equal(asked[0]?.question, 'And how long is the old one valid? (rotate key)')
  assert.equal(messagesOf(inner[0]?.call).at(-1)?.content, 'And how long is the old one valid?')
  const span = trace.spans().find(({ name }) => name === 'rewrite')
  assert.deepEqual(span?.attributes, { method: 'terms', carried: ['rotate', 'key'] })
})

test('a model rewrites where one is named; when it fails, words do', async () => {
  for (const [reply, question] of [
    ['How long is an old key valid after rotation?', 'How long is an old key valid after rotation?'],
    [undefined, 'And how long is the old one valid? (rotate key)'],
  ] as const) {
    const { inner, asked, startWith, got } = open([KEYS], { rewrite: 'small' })
    startWith(false, CONVERSATION)
    await settled()
    assert.deepEqual([inner[0]?.model, asked.length], ['small', 0])
    if (reply === undefined) inner[0]?.sink.fail(fault('engine_busy', { engine: 'e' }))
    else {
      inner[0]?.sink.frame(completion(reply))
      inner[0]?.sink.end({})
    }
    await settled()
    assert.equal(asked[0]?.question, question)
    inner[1]?.sink.frame(completion('A day [1].'))
    inner[1]?.sink.end({ usage: NO_USAGE })
    assert.deepEqual(got.end, {})
  }
})

test('the lineage names what was shown by its hashes, and what showed it', async () => {
  const { engine, inner, start, trace } = open([{ ...KEYS, contentHash: 'file', segment: 'handbook/g2/seg_1' }])
  start(true)
  await settled()
  inner[0]?.sink.frame({ ...chunk({ content: 'Make a key with `keys create` [1].' }), model: 'weights-2' })
  inner[0]?.sink.frame(chunk({}, 'stop'))
  inner[0]?.sink.end({})
  // oxlint-disable-next-line typescript/no-explicit-any -- Tests read whatever shape they expect.
  const { lineage, groundedness } = trace.notes as any
  assert.deepEqual(
    [
      lineage.workflow,
      lineage.version,
      lineage.collection,
      lineage.generations,
      lineage.segments,
      lineage.reported,
      lineage.cited,
    ],
    ['docs', engine.version, 'handbook', ['g2'], ['handbook/g2/seg_1'], { model: 'weights-2' }, [1]],
  )
  const [shown] = lineage.passages
  assert.deepEqual([shown.contentHash, shown.start, shown.end, shown.textHash.length], ['file', 100, 156, 64])
  assert.match(lineage.promptVersion, /^[0-9a-f]{16}$/)
  assert.deepEqual([groundedness.score, groundedness.sentences, groundedness.method], [1, 1, 'lexical'])
  assert.ok(!JSON.stringify(lineage).includes('Make a key'), 'hashes, not texts')
})

test('a version changes with all that shapes an answer, and with nothing else', () => {
  const version = versionOf(SPEC, null)
  assert.match(version, /^[0-9a-f]{16}$/)
  assert.equal(versionOf({ ...SPEC, name: 'other' }, null), version)
  const { topK, ...others } = SPEC
  assert.equal(versionOf({ ...others, topK }, null), version, 'whatever the order of fields')
  const changed = [
    versionOf({ ...SPEC, topK: 3 }, null),
    versionOf({ ...SPEC, instructions: 'Rhyme.' }, null),
    versionOf({ ...SPEC, model: 'other' }, null),
    versionOf({ ...SPEC, policy: { ...SPEC.policy, links: 'any' } }, null),
    versionOf({ ...SPEC, contextTokensMax: 999 }, null),
    versionOf({ ...SPEC, evidenceMin: 0.5 }, null),
    versionOf(SPEC, [{ name: 'chat', deployments: ['a/b'] }]),
  ]
  assert.equal(new Set([version, ...changed]).size, changed.length + 1)
})
