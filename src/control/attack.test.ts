import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { settled } from '../../tests/kit/clock.ts'
import { nothingDerived } from '../../tests/kit/erasing.ts'
import { RecordedReply, request } from '../../tests/kit/exchange.ts'
import { openCollection } from '../../tests/kit/source-contract.ts'
import { NO_SOURCES } from '../../tests/kit/sources.ts'
import { systemClock as clock } from '../base/clock.ts'
import { refuse, Refusal } from '../base/errors.ts'
import { seededRandom } from '../base/random.ts'
import { Analyzer } from '../base/words.ts'
import { MemoryEvents } from '../drivers/memory/events.ts'
import { silentLog } from '../base/log.ts'
import { MemoryBlobs } from '../drivers/memory/blobs.ts'
import { MemoryQueue } from '../drivers/memory/queue.ts'
import { Files } from '../files/files.ts'
import { Attachments } from '../retrieval/attach/attachments.ts'
import { FILE_BATCHES, fileBatchKey } from '../retrieval/attach/rows.ts'
import { put } from '../store/rows.ts'
import { Audit } from '../guard/audit.ts'
import { type Bindings, unbound } from '../guard/bindings.ts'
import type { Principal, Role } from '../guard/principal.ts'
import { Deletions } from '../retrieval/deletion/receipts.ts'
import { COLLECTIONS, DOCUMENTS } from '../retrieval/document.ts'
import type { Generations } from '../retrieval/generation/generations.ts'
import { DEAD_LETTERS } from '../retrieval/ingest/dead-letters.ts'
import { createSearch } from '../retrieval/search.ts'
import { collectionRoutes } from './collections.ts'
import { deletionRoutes } from './deletions.ts'
import { documentRoutes } from './documents.ts'
import { generationRoutes } from './generations.ts'
import { ingestRoutes } from './ingests.ts'
import { controlPlane, type Route } from './router.ts'
import { searchRoutes } from './search.ts'
import { segmentRoutes } from './segments.ts'
import { fileBatchRoutes } from './vector-store-file-batches.ts'
import { vectorStoreFileRoutes } from './vector-store-files.ts'
import { vectorStoreRoutes } from './vector-stores.ts'

/** Every route of collections and vector stores, asked by who should get nothing from it. */

/** Stands in everything that is Globex's. */
const CANARY = 'canary-of-globex'
/** Whose `acmes` and `globexs` are; `shared` is nobody's. */
const OWNERS: { readonly [collection: string]: string } = { acmes: 'acme', globexs: 'globex' }

const principalOf = (id: string, role: Role, bindings: Partial<Bindings> = {}): Principal => ({
  id,
  name: id,
  role,
  bindings: { ...unbound(role), ...bindings },
})
const KEYS: { readonly [key: string]: Principal } = {
  root: principalOf('root', 'admin'),
  app: principalOf('app', 'user'),
  'acme-admin': principalOf('acme-admin', 'admin', { tenant: 'acme' }),
  'acme-app': principalOf('acme-app', 'user', { tenant: 'acme' }),
}

/** Calls of generations that were let through. */
const done: string[] = []
const generations = {
  list: async () => [{ id: 'g1', live: true, createdAtMs: 0, embedding: { model: 'lsa' } }],
  create: async () => void done.push('create'),
  rollback: async () => void done.push('rollback'),
  activate: async () => void done.push('activate'),
  drop: async () => void done.push('drop'),
} as unknown as Generations

