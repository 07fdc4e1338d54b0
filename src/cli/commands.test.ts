import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fault, refuse } from '../base/errors.ts'
import { loadConfig } from '../config/load.ts'
import { ingestText, readProgress, sourceOf } from './ingest.ts'
import { Screen, ToldApi, type } from '../../tests/kit/terminal.ts'

const chunk = (content: string, more = {}) => ({
  object: 'chat.completion.chunk',
  choices: [{ index: 0, delta: { content } }],
  ...more,
})

const SOURCE = {
  number: 1,
  collection: 'handbook',
  document: 'd',
  uri: 'docs/configuration.md',
  title: 'Configuration',
  headings: ['Configuration', 'Engines'],
  start: 0,
  end: 40,
  text: 'An engine is where models run. More text.',
  quotes: [{ start: 0, end: 30 }],
}

const ANSWER = [
  chunk('An engine is ', { headworks: { request_id: 'req_1', sources: [SOURCE] } }),
  chunk('where models run [1].'),
  {
    choices: [{ index: 0, delta: {}, finish_reason: 'stop' }],
    headworks: {
      request_id: 'req_1',
      answered: true,
      estimated: true,
      cost_nanousd: '1500000',
      usage: { prompt_tokens: 1234, completion_tokens: 9 },
      sources: [SOURCE, { ...SOURCE, number: 2, quotes: [] }],
      stages: [
        { name: 'admit', parent: -1, start_ms: 0, end_ms: 1, attributes: {} },
        { name: 'search', parent: -1, start_ms: 1, end_ms: 9 },
        { name: 'bm25', parent: 1, start_ms: 1, end_ms: 8 },
      ],
    },
  },
  { choices: [], usage: { prompt_tokens: 1, completion_tokens: 1 } },
]

test('ask streams the answer, then the sources it cites with their quotes, the stages on demand, and the bill', async () => {
  const api = new ToldApi({ 'STREAM /v1/chat/completions': ANSWER })
  const { exit, out, err } = await type(['ask', 'What is an engine?', '--stages'], { api })
  assert.equal(exit, 0)
  assert.deepEqual(api.asked[0]?.body, {
    model: 'docs',
    messages: [{ role: 'user', content: 'What is an engine?' }],
    stream: true,
    stream_options: { include_usage: true },
  })
  assert(
    out.startsWith(
      'An engine is where models run [1].\n\nSources\n  [1] Configuration › Engines  docs/configuration.md\n      “An engine is where models run.”\n',
    ),
  )
  assert.match(out, /One more passage was read and not used/)
  assert.match(out, /Stages {2}9\.0 ms in all\n {2}admit +█+·+ +1\.0 ms\n {2}search .*8\.0 ms\n {4}bm25/)
  assert.match(err, /^1,234 tokens read, 9 written \(counted here.*\) · cost \$0\.0015 · trace req_1\n$/)
})

test('ask --json prints the completion as it came', async () => {
  const completion = { id: 'x', choices: [{ message: { content: 'yes' } }] }
  const api = new ToldApi({ 'POST /v1/chat/completions': completion })
  const { exit, out } = await type(['ask', 'chat', 'Well?', '--json'], { api })
  assert.equal(exit, 0)
  assert.deepEqual(JSON.parse(out), completion)
  assert.deepEqual(api.asked[0]?.body, { model: 'chat', messages: [{ role: 'user', content: 'Well?' }] })
})

test('ask wraps to the terminal and lets no control character through', async () => {
  const api = new ToldApi({ 'STREAM /v1/chat/completions': [chunk('word '.repeat(40)), chunk('\x1b]0;gotcha\x07end')] })
  const { out } = await type(['ask', 'q'], { api, stdout: new Screen(true, 50) })
  assert(out.split('\n').every((line) => line.length <= 50))
  assert(!out.includes('\x1b') && out.includes('end'))
})

