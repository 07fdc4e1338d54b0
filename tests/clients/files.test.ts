/** The OpenAI client for Node sends files, and puts them into vector stores. */
import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import OpenAI, { BadRequestError, NotFoundError, toFile } from 'openai'
import { ADMIN_KEY, startHouse, type RunningHouse } from '../kit/house.ts'
import { DOCUMENTS } from './material.ts'

suite('OpenAI for Node: files', () => {
  let house: RunningHouse
  let client: OpenAI
  before(async () => {
    house = await startHouse({ documents: DOCUMENTS })
    client = new OpenAI({ baseURL: `${house.url}/v1`, apiKey: ADMIN_KEY, maxRetries: 0 })
  })
  after(() => house.stop())

  test('sends, lists, reads and deletes a file of several parts', async () => {
    const bytes = Buffer.from(Uint32Array.from({ length: 5_000_000 }, (_, at) => at).buffer)
    const file = await client.files.create({
      file: await toFile(bytes, 'numbers.bin'),
      purpose: 'user_data',
      expires_after: { anchor: 'created_at', seconds: 3600 },
    })
    assert.deepEqual([file.object, file.bytes, file.filename], ['file', bytes.length, 'numbers.bin'])
    assert.equal(Number(file.expires_at) - file.created_at, 3600)
    assert.deepEqual(await client.files.retrieve(file.id), file)
    const content = await client.files.content(file.id)
    assert.ok(bytes.equals(Buffer.from(await content.arrayBuffer())))
    const ids: string[] = []
    for await (const { id } of client.files.list({ purpose: 'user_data' })) ids.push(id)
    assert.deepEqual(ids, [file.id])
    assert.equal((await client.files.delete(file.id)).deleted, true)
    await assert.rejects(client.files.retrieve(file.id), NotFoundError)
  })

  test('raises its own errors', async () => {
    const file = await toFile(Buffer.from('x'), 'x.txt')
    await assert.rejects(
      client.files.create({ file, purpose: 'fine-tune' }),
      (error) => error instanceof BadRequestError && error.param === 'purpose',
    )
    await assert.rejects(client.files.content('file_none'), NotFoundError)
    await assert.rejects(client.vectorStores.files.create('handbook', { file_id: 'file_none' }), NotFoundError)
  })

  test('uploads into a vector store, and finds what it uploaded', async () => {
    const { id: store } = await client.vectorStores.create({ name: 'harbour' })
    const note = await toFile(Buffer.from('# Cranes\n\nThe crane of pier nine lifts forty tonnes.'), 'cranes.md')
    const put = await client.vectorStores.files.uploadAndPoll(store, note)
    assert.deepEqual([put.status, put.last_error], ['completed', null])
    const found = await client.vectorStores.search(store, { query: 'crane of pier nine' })
    assert.deepEqual([found.data[0]?.file_id, found.data[0]?.filename], [put.id, 'cranes.md'])
    const broken = await toFile(Buffer.from('%PDF-1.7 torn'), 'torn.pdf')
    const failed = await client.vectorStores.files.uploadAndPoll(store, broken)
    assert.equal(failed.status, 'failed')
    assert.equal(failed.last_error?.code, 'invalid_file')
    const taken = await client.vectorStores.files.delete(put.id, { vector_store_id: store })
    assert.equal(taken.deleted, true)
    assert.equal((await client.files.retrieve(put.id)).id, put.id, 'the file itself stays')
  })

  test('uploads many into a vector store, with attributes to filter by', async () => {
    const { id: store } = await client.vectorStores.create({ name: 'ships' })
    const files = await Promise.all(
      ['Aurora', 'Bertha', 'Carlotta'].map((name) =>
        toFile(Buffer.from(`The ship ${name} carries salt.`), `${name}.txt`),
      ),
    )
    const batch = await client.vectorStores.fileBatches.uploadAndPoll(store, { files })
    assert.equal(batch.status, 'completed')
    assert.deepEqual(batch.file_counts, { in_progress: 0, completed: 3, failed: 0, cancelled: 0, total: 3 })
    const members: string[] = []
    for await (const { id } of client.vectorStores.fileBatches.listFiles(batch.id, { vector_store_id: store }))
      members.push(id)
    assert.equal(members.length, 3)
    const [first = ''] = members
    await client.vectorStores.files.createAndPoll(store, { file_id: first, attributes: { flag: 'red' } })
    const found = await client.vectorStores.search(store, {
      query: 'ship with salt',
      filters: { type: 'eq', key: 'flag', value: 'red' },
    })
    assert.deepEqual(
      found.data.map(({ file_id: id }) => id),
      [first],
    )
    const again = await client.vectorStores.create({ name: 'again', file_ids: members })
    assert.equal(again.file_counts.total, 3)
  })
})

test('of several gateways each passes files on to the process that keeps them', async () => {
  const house = await startHouse({ documents: DOCUMENTS, config: { gateways: 2 } })
  try {
    const client = new OpenAI({ baseURL: `${house.url}/v1`, apiKey: ADMIN_KEY, maxRetries: 0 })
    const bytes = Buffer.alloc(3_000_000, 'a')
    for (let time = 0; time < 4; time++) {
      const file = await client.files.create({ file: await toFile(bytes, 'a.txt'), purpose: 'user_data' })
      const content = await client.files.content(file.id)
      assert.ok(bytes.equals(Buffer.from(await content.arrayBuffer())))
    }
  } finally {
    await house.stop()
  }
})
