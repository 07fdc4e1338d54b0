import assert from 'node:assert/strict'
import { NO_SCHEDULES } from '../../tests/kit/sources.ts'
import { test } from 'node:test'
import fc from 'fast-check'
import { parquetMetadata, parquetReadObjects } from 'hyparquet'
import { ManualClock, settled } from '../../tests/kit/clock.ts'
import { RecordedReply, request } from '../../tests/kit/exchange.ts'
import { refuse } from '../base/errors.ts'
import type { Headers, Request } from '../base/http.ts'
import { seededRandom } from '../base/random.ts'
import { MemoryEvents } from '../drivers/memory/events.ts'
import { MemoryRows } from '../drivers/memory/rows.ts'
import { parquetOf } from '../drivers/parquet/columns.ts'
import { Alerts } from '../meter/alerts/alerts.ts'
import { authenticate } from '../guard/authenticate.ts'
import { Keyring } from '../guard/keyring.ts'
import { Pepper, PEPPER_BYTES } from '../guard/secret.ts'
import { Sessions } from '../guard/sessions.ts'
import { CHUNKS, chunkKey, collectionKey, COLLECTIONS, documentKey, DOCUMENTS } from '../retrieval/document.ts'
import { UsageBook } from '../meter/usage-book.ts'
import { put, SCAN_MAX } from '../store/rows.ts'
import type { TraceQuery } from '../trace/port.ts'
import { Audit } from '../guard/audit.ts'
import { auditRoutes } from './audit.ts'
import { Silences } from '../meter/alerts/silences.ts'
import { silenceRoutes } from './silences.ts'
import { alertRoutes } from './alerts.ts'
import { cacheRoutes } from './cache.ts'
import { collectionRoutes } from './collections.ts'
import { ingestRoutes } from './ingests.ts'
import { keyRoutes } from './keys.ts'
import { controlPlane } from './router.ts'
import { searchRoutes } from './search.ts'
import { sessionRoutes } from './session.ts'
import { statusRoutes } from './status.ts'
import { traceRoutes } from './traces.ts'
import { usageRoutes } from './usage.ts'

async function open() {
  const clock = new ManualClock()
  const random = seededRandom(5)
  const rows = new MemoryRows()
  const events = new MemoryEvents()
  const keyring = await Keyring.open({ rows, clock, random, pepper: new Pepper(new Uint8Array(PEPPER_BYTES)) })
  const sessions = new Sessions(clock, random)
  const audit = new Audit({ events, clock, random })
  const admin = (await keyring.create('ops', 'admin')).text
  const user = (await keyring.create('app', 'user')).text
  const started: string[] = []
  const asked: TraceQuery[] = []
  const alerts = new Alerts({ clock, random, rows })
  const routes = [
    ...keyRoutes({ keyring, sessions, audit, nowMs: () => clock.wallMs() }),
    ...auditRoutes(audit),
    ...cacheRoutes({ audit, purge: async (model) => (model === 'chat' ? 2 : 5) }),
    ...sessionRoutes({ keyring, sessions, consoleUrl: () => 'http://127.0.0.1:4750' }),
    ...traceRoutes({
      events,
      rows,
      telemetry: {
        traces: async (query) => {
          asked.push(query)
          return { traces: [] }
        },
        trace: async () => undefined,
      },
    }),
    ...usageRoutes({ clock, book: new UsageBook({ clock, rows, events }), parquet: parquetOf }),
    ...alertRoutes(alerts, { status: async () => [{ to: 'https://ops.example/', failing: null }] }),
    ...silenceRoutes({ silences: new Silences({ clock, random, rows }), audit, clock }),
    ...collectionRoutes({ rows, ownerOf: () => undefined, quality: async () => ({}), schedules: NO_SCHEDULES }),
    ...searchRoutes({
      clock,
      rows,
      ownerOf: () => undefined,
      search: { search: async () => ({ passages: [], terms: [] }) },
      rerank: async () => [],
      embedFor: () => () => Promise.reject(new Error('no model is asked')),
    }),
    ...ingestRoutes({
      ownerOf: () => undefined,
      again: async (collection) => (collection === 'b' ? ['ing_2', 'ing_3'] : []),
      schedules: NO_SCHEDULES,
      sourcesOf: (collection) =>
        collection === 'b'
          ? [
              { kind: 'folder', path: '/srv/docs', trust: 'trusted' },
              { kind: 'sitemap', url: 'https://example.com/sitemap.xml', pagesMax: 10 },
            ]
          : [],
      ingest: {
        start: async (collection, path) => {
          if (collection === 'Bad')
            return refuse('field_invalid', { field: 'collection', problem: 'is no name', remedy: 'Use a-z.' })
          started.push(typeof path === 'string' ? path : path.kind)
          return 'ing_1'
        },
        status: async (run) => (run === 'ing_1' ? { run } : undefined),
        list: async (collection) => [{ run: 'ing_1', collection: collection ?? 'all' }],
        dropCollection: async (collection) =>
          collection === 'a' ? undefined : refuse('collection_unknown', { collection }),
      },
    }),
  ]
  const status = statusRoutes({
    version: '1.2.3',
    startedAtMs: 0,
    isReady: () => true,
    figures: async () => ({ inFlight: 0 }),
    routes,
  })
  const handle = controlPlane({
    routes: [...status, ...routes],
    authenticate: (asked) => authenticate(asked, keyring, sessions),
    newRequestId: () => 'req_1',
  })
  async function call(
    method: string,
    target: string,
    options: { body?: unknown; key?: string; headers?: Headers; peer?: Request['peer'] } = {},
  ): Promise<RecordedReply> {
    const reply = new RecordedReply()
    const headers =
      options.key === undefined ? options.headers : { ...options.headers, authorization: `Bearer ${options.key}` }
    handle(request(method, target, options.body ?? '', headers, options.peer), reply)
    for (let turn = 0; turn < 100 && !reply.ended && !reply.aborted; turn++) await settled()
    return reply
  }
  return { clock, rows, events, alerts, admin, user, started, asked, call }
}