const house = openCollection(NO_SOURCES)
const ownerOf = (collection: string): string | undefined => OWNERS[collection]
const { rows, index, ingest } = house
const analyzer = new Analyzer()
const search = createSearch({ index, rows, analyzer, ownerOf })
const embedFor = () => () => Promise.reject(new Error('no model is asked'))
const shared = { clock, rows, ownerOf, random: seededRandom(1), search, ingest, embedFor }
const audit = new Audit({ events: new MemoryEvents(), clock, random: seededRandom(2) })
const deletions = new Deletions({
  ...nothingDerived({ rows, index, analyzer, clock }),
  clock,
  random: seededRandom(3),
  rows,
  index,
  analyzer,
  removeDocument: (collection, document) => ingest.removeDocument(collection, document),
})
const files = await Files.open({
  clock,
  random: seededRandom(4),
  rows,
  blobs: new MemoryBlobs(),
  ownerBytesMax: () => 2 ** 30,
})
const attachments = new Attachments({ clock, rows, queue: new MemoryQueue(clock), log: silentLog, files, ingest })
const schedules = {
  of: async (collection: string) => [
    { collection, source: `/srv/${CANARY}`, everyMs: 60_000, nextAtMs: 0, failures: 0 },
  ],
}
const routes: readonly Route[] = [
  ...collectionRoutes({ ...shared, schedules, quality: async () => ({}) }),
  ...searchRoutes({ ...shared, rerank: async () => [] }),
  ...segmentRoutes(shared),
  ...ingestRoutes({
    ...shared,
    schedules,
    again: async (collection) => {
      done.push('again')
      return [collection]
    },
    sourcesOf: () => [{ kind: 'folder', path: `/srv/${CANARY}` }],
  }),
  ...documentRoutes(shared),
  ...deletionRoutes({ ...shared, deletions }),
  ...generationRoutes({ ...shared, generations, recentQuestions: () => [CANARY] }),
  ...vectorStoreRoutes({ ...shared, audit, files, attachments }),
  ...vectorStoreFileRoutes({ ...shared, audit, deletions, files, attachments }),
  ...fileBatchRoutes({ ...shared, files, attachments }),
]
const handle = controlPlane({
  routes,
  authenticate: ({ headers }) =>
    KEYS[(headers['authorization'] ?? '').replace('Bearer ', '')] ?? refuse('key_missing', {}),
  newRequestId: () => 'req_1',
})

async function call(key: string, method: string, target: string, body: unknown = '') {
  const reply = new RecordedReply()
  const asked = request(method, target, body)
  const headers = { ...asked.headers, 'content-type': 'application/json', authorization: `Bearer ${key}` }
  handle({ ...asked, headers }, reply)
  while (!reply.ended) await settled()
  return { status: reply.status ?? 0, text: reply.text, json: reply.json() }
}

/** What is Globex's, by the names of parameters. */
const ids = { document: 'g1', file: 'g1', generation: 'g1', run: '', receipt: '', batch: 'vsfb_1' }

/** A body that the route would take. */
function bodyOf({ method, path }: Route): unknown {
  if (method !== 'POST') return ''
  if (path.endsWith('/search')) return { query: CANARY }
  if (path.endsWith('/documents')) return { id: 'planted', text: 'Planted.' }
  if (path.endsWith('/compare')) return { questions: [CANARY] }
  if (path.endsWith('/replay')) return { document: 'broken' }
  return {}
}

function targetOf({ path }: Route, collection: string): string {
  const values: { readonly [name: string]: string } = {
    ...ids,
    collection,
    id: path.startsWith('/v1/') ? collection : ids.receipt,
  }
  return path.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(values[name] ?? ''))
}

const inCollection = routes.filter(({ path }) => /\{collection\}|vector_stores\/\{id\}/.test(path))

/** Everything that is stored of collections, for comparison. */
async function everything(): Promise<string> {
  const tables = await Promise.all(
    [COLLECTIONS, DOCUMENTS, DEAD_LETTERS].map((one) => rows.scan(one as { readonly name: string }, { limit: 10_000 })),
  )
  return JSON.stringify(tables.map((found) => found.map(({ key, row }) => [key, row])))
}

