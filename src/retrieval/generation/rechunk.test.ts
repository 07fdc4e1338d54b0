import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, test } from 'node:test'
import { CountingModel, openEmbedded } from '../../../tests/kit/embedding.ts'
import { systemClock as clock } from '../../base/clock.ts'
import { Refusal } from '../../base/errors.ts'
import { MemoryRows } from '../../drivers/memory/rows.ts'
import { estimateTokens } from '../../parse/chunk.ts'
import { put, scanAll } from '../../store/rows.ts'
import { CHUNKS, type ChunkRow, collectionKey, COLLECTIONS, type CollectionRow, DOCUMENTS } from '../document.ts'
import { Contexts } from '../embedding/context.ts'
import { LSA } from '../embedding/port.ts'
import { createSearch, type Search } from '../search.ts'
import { compare } from './compare.ts'
import type { Generations } from './generations.ts'
import { type Recipe, RECIPE } from '../recipe.ts'
import { storageOf } from './row.ts'
import { searchLive } from './search.ts'

const SMALL: Recipe = { ...RECIPE, chunking: { tokensMax: 128, overlapTokens: 24 } }
const sentences = (word: string, count = 60): string =>
  Array.from({ length: count }, (_, at) => `The ${word} number ${at} was seen near the old harbour at dawn.`).join(' ')

let model = new CountingModel()
let choice = { model: 'e5', passagePrefix: '', questionPrefix: '' }
let recipe: Recipe = RECIPE
let asked: string[] = []
let house: ReturnType<typeof openEmbedded>
let generations: Generations
let search: Search

function begin(kept?: Parameters<typeof openEmbedded>[2], movedChunksMax = 100_000): void {
  const held = kept ?? { rows: new MemoryRows(), blobs: openEmbedded(model, () => choice).blobs }
  const contexts = new Contexts({
    rows: held.rows,
    clock,
    askWith: async (name, { messages }) => {
      asked.push(String(messages.at(-1)?.['content']))
      return `Written by ${name}.`
    },
  })
  house = openEmbedded(model, () => choice, held, {
    recipe: () => recipe,
    contexts,
    movedChunksMax,
    batchDocumentsMax: 10,
  })
  generations = house.ingest.generations ?? assert.fail()
  const questionVector = (name: string, question: string): Promise<Float32Array | undefined> =>
    house.embeddings.question(name, question)
  search = searchLive(createSearch({ ...house, questionVector }), house.rows)
}