test('each route asks for its role', async () => {
  const { call, admin, user } = await open()
  assert.equal((await call('GET', '/healthz')).status, 200)
  assert.equal((await call('GET', '/api/status')).status, 401)
  assert.equal((await call('GET', '/api/status', { key: user })).json().version, '1.2.3')
  for (const [method, path] of [
    ['GET', '/api/keys'],
    ['POST', '/api/keys'],
    ['POST', '/api/keys/x/rotate'],
    ['DELETE', '/api/keys/x'],
    ['GET', '/api/traces'],
    ['POST', '/api/collections/a/ingest'],
    ['POST', '/api/cache/purge'],
  ] as const) {
    const refused = await call(method, path, { key: user })
    assert.deepEqual([refused.status, refused.json().error.type], [403, 'permission_error'], path)
  }
  assert.equal((await call('POST', '/api/login', { key: admin })).status, 403, 'only over the control socket')
  assert.match(
    (await call('POST', '/api/login', { peer: 'local' })).json().url,
    /^http:\/\/127\.0\.0\.1:4750\/login\?token=/,
  )
})

test('paths, methods and bodies that do not fit are refused', async () => {
  const { call, admin } = await open()
  assert.equal((await call('GET', '/api/nothing', { key: admin })).json().error.code, 'path_unknown')
  for (const path of ['collections/%00', 'collections/a/documents?after=%00', 'traces/a%00', 'collections/%ff'])
    assert.equal((await call('GET', `/api/${path}`, { key: admin })).json().error.code, 'path_unknown', path)
  assert.equal((await call('DELETE', '/api/status', { key: admin })).status, 405)
  assert.equal((await call('HEAD', '/api/status', { key: admin })).status, 200)
  assert.equal((await call('HEAD', '/login?token=x')).status, 405)
  assert.equal((await call('GET', '/api/traces/%ff', { key: admin })).status, 404)
  assert.equal((await call('POST', '/api/keys', { key: admin, body: '{' })).json().error.code, 'body_malformed')
  for (const body of [{}, { name: '' }, { name: 5 }, { name: 'x'.repeat(101) }, { name: 'x', role: 'god' }]) {
    assert.equal((await call('POST', '/api/keys', { key: admin, body })).json().error.code, 'field_invalid')
  }
  for (const body of [{}, { path: 'relative' }, { path: '/a\0b' }, { path: 5 }]) {
    assert.equal(
      (await call('POST', '/api/collections/a/ingest', { key: admin, body })).json().error.code,
      'field_invalid',
    )
  }
  for (const target of ['/api/traces?limit=0', '/api/traces?limit=x', '/api/traces?limit=1000']) {
    assert.equal((await call('GET', target, { key: admin })).status, 400, target)
  }
})

test('a key is made, shown once, used and revoked', async () => {
  const { call, admin } = await open()
  const made = (await call('POST', '/api/keys', { key: admin, body: { name: 'billing' } })).json()
  assert.equal((await call('GET', '/api/session', { key: made.key })).json().key.role, 'user')
  const listed = await call('GET', '/api/keys', { key: admin })
  assert.ok(listed.json().keys.some((one: { id: string }) => one.id === made.id) && !listed.text.includes(made.key))
  assert.equal((await call('DELETE', `/api/keys/${made.id}`, { key: admin })).status, 200)
  assert.equal((await call('GET', '/api/session', { key: made.key })).status, 401)
  assert.equal((await call('DELETE', '/api/keys/key_no', { key: admin })).status, 404)
})

