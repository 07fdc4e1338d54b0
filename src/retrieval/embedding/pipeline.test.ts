import assert from 'node:assert/strict'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, test } from 'node:test'
import { CountingModel, DIMENSION, openEmbedded } from '../../../tests/kit/embedding.ts'
import { fault, Fault, Refusal } from '../../base/errors.ts'
import { put } from '../../store/rows.ts'
import { chunkKey, CHUNKS, collectionKey, COLLECTIONS, type CollectionRow } from '../document.ts'
import { LSA, SPACES } from './port.ts'

/** The whole way from files to vectors that answer, with a model that counts what it is asked. */

let folder = ''
let model = new CountingModel()
let choice = { model: 'e5', passagePrefix: 'passage: ', questionPrefix: 'query: ' }
let house: ReturnType<typeof openEmbedded>

describe('embedding: pipeline', () => {
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'headworks-embedding-'))
    model = new CountingModel()
    choice = { model: 'e5', passagePrefix: 'passage: ', questionPrefix: 'query: ' }
    house = openEmbedded(model, () => choice)
  })
  afterEach(async () => {
    await house.ingest.stop()
    await rm(folder, { recursive: true, force: true })
  })

  const write = async (name: string, text: string): Promise<void> => {
    await mkdir(join(folder, name, '..'), { recursive: true })
    await writeFile(join(folder, name), text)
  }

  /** Starts a run and waits for its end: its state, or the code of its problem. */
  async function run(): Promise<string> {
    const id = await house.ingest.start('books', folder)
    if (id instanceof Refusal) assert.fail(id.code)
    for (;;) {
      const shown = await house.ingest.status(id)
      const problem = shown?.['problem'] as { code: string } | undefined
      if (shown?.['endedAt'] !== null) return problem?.code ?? String(shown?.['state'])
      await new Promise((resolve) => setTimeout(resolve, 2))
    }
  }

  const collection = async (): Promise<CollectionRow> =>
    (await house.rows.get(COLLECTIONS, collectionKey('books')))?.row ?? assert.fail('no collection')

  /** The text found nearest to the question. */
  async function nearest(question: string): Promise<string | undefined> {
    const vector = (await house.embeddings.question('books', question)) ?? assert.fail('no vector')
    const [hit] = await house.index.search('books', { vector, k: 1 })
    return hit && (await house.rows.get(CHUNKS, chunkKey(hit.segment, hit.chunk)))?.row.text
  }

  test('embeds what is read, with the prefixes of its model, and finds it', async () => {
    await write('a.txt', 'Swallows migrate to the south in autumn.')
    await write('b.txt', 'Steel is an alloy of iron and carbon.')
    assert.equal(await run(), 'done')
    const embedded = model.take()
    assert.equal(embedded.length, 2)
    assert.ok(embedded.every((text) => text.startsWith('passage: ')))
    assert.match((await nearest('iron and carbon')) ?? '', /alloy/)
    assert.deepEqual(model.take(), ['query: iron and carbon'])
    const { space } = await collection()
    const row = (await house.rows.scan(SPACES, { limit: 10 }))[0]?.row ?? assert.fail()
    assert.equal(row.id, space)
    assert.deepEqual(
      { ...row.space, revision: row.space.revision.slice(0, 9) },
      {
        model: 'e5',
        revision: 'unstated-',
        dimension: DIMENSION,
        pooling: '',
        passagePrefix: 'passage: ',
        questionPrefix: 'query: ',
        normalised: true,
      },
    )
  })

  test('embeds only the chunks that changed', async () => {
    const section = (topic: string): string =>
      `# ${topic}\n\n${`About ${topic} there is a lot to say. `.repeat(60)}\n\n`
    await write('book.md', section('ants') + section('bees') + section('cats'))
    assert.equal(await run(), 'done')
    const first = model.take().length
    assert.ok(first >= 3, `${first} chunks`)
    await write('book.md', section('ants') + section('bees') + section('dogs'))
    assert.equal(await run(), 'done')
    const second = model.take()
    assert.ok(second.length < first && second.every((text) => text.includes('dogs')), `${second.length} of ${first}`)
    assert.ok(house.cache.figures.hits >= 2)
  })

  test('refuses vectors of a model that is another by now', async () => {
    await write('a.txt', 'Swallows migrate.')
    assert.equal(await run(), 'done')
    model.seed = 'b'
    house.embeddings.forget()
    await write('b.txt', 'Steel is an alloy.')
    assert.equal(await run(), 'embedding_changed')
    await assert.rejects(
      house.embeddings.question('books', 'steel'),
      (thrown) => thrown instanceof Fault && thrown.code === 'embedding_changed' && /cosine/.test(thrown.message),
    )
    model.seed = 'a'
    assert.equal(await run(), 'done')
  })

  test('refuses to go on with another model, and with other prefixes', async () => {
    await write('a.txt', 'Swallows migrate.')
    assert.equal(await run(), 'done')
    choice = { ...choice, model: 'bge' }
    assert.equal(await run(), 'embedding_changed')
    choice = { ...choice, model: 'e5', passagePrefix: '' }
    assert.equal(await run(), 'embedding_changed')
    choice = { ...choice, passagePrefix: 'passage: ' }
    assert.equal(await run(), 'done')
  })

  for (const [what, change] of [
    ['of another dimension', () => new Float32Array(DIMENSION + 1).fill(1)],
    ['with NaN', (vector: Float32Array) => vector.fill(Number.NaN, 0, 1)],
    ['of zeros', (vector: Float32Array) => vector.fill(0)],
  ] as const) {
    test(`does not keep vectors ${what}`, async () => {
      await write('a.txt', 'Swallows migrate.')
      assert.equal(await run(), 'done')
      model.change = change
      await assert.rejects(
        house.embeddings.passages('books', (await collection()).space ?? '', ['new'], AbortSignal.timeout(200)),
        (thrown) => thrown instanceof Fault,
      )
      model.change = (vector) => vector
      model.take()
      await house.embeddings.passages('books', (await collection()).space ?? '', ['new'], AbortSignal.timeout(200))
      assert.deepEqual(model.take(), ['passage: new'])
    })
  }

  test('what was committed before the engine failed is not embedded again', async () => {
    await write('a.txt', 'Swallows migrate.')
    assert.equal(await run(), 'done')
    await write('b.txt', 'Steel is an alloy.')
    model.take()
    model.change = () => {
      throw fault('budget_too_small', { needed: '1', budget: 'b', whose: 'all', limit: '1', available: '0' })
    }
    assert.equal(await run(), 'budget_too_small')
    assert.equal((await collection()).documents, 1)
    model.change = (vector) => vector
    model.take()
    assert.equal(await run(), 'done')
    assert.equal(model.take().length, 1)
    assert.equal((await collection()).documents, 2)
  })

  test('builds lost segments again from what is kept, without the model', async () => {
    await write('a.txt', 'Swallows migrate to the south.')
    await write('b.txt', 'Steel is an alloy.')
    assert.equal(await run(), 'done')
    await house.ingest.stop()
    model.take()
    house = openEmbedded(model, () => choice, house)
    await house.ingest.resume()
    assert.deepEqual(model.take(), [])
    assert.match((await nearest('alloy of steel')) ?? '', /Steel/)
  })

  test('embeds again what was kept and is damaged', async () => {
    await write('a.txt', 'Swallows migrate to the south.')
    assert.equal(await run(), 'done')
    await house.ingest.stop()
    const [blob] = await house.blobs.list('vectors/')
    await house.blobs.put(blob?.name ?? '', new Uint8Array(40))
    house = openEmbedded(model, () => choice, house)
    await house.ingest.resume()
    assert.match((await nearest('south')) ?? '', /Swallows/)
  })

  test('removes everything with the collection', async () => {
    await write('a.txt', 'Swallows migrate to the south.')
    assert.equal(await run(), 'done')
    assert.equal(await house.ingest.dropCollection('books'), undefined)
    assert.deepEqual(await house.blobs.list(''), [])
    assert.deepEqual(await house.rows.scan(SPACES, { limit: 10 }), [])
  })

  test('a sweep removes vectors that no segment has', async () => {
    await house.vectors.keep('books/seg_lost', [new Float32Array([1])])
    await house.ingest.resume()
    assert.deepEqual(await house.blobs.list(''), [])
  })

  /** Many short documents on two subjects. */
  async function library(count: number, from = 0): Promise<void> {
    for (let at = from; at < from + count; at++) {
      const subject = at % 2 === 0 ? ['river', 'water', 'dam', 'flood'] : ['bread', 'flour', 'oven', 'yeast']
      await write(`${at}.txt`, `${subject.join(' ')} number${at} ${subject[at % 4]} ${subject[(at >> 2) % 4]}`)
    }
  }

  test('without a model a collection gets directions fitted on its texts once it is large enough', async () => {
    choice = { model: LSA, passagePrefix: '', questionPrefix: '' }
    await library(20)
    assert.equal(await run(), 'done')
    assert.equal((await collection()).space, undefined)
    assert.equal(await house.embeddings.question('books', 'flood'), undefined)
    await library(200, 20)
    assert.equal(await run(), 'done')
    const { space, documents, chunks, segments } = await collection()
    assert.notEqual(space, undefined)
    assert.deepEqual([documents, chunks, segments.length], [220, 220, 1])
    assert.match((await nearest('flood of a river')) ?? '', /dam/)
    assert.equal(await house.embeddings.question('books', 'zyzzyva'), undefined)
    // New ones are folded into the same directions.
    await write('new.txt', 'The dam holds the water of the river.')
    assert.equal(await run(), 'done')
    assert.equal((await collection()).space, space)
    assert.deepEqual(model.take(), [])
  })

  test('directions are fitted anew when the collection has grown', async () => {
    choice = { model: LSA, passagePrefix: '', questionPrefix: '' }
    await library(200)
    assert.equal(await run(), 'done')
    const { space } = await collection()
    await library(600, 200)
    assert.equal(await run(), 'done')
    const after = await collection()
    assert.notEqual(after.space, space)
    assert.equal(after.chunks, 800)
    const spaces = await house.rows.scan(SPACES, { limit: 10 })
    assert.deepEqual(
      spaces.map(({ row }) => [row.id, row.texts]),
      [[after.space, 800]],
    )
    assert.match((await nearest('yeast')) ?? '', /bread/)
    assert.equal((await house.rows.scan(CHUNKS, { limit: 2000 })).length, 800)
  })

  test('a collection that had fitted directions moves to a model as a whole', async () => {
    choice = { model: LSA, passagePrefix: '', questionPrefix: '' }
    await library(200)
    assert.equal(await run(), 'done')
    choice = { model: 'e5', passagePrefix: '', questionPrefix: '' }
    assert.equal(await run(), 'done')
    assert.equal(model.take().length, 200)
    assert.match((await nearest('flour and yeast')) ?? '', /bread/)
  })

  test('a space that is missing is a fault with a sentence', async () => {
    await write('a.txt', 'Swallows migrate.')
    assert.equal(await run(), 'done')
    const row = await collection()
    await house.rows.commit([put(COLLECTIONS, collectionKey('books'), { ...row, space: 'spc_gone' })])
    await assert.rejects(house.embeddings.question('books', 'x'), /spc_gone/)
  })

  test('a collection whose vectors need more memory than they may take is read no further, and says what it needs', async () => {
    await write('a.txt', 'Swallows migrate.')
    assert.equal(await run(), 'done')
    model.memoryBytesMax = 100
    await write('b.txt', 'Steel is an alloy.')
    assert.equal(await run(), 'memory_target')
    model.memoryBytesMax = 1_000_000
    assert.equal(await run(), 'done')
  })
})
