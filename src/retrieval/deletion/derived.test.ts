import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ManualClock } from '../../../tests/kit/clock.ts'
import { openLibrary } from '../../../tests/kit/library.ts'
import { Analyzer } from '../../base/words.ts'
import { getAll } from '../../store/rows.ts'
import { chunkKeys, CHUNKS, documentKey, DOCUMENTS } from '../document.ts'
import { EmbeddingCache } from '../embedding/cache.ts'
import { Contexts } from '../embedding/context.ts'
import type { EmbeddingSpace } from '../embedding/port.ts'
import { searchedText } from '../ingest/worker.ts'
import { Derived, type Held } from './derived.ts'

const signal = new AbortController().signal
const SPACE: Omit<EmbeddingSpace, 'model'> = {
  revision: 'r',
  dimension: 1,
  pooling: '',
  passagePrefix: 'passage: ',
  questionPrefix: '',
  normalised: true,
}

async function open() {
  const { rows, index } = await openLibrary(
    [
      { id: 'note', title: 'A note', texts: ['the combination is swordfish', 'the harbour opens at dawn'] },
      { id: 'twin', title: 'A note', texts: ['the harbour opens at dawn'] },
    ],
    { vectors: false },
  )
  let asked = 0
  const cache = new EmbeddingCache(rows)
  const contexts = new Contexts({ rows, clock: new ManualClock(), askWith: async () => `Sentence ${++asked}.` })
  const derived = new Derived({
    rows,
    index,
    analyzer: new Analyzer(),
    embeddings: cache,
    contexts,
    prefixesOf: async () => ['', 'passage: '],
  })
  const stored = (await rows.get(DOCUMENTS, documentKey('c', 'note')))?.row ?? assert.fail()
  const chunks = (await getAll(rows, CHUNKS, chunkKeys(stored))).flatMap((one) => (one === undefined ? [] : one.row))
  const held: Held = { storage: 'c', title: stored.title, chunks }
  /** How many texts are not known. */
  const embed = async (model: string): Promise<number> => {
    let count = 0
    const embedder = cache.over({
      space: { ...SPACE, model },
      embed: async (texts) => {
        count += texts.length
        return texts.map(() => Float32Array.of(1))
      },
    })
    await embedder.embed(
      chunks.map((chunk) => searchedText(stored.title, chunk)),
      'passage',
      { signal },
    )
    return count
  }
  const describe = async (): Promise<number> => {
    const before = asked
    await contexts.describe({ model: 'small', collection: 'c' }, new Map([['note', stored.title]]), chunks, signal)
    return asked - before
  }
  return { rows, derived, held, embed, describe }
}

test('vectors of every model and sentences are erased, but for what another document has word for word', async () => {
  const { rows, derived, held, embed, describe } = await open()
  for (const model of ['e5', 'bge']) assert.equal(await embed(model), 2)
  assert.equal(await describe(), 2)
  await rows.commit(await derived.record('c', 'del_1', [held]))
  assert.equal(await embed('e5'), 0, 'nothing is erased before the document is')
  assert.equal(await derived.erase('c', 'del_1', [held]), 1)
  for (const model of ['e5', 'bge']) assert.equal(await embed(model), 1, model)
  assert.equal(await describe(), 2)
  assert.deepEqual(await rows.scan({ name: 'deletions.derived' }, { limit: 9 }), [])
})

test('after a crash, when the text is gone, all of it is erased by what is on record', async () => {
  const { rows, derived, held, embed, describe } = await open()
  await embed('e5')
  await describe()
  const changes = await derived.record('c', 'del_1', [held])
  assert.ok(!JSON.stringify(changes).includes('swordfish'), 'no text is on record')
  await rows.commit(changes)
  assert.equal(await derived.erase('c', 'del_1'), 0)
  assert.equal(await embed('e5'), 2)
  assert.equal(await describe(), 2)
  assert.equal(await derived.erase('c', 'del_1'), 0, 'twice is as once')
})