test('a key is made with everything it is bound to, and listed so', async () => {
  const { call, admin, clock } = await open()
  const terms = {
    user: 'ann',
    team: 'web',
    tenant: 'acme',
    tags: ['eu'],
    models: ['chat-*'],
    workflows: ['docs'],
    collections: null,
    priority: 'batch',
    budgets: [],
    mayName: { workflow: 'accept', tags: 'refuse' },
  }
  const expiresAt = '2026-01-01T01:00:00+00:30'
  const { id, key } = (
    await call('POST', '/api/keys', { key: admin, body: { name: 'app', ...terms, expiresAt } })
  ).json()
  const { keys } = (await call('GET', '/api/keys?limit=1000', { key: admin })).json()
  const { hint, ...listed } = keys.find((one: { id: string }) => one.id === id)
  assert.equal(hint, `${key.slice(0, 9)}…`)
  const none = { rotatedAt: null, graceUntil: null, revokedAt: null }
  const times = { createdAt: '2026-01-01T00:00:00.000Z', expiresAt: '2026-01-01T00:30:00.000Z', ...none }
  const mayName = { user: 'ignore', workflow: 'accept', prompt: 'ignore', tags: 'refuse' }
  assert.deepEqual(listed, { id, name: 'app', role: 'user', state: 'active', ...times, ...terms, mayName })
  clock.advance(30 * 60_000)
  assert.equal((await call('GET', '/api/session', { key })).json().error.code, 'invalid_api_key')
})

test('a key may carry budgets, written like those of the configuration', async () => {
  const { call, admin } = await open()
  const create = (budgets: unknown): Promise<RecordedReply> =>
    call('POST', '/api/keys', { key: admin, body: { name: 'shop', budgets } })
  assert.equal((await create([{ limit: { usd: '10' }, window: 'month' }])).status, 201)
  const { keys } = (await call('GET', '/api/keys', { key: admin })).json()
  const [own] = keys.at(-1).budgets
  assert.deepEqual(
    [own.id, own.unit, own.limit, own.scope, own.match],
    ['own-month', 'nanoUsd', 10_000_000_000, 'key', '*'],
  )
  for (const [budgets, field] of [
    ['ten dollars', 'budgets'],
    [[{ limit: { usd: -1 }, window: 'month' }], 'budgets[0].limit.usd'],
    [[{ limit: { usd: 1 } }], 'budgets[0].window'],
    [[{ limit: { usd: 1 }, window: 'month', scope: 'team' }], 'budgets[0].scope'],
    [[{ limit: { usd: 1 }, window: 'day', timeZone: 'Mars/Base' }], 'budgets[0].timeZone'],
  ] as const) {
    const refused = await create(budgets)
    assert.deepEqual([refused.status, refused.json().error.param], [400, field], JSON.stringify(budgets))
  }
})

test('keys are made, rotated and revoked on record, without their text', async () => {
  const { call, admin } = await open()
  const { id, key } = (await call('POST', '/api/keys', { key: admin, body: { name: 'shop' } })).json()
  const rotated = (await call('POST', `/api/keys/${id}/rotate`, { key: admin, body: {} })).json()
  await call('DELETE', `/api/keys/${id}`, { key: admin })
  const answer = await call('GET', '/api/audit', { key: admin })
  const { acts } = answer.json()
  assert.deepEqual(
    acts.map(({ action, outcome }: { action: string; outcome: string }) => [action, outcome]),
    [
      ['key.revoke', 'done'],
      ['key.rotate', 'done'],
      ['key.create', 'done'],
    ],
  )
  assert.equal(acts[2].id, id)
  assert.ok(![key, rotated.key].some((text: string) => answer.text.includes(text)))
})

test('a key is rotated: its sessions end, its id stays', async () => {
  const { call, admin } = await open()
  const made = (await call('POST', '/api/keys', { key: admin, body: { name: 'app' } })).json()
  const signedIn = await call('POST', '/api/session', { body: { key: made.key } })
  const cookie = String(signedIn.headers['set-cookie']).split(';')[0] ?? ''
  const page = { headers: { cookie, 'sec-fetch-site': 'same-origin' } }
  assert.equal((await call('GET', '/api/session', page)).status, 200)
  const rotate = (body: unknown, id = made.id) => call('POST', `/api/keys/${id}/rotate`, { key: admin, body })
  const rotated = await rotate({ graceMs: 1000 })
  assert.deepEqual([rotated.status, rotated.json().id, rotated.headers['cache-control']], [201, made.id, 'no-store'])
  assert.equal((await call('GET', '/api/session', page)).status, 401)
  for (const key of [made.key, rotated.json().key])
    assert.equal((await call('GET', '/api/session', { key })).status, 200)
  for (const graceMs of [-1, 0.5, '1h', 31 * 24 * 3_600_000]) {
    assert.equal((await rotate({ graceMs })).json().error.param, 'graceMs')
  }
  assert.equal((await rotate([])).json().error.param, 'graceMs')
  assert.equal((await rotate({}, 'key_no')).status, 404)
  await call('DELETE', `/api/keys/${made.id}`, { key: admin })
  assert.deepEqual([(await rotate({})).status, (await rotate({})).json().error.code], [409, 'key_ended'])
})

