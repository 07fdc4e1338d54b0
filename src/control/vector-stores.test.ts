import assert from 'node:assert/strict'
import { NO_SCHEDULES } from '../../tests/kit/sources.ts'
import { describe, test } from 'node:test'
import { nothingDerived } from '../../tests/kit/erasing.ts'
import { ManualClock, settled } from '../../tests/kit/clock.ts'
import { RecordedReply, request } from '../../tests/kit/exchange.ts'
import { openLibrary, type Written } from '../../tests/kit/library.ts'
import { Refusal, refuse } from '../base/errors.ts'
import type { JsonObject } from '../base/json.ts'
import { seededRandom } from '../base/random.ts'
import { Analyzer } from '../base/words.ts'
import { silentLog } from '../base/log.ts'
import { MemoryBlobs } from '../drivers/memory/blobs.ts'
import { MemoryEvents } from '../drivers/memory/events.ts'
import { MemoryQueue } from '../drivers/memory/queue.ts'
import { Files } from '../files/files.ts'
import { ownerOf } from '../files/owner.ts'
import { Audit } from '../guard/audit.ts'
import { readBindings } from '../guard/bindings.ts'
import type { Principal, Role } from '../guard/principal.ts'
import { Attachments } from '../retrieval/attach/attachments.ts'
import { Deletions } from '../retrieval/deletion/receipts.ts'
import { collectionKey, COLLECTIONS, documentKey, DOCUMENTS } from '../retrieval/document.ts'
import { put } from '../store/rows.ts'
import { collectionRoutes } from './collections.ts'
import { deletionRoutes } from './deletions.ts'
import { controlPlane } from './router.ts'
import { searchRoutes } from './search.ts'
import { fileBatchRoutes } from './vector-store-file-batches.ts'
import { vectorStoreFileRoutes } from './vector-store-files.ts'
import { vectorStoreRoutes } from './vector-stores.ts'

const principalOf = (role: Role, terms: JsonObject = {}): Principal => {
  const bindings = readBindings(terms, role)
  if (bindings instanceof Refusal) return assert.fail(JSON.stringify(bindings))
  return { id: 'key_1', name: 'app', role, bindings }
}
const USER = principalOf('user')
const ADMIN = principalOf('admin')

const UNREADABLE = refuse('document_unreadable', { reason: 'it is torn' })

const LIBRARY: Written[] = [
  { id: 'd1', texts: ['The lighthouse is white.'], metadata: { year: 2020, kind: 'building', lit: true } },
  { id: 'd2', texts: ['A lighthouse of 1850, red and tall.'], metadata: { year: 1850, kind: 'building' } },
  { id: 'd3', texts: ['Boats pass the lighthouse at night.'], metadata: { year: 2024, kind: 'boat' } },
  { id: 'd4', texts: ['The secret lighthouse of Globex.'], metadata: { tenant: 'globex' } },
]