before(async () => {
  const text = (id: string, tenant?: string) => ({
    id,
    uri: `sent/${id}-${tenant === 'globex' ? CANARY : tenant}`,
    title: tenant === 'globex' ? CANARY : id,
    bytes: Buffer.from(tenant === 'globex' ? `The words of ${CANARY}.` : 'Common words.'),
    mediaType: 'text/plain',
    ...(tenant === undefined ? {} : { metadata: { tenant } }),
  })
  const broken = { ...text('broken', 'globex'), bytes: new Uint8Array([0, 1]), mediaType: 'application/pdf' }
  await ingest.push('globexs', [text('g1', 'globex'), { ...text('g2'), title: CANARY, uri: CANARY }, broken])
  await ingest.push('acmes', [text('a1', 'acme')])
  await ingest.push('shared', [text('a1', 'acme'), text('g1', 'globex'), text('g3', 'globex'), text('n1'), broken])
  await ingest.push('globexs', [text('gone', 'globex')])
  await ingest.push('shared', [text('gone', 'globex')])
  await deletions.remove('shared', 'gone')
  const receipt = await deletions.remove('globexs', 'gone')
  assert.ok(!(receipt instanceof Refusal))
  ids.receipt = receipt.id
  for (const collection of ['globexs', 'shared'])
    await rows.commit([
      put(FILE_BATCHES, fileBatchKey(collection, ids.batch), {
        id: ids.batch,
        collection,
        files: ['g1'],
        createdAtMs: 0,
        tenant: 'globex',
      }),
    ])
  const run = await ingest.start('globexs', import.meta.dirname)
  assert.ok(typeof run === 'string')
  ids.run = run
  await house.ended(run)
})
after(() => ingest.stop())