test('keys that make no sense are refused by field, and none is made', async () => {
  const { call, admin } = await open()
  for (const [field, value] of [
    ['name', '   '],
    ['role', 'God'],
    ['expiresAt', 5],
    ['expiresAt', '90d'],
    ['expiresAt', '2030-01-31'],
    ['expiresAt', '2030-02-31T00:00:00Z'],
    ['expiresAt', '2030-01-31T00:00:00'],
    ['expiresAt', '2025-12-31T23:59:59Z'],
    ['expiresAt', '2026-01-01T00:00:00Z'],
    ['expiresAt', '9999-01-01T00:00:00Z'],
    ['user', 5],
    ['models', []],
    ['mayName', { user: 'sure' }],
    ['expiresat', '2030-01-31T00:00:00Z'],
    ['id', 'key_mine'],
    ['__proto__', {}],
  ] as const) {
    const body = `{"name":"app",${JSON.stringify(field)}:${JSON.stringify(value)}}`
    const { error } = (await call('POST', '/api/keys', { key: admin, body })).json()
    assert.deepEqual([error.code, error.param], ['field_invalid', field], body)
  }
  assert.equal((await call('POST', '/api/keys', { key: admin, body: '[]' })).json().error.param, 'body')
  for (const query of ['limit=0', 'limit=1001', 'limit=x', 'after=', `after=${'x'.repeat(600)}`]) {
    assert.equal((await call('GET', `/api/keys?${query}`, { key: admin })).status, 400, query)
  }
  assert.equal((await call('GET', '/api/keys', { key: admin })).json().keys.length, 2)
})

test('keys are listed page after page', async () => {
  const { call, admin } = await open()
  for (const name of ['c', 'd', 'e']) await call('POST', '/api/keys', { key: admin, body: { name } })
  const names: string[] = []
  for (let after: string | null = ''; after !== null;) {
    const page = (await call('GET', `/api/keys?limit=2${after === '' ? '' : `&after=${after}`}`, { key: admin })).json()
    names.push(...page.keys.map((one: { name: string }) => one.name))
    after = page.next
  }
  assert.deepEqual(names.toSorted(), ['app', 'c', 'd', 'e', 'ops'])
})

test('law: only the answer that makes a text shows it', async () => {
  const call = fc.record({
    kind: fc.constantFrom('create', 'rotate', 'revoke', 'list', 'session'),
    which: fc.nat(3),
  } as const)
  await fc.assert(
    fc.asyncProperty(fc.array(call, { maxLength: 12 }), async (calls) => {
      const house = await open()
      const made: { id: string; key: string }[] = []
      let shown = ''
      for (const { kind, which } of calls) {
        const { id, key } = made[which] ?? { id: 'key_no', key: 'hw_no' }
        const as = { key: house.admin }
        const reply = await (kind === 'create'
          ? house.call('POST', '/api/keys', { ...as, body: { name: 'app', user: 'ann' } })
          : kind === 'rotate'
            ? house.call('POST', `/api/keys/${id}/rotate`, { ...as, body: { graceMs: 1000 } })
            : kind === 'revoke'
              ? house.call('DELETE', `/api/keys/${id}`, as)
              : kind === 'list'
                ? house.call('GET', '/api/keys', as)
                : house.call('POST', '/api/session', { body: { key } }))
        if (reply.status === 201) made.push(reply.json())
        else shown += reply.text + JSON.stringify(reply.headers)
      }
      for (const one of ['api_keys', 'api_keys_state', 'api_keys_changes'])
        shown += JSON.stringify(await house.rows.scan({ name: one }, { limit: 100 }))
      for (const { key } of made) assert.ok(!shown.includes(key.slice(9)), key)
    }),
    { numRuns: 40 },
  )
})

test('signing in by link and by key gives a cookie that scripts cannot read', async () => {
  const { call, admin } = await open()
  const { url } = (await call('POST', '/api/login', { peer: 'local' })).json()
  const target = new URL(url).pathname + new URL(url).search
  const first = await call('GET', target)
  assert.deepEqual([first.status, first.headers['location']], [303, '/'])
  assert.match(String(first.headers['set-cookie']), /HttpOnly; SameSite=Strict/)
  const cookie = String(first.headers['set-cookie']).split(';')[0] ?? ''
  assert.equal((await call('GET', '/api/keys', { headers: { cookie, 'sec-fetch-site': 'same-origin' } })).status, 200)
  assert.equal((await call('GET', target)).headers['location'], '/?login=expired')
  assert.equal((await call('POST', '/api/session', { body: { key: 'hw_wrong' } })).status, 401)
  assert.match(
    String((await call('POST', '/api/session', { body: { key: admin } })).headers['set-cookie']),
    /headworks_session=\S+;/,
  )
  const out = await call('DELETE', '/api/session', { headers: { cookie } })
  assert.match(String(out.headers['set-cookie']), /Max-Age=0/)
  assert.equal((await call('GET', '/api/keys', { headers: { cookie, 'sec-fetch-site': 'same-origin' } })).status, 401)
})