async function open({ owner }: { owner?: string } = {}) {
  const clock = new ManualClock()
  const library = await openLibrary(LIBRARY, { vectors: false, ownerOf: () => owner })
  const { rows, search } = library
  const audit = new Audit({ events: new MemoryEvents(), clock, random: seededRandom(1) })
  const dropped: string[] = []
  const ingest = {
    dropCollection: async (name: string) => void dropped.push(name),
  }
  const analyzer = new Analyzer()
  const deletions = new Deletions({
    ...library,
    ...nothingDerived({ ...library, analyzer, clock }),
    clock,
    random: seededRandom(3),
    analyzer,
    removeDocument: async (_, id) => void dropped.push(id),
  })
  const files = await Files.open({
    clock,
    random: seededRandom(4),
    rows,
    blobs: new MemoryBlobs(),
    ownerBytesMax: () => 2 ** 30,
  })
  const attachments = new Attachments({
    clock,
    rows,
    queue: new MemoryQueue(clock),
    log: silentLog,
    files,
    ingest: {
      push: async (_, [sent]) => {
        const id = sent?.id ?? ''
        if (
          !Buffer.from(sent?.bytes ?? [])
            .toString()
            .startsWith('ok')
        )
          return [{ id, status: 'refused', problem: UNREADABLE }]
        const [like] = await rows.scan(DOCUMENTS, { limit: 1 })
        if (like !== undefined)
          await rows.commit([put(DOCUMENTS, documentKey('c', id), { ...like.row, id, metadata: sent?.metadata ?? {} })])
        return [{ id, status: 'kept' }]
      },
      removeDocument: async (_, id) => void dropped.push(id),
    },
  })
  const upload = async (text: string, owner = 'key_1'): Promise<string> => {
    const pieces = async function* (): AsyncGenerator<Uint8Array> {
      yield Buffer.from(text)
    }
    const file = { owner, name: 'note.md', mediaType: 'text/markdown' }
    const made = await files.write(file, pieces(), async () => ({ purpose: 'assistants' }))
    return made instanceof Refusal ? assert.fail(made.code) : made.id
  }
  const shared = {
    files,
    attachments,
    deletions,
    clock,
    random: seededRandom(2),
    rows,
    search: { search },
    ownerOf: () => owner,
    audit,
    ingest,
  }
  const reranked: string[] = []
  let principal: Principal = USER
  const embedFor = () => () => Promise.reject(new Error('no model is asked'))
  const handle = controlPlane({
    routes: [
      ...vectorStoreRoutes({ ...shared, embedFor }),
      ...vectorStoreFileRoutes(shared),
      ...fileBatchRoutes(shared),
      ...deletionRoutes(shared),
      ...collectionRoutes({ ...shared, quality: async () => ({}), schedules: NO_SCHEDULES }),
      ...searchRoutes({
        ...shared,
        embedFor,
        rerank: async (_, model, __, documents) => {
          reranked.push(model)
          return model === 'spent'
            ? refuse('model_not_allowed', { model })
            : documents.map((___, at) => documents.length - 1 - at)
        },
      }),
    ],
    authenticate: () => principal,
    newRequestId: () => 'req_1',
  })
  async function call(method: string, target: string, body: unknown = '', as: Principal = USER) {
    principal = as
    const reply = new RecordedReply()
    handle(request(method, target, body), reply)
    for (let turn = 0; turn < 100 && !reply.ended; turn++) await settled()
    return { status: reply.status, json: reply.json() }
  }
  return { call, rows, dropped, reranked, upload, files, stop: () => attachments.stop() }
}

const SEARCH = '/v1/vector_stores/c/search'
const ids = ({ json }: { json: { data: { file_id: string }[] } }): string[] => json.data.map(({ file_id: id }) => id)