test('ask says what went wrong, before and inside a stream, and keeps what had come', async () => {
  const error = (code: string, kind: string) => ({ error: { message: `The ${code}.`, type: kind, param: null, code } })
  const ask = (told: unknown) =>
    type(['ask', 'q'], { api: new ToldApi({ 'STREAM /v1/chat/completions': told as never }) })
  const unknown = await ask([error('model_not_found', 'invalid_request_error')])
  assert.deepEqual([unknown.exit, unknown.out], [3, ''])
  assert.match(unknown.err, /The model_not_found\./)
  const broken = await ask([chunk('half'), error('stream_broken', 'server_error')])
  assert.deepEqual([broken.exit, broken.out], [1, 'half\n'])
  const cut = await ask([chunk('half'), fault('stream_broken', { engine: 'headworks', reason: 'reset' })])
  assert.deepEqual([cut.exit, cut.out], [1, 'half\n'])
  assert.match(cut.err, /broke off: reset/)
  assert.equal((await ask(['rubbish'])).exit, 1)
})

test('no server, and a broken configuration, say what to do', async () => {
  const none = await type(['models'])
  assert.equal(none.exit, 1)
  assert.match(none.err, /No Headworks answers at .*\nStart it with `npm start`/)
  const refused = await type(['models', '--json'], { api: refuse('config_invalid', { file: 'f', problems: '  line' }) })
  assert.equal(refused.exit, 3)
  assert.equal(JSON.parse(refused.out).error.code, 'config_invalid')
})

const run = (state: string, files: object, more = {}) => ({
  run: 'ing_1',
  state,
  collection: 'handbook',
  path: '/house/docs',
  bytes: 52_000,
  chunks: 210,
  documents: 12,
  skipped: [],
  startedAt: 'now',
  endedAt: null,
  files: { found: 14, read: 0, unchanged: 0, removed: 0, skipped: 0, ...files },
  ...more,
})

test('ingest follows the run to its end and says what was skipped and why', async () => {
  const skipped = [{ uri: 'docs/scan.pdf', code: 'document_empty', message: 'The document has no text.' }]
  const api = new ToldApi({
    'POST /api/collections/handbook/ingest': { status: 202, body: { run: 'ing_1' } },
    'GET /api/ingests/ing_1': [
      run('running', { read: 3 }),
      run('running', { read: 9 }),
      run('done', { read: 12, skipped: 1, unchanged: 1 }, { skipped, endedAt: '2026-01-01' }),
    ],
  })
  const { exit, out, err } = await type(['ingest', 'handbook', './docs'], { api, stderr: new Screen(true, 70) })
  assert.equal(exit, 0)
  assert.deepEqual(api.asked[0]?.body, { path: '/house/docs' })
  assert.match(
    out,
    /^handbook: 14 files: 12 read, 1 unchanged, 1 skipped \(52\.0 kB, 210 passages\) in .*\n {2}skipped docs\/scan\.pdf: The document has no text\.\n$/,
  )
  assert.match(err, /Reading █+░+ +21% 3 of 14 files, 52\.0 kB/)
})