test('a trace is found by its id, running or over', async () => {
  const { call, admin, events } = await open()
  const entry = (id: string, phase: 'open' | 'close') => ({
    id,
    phase,
    kind: 'request',
    atMs: 0,
    body: { model: 'chat' },
  })
  await events.append([entry('req_a', 'open'), entry('req_b', 'open'), entry('req_b', 'close')])
  assert.equal((await call('GET', '/api/traces/req_a', { key: admin })).json().running, true)
  assert.equal((await call('GET', '/api/traces/req_b', { key: admin })).json().running, false)
  assert.equal((await call('GET', '/api/traces/req_z', { key: admin })).status, 404)
  assert.equal((await call('GET', `/api/traces/${'ab'.repeat(16)}`, { key: admin })).status, 404)
})

test('a list of traces is asked for by what the query names, and nothing unreadable is guessed at', async () => {
  const { call, admin, asked } = await open()
  const query = 'limit=7&from=2026-01-02T00:00:00Z&model=chat&status=error&minMs=250&minUsd=0.5&text=timed+out'
  assert.equal((await call('GET', `/api/traces?${query}`, { key: admin })).status, 200)
  const { limit, fromUs, model, status, durationUsMin, costNanoUsdMin, text } = asked[0] ?? assert.fail('not asked')
  assert.deepEqual(
    { limit, fromUs, model, status, durationUsMin, costNanoUsdMin, text },
    {
      limit: 7,
      fromUs: Date.UTC(2026, 0, 2) * 1000,
      model: 'chat',
      status: 'error',
      durationUsMin: 250_000,
      costNanoUsdMin: 500_000_000,
      text: 'timed out',
    },
  )
  for (const bad of ['from=yesterday', 'status=bad', 'minMs=-1', 'minUsd=', 'limit=0'])
    assert.equal((await call('GET', `/api/traces?${bad}`, { key: admin })).status, 400, bad)
  assert.equal(asked.length, 1)
})

test('the lineage of an answer outlives its documents, and says what has become of them', async () => {
  const { call, admin, events, rows } = await open()
  const passage = (document: string, contentHash: string | null) => ({
    number: 1,
    document,
    start: 0,
    end: 4,
    textHash: 'aa',
    contentHash,
  })
  const passages = [passage('doc_1', 'h1'), passage('doc_2', 'h2'), passage('doc_3', 'h3'), passage('doc_4', null)]
  const lineage = { workflow: 'docs', version: 'v1', collection: 'a', passages }
  const body = { outcome: 'answered', answered: true, groundedness: { score: 1 }, lineage }
  await events.append([
    { id: 'req_a', phase: 'open', kind: 'request', atMs: 0, body: {} },
    { id: 'req_a', phase: 'close', kind: 'request', atMs: 0, body },
    { id: 'req_b', phase: 'open', kind: 'request', atMs: 0, body: {} },
  ])
  const row = (id: string, contentHash: string) =>
    put(DOCUMENTS, documentKey('a', id), {
      id,
      uri: id,
      title: id,
      mediaType: 'text/plain',
      contentHash,
      bytes: 0,
      segment: 's',
      firstChunk: 0,
      chunkCount: 1,
      ingestedAtMs: 0,
    })
  await rows.commit([row('doc_1', 'h1'), row('doc_2', 'other'), row('doc_4', 'h4')])
  const shown = (await call('GET', '/api/traces/req_a/lineage', { key: admin })).json()
  assert.deepEqual([shown.version, shown.answered, shown.groundedness.score], ['v1', true, 1])
  assert.deepEqual(
    shown.passages.map(({ document, textHash, now }: { [name: string]: string }) => [document, textHash, now]),
    [
      ['doc_1', 'aa', 'unchanged'],
      ['doc_2', 'aa', 'changed'],
      ['doc_3', 'aa', 'removed'],
      ['doc_4', 'aa', 'unknown'],
    ],
  )
  for (const id of ['req_b', 'req_z'])
    assert.equal((await call('GET', `/api/traces/${id}/lineage`, { key: admin })).status, 404)
})