describe('searching', () => {
  test('answers in the shape of OpenAI', async () => {
    const { call } = await open()
    const { status, json } = await call('POST', SEARCH, { query: 'white lighthouse', max_num_results: 1 })
    assert.equal(status, 200)
    assert.deepEqual(json, {
      object: 'vector_store.search_results.page',
      search_query: ['white lighthouse'],
      data: [
        {
          file_id: 'd1',
          filename: 'd1.md',
          score: 1,
          attributes: { year: 2020, kind: 'building', lit: true },
          content: [{ type: 'text', text: 'The lighthouse is white.' }],
        },
      ],
      has_more: false,
      next_page: null,
    })
  })

  test('several queries are put together, and rewriting shows what was searched', async () => {
    const { call } = await open()
    const found = await call('POST', SEARCH, { query: ['red', 'boats'], max_num_results: 2, rewrite_query: true })
    assert.deepEqual(ids(found).toSorted(), ['d2', 'd3'])
    assert.match(String(found.json.search_query[0]), /red/)
  })

  const comparison = (type: string, key: string, value: unknown): object => ({ type, key, value })
  const CASES: readonly [string, object, string[]][] = [
    ['eq', comparison('eq', 'kind', 'boat'), ['d3']],
    ['ne', comparison('ne', 'kind', 'boat'), ['d1', 'd2']],
    ['gt', comparison('gt', 'year', 2020), ['d3']],
    ['gte', comparison('gte', 'year', 2020), ['d1', 'd3']],
    ['lt', comparison('lt', 'year', 2020), ['d2']],
    ['lte', comparison('lte', 'year', 2020), ['d1', 'd2']],
    ['in', comparison('in', 'year', [1850, 2024]), ['d2', 'd3']],
    ['nin', comparison('nin', 'year', [1850, 2024]), ['d1']],
    ['a boolean', comparison('eq', 'lit', true), ['d1']],
    ['a number is no text', comparison('eq', 'year', '2020'), []],
    ['and', { type: 'and', filters: [comparison('eq', 'kind', 'building'), comparison('gt', 'year', 1900)] }, ['d1']],
    ['or', { type: 'or', filters: [comparison('eq', 'kind', 'boat'), comparison('lt', 'year', 1900)] }, ['d2', 'd3']],
  ]
  for (const [name, filters, expected] of CASES)
    test(`filters: ${name}`, async () => {
      const { call } = await open()
      assert.deepEqual(ids(await call('POST', SEARCH, { query: 'lighthouse', filters })).toSorted(), expected)
    })

  test('a threshold leaves out what is less relevant', async () => {
    const { call } = await open()
    const ask = async (threshold: number): Promise<number[]> =>
      (
        await call('POST', SEARCH, { query: 'red lighthouse', ranking_options: { score_threshold: threshold } })
      ).json.data.map(({ score }: { score: number }) => score)
    const scores = await ask(0)
    assert.ok(scores.length > 1 && scores.every((score) => score >= 0 && score <= 1))
    assert.deepEqual(await ask(1), [1])
  })

  const nested = (depth: number): object =>
    depth === 0 ? comparison('eq', 'a', 1) : { type: 'and', filters: [nested(depth - 1)] }
  const BAD: readonly [string, object][] = [
    ['query', {}],
    ['query', { query: '' }],
    ['query', { query: [] }],
    ['query', { query: ['x', 7] }],
    ['query', { query: 'x'.repeat(10_001) }],
    ['query', { query: Array.from({ length: 11 }, () => 'x') }],
    ['max_num_results', { query: 'x', max_num_results: 0 }],
    ['max_num_results', { query: 'x', max_num_results: 51 }],
    ['max_num_results', { query: 'x', max_num_results: 1.5 }],
    ['ranking_options', { query: 'x', ranking_options: 7 }],
    ['ranking_options.score_threshold', { query: 'x', ranking_options: { score_threshold: 2 } }],
    ['ranking_options.ranker', { query: 'x', ranking_options: { ranker: 'mine' } }],
    ['rewrite_query', { query: 'x', rewrite_query: 'yes' }],
    ['filters', { query: 'x', filters: 'kind=boat' }],
    ['filters.type', { query: 'x', filters: comparison('like', 'a', 'b') }],
    ['filters.key', { query: 'x', filters: comparison('eq', '', 'b') }],
    ['filters.value', { query: 'x', filters: comparison('eq', 'a', { b: 1 }) }],
    ['filters.value', { query: 'x', filters: comparison('gt', 'a', 'b') }],
    ['filters.value', { query: 'x', filters: comparison('in', 'a', 'b') }],
    ['filters.filters', { query: 'x', filters: { type: 'and', filters: [] } }],
    ['filters.filters[0]', { query: 'x', filters: { type: 'or', filters: [7] } }],
    ['filters', { query: 'x', filters: { type: 'or', filters: Array(300).fill(comparison('eq', 'a', 1)) } }],
  ]
  for (const [param, body] of BAD)
    test(`refuses ${JSON.stringify(body).slice(0, 90)}`, async () => {
      const { call } = await open()
      const { status, json } = await call('POST', SEARCH, body)
      assert.deepEqual([status, json.error.type, json.error.param], [400, 'invalid_request_error', param])
    })

  test('refuses a filter nested too deep', async () => {
    const { call } = await open()
    assert.equal((await call('POST', SEARCH, { query: 'x', filters: nested(20) })).status, 400)
  })
})

