import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MemoryRows } from '../../drivers/memory/rows.ts'
import { EmbeddingCache } from './cache.ts'
import type { Embedder, EmbeddingSpace } from './port.ts'

const space: EmbeddingSpace = {
  model: 'e5',
  revision: 'r1',
  dimension: 2,
  pooling: '',
  passagePrefix: 'p: ',
  questionPrefix: 'q: ',
  normalised: true,
}
const options = { signal: new AbortController().signal }

function open(bytesMax?: number) {
  const asked: string[] = []
  const over = (changed: Partial<EmbeddingSpace> = {}): Embedder =>
    cache.over({
      space: { ...space, ...changed },
      embed: async (texts) => {
        asked.push(...texts)
        return texts.map((text) => Float32Array.of(text.length, 0.5))
      },
    })
  const rows = new MemoryRows()
  const cache = new EmbeddingCache(rows, bytesMax)
  return { asked, over, cache, rows }
}

test('the same text is embedded once, in order, also within one call', async () => {
  const { asked, over, cache } = open()
  const embedder = over()
  const first = await embedder.embed(['a', 'bbb', 'a'], 'passage', options)
  assert.deepEqual(
    first.map(([length]) => length),
    [1, 3, 1],
  )
  assert.deepEqual(asked, ['a', 'bbb'])
  assert.deepEqual(await embedder.embed(['bbb', 'cc'], 'passage', options), [
    Float32Array.of(3, 0.5),
    Float32Array.of(2, 0.5),
  ])
  assert.deepEqual(asked, ['a', 'bbb', 'cc'])
  assert.deepEqual(cache.figures, { hits: 1, misses: 3 })
})

test('purpose, model, revision and prefix are told apart', async () => {
  const { asked, over } = open()
  await over().embed(['a'], 'passage', options)
  await over().embed(['a'], 'question', options)
  await over({ revision: 'r2' }).embed(['a'], 'passage', options)
  await over({ revision: '' }).embed(['a'], 'passage', options)
  await over({ model: 'bge' }).embed(['a'], 'passage', options)
  await over({ passagePrefix: '' }).embed(['a'], 'passage', options)
  assert.equal(asked.length, 6)
})

test('the oldest go when it is full', async () => {
  const { asked, over, rows } = open(5_000)
  for (let at = 0; at < 60; at++) await over().embed([`text ${at}`], 'passage', options)
  const kept = (await rows.scan({ name: 'embeddings' }, { limit: 100 })).length
  assert.ok(kept > 10 && kept < 25, `${kept} are kept`)
  assert.equal((await rows.scan({ name: 'embeddings_arrivals' }, { limit: 100 })).length, kept)
  asked.length = 0
  await over().embed(['text 59', 'text 0'], 'passage', options)
  assert.deepEqual(asked, ['text 0'])
})

test('what was kept is there after a restart', async () => {
  const { asked, over, rows } = open()
  await over().embed(['a'], 'passage', options)
  const again = new EmbeddingCache(rows).over({
    space,
    embed: async () => assert.fail('it was asked again'),
  })
  assert.deepEqual(await again.embed(['a'], 'passage', options), [Float32Array.of(1, 0.5)])
  assert.deepEqual(asked, ['a'])
})

test('a question waits for the model alone, and what comes while the disk is busy is written at once', async () => {
  const { over, rows, asked } = open()
  const commit = rows.commit.bind(rows)
  const disk = Promise.withResolvers<void>()
  let commits = 0
  rows.commit = async (changes) => {
    commits++
    await disk.promise
    return await commit(changes)
  }
  for (const text of ['a', 'b', 'c', 'd', 'e']) await over().embed([text], 'question', options)
  const passage = over().embed(['p'], 'passage', options)
  disk.resolve()
  await passage
  assert.equal(commits, 2, 'one with the first, one with all the others')
  await over().embed(['a', 'e'], 'question', options)
  assert.equal(asked.length, 6)
})

test('a disk that is full costs a question nothing', async () => {
  const { over, rows } = open()
  rows.commit = () => Promise.reject(new Error('full'))
  assert.deepEqual(await over().embed(['aa'], 'question', options), [Float32Array.of(2, 0.5)])
  await assert.rejects(over().embed(['aa'], 'passage', options), /full/)
})
