/** The OpenAI client for Node asks vector stores. */
import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import OpenAI, { AuthenticationError, BadRequestError, NotFoundError, PermissionDeniedError } from 'openai'
import { ADMIN_KEY, startHouse, type RunningHouse } from '../kit/house.ts'
import { DOCUMENTS, QUESTION } from './material.ts'

/** What was acknowledged is listed a moment before it is mounted. */
async function untilSearchable({ url }: RunningHouse): Promise<void> {
  for (let turn = 0; turn < 200; turn++) {
    const answer = await fetch(`${url}/api/collections/handbook`, { headers: { authorization: `Bearer ${ADMIN_KEY}` } })
    const { quality } = (await answer.json()) as { quality: { completeness: Record<string, number> } }
    const { chunks = 0, searchableChunks } = quality.completeness
    if (chunks > 0 && chunks === searchableChunks) return
    await sleep(25)
  }
  assert.fail('what was read cannot be searched')
}

suite('OpenAI for Node: vector stores', () => {
  let house: RunningHouse
  let client: OpenAI
  before(async () => {
    house = await startHouse({ documents: DOCUMENTS })
    client = new OpenAI({ baseURL: `${house.url}/v1`, apiKey: ADMIN_KEY, maxRetries: 0 })
    await untilSearchable(house)
  })
  after(() => house.stop())

  test('searches a collection', async () => {
    const page = await client.vectorStores.search('handbook', { query: QUESTION, max_num_results: 3 })
    assert.match(page.data[0]?.content[0]?.text ?? '', /Maren Holt/)
    assert.match(page.data[0]?.filename ?? '', /\.md$/)
    assert.ok(page.data.every(({ score }) => score >= 0 && score <= 1))
    assert.equal(page.hasNextPage(), false)
    const filters = { type: 'eq', key: 'document', value: page.data[0]?.file_id ?? '' } as const
    const one = await client.vectorStores.search('handbook', { query: [QUESTION, 'lighthouse'], filters })
    assert.ok(one.data.length > 0 && one.data.every(({ file_id: id }) => id === filters.value))
  })

  test('reads its files', async () => {
    const files = []
    for await (const file of client.vectorStores.files.list('handbook', { limit: 1 })) files.push(file)
    assert.equal(files.length, Object.keys(DOCUMENTS).length)
    const [file] = files
    assert.ok(file !== undefined)
    const again = await client.vectorStores.files.retrieve(file.id, { vector_store_id: 'handbook' })
    assert.deepEqual(again, file)
    const text = await client.vectorStores.files.content(file.id, { vector_store_id: 'handbook' })
    assert.ok((text.data[0]?.text ?? '').length > 0)
  })

  test('makes, changes, pages through and removes vector stores', async () => {
    const made = await client.vectorStores.create({ name: 'notes', metadata: { team: 'web' } })
    assert.equal(made.object, 'vector_store')
    await client.vectorStores.update(made.id, { name: 'Notes' })
    assert.equal((await client.vectorStores.retrieve(made.id)).name, 'Notes')
    const ids: string[] = []
    for await (const { id } of client.vectorStores.list({ limit: 1, order: 'asc' })) ids.push(id)
    assert.deepEqual(ids, ['handbook', 'notes'])
    assert.equal((await client.vectorStores.delete(made.id)).deleted, true)
    await assert.rejects(client.vectorStores.retrieve(made.id), NotFoundError)
  })

  test('keeps tenants apart, by what documents were sent with', async () => {
    const send = async (path: string, body: object): Promise<{ key: string }> => {
      const answer = await fetch(`${house.url}${path}`, {
        method: 'POST',
        headers: { authorization: `Bearer ${ADMIN_KEY}`, 'content-type': 'application/json' },
        body: JSON.stringify(body),
      })
      assert.ok(answer.ok, await answer.clone().text())
      return (await answer.json()) as { key: string }
    }
    const text = 'The turnip harvest was counted twice.'
    for (const tenant of ['acme', 'globex'])
      await send('/api/collections/turnips/documents', {
        id: tenant,
        uri: tenant,
        text,
        metadata: { tenant, year: 2020 },
      })
    await send('/api/collections/turnips/documents', { id: 'open', uri: 'open', text: `${text} By all.` })
    const { key } = await send('/api/keys', { name: 'acme', tenant: 'acme' })
    const acme = new OpenAI({ baseURL: `${house.url}/v1`, apiKey: key, maxRetries: 0 })
    const seen = async (filters?: OpenAI.ComparisonFilter): Promise<string[]> => {
      const page = await acme.vectorStores.search('turnips', { query: 'turnip harvest', ...(filters && { filters }) })
      return page.data.map(({ attributes }) => String(attributes?.['tenant'])).toSorted()
    }
    assert.deepEqual(await seen(), ['acme', 'undefined'])
    assert.deepEqual(await seen({ type: 'gte', key: 'year', value: 2000 }), ['acme'])
    assert.deepEqual(await seen({ type: 'eq', key: 'tenant', value: 'globex' }), [])
    assert.deepEqual(await seen({ type: 'ne', key: 'tenant', value: 'acme' }), ['undefined'])
  })

  test('raises its own errors', async () => {
    await assert.rejects(client.vectorStores.search('nowhere', { query: 'x' }), NotFoundError)
    await assert.rejects(
      client.vectorStores.search('handbook', { query: 'x', max_num_results: 51 }),
      (error) => error instanceof BadRequestError && error.param === 'max_num_results',
    )
    const answer = await fetch(`${house.url}/api/keys`, {
      method: 'POST',
      headers: { authorization: `Bearer ${ADMIN_KEY}`, 'content-type': 'application/json' },
      body: JSON.stringify({ name: 'reader', collections: ['handbook'] }),
    })
    const { key } = (await answer.json()) as { key: string }
    const reader = new OpenAI({ baseURL: `${house.url}/v1`, apiKey: key, maxRetries: 0 })
    assert.ok((await reader.vectorStores.search('handbook', { query: QUESTION })).data.length > 0)
    await assert.rejects(reader.vectorStores.delete('handbook'), PermissionDeniedError)
  })
})

test('of several gateways each passes vector stores on to the process that keeps them', async () => {
  const house = await startHouse({ documents: DOCUMENTS, config: { gateways: 2 } })
  try {
    await untilSearchable(house)
    const client = new OpenAI({ baseURL: `${house.url}/v1`, apiKey: ADMIN_KEY, maxRetries: 0 })
    for (let time = 0; time < 4; time++) {
      const page = await client.vectorStores.search('handbook', { query: QUESTION })
      assert.match(page.data[0]?.content[0]?.text ?? '', /Maren Holt/)
    }
    const stranger = new OpenAI({ baseURL: `${house.url}/v1`, apiKey: 'hw_wrong', maxRetries: 0 })
    await assert.rejects(stranger.vectorStores.search('handbook', { query: QUESTION }), AuthenticationError)
  } finally {
    await house.stop()
  }
})