describe('a caller', () => {
  const ACME = principalOf('user', { tenant: 'acme' })
  const GLOBEX = principalOf('user', { tenant: 'globex' })

  test('is answered from what its tenant may see, in search, files and documents alike', async () => {
    const { call } = await open()
    for (const who of [USER, ACME]) {
      assert.ok(!ids(await call('POST', SEARCH, { query: 'secret globex lighthouse' }, who)).includes('d4'))
      assert.equal((await call('GET', '/v1/vector_stores/c/files/d4', '', who)).status, 404)
      assert.equal((await call('GET', '/v1/vector_stores/c/files/d4/content', '', who)).status, 404)
      assert.equal((await call('GET', '/api/collections/c/documents/d4', '', who)).status, 404)
      const own = await call('POST', '/api/collections/c/search', { query: 'secret globex lighthouse' }, who)
      assert.ok(!JSON.stringify(own.json).includes('Globex'))
      for (const path of ['/v1/vector_stores/c/files', '/api/collections/c/documents'])
        assert.ok(!JSON.stringify((await call('GET', path, '', who)).json).includes('d4'), path)
    }
    assert.ok(ids(await call('POST', SEARCH, { query: 'secret globex lighthouse' }, GLOBEX)).includes('d4'))
    assert.ok(ids(await call('POST', SEARCH, { query: 'secret globex lighthouse' }, ADMIN)).includes('d4'))
  })

  test('widens nothing by naming a tenant in a filter, a header field or the body', async () => {
    const { call } = await open()
    for (const body of [
      { query: 'globex', filters: { type: 'eq', key: 'tenant', value: 'globex' } },
      { query: 'globex', filters: { type: 'or', filters: [{ type: 'ne', key: 'tenant', value: 'x' }] } },
      { query: 'globex', filters: { type: 'eq', key: 'tenanted', value: true } },
      { query: 'globex', filters: { type: 'eq', key: 'document', value: 'd4' } },
      { query: 'globex', tenant: 'globex', access: 'all' },
    ])
      assert.ok(!ids(await call('POST', SEARCH, body, ACME)).includes('d4'), JSON.stringify(body))
    const field = await call('POST', '/api/collections/c/search', { query: 'globex', access: 'all' }, ACME)
    assert.equal(field.json.error.param, 'access')
  })

  test('of another tenant does not find the collection', async () => {
    const { call } = await open({ owner: 'globex' })
    for (const [method, path] of [
      ['POST', SEARCH],
      ['GET', '/v1/vector_stores/c'],
      ['GET', '/v1/vector_stores/c/files'],
      ['GET', '/api/collections/c'],
      ['GET', '/api/collections/c/documents'],
      ['GET', '/api/collections/c/documents/d1'],
    ] as const)
      assert.equal((await call(method, path, method === 'POST' ? { query: 'x' } : '', ACME)).status, 404, path)
    assert.deepEqual((await call('GET', '/v1/vector_stores', '', ACME)).json.data, [])
    assert.deepEqual((await call('GET', '/api/collections', '', ACME)).json.collections, [])
    assert.equal((await call('GET', '/v1/vector_stores', '', GLOBEX)).json.data.length, 1)
  })

  test('reads the collections its key is limited to, and none where it is limited in what it calls', async () => {
    const { call } = await open()
    const status = async (terms: JsonObject): Promise<number> =>
      (await call('POST', SEARCH, { query: 'x' }, principalOf('user', terms))).status
    assert.equal(await status({ collections: ['c'] }), 200)
    assert.equal(await status({ collections: ['other', 'hand*'] }), 404)
    assert.equal(await status({ models: ['chat'] }), 404)
    assert.equal(await status({ workflows: ['docs'] }), 404)
    assert.equal(await status({ workflows: ['docs'], collections: ['c*'] }), 200)
  })

  test('makes, changes and removes nothing without being an administrator', async () => {
    const { call, dropped } = await open()
    for (const [method, path] of [
      ['POST', '/v1/vector_stores'],
      ['POST', '/v1/vector_stores/c'],
      ['DELETE', '/v1/vector_stores/c'],
      ['DELETE', '/v1/vector_stores/c/files/d1'],
    ] as const)
      assert.equal((await call(method, path, {})).status, 403)
    assert.deepEqual(dropped, [])
  })
})

