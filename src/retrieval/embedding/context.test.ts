import assert from 'node:assert/strict'
import { test } from 'node:test'
import { systemClock as clock } from '../../base/clock.ts'
import { fault, Fault } from '../../base/errors.ts'
import { MemoryRows } from '../../drivers/memory/rows.ts'
import type { ChunkRow } from '../document.ts'
import { searchedText } from '../ingest/worker.ts'
import { Contexts } from './context.ts'

const chunk = (text: string, document = 'doc_1'): ChunkRow => ({
  document,
  start: 0,
  end: text.length,
  text,
  headings: [],
})
const titles = new Map([['doc_1', 'Birds']])
const signal = new AbortController().signal

function open(answer: (prompt: string) => string = () => 'About swallows.') {
  const asked: string[] = []
  const contexts = new Contexts({
    rows: new MemoryRows(),
    clock,
    askWith: async (_, { messages }) => {
      const prompt = String(messages.at(-1)?.['content'])
      asked.push(prompt)
      return answer(prompt)
    },
  })
  return { asked, contexts }
}

test('every chunk gets a sentence from its title and its neighbours, searched with it', async () => {
  const { asked, contexts } = open()
  const [, second] = await contexts.describe(
    { model: 'small', collection: 'books' },
    titles,
    [chunk('one'), chunk('two'), chunk('x', 'doc_2')],
    signal,
  )
  assert.equal(second?.context, 'About swallows.')
  assert.equal(second?.text, 'two')
  assert.match(asked[1] ?? '', /<title>Birds<.*<before>one<.*<passage>two<.*<after></s)
  assert.equal(searchedText('Birds', second ?? chunk('')), 'Birds\nAbout swallows.\n\ntwo')
})

test('what stands as it stood is not asked again', async () => {
  const { asked, contexts } = open()
  await contexts.describe(
    { model: 'small', collection: 'books' },
    titles,
    [chunk('one'), chunk('two'), chunk('three'), chunk('four')],
    signal,
  )
  asked.length = 0
  await contexts.describe(
    { model: 'small', collection: 'books' },
    titles,
    [chunk('one'), chunk('two'), chunk('three'), chunk('changed')],
    signal,
  )
  assert.equal(asked.length, 2)
})

test('a collection without a model is left as it is', async () => {
  const { asked, contexts } = open()
  const chunks = [chunk('one')]
  assert.equal(await contexts.describe({ model: 'none', collection: 'books' }, titles, chunks, signal), chunks)
  assert.deepEqual(asked, [])
})

test('a rambling answer becomes one bounded line, an empty one nothing', async () => {
  const long = open(() => ` A\n\nline\u0000 of\u202e text ${'x'.repeat(1000)}`)
  const [first] = await long.contexts.describe({ model: 'small', collection: 'books' }, titles, [chunk('one')], signal)
  assert.match(first?.context ?? '', /^A line of text x+$/)
  assert.equal(first?.context?.length, 400)
  const [none] = await open(() => ' \n').contexts.describe(
    { model: 'small', collection: 'books' },
    titles,
    [chunk('one')],
    signal,
  )
  assert.equal(none?.context, undefined)
})

test('a model that refuses ends the batch, and what it had said is kept', async () => {
  let broken = true
  const { asked, contexts } = open((prompt) => {
    if (broken && prompt.includes('<passage>two')) throw fault('context_too_long', { tokens: 9, model: 'm', limit: 1 })
    return 'Said.'
  })
  const chunks = [chunk('one'), chunk('two')]
  await assert.rejects(
    contexts.describe({ model: 'small', collection: 'books' }, titles, chunks, signal),
    (thrown) => thrown instanceof Fault && thrown.code === 'context_too_long',
  )
  broken = false
  asked.length = 0
  const described = await contexts.describe({ model: 'small', collection: 'books' }, titles, chunks, signal)
  assert.deepEqual(
    described.map(({ context }) => context),
    ['Said.', 'Said.'],
  )
  assert.equal(asked.length, 1)
})