test('a document comes back with its text, whose ranges are those of the citations', async () => {
  const { call, user, rows } = await open()
  const chunk = (document: string, start: number, text: string) => ({
    document,
    start,
    end: start + text.length,
    text,
    headings: [],
  })
  const document = {
    id: 'doc_1',
    uri: 'a/b.md',
    title: 'B',
    mediaType: 'text/markdown',
    contentHash: '0',
    bytes: 20,
    segment: 's/1',
    firstChunk: 3,
    chunkCount: 2,
    ingestedAtMs: 0,
  }
  await rows.commit([
    put(COLLECTIONS, collectionKey('a'), {
      name: 'a',
      segments: [],
      documents: 1,
      chunks: 2,
      bytes: 20,
      updatedAtMs: 0,
    }),
    put(DOCUMENTS, documentKey('a', 'doc_1'), document),
    put(CHUNKS, chunkKey('s/1', 3), chunk('doc_1', 2, 'First.')),
    put(CHUNKS, chunkKey('s/1', 4), chunk('doc_1', 10, 'Second.')),
  ])
  const found = (await call('GET', '/api/collections/a/documents/doc_1', { key: user })).json()
  assert.equal(found.text.slice(2, 8), 'First.')
  assert.equal(found.text.slice(10, 17), 'Second.')
  assert.equal((await call('GET', '/api/collections/a/documents/doc_2', { key: user })).status, 404)
  assert.equal(
    (await call('GET', '/api/collections/b/documents', { key: user })).json().error.code,
    'collection_unknown',
  )
  assert.equal((await call('GET', '/api/collections/a/documents', { key: user })).json().documents[0].uri, 'a/b.md')
  for (const body of [
    {},
    { query: ' ' },
    { query: 'x', k: 0 },
    { query: 'x', k: 1.5 },
    { query: 'x'.repeat(10_001) },
  ]) {
    assert.equal(
      (await call('POST', '/api/collections/a/search', { key: user, body })).json().error.code,
      'field_invalid',
    )
  }
})

test('a document of more chunks than one look takes comes back whole', async () => {
  const { call, user, rows } = await open()
  const count = SCAN_MAX + 1
  const document = {
    id: 'long',
    uri: 'a/long.txt',
    title: 'Long',
    mediaType: 'text/plain',
    contentHash: '0',
    bytes: 3 * count,
    segment: 's/1',
    firstChunk: 0,
    chunkCount: count,
    ingestedAtMs: 0,
  }
  const chunks = Array.from({ length: count }, (_, at) =>
    put(CHUNKS, chunkKey('s/1', at), { document: 'long', start: 3 * at, end: 3 * at + 2, text: 'ab', headings: [] }),
  )
  await rows.commit([put(DOCUMENTS, documentKey('a', 'long'), document), ...chunks])
  const found = (await call('GET', '/api/collections/a/documents/long', { key: user })).json()
  assert.equal(found.text, Array.from({ length: count }, () => 'ab').join('\n'))
})

test('an ingest is started and looked at', async () => {
  const { call, admin, user, started } = await open()
  const begun = await call('POST', '/api/collections/a/ingest', { key: admin, body: { path: '/srv/docs' } })
  assert.deepEqual([begun.status, begun.json().run, started], [202, 'ing_1', ['/srv/docs']])
  assert.equal((await call('GET', '/api/ingests/ing_1', { key: admin })).status, 200)
  assert.equal((await call('GET', '/api/ingests/ing_2', { key: admin })).status, 404)
  assert.deepEqual((await call('GET', '/api/ingests', { key: admin })).json().runs[0].collection, 'all')
  assert.deepEqual((await call('GET', '/api/ingests?collection=a', { key: admin })).json().runs[0].collection, 'a')
  assert.equal((await call('GET', '/api/ingests', { key: user })).status, 403)
  assert.deepEqual((await call('GET', '/api/collections/b/sources', { key: admin })).json().sources, [
    { kind: 'folder', name: '/srv/docs', trust: 'trusted', schedule: null },
    { kind: 'sitemap', name: 'https://example.com/sitemap.xml', trust: 'untrusted', schedule: null },
  ])
  assert.equal((await call('DELETE', '/api/collections/a', { key: admin })).json().removed, true)
  assert.equal((await call('DELETE', '/api/collections/b', { key: admin })).status, 404)
  assert.equal((await call('POST', '/api/collections/Bad/ingest', { key: admin, body: { path: '/x' } })).status, 400)
})

test('the description names every route, with its parameters and who may use it', async () => {
  const { call } = await open()
  const description = (await call('GET', '/api/openapi.json')).json()
  assert.equal(description.openapi, '3.1.0')
  assert.equal(description.paths['/api/keys/{id}'].delete.parameters[0].name, 'id')
  assert.equal(description.paths['/api/keys'].post['x-headworks-role'], 'admin')
  assert.deepEqual(description.paths['/healthz'].get.security, [])
})