describe('vector stores', () => {
  test('are made, changed, listed and removed', async () => {
    const { call, dropped } = await open()
    const made = await call('POST', '/v1/vector_stores', { name: 'tickets', metadata: { team: 'web' } }, ADMIN)
    assert.deepEqual([made.json.id, made.json.object, made.json.metadata], ['tickets', 'vector_store', { team: 'web' }])
    assert.deepEqual(made.json.file_counts, { in_progress: 0, completed: 0, failed: 0, cancelled: 0, total: 0 })
    const second = await call('POST', '/v1/vector_stores', { name: 'tickets' }, ADMIN)
    assert.match(second.json.id, /^vs_/)
    const free = await call('POST', '/v1/vector_stores', { name: 'My Documents' }, ADMIN)
    assert.deepEqual([free.json.name, free.json.id.startsWith('vs_')], ['My Documents', true])
    const changed = await call('POST', '/v1/vector_stores/tickets', { name: 'Tickets!' }, ADMIN)
    assert.deepEqual(
      [changed.json.name, changed.json.id, changed.json.metadata],
      ['Tickets!', 'tickets', { team: 'web' }],
    )
    assert.equal((await call('GET', '/v1/vector_stores/tickets')).json.name, 'Tickets!')
    const gone = await call('DELETE', '/v1/vector_stores/tickets', '', ADMIN)
    assert.deepEqual(gone.json, { id: 'tickets', object: 'vector_store.deleted', deleted: true })
    assert.deepEqual(dropped, ['tickets'])
    assert.equal((await call('GET', '/v1/vector_stores/nowhere')).json.error.code, 'collection_unknown')
  })

  for (const body of [
    { name: 7 },
    { name: 'x'.repeat(300) },
    { metadata: 'x' },
    { metadata: { a: 1 } },
    { metadata: Object.fromEntries(Array.from({ length: 17 }, (_, at) => [`k${at}`, 'v'])) },
    { expires_after: { anchor: 'last_active_at', days: 1 } },
    { file_ids: 'file_1' },
    { chunking_strategy: { type: 'static', static: { max_chunk_size_tokens: 100, chunk_overlap_tokens: 0 } } },
  ])
    test(`are not made of ${JSON.stringify(body).slice(0, 80)}`, async () => {
      const { call } = await open()
      assert.equal((await call('POST', '/v1/vector_stores', body, ADMIN)).status, 400)
    })

  test('come page by page, in both directions', async () => {
    const { call, rows } = await open()
    for (const name of ['a', 'b', 'd'])
      await rows.commit([
        put(COLLECTIONS, collectionKey(name), {
          name,
          segments: [],
          documents: 0,
          chunks: 0,
          bytes: 0,
          updatedAtMs: 0,
        }),
      ])
    const names = async (query: string): Promise<string> => {
      const { data, has_more: more } = (await call('GET', `/v1/vector_stores?${query}`)).json
      return `${data.map(({ id }: { id: string }) => id).join('')}${more ? '+' : ''}`
    }
    assert.equal(await names(''), 'dcba')
    assert.equal(await names('order=asc'), 'abcd')
    assert.equal(await names('order=asc&limit=2'), 'ab+')
    assert.equal(await names('order=asc&limit=2&after=b'), 'cd')
    assert.equal(await names('limit=2&after=c'), 'ba')
    assert.equal(await names('limit=2&before=a'), 'cb+')
    assert.equal(await names('order=asc&before=c'), 'ab')
    assert.equal(await names('order=asc&after=a&before=d'), 'bc')
    for (const query of ['limit=0', 'limit=101', 'limit=x', 'order=up'])
      assert.equal((await call('GET', `/v1/vector_stores?${query}`)).status, 400, query)
  })

  test('have files: read, listed and taken out', async () => {
    const { call, dropped } = await open()
    const { data } = (await call('GET', '/v1/vector_stores/c/files?order=asc', '', USER)).json
    assert.deepEqual(
      data.map(({ id }: { id: string }) => id),
      ['d1', 'd2', 'd3'],
    )
    const file = (await call('GET', '/v1/vector_stores/c/files/d1')).json
    assert.deepEqual([file.object, file.status, file.attributes.year], ['vector_store.file', 'completed', 2020])
    const content = (await call('GET', '/v1/vector_stores/c/files/d1/content')).json
    assert.deepEqual(content.data, [{ type: 'text', text: 'The lighthouse is white.' }])
    assert.deepEqual((await call('GET', '/v1/vector_stores/c/files?filter=failed')).json.data, [])
    assert.equal((await call('GET', '/v1/vector_stores/c/files?filter=odd')).status, 400)
    assert.equal((await call('DELETE', '/v1/vector_stores/c/files/no', '', ADMIN)).status, 404)
    assert.equal((await call('DELETE', '/v1/vector_stores/c/files/d1', '', ADMIN)).json.deleted, true)
    assert.deepEqual(dropped, ['d1'])
  })
})