test('ingest names sources by what is typed, reads the configured ones again, and lists failures', async () => {
  for (const [word, sent] of [
    [undefined, {}],
    ['docs', { path: '/srv/docs' }],
    ['docs/**/*.md', { source: { kind: 'glob', pattern: '/srv/docs/**/*.md' } }],
    ['s3://bucket/a/b', { source: { kind: 's3', bucket: 'bucket', prefix: 'a/b' } }],
    ['git+https://example.com/a.git', { source: { kind: 'git', repository: 'https://example.com/a.git' } }],
    ['https://example.com/sitemap.xml', { source: { kind: 'sitemap', url: 'https://example.com/sitemap.xml' } }],
    [
      'https://Example.com/a?b',
      { source: { kind: 'urls', name: 'example.com-a-b', urls: ['https://Example.com/a?b'] } },
    ],
  ] as const)
    assert.deepEqual(sourceOf(word, '/srv'), sent)
  const api = new ToldApi({
    'POST /api/collections/c/ingest': { status: 202, body: { run: 'r', runs: ['r', 'q'] } },
    'POST /api/collections/c/dead-letters/replay': { status: 202, body: { runs: [] } },
    'GET /api/collections/c/dead-letters?limit=100': {
      status: 200,
      body: {
        deadLetters: [{ uri: 'docs/a.pdf', message: 'It is no PDF.', attempts: 2, lastAt: '2026-01-01T00:00:00.000Z' }],
        next: 'a',
      },
    },
    'GET /api/ingests/r': run('done', { read: 1 }, { endedAt: 'x' }),
    'GET /api/ingests/q': run('failed', {}, { endedAt: 'x' }),
  })
  const both = await type(['ingest', 'c', '--json'], { api })
  assert.equal(both.exit, 1)
  assert.equal((JSON.parse(both.out) as { runs: unknown[] }).runs.length, 2)
  const replayed = await type(['ingest', 'c', '--replay'], { api })
  assert.deepEqual([replayed.exit, replayed.out], [0, 'c: nothing is left to be read again\n'])
  const failures = await type(['ingest', 'c', '--failures'], { api })
  assert.match(failures.out, /^docs\/a\.pdf: It is no PDF\. \(2 times, last 2026-01-01/)
  assert.match(failures.out, /and more/)
})

test('ingest: a failed run, a refused folder, and Ctrl-C', async () => {
  const begun = { 'POST /api/collections/c/ingest': { status: 202, body: { run: 'r' } } }
  const failed = await type(['ingest', 'c', 'd', '--json'], {
    api: new ToldApi({ ...begun, 'GET /api/ingests/r': run('failed', {}, { endedAt: 'x' }) }),
  })
  assert.equal(failed.exit, 1)
  assert.equal(JSON.parse(failed.out).state, 'failed')
  const refused = await type(['ingest', 'c', 'd'], {
    api: new ToldApi({
      'POST /api/collections/c/ingest': {
        status: 400,
        body: { error: { message: 'There is no such folder.', code: 'field_invalid' } },
      },
    }),
  })
  assert.deepEqual([refused.exit, refused.err], [3, '✗ There is no such folder.\n'])
  const stopped = await type(['ingest', 'c', 'd'], {
    api: new ToldApi({ ...begun, 'GET /api/ingests/r': run('running', { read: 2 }) }),
    stopped: AbortSignal.abort(),
  })
  assert.equal(stopped.exit, 1)
  assert.match(stopped.err, /Stopped watching before the end\.\nWhat was read is kept/)
})

test('an ingest tells of files that were left out by their names, and one file is a file', () => {
  const progress = readProgress(run('done', { found: 1, read: 1, ignored: 2 }))
  assert.match(ingestText(progress, 100, 5), /^handbook: 1 file: 1 read [^\n]*\n {2}left out by name: 2 of a type/)
})

test('search shows the best passages', async () => {
  const text = `Begin. ${'word '.repeat(200)}`
  const api = new ToldApi({
    'POST /api/collections/handbook/search': {
      passages: [{ title: 'Keys', headings: ['Keys', 'Rotation'], uri: 'docs/keys.md', text }],
      stages: [],
    },
  })
  const { exit, out } = await type(['search', 'rotate a key', '--count', '3'], { api })
  assert.equal(exit, 0)
  assert.deepEqual(api.asked[0]?.body, { query: 'rotate a key', k: 3 })
  assert.match(out, /^1\. Keys › Rotation\n {4}docs\/keys\.md\n {4}Begin\. word/)
  assert(out.includes(' …') && out.split('\n').length < 10)
  const none = await type(['search', 'other', 'x'], {
    api: new ToldApi({ 'POST /api/collections/other/search': { passages: [] } }),
  })
  assert.equal(none.out, 'Nothing in other resembles that.\n')
})

test('search filters, and shows scores and ranks by leg', async () => {
  const legs = { words: { score: 7.25, rank: 2 }, vector: { score: 0.5, rank: 1 } }
  const route = 'POST /api/collections/c/search'
  const api = new ToldApi({ [route]: { passages: [{ title: 'A', headings: [], uri: 'a.md', text: 'x', legs }] } })
  const filter = 'kind=book,year>=1990,open!=true,name="7"'
  const { out } = await type(['search', 'c', 'x', '--mode', 'vector', '--filter', filter, '--rerank', 'm'], { api })
  assert.match(out, /a\.md {2}words #2 7\.250 {2}vector #1 0\.500\n/)
  assert.deepEqual(api.asked[0]?.body, {
    query: 'x',
    k: 5,
    mode: 'vector',
    filter: {
      type: 'and',
      filters: [
        { type: 'eq', key: 'kind', value: 'book' },
        { type: 'gte', key: 'year', value: 1990 },
        { type: 'ne', key: 'open', value: true },
        { type: 'eq', key: 'name', value: '7' },
      ],
    },
    rerank: 'm',
  })
  await type(['search', 'c', 'x', '--filter', '{"type":"in","key":"a","value":[1]}'], { api })
  assert.deepEqual((api.asked[1]?.body as { filter: unknown } | undefined)?.filter, {
    type: 'in',
    key: 'a',
    value: [1],
  })
  for (const wrong of ['kind', '=x', '{"type"', '[1]', 'a=1,,b=2', '']) {
    const { exit, err } = await type(['search', 'c', 'x', `--filter=${wrong}`], { api })
    assert.deepEqual([exit, /--filter is a list such as/.test(err)], [2, true], wrong)
  }
})

test('keys create puts the key alone on standard output', async () => {
  const api = new ToldApi({
    'POST /api/keys': { status: 201, body: { id: 'key_1', key: 'hw_secret', name: 'app', role: 'user' } },
  })
  const { exit, out, err } = await type(['keys', 'create', 'app'], { api })
  assert.deepEqual([exit, out], [0, 'hw_secret\n'])
  assert.match(err, /Key key_1 \(user\) for app\. It is shown this once/)
  assert.deepEqual(api.asked[0]?.body, { name: 'app', role: 'user' })
})

test('keys create says what the key is bound to and when it ends', async () => {
  const api = new ToldApi({
    'POST /api/keys': { status: 201, body: { id: 'key_1', key: 'hw_secret', name: 'app', role: 'user' } },
  })
  const flags = ['--user=ann', '--team', 'web', '--tenant', 'acme', '--tags', 'a, b', '--models', 'docs,chat-*']
  const more = ['--workflows', 'qa', '--may-name', 'workflow,tags=refuse', '--expires', '2030-01-31']
  assert.equal((await type(['keys', 'create', 'app', ...flags, ...more], { api })).exit, 0)
  assert.deepEqual(api.asked[0]?.body, {
    name: 'app',
    role: 'user',
    user: 'ann',
    team: 'web',
    tenant: 'acme',
    tags: ['a', 'b'],
    models: ['docs', 'chat-*'],
    workflows: ['qa'],
    mayName: { workflow: 'accept', tags: 'refuse' },
    expiresAt: '2030-01-31T00:00:00Z',
  })
  for (const expires of ['90d', '12h', '2030-01-31T12:00:00+01:00']) {
    assert.equal((await type(['keys', 'create', 'app', '--expires', expires], { api })).exit, 0, expires)
  }
  const expiries = api.asked.slice(1).map(({ body }) => (body as { expiresAt: string }).expiresAt)
  const [days = '', hours = '', exact] = expiries
  assert.ok(Math.abs(Date.parse(days) - Date.parse(hours) - (90 * 24 - 12) * 3_600_000) < 60_000)
  assert.equal(exact, '2030-01-31T12:00:00+01:00')
  for (const expires of ['soon', '5', '-1d', '2030', '1w', '']) {
    const { exit, err } = await type(['keys', 'create', 'app', `--expires=${expires}`], { api })
    assert.deepEqual([exit, err.includes('--expires is a duration')], [2, true], expires)
  }
})

test('keys rotate puts the new text on standard output and says what becomes of the old one', async () => {
  const made = { status: 201, body: { id: 'key_1', key: 'hw_new', name: 'app', role: 'user' } }
  const api = new ToldApi({ 'POST /api/keys/key_1/rotate': made })
  const { exit, out, err } = await type(['keys', 'rotate', 'key_1', '--grace', '15m'], { api })
  assert.deepEqual([exit, out], [0, 'hw_new\n'])
  assert.match(err, /The text before it is taken for another 15m\./)
  assert.match((await type(['keys', 'rotate', 'key_1'], { api })).err, /The text before it is no longer taken\./)
  assert.deepEqual(
    api.asked.map(({ body }) => body),
    [{ graceMs: 900_000 }, { graceMs: 0 }],
  )
  const wrong = await type(['keys', 'rotate', 'key_1', '--grace', 'a while'], { api })
  assert.deepEqual([wrong.exit, api.asked.length], [2, 2])
  const ended = { status: 409, body: { error: { message: 'It has ended.', code: 'key_ended' } } }
  const refused = await type(['keys', 'rotate', 'a/b', '--json'], {
    api: new ToldApi({ 'POST /api/keys/a%2Fb/rotate': ended }),
  })
  assert.deepEqual([refused.exit, JSON.parse(refused.out).error.code], [3, 'key_ended'])
})

test('keys list takes page after page', async () => {
  const api = new ToldApi({
    'GET /api/keys': { keys: [{ id: 'key_1', name: 'first' }], next: 'key_1' },
    'GET /api/keys?after=key_1': { keys: [{ id: 'key_2', name: 'second' }], next: null },
  })
  const { out } = await type(['keys', 'list', '--json'], { api })
  assert.deepEqual(
    JSON.parse(out).keys.map(({ id }: { id: string }) => id),
    ['key_1', 'key_2'],
  )
})

test('keys list and revoke', async () => {
  const keys = [
    {
      id: 'key_1',
      name: 'first',
      role: 'admin',
      hint: 'hw_abc…',
      state: 'active',
      createdAt: '2026-01-02T03:04:05Z',
    },
    {
      id: 'key_2',
      name: 'old',
      role: 'user',
      hint: 'hw_def…',
      state: 'expired',
      createdAt: '2026-01-02T03:04:05Z',
      expiresAt: '2026-01-03T00:00:00Z',
      tenant: null,
      team: 'web',
      user: 'ann',
    },
  ]
  const { out } = await type(['keys', 'list'], { api: new ToldApi({ 'GET /api/keys': { keys } }) })
  assert.equal(
    out,
    'ID     ROLE   BEGINS   STATE    MADE        ENDS        NAME\nkey_1  admin  hw_abc…  active   2026-01-02  never       first\nkey_2  user   hw_def…  expired  2026-01-02  2026-01-03  old (team web, user ann)\n',
  )
  const gone = await type(['keys', 'revoke', 'key_1'], {
    api: new ToldApi({ 'DELETE /api/keys/key_1': { id: 'key_1', revoked: true } }),
  })
  assert.equal(gone.out, '✓ key_1 is revoked.\n')
  const unknown = await type(['keys', 'revoke', 'a/b'], {
    api: new ToldApi({
      'DELETE /api/keys/a%2Fb': { status: 404, body: { error: { message: 'No key.', code: 'not_found' } } },
    }),
  })
  assert.equal(unknown.exit, 3)
})

test('models and collections are tables', async () => {
  const data = [
    { id: 'docs', headworks: { kind: 'workflow', operations: ['chat'], description: 'Answers.' } },
    { id: 'plain' },
  ]
  assert.match(
    (await type(['models'], { api: new ToldApi({ 'GET /v1/models': { data } }) })).out,
    /MODEL {2}KIND {6}SERVES {2}DESCRIPTION\ndocs {3}workflow {2}chat {4}Answers\.\nplain\n/,
  )
  const collections = [
    { name: 'handbook', documents: 1200, chunks: 34_000, bytes: 5_100_000, updatedAt: '2026-01-02T03:04:05Z' },
  ]
  const api = new ToldApi({ 'GET /api/collections': [{ collections }, { collections: [] }] })
  assert.match(
    (await type(['collections'], { api })).out,
    /handbook {8}1,200 {4}34,000 {2}5\.1 MB {2}2026-01-02 03:04\n/,
  )
  assert.match((await type(['collections'], { api })).out, /There is no collection yet/)
  const read = collections.map((one) => ({ ...one, nextReadAt: '2026-01-02T05:00:00Z' }))
  const scheduled = new ToldApi({ 'GET /api/collections': { collections: [...read, { name: 'pushed' }] } })
  assert.match(
    (await type(['collections'], { api: scheduled })).out,
    /READ AGAIN\nhandbook .* 2026-01-02 03:04 {2}2026-01-02 05:00\npushed .* -\n/,
  )
})

test('traces list and show', async () => {
  const body = {
    operation: 'chat',
    model: 'docs',
    deployment: 'local/qwen',
    outcome: 'failed',
    status: 502,
    error: 'engine_timeout',
    reason: 'It did not answer.',
    totalMs: 1234,
    costNanoUsd: null,
    usage: { inputTokens: 10, cachedInputTokens: 5, outputTokens: 3, reasoningTokens: 1, estimated: false },
    stages: [{ name: 'admit', parent: -1, start_ms: 0, end_ms: 1234 }],
  }
  const traceId = 'ab'.repeat(16)
  const summary = {
    id: traceId,
    traceId,
    at: '2026-01-02T03:04:05.000Z',
    service: 'shop',
    name: 'answer',
    status: 'error',
    durationMs: 1234,
    inputTokens: 10,
    outputTokens: 2,
    costNanoUsd: '5000000',
    user: 'ada',
  }
  const spans = [
    { spanId: '1', parentId: '', name: 'answer', startUs: 1_000_000, durationMs: 1234, error: '' },
    { spanId: '2', parentId: '1', name: 'search', startUs: 1_100_000, durationMs: 100, error: 'It timed out.' },
  ]
  const trace = { id: 'req_1', kind: 'request', at: '2026-01-02T03:04:05.000Z', running: false, body }
  const api = new ToldApi({
    'GET /api/traces?limit=20&status=error&minMs=500': { traces: [summary], next: null },
    'GET /api/traces/req_1': trace,
    [`GET /api/traces/${traceId}`]: { id: traceId, trace: summary, spans, scores: [], total: 2 },
  })
  const list = await type(['traces', 'list', '--status', 'error', '--min-ms', '500'], { api })
  assert.match(list.out, /2026-01-02 03:04:05 {2}(?:ab){16} {2}answer {2}error {3}1\.2 s {6}12 {2}\$0\.005 {2}ada\n/)
  const show = await type(['traces', 'show', 'req_1'], { api })
  assert.match(
    show.out,
    /^req_1 {2}2026.*\nchat · docs → local\/qwen · outcome: failed\n {2}engine_timeout: It did not answer\.\n15 tokens read, 4 written · cost unknown.*\n\nStages/,
  )
  assert.deepEqual(JSON.parse((await type(['traces', 'show', 'req_1', '--json'], { api })).out), trace)
  const foreign = await type(['traces', 'show', traceId], { api })
  assert.match(
    foreign.out,
    /shop · answer · status: error · 2 spans\n.*\n {2}search: It timed out\.\n\nStages {2}1\.2 s in all\n {2}answer .*\n {4}search /,
  )
})

test('traces tail shows what is new, once, until it is stopped', async () => {
  const stop = new AbortController()
  const one = { traceId: 'a', id: 'a', at: '2026-01-02T03:04:05.000Z', name: 'old', status: 'ok', durationMs: 1 }
  const two = { ...one, traceId: 'b', id: 'b', name: 'new' }
  let polls = 0
  const api = new ToldApi({
    'GET /api/traces?limit=100&status=error': () => {
      if (++polls === 4) stop.abort()
      return { status: 200, body: { traces: polls === 1 ? [one] : [two, one], next: null } }
    },
  })
  const { out, exit } = await type(['traces', 'tail', '--status', 'error'], { api, stopped: stop.signal })
  assert.equal(exit, 0)
  assert.equal(out, '2026-01-02 03:04:05  b  new  ok  1.0 ms  0\n')
})

test('traces export saves the file, or says why there is none', async () => {
  const saved = new Map<string, string>()
  const api = new ToldApi({
    'DOWNLOAD /api/telemetry/export?format=otlp&from=2026-11-01T00%3A00%3A00Z': '{}\n{}\n',
    'GET /api/telemetry/export?format=jsonl&from=x': {
      status: 400,
      body: { error: { code: 'field_invalid', message: '`from` is no instant.' } },
    },
  })
  const words = ['traces', 'export', 'spans.otlp', '--format', 'otlp', '--from', '2026-11-01T00:00:00Z']
  assert.match((await type(words, { api, saved })).out, /^Saved 6 B as spans\.otlp\.\n/)
  assert.deepEqual([...saved], [['spans.otlp', '{}\n{}\n']])
  const refused = await type(['traces', 'export', 'x', '--from', 'x'], { api, saved })
  assert.deepEqual([refused.exit, saved.size], [3, 1])
})

test('top draws what goes on once where there is no terminal', async () => {
  const point = {
    at: '1970-01-01T00:00:00.000Z',
    model: 'chat',
    spans: 50,
    errors: 5,
    inputTokens: 1000,
    outputTokens: 10,
    costNanoUsd: '2500000000',
    durationMs: { n: 50, p50: 12, p90: 20, p95: 30, p99: 1500 },
  }
  const query = 'from=1969-12-31T23%3A55%3A00.000Z&to=1970-01-01T00%3A00%3A00.000Z&by=model&steps=false'
  const api = new ToldApi({
    [`GET /api/telemetry/series?${query}`]: { to: '1970-01-01T00:05:00.000Z', points: [point] },
  })
  const { out } = await type(['top', '--by', 'model'], { api })
  assert.match(out, /MODEL {2}SPANS\/MIN {2}ERRORS .*\nchat +10 +10\.0 % +12 ms +30 ms +1\.5 s +1,010 +\$2\.50/)
})

test('login prints the link alone', async () => {
  const { out, err } = await type(['login'], {
    api: new ToldApi({ 'POST /api/login': { url: 'http://127.0.0.1:4750/login?token=t' } }),
  })
  assert.equal(out, 'http://127.0.0.1:4750/login?token=t\n')
  assert.match(err, /within 15 minutes/)
})

test('config check, show and schema', async () => {
  const yaml = 'engines: { e: { kind: openai, url: "http://h/v1", key: env:K } }'
  const good = await type(['config', 'check'], { yaml, env: { K: 'sk-1' } })
  assert.deepEqual(
    [good.exit, good.out],
    [0, '✓ The configuration is valid: 3 engines, 2 models, 1 collections, 1 workflows.\n  /house/headworks.yaml\n'],
  )
  const shown = await type(['config', 'show'], { yaml, env: { K: 'sk-1' } })
  assert(shown.out.includes('key: env:K') && !shown.out.includes('sk-1'))
  const again = await loadConfig({
    readFile: async () => new TextEncoder().encode(shown.out),
    env: { K: 'x' },
    cwd: '/house',
    docsFolder: '/app/docs',
  })
  assert('config' in again)
  assert.equal(
    JSON.parse((await type(['config', 'show', '--json'], { yaml, env: { K: 'sk-1' } })).out).engines.e.key,
    'env:K',
  )
  const bad = await type(['config', 'check', '--json'], { yaml: 'listen: 5\n' })
  assert.equal(bad.exit, 3)
  assert.deepEqual(JSON.parse(bad.out).problems[0], {
    path: 'listen',
    line: 1,
    column: 9,
    value: '5',
    wrong: 'is not a text',
    remedy: 'Write a text. Put it in quotes.',
  })
  assert.equal((await type(['config', 'show'], { yaml: 'listen: 5\n' })).exit, 3)
  const schema = JSON.parse((await type(['config', 'schema'])).out)
  assert.equal(schema.properties.listen.default, '127.0.0.1:4750')
  assert(!JSON.stringify(schema).includes('"reload"'))
})

test('prices lists what is known, with validity and source, and says when nothing is', async () => {
  const one = await type(['prices', 'gpt-5.4-mini'], { stdout: new Screen(true, 140) })
  assert.equal(one.exit, 0)
  assert.match(
    one.out,
    /openai +gpt-5\.4-mini +\$0\.75 +\$0\.075 +\$4\.50 +2026-08-25 +developers\.openai\.com, 2026-08-25\n/,
  )
  assert.match(one.out, /US dollars per million tokens\. Version 2026-11-22\.[0-9a-f]{8}\.\n$/)
  const long = await type(['prices', 'gemini-2.5-pro'], { stdout: new Screen(true, 140) })
  assert.match(long.out, /\n +over 200,000 tokens in +\$2\.50 +\$0\.25 +\$15\.00\n/)
  const all = JSON.parse((await type(['prices', '--json'])).out)
  const groq = JSON.parse((await type(['prices', 'groq', '--json'])).out)
  assert.ok(all.prices.length >= 60 && groq.prices.length >= 5 && groq.prices.length < all.prices.length)
  assert.equal(all.version, groq.version)
  const none = await type(['prices', 'gpt-5.4-mimi'])
  assert.equal(none.exit, 3)
  assert.match(none.err, /No price is known for "gpt-5\.4-mimi"\.\s+Did you mean "gpt-5\.4-mini"\?/)
})

test('prices shows a price file of your own, and refuses a broken one', async () => {
  const yaml = 'prices: p.yaml'
  const text = (usd: string) =>
    `prices: [{ provider: house, model: qwen, usdPerMillion: { input: ${usd}, output: 1 } }]`
  const shown = await type(['prices', 'house'], { yaml, files: { '/house/p.yaml': text('0.5') } })
  assert.match(shown.out, /house +qwen +\$0\.50 +\$0\.50 +\$1\.00 +always +\/house\/p/)
  const broken = await type(['prices'], { yaml, files: { '/house/p.yaml': text('-1') } })
  assert.equal(broken.exit, 3)
  assert.match(broken.err, /usdPerMillion\.input = -1 is no price/)
})