test('usage is added up by what is asked for, and what cannot be asked is refused', async () => {
  const { call, admin, user, events } = await open()
  const body = {
    operation: 'chat',
    key: 'k',
    model: 'chat',
    outcome: 'answered',
    costNanoUsd: '7',
    totalMs: 5,
    usage: { inputTokens: 3 },
  }
  await events.append([{ id: 'req_u', phase: 'close', kind: 'request', atMs: Date.UTC(2026, 0, 1), body }])
  const found = (await call('GET', '/api/usage?by=model,day', { key: admin })).json()
  assert.deepEqual([found.by, found.complete, found.rows.length], [['model', 'day'], true, 1])
  assert.deepEqual([found.rows[0].model, found.rows[0].costNanoUsd, found.rows[0].totalMs.n], ['chat', '7', 1])
  assert.equal((await call('GET', '/api/usage?model=other', { key: admin })).json().rows.length, 0)
  assert.equal((await call('GET', '/api/usage', { key: user })).status, 403)
  for (const wrong of [
    'from=yesterday',
    'to=2026-02-30',
    'from=2026-02-01&to=2026-01-01',
    'by=colour',
    'by=__proto__',
    'by=hour&from=2025-11-01',
    'format=xlsx',
    'forecast=decade',
    'forecast=month&unit=euro',
    'forecast=month&timeZone=Mars/Base',
    'forecast=month&limit=-5',
  ]) {
    assert.equal((await call('GET', `/api/usage?${wrong}`, { key: admin })).json().error?.code, 'field_invalid', wrong)
  }
})

const hourly = (count: number, body: object) =>
  Array.from({ length: count }, (_, i) => ({
    id: `req_h${i}`,
    phase: 'close' as const,
    kind: 'request',
    atMs: Date.UTC(2026, 0, 1) - (i + 1) * 3_600_000,
    body: { operation: 'chat', key: 'k', model: 'chat', outcome: 'answered', totalMs: 5, ...body },
  }))

test('usage tells where a window will end, and says when it knows too little', async () => {
  const { call, admin, events } = await open()
  await events.append(hourly(24 * 20, { costNanoUsd: '1000', tags: ['eu', 'us'] }))
  const path = '/api/usage?by=tag&forecast=month&limit=700000&model=chat'
  const { forecast, overlapping, rows } = (await call('GET', path, { key: admin })).json()
  assert.deepEqual([overlapping, rows.length], [true, 2])
  assert.deepEqual(
    [forecast.from, forecast.to, forecast.spent, forecast.known, forecast.historyHours, forecast.season],
    ['2026-01-01T00:00:00.000Z', '2026-02-01T00:00:00.000Z', 0, true, 480, 'week'],
  )
  assert.ok(Math.abs(forecast.total.p50 - 744_000) < 2, JSON.stringify(forecast.total))
  assert.deepEqual([forecast.passesLimit.probability, forecast.passesLimit.at.p50], [1, '2026-01-30T04:00:00.000Z'])
  const little = (await call('GET', '/api/usage?forecast=month&user=nobody', { key: admin })).json().forecast
  assert.deepEqual(
    [little.known, little.historyHours, little.historyHoursNeeded, little.total],
    [false, 0, 336, undefined],
  )
})

test('usage as Parquet has every row to the nano-dollar, and no float for money', async () => {
  const { call, admin, events } = await open()
  await events.append(hourly(50, { costNanoUsd: '9007199254740993', user: 'ann', usage: { inputTokens: 3 } }))
  const reply = await call('GET', '/api/usage?by=hour,user&format=parquet', { key: admin })
  assert.equal(reply.headers['content-type'], 'application/vnd.apache.parquet')
  const file = new Uint8Array(reply.bytes).buffer
  const rows = await parquetReadObjects({ file })
  assert.equal(rows.length, 50)
  for (const row of rows) {
    assert.deepEqual(
      [row['user'], row['costNanoUsd'], row['requests'], row['inputTokens'], row['tokensPerRequest_n']],
      ['ann', 9007199254740993n, 1n, 3n, 1n],
    )
    assert.equal(typeof row['costNanoUsdPerRequest_p95'], 'bigint')
    assert.equal(typeof row['totalMs_p95'], 'number')
  }
  const schema = parquetMetadata(file).schema.find(({ name }) => name === 'costNanoUsd')
  assert.equal(schema?.type, 'INT64')
})

test('usage as CSV has a line of names, and no cell that a spreadsheet would run', async () => {
  const { call, admin, events } = await open()
  const named = (id: string, user: string, body: object) => hourly(1, { user, ...body }).map((one) => ({ ...one, id }))
  await events.append([
    ...named('req_1', '=HYPERLINK("x")', { costNanoUsd: '9007199254740993' }),
    ...named('req_2', 'a,b', { costNanoUsd: '7' }),
  ])
  const reply = await call('GET', '/api/usage?by=user&format=csv', { key: admin })
  assert.equal(reply.headers['content-type'], 'text/csv; charset=utf-8')
  assert.match(String(reply.headers['content-disposition']), /^attachment; filename="usage-.*\.csv"$/)
  const [head, first, second, ...rest] = reply.text.split('\r\n')
  assert.match(head ?? '', /^user,requests,answered,.*,costNanoUsd,costNanoUsdPerRequest_n/)
  assert.match(first ?? '', /^"'=HYPERLINK\(""x""\)",1,1,.*,9007199254740993,1,/)
  assert.match(second ?? '', /^"a,b",1,1,/)
  assert.deepEqual(rest, [''])
})