describe('our own search', () => {
  const OWN = '/api/collections/c/search'

  test('shows scores and ranks by leg, and the stages', async () => {
    const { call } = await open()
    const { json } = await call('POST', OWN, { query: 'red lighthouse', k: 2 })
    assert.equal(json.passages.length, 2)
    assert.deepEqual(json.passages[0].legs.words.rank, 1)
    assert.equal(json.fusion, 'none')
    assert.ok(json.stages.some(({ name }: { name: string }) => name === 'match'))
  })

  test('filters, reranks by a model, spreads and expands', async () => {
    const { call, reranked } = await open()
    const plain = (await call('POST', OWN, { query: 'lighthouse', k: 3 })).json
    const turned = (await call('POST', OWN, { query: 'lighthouse', k: 3, rerank: 'lexical' })).json
    assert.deepEqual(
      turned.passages.map(({ document }: { document: string }) => document),
      plain.passages.map(({ document }: { document: string }) => document).toReversed(),
    )
    assert.deepEqual(reranked, ['lexical'])
    const all = { query: 'lighthouse', mode: 'words', diversity: 0.5, expandTokens: 100 }
    const filter = { type: 'eq', key: 'kind', value: 'boat' }
    assert.equal((await call('POST', OWN, { ...all, filter })).json.passages.length, 1)
  })

  test('a model that may not be called refuses the search', async () => {
    const { call } = await open()
    const { status, json } = await call('POST', OWN, { query: 'lighthouse', rerank: 'spent' })
    assert.deepEqual([status, json.error.code], [403, 'model_not_allowed'])
  })

  for (const body of [
    7,
    { query: 'x', k: 101 },
    { query: 'x', mode: 'semantic' },
    { query: 'x', mode: 'vector' },
    { query: 'x', diversity: 1.1 },
    { query: 'x', expandTokens: -1 },
    { query: 'x', expandTokens: 10_000 },
    { query: 'x', rerank: '' },
    { query: 'x', filter: { type: 'and' } },
    { query: 'x', where: {} },
  ])
    test(`refuses ${JSON.stringify(body)}`, async () => {
      const { call } = await open()
      assert.deepEqual((await call('POST', OWN, body)).status, 400)
    })
})

