import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { systemClock } from '../base/clock.ts'
import { Analyzer } from '../base/words.ts'
import { MemoryIndex } from '../drivers/memory/index.ts'
import { MemoryRows } from '../drivers/memory/rows.ts'
import type { Index } from '../store/index.ts'
import { put, remove } from '../store/rows.ts'
import { Trace } from '../trace/trace.ts'
import { chunkKey, CHUNKS, documentKey, DOCUMENTS } from './document.ts'
import { createSearch, type SearchAnswer, type SearchOptions } from './search.ts'

interface Library {
  readonly rows: MemoryRows
  readonly index: Index
  ask(question: string, options?: Partial<SearchOptions>): Promise<SearchAnswer>
}

/** A collection whose texts are one document each. */
async function library(texts: readonly string[], headings: readonly string[] = []): Promise<Library> {
  const analyzer = new Analyzer()
  const [rows, index] = [new MemoryRows(), new MemoryIndex(analyzer)]
  await index.build(
    's',
    texts.map((text, at) => ({
      text: `${headings[at] ?? ''}\n${text}`,
      attributes: { parity: at % 2 === 0 ? 'even' : 'odd' },
    })),
  )
  await index.mount('c', [{ segment: 's', removed: [] }])
  await rows.commit(
    texts.flatMap((text, at) => [
      put(CHUNKS, chunkKey('s', at), {
        document: `d${at}`,
        text,
        headings: headings[at] === undefined ? [] : [headings[at]],
        start: 10,
        end: 10 + text.length,
      }),
      put(DOCUMENTS, documentKey('c', `d${at}`), {
        id: `d${at}`,
        uri: `file/${at}.md`,
        title: `Title ${at}`,
        mediaType: 'text/markdown',
        contentHash: '',
        bytes: 1,
        segment: 's',
        firstChunk: at,
        chunkCount: 1,
        ingestedAtMs: 0,
        metadata: { parity: at % 2 === 0 ? 'even' : 'odd' },
      }),
    ]),
  )
  const { search } = createSearch({ index, rows, analyzer })
  return { rows, index, ask: (question, options) => search('c', question, { k: 5, ...options }) }
}

const documents = ({ passages }: SearchAnswer): string[] => passages.map(({ document }) => document)

test('a passage carries all it takes to cite it', async () => {
  const { ask } = await library(['Apples are red.'], ['Fruit'])
  const { passages } = await ask('apples')
  assert.equal(passages.length, 1)
  const { score, ...rest } = passages[0] ?? { score: 0 }
  assert.ok(score > 0)
  assert.deepEqual(rest, {
    collection: 'c',
    document: 'd0',
    uri: 'file/0.md',
    title: 'Title 0',
    headings: ['Fruit'],
    start: 10,
    end: 25,
    text: 'Apples are red.',
    legs: { words: { score, rank: 1 } },
    contentHash: '',
    segment: 's',
  })
})

describe('words', () => {
  test('stop words are not searched by, unless there is nothing else', async () => {
    const { ask } = await library(['what is the how of it', 'apples'])
    assert.deepEqual(documents(await ask('What is the price of apples?')), ['d1'])
    assert.deepEqual(documents(await ask('what is it')), ['d0'])
  })

  test('feedback finds what says it in other words, behind what says it in these', async () => {
    const { ask } = await library([
      'Gardening is pleasant in spring.',
      'Reset the password of the account: renew the passphrase in the credentials panel.',
      'The passphrase is renewed in the credentials panel.',
    ])
    const answer = await ask('How can I reset the forgotten password of my account today?')
    assert.deepEqual(documents(answer), ['d1', 'd2'])
    assert.ok(answer.terms.some(({ word }) => word === 'passphrase'))
  })

  test('what a short question names stays first', async () => {
    const crowd = Array.from({ length: 6 }, (_, at) => `engine settings and more engine settings of kind ${at}`)
    const { ask } = await library([...crowd, 'listen address'])
    assert.equal(documents(await ask('listen'))[0], 'd6')
  })

  test('the question may be empty, endless, or without a word', async () => {
    const { ask } = await library(['apples'])
    for (const question of ['', '???', ' ', '😀'])
      assert.deepEqual(await ask(question), { passages: [], terms: [], fusion: 'none' })
    assert.deepEqual(documents(await ask('apples '.repeat(10_000))), ['d0'])
  })

  test('an identifier is not taken apart twice', async () => {
    const { ask } = await library(['set outputTokensMax here'])
    const { terms } = await ask('outputTokensMax')
    assert.ok(terms.some(({ word }) => word === 'outputtokensmax'))
    assert.ok(terms.every(({ word }) => word === word.toLowerCase()))
  })
})

describe('passages', () => {
  test('that say nearly the same are told once', async () => {
    const text = 'To back up the house, stop it and copy the data folder to a safe place of your own'
    const { ask } = await library([text, `${text}.`, `${text}!`, 'A safe house has a folder'])
    assert.deepEqual(documents(await ask('back up the data folder')), ['d0', 'd3'])
    assert.equal((await ask('back up the data folder', { k: 1 })).passages.length, 1)
  })

  test('that a running ingest has just removed are left out', async () => {
    const { ask, rows } = await library(['apples one', 'apples two', 'apples three and more'])
    await rows.commit([remove(CHUNKS, chunkKey('s', 0)), remove(DOCUMENTS, documentKey('c', 'd1'))])
    assert.deepEqual(documents(await ask('apples')), ['d2'])
  })

  test('match the filter, k of them whenever k match', async () => {
    const { ask } = await library(Array.from({ length: 12 }, (_, at) => `apples number${at} ${'filler '.repeat(at)}`))
    const answer = await ask('apples', { k: 4, filter: { op: 'in', name: 'parity', values: ['odd'] } })
    assert.deepEqual(documents(answer).toSorted(), ['d1', 'd3', 'd5', 'd7'])
  })

  test('of a collection that does not exist there are none', async () => {
    const { rows, index } = await library(['apples'])
    const { search } = createSearch({ index, rows, analyzer: new Analyzer() })
    assert.deepEqual((await search('nowhere', 'apples', { k: 5 })).passages, [])
  })

  test('are 1 to 1,000', async () => {
    const { ask } = await library(['apples'])
    for (const k of [0, -1, 1.5, 1001, Number.NaN])
      await assert.rejects(ask('apples', { k }), { code: 'field_invalid' })
    assert.equal((await ask('apples', { k: 1000 })).passages.length, 1)
  })
})

test('the stages are recorded in the span', async () => {
  const { ask } = await library(['apples'])
  const trace = new Trace(systemClock)
  await ask('apples', { span: trace.open('search') })
  assert.deepEqual(
    trace.spans().map(({ name }) => name),
    ['search', 'match', 'feedback', 'match', 'read'],
  )
  assert.deepEqual(trace.spans()[4]?.attributes, { hits: 1, passages: 1 })
})
