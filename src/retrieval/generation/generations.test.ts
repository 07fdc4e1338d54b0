import assert from 'node:assert/strict'
import { mkdtemp, rm, unlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, test } from 'node:test'
import { CountingModel, openEmbedded } from '../../../tests/kit/embedding.ts'
import { Refusal } from '../../base/errors.ts'
import { CHUNKS, collectionKey, COLLECTIONS, DOCUMENTS } from '../document.ts'
import { SPACES } from '../embedding/port.ts'
import { createSearch, type Search } from '../search.ts'
import { compare } from './compare.ts'
import type { Generations } from './generations.ts'
import { GENERATIONS, storageOf } from './row.ts'
import { searchLive } from './search.ts'

let folder = ''
let model = new CountingModel()
let choice = { model: 'e5', passagePrefix: '', questionPrefix: '' }
let house: ReturnType<typeof openEmbedded>
let generations: Generations
let search: Search

function begin(kept?: Parameters<typeof openEmbedded>[2]): void {
  house = openEmbedded(model, () => choice, kept)
  generations = house.ingest.generations ?? assert.fail()
  search = searchLive(createSearch(house), house.rows)
}

describe('generation: generations', () => {
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'headworks-generations-'))
    model = new CountingModel()
    choice = { model: 'e5', passagePrefix: '', questionPrefix: '' }
    begin()
    await writeFile(join(folder, 'a.txt'), 'Swallows migrate to the south in autumn.')
    await writeFile(join(folder, 'b.txt'), 'Steel is an alloy of iron and carbon.')
    assert.equal(await run(), 'done')
  })
  afterEach(async () => {
    await house.ingest.stop()
    await rm(folder, { recursive: true, force: true })
  })

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

  async function make(change: Partial<typeof choice> = { model: 'bge' }): Promise<string> {
    choice = { ...choice, ...change }
    const id = await generations.create('books')
    if (id instanceof Refusal) assert.fail(id.code)
    await generations.idle()
    return id
  }

  const titles = async (name: string, question: string): Promise<string[]> =>
    (await search.search(name, question, { k: 10 })).passages.map(({ uri }) => uri.slice(-5))
  const states = async (): Promise<string[]> =>
    ((await generations.list('books')) ?? []).map(
      ({ id, state, live, documents }) => `${id} ${state}${live ? ' live' : ''} ${documents}`,
    )
  const codeOf = (answer: Refusal | string | undefined): string | undefined =>
    answer instanceof Refusal ? answer.code : answer

  test('another model embeds a collection beside the live one, which goes on', async () => {
    choice = { ...choice, model: 'bge' }
    assert.equal(await run(), 'embedding_changed')
    assert.equal(await make(), 'g2')
    assert.deepEqual(await states(), ['g1 ready live 2', 'g2 ready 2'])
    // With a generation for the new model the old one goes on as it was.
    await writeFile(join(folder, 'c.txt'), 'Bread is baked from flour.')
    assert.equal(await run(), 'done')
    await generations.idle()
    assert.deepEqual(await states(), ['g1 ready live 3', 'g2 ready 3'])
    assert.deepEqual(await titles('books@g2', 'flour'), ['c.txt'])
    assert.deepEqual(await titles('books', 'flour'), ['c.txt'])
    assert.deepEqual(
      (await house.rows.scan(SPACES, { limit: 9 })).map(({ row }) => row.space.model),
      ['e5', 'bge'],
    )
  })

  test('switching and going back are one step each, and lose nothing', async () => {
    await make()
    assert.equal(codeOf(await generations.activate('books', 'g2')), undefined)
    assert.equal(await storageOf(house.rows, 'books'), 'books/g2')
    assert.deepEqual(await titles('books', 'iron'), ['b.txt'])
    const [passage] = (await search.search('books', 'iron', { k: 1 })).passages
    assert.equal(passage?.collection, 'books')
    await writeFile(join(folder, 'c.txt'), 'Bread is baked from flour.')
    await unlink(join(folder, 'a.txt'))
    assert.equal(await run(), 'done')
    await generations.idle()
    assert.equal(await generations.rollback('books'), 'g1')
    assert.equal(await storageOf(house.rows, 'books'), 'books')
    await generations.idle()
    assert.deepEqual(await titles('books', 'flour'), ['c.txt'])
    assert.deepEqual(await titles('books', 'swallows'), [])
    assert.deepEqual(await states(), ['g1 ready live 2', 'g2 ready 2'])
  })

  test('a removed document answers in no generation, also after going back', async () => {
    await make()
    await generations.activate('books', 'g2')
    const [document] = (await search.search('books', 'swallows', { k: 1 })).passages
    assert.equal(await house.ingest.removeDocument('books', document?.document ?? ''), undefined)
    assert.deepEqual(await titles('books@g1', 'swallows'), [])
    await generations.rollback('books')
    assert.deepEqual(await titles('books', 'swallows'), [])
  })

  test('a generation that lacks documents does not answer', async () => {
    model.change = () => new Float32Array(3)
    const made = generations.create('books')
    assert.equal(codeOf(await made), 'g2')
    assert.equal(codeOf(await generations.activate('books', 'g2')), 'generation_not_ready')
    assert.equal(codeOf(await generations.activate('books', 'g7')), 'not_found')
    assert.equal(codeOf(await generations.activate('none', 'g2')), 'collection_unknown')
    assert.equal(codeOf(await generations.rollback('books')), 'not_found')
  })

  test('a generation goes on being built after a stop', async () => {
    choice = { ...choice, model: 'bge' }
    const made = generations.create('books')
    await made
    await house.ingest.stop()
    begin(house)
    await house.ingest.resume()
    await generations.idle()
    assert.deepEqual(await states(), ['g1 ready live 2', 'g2 ready 2'])
    assert.equal(codeOf(await generations.activate('books', 'g2')), undefined)
  })

  test('dropping takes everything away but what answers', async () => {
    await make()
    assert.equal(codeOf(await generations.drop('books', 'g1')), 'generation_not_ready')
    assert.equal(codeOf(await generations.drop('books', 'g2')), undefined)
    assert.equal((await house.rows.scan(CHUNKS, { limit: 9 })).length, 2)
    assert.equal((await house.rows.scan(DOCUMENTS, { limit: 9 })).length, 2)
    assert.equal((await house.rows.scan(SPACES, { limit: 9 })).length, 1)
    assert.equal((await house.blobs.list('vectors/books/g2')).length, 0)
    assert.equal(codeOf(await generations.drop('books', 'g2')), 'not_found')
    // Alone again, it is held to what the configuration says.
    assert.equal(await run(), 'embedding_changed')
  })

  test('a collection is dropped with all its generations', async () => {
    await make()
    await generations.activate('books', 'g2')
    await generations.idle()
    assert.equal(await house.ingest.dropCollection('books'), undefined)
    for (const table of [COLLECTIONS, DOCUMENTS, CHUNKS, SPACES, GENERATIONS])
      assert.deepEqual(await house.rows.scan<unknown>({ name: table.name }, { limit: 9 }), [], table.name)
    assert.deepEqual(await house.blobs.list(''), [])
    assert.equal(codeOf(await generations.create('books')), 'collection_unknown')
  })

  test('there are not too many', async () => {
    for (const id of ['g2', 'g3', 'g4', 'g5']) assert.equal(await make({ passagePrefix: id }), id)
    assert.equal(codeOf(await generations.create('books')), 'overloaded')
  })

  test('the first generation has a name as well', async () => {
    assert.deepEqual(await titles('books@g1', 'iron'), ['b.txt'])
    assert.deepEqual(await titles('books@g9', 'iron'), [])
    assert.equal((await house.rows.get(COLLECTIONS, collectionKey('books')))?.row.documents, 2)
  })

  test('two generations are compared by what they find', async () => {
    await make()
    const same = await compare(search, 'books@g1', 'books@g2', ['iron', 'autumn'])
    assert.deepEqual([same.questions, same.changed, same.examples.length], [2, 0, 0])
    assert.ok(Math.abs(same.overlap - 1) < 1e-9)
    const none = await compare(search, 'books@g1', 'books@g9', ['iron', 'nothing at all'])
    assert.equal(none.changed, 1)
    assert.equal(none.overlap, 0.5)
    assert.equal(none.examples[0]?.question, 'iron')
  })
})