test('alerts are listed with their destinations, and acknowledged by name', async () => {
  const { call, admin, user, alerts, clock } = await open()
  for (const key of ['a', 'b']) {
    await alerts.raise({ kind: 'budget_forecast', subject: { budget: key }, evidence: { n: 5 }, key })
    clock.advance(5)
  }
  const listed = (await call('GET', '/api/alerts?limit=1&kind=budget_forecast', { key: admin })).json()
  assert.deepEqual(
    [listed.alerts.length, listed.alerts[0].subject, listed.alerts[0].state, listed.destinations[0].to],
    [1, { budget: 'b' }, 'open', 'https://ops.example/'],
  )
  const rest = (await call('GET', `/api/alerts?before=${listed.next}`, { key: admin })).json()
  assert.deepEqual(
    rest.alerts.map((one: { subject: object }) => one.subject),
    [{ budget: 'a' }],
  )
  const id = rest.alerts[0].id
  assert.equal((await call('POST', `/api/alerts/${id}/acknowledge`, { key: admin })).json().acknowledged.by, 'ops')
  assert.equal((await call('POST', '/api/alerts/alr_no/acknowledge', { key: admin })).status, 404)
  assert.equal((await call('GET', '/api/alerts', { key: user })).status, 403)
  for (const wrong of ['state=half', 'kind=weather', 'limit=0', 'before=x'])
    assert.equal((await call('GET', `/api/alerts?${wrong}`, { key: admin })).json().error?.code, 'field_invalid', wrong)
})

test('a cache is emptied for one model or for all, on record', async () => {
  const { call, admin } = await open()
  const purge = async (body: unknown) => call('POST', '/api/cache/purge', { key: admin, body })
  assert.deepEqual((await purge({ model: 'chat' })).json(), { purged: 2 })
  assert.deepEqual((await purge('')).json(), { purged: 5 })
  for (const model of [7, '']) assert.equal((await purge({ model })).json().error.param, 'model')
  const [last, first] = (await call('GET', '/api/audit', { key: admin })).json().acts
  assert.deepEqual([first.object, last.object, last.purged], ['chat', '*', 5])
})

test('alerts are silenced for a while, on record', async () => {
  const { call, admin, user, clock } = await open()
  const until = new Date(clock.wallMs() + 3_600_000).toISOString()
  const wanted = { matcher: { kind: 'objective_burn', subject: { model: 'chat' } }, until, reason: 'upgrade' }
  const made = await call('POST', '/api/alerts/silences', { key: admin, body: wanted })
  assert.equal(made.status, 201)
  assert.deepEqual([made.json().matcher, made.json().by, made.json().until], [wanted.matcher, 'ops', until])
  const { id } = made.json()
  const list = async () => (await call('GET', '/api/alerts/silences', { key: admin })).json().silences
  assert.deepEqual(
    (await list()).map((one: { id: string }) => one.id),
    [id],
  )
  assert.equal((await call('POST', '/api/alerts/silences', { key: user, body: wanted })).status, 403)
  const far = new Date(clock.wallMs() + 91 * 86_400_000).toISOString()
  for (const [change, param] of [
    [{ matcher: {} }, 'matcher'],
    [{ matcher: 'all' }, 'matcher'],
    [{ matcher: { kind: 'weather' } }, 'matcher'],
    [{ matcher: { subject: { a: 1 } } }, 'matcher'],
    [{ matcher: { subject: {} } }, 'matcher'],
    [{ matcher: { kind: 'drift', model: 'x' } }, 'matcher'],
    [{ until: '2020-01-01T00:00:00Z' }, 'until'],
    [{ until: far }, 'until'],
    [{ until: 'soon' }, 'until'],
    [{ reason: ' ' }, 'reason'],
    [{ mood: 'x' }, 'mood'],
  ] as const)
    assert.equal(
      (await call('POST', '/api/alerts/silences', { key: admin, body: { ...wanted, ...change } })).json().error.param,
      param,
    )
  assert.equal((await call('DELETE', `/api/alerts/silences/${id}`, { key: admin })).status, 200)
  assert.equal((await call('DELETE', `/api/alerts/silences/${id}`, { key: admin })).status, 404)
  assert.deepEqual(await list(), [])
  const acts = (await call('GET', '/api/audit', { key: admin })).json().acts
  const silenced = acts.filter((one: { action: string }) => one.action.startsWith('alert.'))
  assert.deepEqual(
    silenced.map((one: { action: string; outcome: string }) => `${one.action} ${one.outcome}`),
    ['alert.silence.end refused', 'alert.silence.end done', 'alert.silence done'],
  )
})