describe('deleting a document', () => {
  test('gives a receipt, which says what could not be erased', async () => {
    const { call, dropped } = await open()
    const gone = await call('DELETE', '/api/collections/c/documents/d1', '', ADMIN)
    assert.deepEqual([gone.json.removed, dropped], [true, ['d1']])
    const { json } = await call('GET', `/api/collections/c/deletions/${gone.json.receipt.id}`, '', ADMIN)
    assert.deepEqual([json.document, json.uri, json.final], ['d1', 'file/d1.md', false])
    assert.ok(json.notErased.some(({ where }: { where: string }) => where === 'backups'))
    assert.equal((await call('GET', '/api/collections/c/deletions/del_no', '', ADMIN)).status, 404)
    const listed = await call('GET', '/api/collections/c/deletions?limit=1', '', ADMIN)
    assert.deepEqual(
      [listed.json.deletions.map(({ id }: { id: string }) => id), listed.json.next],
      [[gone.json.receipt.id], null],
    )
    const next = await call('GET', `/api/collections/c/deletions?after=${gone.json.receipt.id}`, '', ADMIN)
    assert.deepEqual(next.json, { deletions: [], next: null })
    assert.equal((await call('GET', '/api/collections/c/deletions?limit=0', '', ADMIN)).status, 400)
    assert.equal((await call('DELETE', '/api/collections/c/documents/no', '', ADMIN)).status, 404)
    assert.equal((await call('DELETE', '/api/collections/no/documents/d1', '', ADMIN)).status, 404)
  })

  test('is for administrators, and for those of its tenant where they are bound to one', async () => {
    const { call, dropped } = await open()
    const acme = principalOf('admin', { tenant: 'acme' })
    assert.equal((await call('DELETE', '/api/collections/c/documents/d1')).status, 403)
    assert.equal((await call('DELETE', '/api/collections/c/documents/d4', '', acme)).status, 404)
    assert.deepEqual(dropped, [])
    const { json } = await call('DELETE', '/api/collections/c/documents/d4', '', ADMIN)
    const receipt = `/api/collections/c/deletions/${json.receipt.id}`
    assert.equal((await call('GET', receipt, '', acme)).status, 404)
    assert.equal((await call('GET', receipt, '', principalOf('admin', { tenant: 'globex' }))).status, 200)
  })
})