describe('an attacker', () => {
  test('without a key, or with one that nobody gave, gets nothing of any route', async () => {
    for (const key of ['', 'hw_guessed'])
      for (const route of routes) {
        const { status, text } = await call(key, route.method, targetOf(route, 'shared'), bodyOf(route))
        assert.equal(status, 401, `${route.method} ${route.path}`)
        assert.ok(!text.includes(CANARY), text)
      }
  })

  test('with a key for models does nothing that is for administrators', async () => {
    const before = await everything()
    for (const key of ['app', 'acme-app'])
      for (const route of routes.filter(({ role }) => role === 'admin')) {
        const { status } = await call(key, route.method, targetOf(route, 'acmes'), bodyOf(route))
        assert.equal(status, 403, `${key}: ${route.method} ${route.path}`)
      }
    assert.equal(await everything(), before)
    assert.deepEqual(done, [])
  })

  test('of another tenant finds no collection of Globex, and is told what it is told of one that is not there', async () => {
    const before = await everything()
    for (const key of ['acme-app', 'acme-admin'])
      for (const route of inCollection.filter(({ role }) => key === 'acme-admin' || role === 'user')) {
        const what = `${key}: ${route.method} ${route.path}`
        const theirs = await call(key, route.method, targetOf(route, 'globexs'), bodyOf(route))
        assert.equal(theirs.status, 404, `${what}: ${theirs.text}`)
        assert.ok(!theirs.text.includes(CANARY), what)
        const none = await call(key, route.method, targetOf(route, 'globexz'), bodyOf(route))
        if (none.status === 404) assert.equal(theirs.text.replaceAll('globexs', 'globexz'), none.text, what)
      }
    assert.equal(await everything(), before)
    assert.deepEqual(done, [])
  })

  test('of another tenant meets nothing of Globex in lists, in searches, on any page', async () => {
    for (const key of ['acme-app', 'acme-admin', 'app']) {
      const readable = routes.filter(
        ({ role, method }) => method === 'GET' && (role === 'user' || key === 'acme-admin'),
      )
      for (const route of readable) {
        const { status, text } = await call(key, 'GET', targetOf(route, 'shared'))
        assert.ok(!text.includes(CANARY), `${key}: ${route.path}: ${status} ${text}`)
      }
      for (const list of ['documents', 'dead-letters', ...(key === 'acme-admin' ? ['deletions'] : [])]) {
        const seen: string[] = []
        for (let next: string | null = ''; next !== null;) {
          const after = next === '' ? '' : `&after=${encodeURIComponent(next)}`
          const { text, json } = await call(key, 'GET', `/api/collections/shared/${list}?limit=1${after}`)
          seen.push(text)
          next = json.next as string | null
          assert.ok(!/g1|g3|broken|gone|canary/.test(text), `${key}: ${list}: ${text}`)
        }
        assert.ok(seen.length <= 3)
      }
      for (const path of ['/api/collections/shared/search', '/v1/vector_stores/shared/search']) {
        const { status, text } = await call(key, 'POST', path, { query: 'the words' })
        assert.equal(status, 200)
        assert.ok(!text.includes(CANARY), text)
      }
    }
  })

  test('that administers another tenant changes nothing of a collection that is not its alone', async () => {
    const before = await everything()
    // What it puts in is its own, which the next test looks at; here it has nothing to put in.
    const puttingIn = /\/(?:documents|files|file_batches)$/
    for (const route of inCollection.filter(({ role, path }) => role === 'admin' && !puttingIn.test(path))) {
      const { status, text } = await call('acme-admin', route.method, targetOf(route, 'shared'), bodyOf(route))
      const isOwnList = route.path.endsWith('/deletions')
      assert.ok(isOwnList ? status === 200 : [403, 404].includes(status), `${route.method} ${route.path}: ${status}`)
      assert.ok(!text.includes(CANARY), `${route.method} ${route.path}: ${text}`)
    }
    for (const target of ['/api/collections/shared/documents/n1', '/v1/vector_stores/shared/files/n1'])
      assert.equal((await call('acme-admin', 'DELETE', target)).status, 403, 'what is nobody’s is not its to remove')
    assert.equal((await call('acme-admin', 'POST', '/v1/vector_stores', { name: 'new' })).status, 403)
    assert.equal(await everything(), before)
    assert.deepEqual(done, [])
  })

  test('that sends documents plants none before others, replaces none of theirs, and makes no collection', async () => {
    const before = await everything()
    const send = (collection: string, body: unknown) =>
      call('acme-admin', 'POST', `/api/collections/${collection}/documents`, body)
    for (const [collection, body, status] of [
      ['shared', { id: 'x', text: 'y', metadata: { tenant: 'globex' } }, 400],
      ['acmes', { id: 'x', text: 'y', metadata: { tenant: 'globex' } }, 400],
      ['shared', { id: 'g1', text: 'Replaced.' }, 403],
      ['shared', { id: 'n1', text: 'Replaced.' }, 403],
      ['globexs', { id: 'x', text: 'y' }, 404],
      ['none-yet', { id: 'x', text: 'y' }, 404],
    ] as const)
      assert.equal((await send(collection, body)).status, status, `${collection} ${JSON.stringify(body)}`)
    assert.equal(await everything(), before)
    assert.equal((await send('shared', { id: 'mine', text: 'Mine alone.' })).status, 200)
    assert.equal((await call('acme-app', 'GET', '/api/collections/shared/documents/mine')).status, 200)
    assert.equal((await call('app', 'GET', '/api/collections/shared/documents/mine')).status, 404)
    assert.equal((await call('acme-admin', 'DELETE', '/api/collections/shared/documents/mine')).status, 200)
  })

  test('that administers another tenant reads no file of the server', async () => {
    for (const body of [{ path: '/etc' }, { source: { kind: 'urls', urls: ['https://example.com/'] } }])
      assert.equal((await call('acme-admin', 'POST', '/api/collections/acmes/ingest', body)).status, 403)
    assert.deepEqual(done, [])
    assert.equal((await call('acme-admin', 'POST', '/api/collections/acmes/ingest', {})).status, 202)
  })

  test('is the only one who gets nothing: who may is answered', async () => {
    for (const [key, collection] of [
      ['root', 'globexs'],
      ['acme-admin', 'acmes'],
    ] as const)
      for (const part of ['', '/documents', '/dead-letters', '/deletions', '/segments', '/sources', '/generations'])
        assert.equal((await call(key, 'GET', `/api/collections/${collection}${part}`)).status, 200, `${key} ${part}`)
    const letters = await call('root', 'GET', '/api/collections/shared/dead-letters')
    assert.match(letters.text, /broken/)
    const { json } = await call('root', 'GET', '/api/ingests')
    assert.equal((json.runs as { run: string }[])[0]?.run, ids.run)
    assert.deepEqual((await call('acme-admin', 'GET', '/api/ingests')).json.runs, [])
    assert.equal((await call('acme-admin', 'GET', `/api/ingests/${ids.run}`)).status, 404)
  })
})