describe('generation: rechunk', () => {
  beforeEach(async () => {
    model = new CountingModel()
    choice = { model: 'e5', passagePrefix: '', questionPrefix: '' }
    recipe = RECIPE
    asked = []
    begin()
    await sendAll({ gull: sentences('gull'), tern: sentences('tern') })
  })
  afterEach(() => house.ingest.stop())

  async function send(id: string, text: string, metadata: { readonly [name: string]: string } = {}): Promise<string> {
    const bytes = Buffer.from(text)
    const kept = await house.ingest.push('books', [{ id, uri: `${id}.txt`, bytes, metadata }])
    if (kept instanceof Refusal) assert.fail(kept.code)
    return kept[0]?.status ?? 'none'
  }

  async function make(): Promise<string> {
    const id = await generations.create('books')
    if (id instanceof Refusal) assert.fail(id.code)
    await generations.idle()
    return id
  }

  async function sendAll(texts: { readonly [id: string]: string }): Promise<void> {
    const documents = Object.entries(texts).map(([id, text]) => ({
      id,
      uri: `${id}.txt`,
      bytes: Buffer.from(text),
      metadata: {},
    }))
    const kept = await house.ingest.push('books', documents)
    if (kept instanceof Refusal) assert.fail(kept.code)
  }

  const many = (count: number, word: (at: number) => string): { readonly [id: string]: string } =>
    Object.fromEntries(Array.from({ length: count }, (_, at) => [`doc${at}`, sentences(word(at))]))

  async function collection(storage: string): Promise<CollectionRow> {
    return (await house.rows.get(COLLECTIONS, collectionKey(storage)))?.row ?? assert.fail()
  }

  async function chunksOf(storage: string): Promise<ChunkRow[]> {
    const names = new Set((await collection(storage)).segments.map(({ segment }) => segment))
    const found: ChunkRow[] = []
    for await (const { key, row } of scanAll(house.rows, CHUNKS)) if (names.has(key[0] ?? '')) found.push(row)
    return found
  }

  async function shown() {
    const listed = (await generations.list('books')) ?? []
    return listed.map(({ id, state, live, documents, cutBefore }) => ({ id, state, live, documents, cutBefore }))
  }

  test('a collection is cut otherwise beside itself, from what is kept, and switched', async () => {
    const before = await chunksOf('books')
    recipe = SMALL
    await make()
    const after = await chunksOf('books/g2')
    assert.ok(after.length > 2 * before.length, `${before.length} became ${after.length}`)
    for (const { text } of after) assert.ok(estimateTokens(text) <= 128)
    assert.deepEqual(await chunksOf('books'), before)
    const whole = sentences('gull')
    for (const one of after.filter(({ document }) => document === 'gull'))
      assert.equal(one.text, whole.slice(one.start, one.end), 'ranges are those of the document')
    assert.equal(await generations.activate('books', 'g2'), undefined)
    const { passages } = await search.search('books', 'gull number 7', { k: 3 })
    assert.ok(passages.some(({ document, text }) => document === 'gull' && estimateTokens(text) <= 128))
  })

  test('what comes while both are there is cut by each in its own way, also after going back', async () => {
    recipe = SMALL
    await make()
    await send('skua', sentences('skua'))
    await generations.idle()
    const cut = async (storage: string): Promise<number> =>
      (await chunksOf(storage)).filter(({ document }) => document === 'skua').length
    const [large, small] = [await cut('books'), await cut('books/g2')]
    assert.ok(large > 0 && small > 2 * large)
    await generations.activate('books', 'g2')
    await send('auk', sentences('auk'))
    await generations.idle()
    await generations.rollback('books')
    await generations.idle()
    for (const { text } of await chunksOf('books/g2')) assert.ok(estimateTokens(text) <= 128)
    const auk = (await chunksOf('books')).filter(({ document }) => document === 'auk')
    assert.ok(auk.length === large && auk.some(({ text }) => estimateTokens(text) > 128))
  })

  test('a collection stays as it is cut until a generation is made', async () => {
    recipe = SMALL
    await send('skua', sentences('skua'))
    const skua = (await chunksOf('books')).filter(({ document }) => document === 'skua')
    assert.ok(skua.some(({ text }) => estimateTokens(text) > 128))
  })

  test('an interrupted one goes on where it was, and nothing is there twice', async () => {
    await sendAll(many(40, (at) => `bird${at}`))
    recipe = SMALL
    let calls = 0
    const { passages } = house.embeddings
    house.embeddings.passages = async (...all) => {
      if (++calls === 2) throw new Error('the process is killed')
      return await passages.apply(house.embeddings, all)
    }
    await make()
    const taken = (await collection('books/g2').catch(() => undefined))?.documents ?? 0
    assert.equal(taken, 10)
    await house.ingest.stop()
    begin(house)
    await house.ingest.resume()
    await generations.idle()
    assert.deepEqual((await shown()).at(-1), { id: 'g2', state: 'ready', live: false, documents: 42, cutBefore: 0 })
    const places = (await chunksOf('books/g2')).map(({ document, start }) => `${document} ${start}`)
    assert.equal(new Set(places).size, places.length)
    assert.equal((await collection('books/g2')).chunks, places.length)
  })

  test('documents whose outline was not kept are named, answer as before, and are cut when they are read again', async () => {
    const bare: Parameters<typeof house.rows.commit>[0][number][] = []
    for await (const { key, row } of scanAll(house.rows, CHUNKS)) {
      const { outline: _, ...rest } = row
      if (row.document === 'gull') bare.push(put(CHUNKS, key, rest))
    }
    await house.rows.commit(bare)
    recipe = SMALL
    await make()
    assert.equal((await shown()).at(-1)?.cutBefore, 1)
    assert.deepEqual(await generations.cutBefore('books', 'g2', 10), ['gull'])
    assert.deepEqual(await generations.cutBefore('books', 'g2', 10, 'gull'), [])
    assert.equal(await generations.cutBefore('books', 'g9', 10), undefined)
    assert.equal(await generations.activate('books', 'g2'), undefined)
    assert.equal((await search.search('books', 'gull', { k: 1 })).passages[0]?.document, 'gull')
    assert.equal(await send('tern', sentences('tern')), 'unchanged')
    assert.equal(await send('gull', sentences('gull')), 'kept')
    assert.equal((await shown()).at(-1)?.cutBefore, 0)
    for (const { text } of await chunksOf('books/g2')) assert.ok(estimateTokens(text) <= 128)
  })

  test('another model of contexts is another generation, and the live one keeps its own', async () => {
    recipe = { ...RECIPE, context: 'small' }
    await make()
    assert.deepEqual(new Set((await chunksOf('books')).map(({ context }) => context)), new Set([undefined]))
    assert.deepEqual(
      new Set((await chunksOf('books/g2')).map(({ context }) => context)),
      new Set(['Written by small.']),
    )
    asked = []
    await send('skua', sentences('skua', 2))
    await generations.idle()
    assert.equal(asked.length, 1)
  })

  test('changed attributes of an unchanged text reach every generation', async () => {
    recipe = SMALL
    await make()
    await send('gull', sentences('gull'), { tenant: 'acme' })
    await generations.idle()
    for (const storage of ['books', 'books/g2']) {
      const found = (await house.rows.get(DOCUMENTS, [storage, 'gull']))?.row
      assert.deepEqual(found?.metadata, { tenant: 'acme' }, storage)
    }
  })

  test('passages of another size are compared by where they lie', async () => {
    recipe = SMALL
    await make()
    const { overlap } = await compare(search, 'books@g1', 'books@g2', ['gull', 'tern'])
    assert.ok(overlap > 0.3, `${overlap}`)
  })

  test('a generation answers by itself as soon as it is ready, where that was asked for', async () => {
    recipe = SMALL
    assert.equal(await generations.create('books', { switchWhenReady: true }), 'g2')
    await generations.idle()
    assert.equal(await storageOf(house.rows, 'books'), 'books/g2')
    // Going back is final: it does not switch again.
    await generations.rollback('books')
    await generations.idle()
    assert.equal(await storageOf(house.rows, 'books'), 'books')
  })

  for (const wanted of ['bge', LSA])
    test(`a collection too large to be embedded as a whole is embedded beside itself: ${wanted}`, async () => {
      await house.ingest.stop()
      choice = { ...choice, model: 'none' }
      begin(undefined, 50)
      await sendAll(many(100, (at) => `bird${at % 7} wing${at % 5}`))
      assert.ok((await collection('books')).chunks > 200)
      choice = { ...choice, model: wanted }
      begin(house, 50)
      await house.ingest.resume()
      await generations.renew('books')
      await generations.idle()
      const storage = await storageOf(house.rows, 'books')
      assert.equal(storage, 'books/g2')
      const held = await collection(storage)
      assert.equal(held.documents, 100)
      const { space } = await house.embeddings.space(storage, held.space ?? '')
      assert.equal(space.model, wanted)
      const { passages } = await search.search('books', 'bird3 wing2', { k: 3, mode: 'vector' })
      assert.equal(passages.length, 3)
      // There is nothing left to do.
      await generations.renew('books')
      assert.equal((await shown()).length, 2)
    })
})