describe('files that are put in', () => {
  const until = async (look: () => Promise<{ json: JsonObject }>, states: readonly unknown[]): Promise<JsonObject> => {
    for (let turn = 0; turn < 200; turn++) {
      const { json } = await look()
      if (states.includes(json['status'])) return json
    }
    return assert.fail('it stays as it is')
  }
  const FILES = '/v1/vector_stores/c/files'

  test('one arrives with its attributes, one that cannot be read says why', async (t) => {
    const { call, upload, stop } = await open()
    t.after(stop)
    const [good, bad] = [await upload('ok, this is a text'), await upload('torn')]
    const begun = await call('POST', FILES, { file_id: good, attributes: { year: 2026 } }, ADMIN)
    assert.equal(begun.status, 200)
    assert.deepEqual([begun.json.id, begun.json.object, begun.json.status], [good, 'vector_store.file', 'in_progress'])
    const there = await until(() => call('GET', `${FILES}/${good}`, '', ADMIN), ['completed', 'failed'])
    assert.deepEqual([there['status'], there['attributes'], there['last_error']], ['completed', { year: 2026 }, null])
    await call('POST', FILES, { file_id: bad }, ADMIN)
    const failed = await until(() => call('GET', `${FILES}/${bad}`, '', ADMIN), ['completed', 'failed'])
    assert.equal(failed['status'], 'failed')
    assert.match(JSON.stringify(failed['last_error']), /invalid_file.*it is torn/)
    const listed = async (filter: string): Promise<string[]> =>
      (await call('GET', `${FILES}?order=asc${filter}`, '', ADMIN)).json.data.map(({ id }: { id: string }) => id)
    assert.deepEqual(await listed(''), ['d1', 'd2', 'd3', 'd4', good, bad])
    assert.deepEqual(await listed('&filter=failed'), [bad])
    assert.deepEqual(await listed('&filter=completed'), ['d1', 'd2', 'd3', 'd4', good])
    assert.deepEqual(await listed('&after=d3&limit=2'), ['d4', good])
    const store = (await call('GET', '/v1/vector_stores/c')).json
    assert.equal(store.file_counts.failed, 1)
    assert.equal((await call('DELETE', `${FILES}/${bad}`, '', ADMIN)).json.deleted, true)
    assert.equal((await call('GET', `${FILES}/${bad}`, '', ADMIN)).status, 404)
  })

  test('a batch tells how many have arrived; what is wrong with one puts none in', async (t) => {
    const { call, upload, stop } = await open()
    t.after(stop)
    const BATCHES = '/v1/vector_stores/c/file_batches'
    const all = [await upload('ok one'), await upload('ok two'), await upload('torn')]
    const refused = await call('POST', BATCHES, { file_ids: [...all, 'file_none'] }, ADMIN)
    assert.equal(refused.status, 404)
    assert.equal((await call('GET', `${FILES}?filter=in_progress`)).json.data.length, 0)
    const begun = await call('POST', BATCHES, { file_ids: all, attributes: { kind: 'note' } }, ADMIN)
    assert.deepEqual(begun.json.file_counts.total, 3)
    const path = `${BATCHES}/${begun.json.id}`
    const ended = await until(() => call('GET', path), ['completed', 'failed'])
    assert.deepEqual(ended['file_counts'], { in_progress: 0, completed: 2, failed: 1, cancelled: 0, total: 3 })
    assert.deepEqual(idsOf(await call('GET', `${path}/files?filter=completed&order=asc`)), all.slice(0, 2))
    assert.equal((await call('GET', `${BATCHES}/vsfb_none`)).status, 404)
    const each = all.map((id, at) => ({ file_id: id, attributes: { at } }))
    assert.equal((await call('POST', BATCHES, { files: each }, ADMIN)).status, 200)
    const made = await call('POST', '/v1/vector_stores', { name: 'with-files', file_ids: all }, ADMIN)
    assert.equal(made.json.file_counts.total, 3)
  })

  test('cancelled ones do not arrive', async (t) => {
    const { call, upload, stop } = await open()
    t.after(stop)
    const path = '/v1/vector_stores/c/file_batches'
    const begun = call('POST', path, { file_ids: [await upload('ok one')] }, ADMIN)
    const { json } = await begun
    const cancelled = await call('POST', `${path}/${json.id}/cancel`, '', ADMIN)
    assert.ok(['cancelled', 'completed'].includes(cancelled.json.status))
  })

  test("another's file, a user key, wrong attributes and another chunking are refused", async (t) => {
    const { call, upload, stop } = await open()
    t.after(stop)
    const own = await upload('ok')
    const foreign = await upload('ok', 'key_2')
    assert.equal((await call('POST', FILES, { file_id: foreign }, ADMIN)).status, 404)
    assert.equal((await call('POST', FILES, { file_id: own }, USER)).status, 403)
    const bad: readonly [string, JsonObject][] = [
      ['file_id', {}],
      ['file_id', { file_id: 7 }],
      ['surprise', { file_id: own, surprise: 1 }],
      ['metadata.year', { file_id: own, attributes: { year: [] } }],
      ['metadata', { file_id: own, attributes: [] }],
      [
        'chunking_strategy',
        { file_id: own, chunking_strategy: { type: 'static', static: { max_chunk_size_tokens: 800 } } },
      ],
    ]
    for (const [param, body] of bad) {
      const { status, json } = await call('POST', FILES, body, ADMIN)
      assert.deepEqual([status, json.error.param], [400, param])
    }
    for (const body of [{}, { file_ids: [] }, { file_ids: [own], files: [] }, { file_ids: Array(501).fill(own) }])
      assert.equal((await call('POST', '/v1/vector_stores/c/file_batches', body, ADMIN)).status, 400)
    const acme = principalOf('admin', { tenant: 'acme' })
    const theirs = await upload('ok', ownerOf(acme))
    const other = await call('POST', FILES, { file_id: theirs, attributes: { tenant: 'globex' } }, acme)
    assert.deepEqual([other.status, other.json.error.param], [400, 'attributes.tenant'])
    const { json } = await call('POST', FILES, { file_id: theirs }, acme)
    assert.deepEqual(json.attributes, { tenant: 'acme' })
  })
})

const idsOf = ({ json }: { json: { data: { id: string }[] } }): string[] => json.data.map(({ id }) => id)
