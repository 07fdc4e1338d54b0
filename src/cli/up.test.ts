import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fault, refuse } from '../base/errors.ts'
import type { CliContext } from './context.ts'
import type { House, HouseEvent, IngestProgress } from './house.ts'
import { Screen, ToldApi, type, type Setting } from '../../tests/kit/terminal.ts'

const progress = (more: Partial<IngestProgress>): HouseEvent => ({
  step: 'ingest',
  progress: {
    run: 'r',
    state: 'running',
    collection: 'handbook',
    path: '/app/docs',
    files: { found: 12, read: 0, unchanged: 0, removed: 0, skipped: 0 },
    bytes: 0,
    chunks: 0,
    documents: 0,
    skipped: [],
    endedAt: null,
    ...more,
  },
})
const done = (files: object) =>
  progress({
    state: 'done',
    files: { found: 12, read: 0, unchanged: 0, removed: 0, skipped: 0, ...files },
    bytes: 90_000,
    chunks: 345,
    endedAt: '2026-01-01',
  })

const FIRST: readonly HouseEvent[] = [
  { step: 'opened', data: '/house/.headworks', created: true },
  { step: 'admin_key', key: 'hw_first' },
  progress({}),
  done({ read: 12 }),
  { step: 'listening', address: '127.0.0.1:4750', afterMs: 812, gateways: 1 },
]
const SECOND: readonly HouseEvent[] = [
  { step: 'opened', data: '/house/.headworks', created: false },
  done({ unchanged: 12 }),
  { step: 'listening', address: '127.0.0.1:4750', afterMs: 290, gateways: 1 },
]

const ANSWER = [
  { choices: [{ index: 0, delta: { content: 'Add an engine and a model [1].' } }] },
  {
    choices: [{ index: 0, delta: {}, finish_reason: 'stop' }],
    headworks: {
      request_id: 'req_1',
      answered: true,
      cost_nanousd: '0',
      usage: { prompt_tokens: 800, completion_tokens: 9 },
      estimated: false,
      sources: [
        { number: 1, title: 'Models', headings: [], uri: 'docs/models.md', text: 'Add an engine.', quotes: [] },
      ],
      stages: [{ name: 'search', parent: -1, start_ms: 0, end_ms: 12 }],
    },
  },
]

/** Starts the house that goes through `events`, and stops it once everything was said. */
async function up(
  events: readonly HouseEvent[],
  words: readonly string[] = [],
  more: { house?: Partial<House>; setting?: Setting; later?: readonly HouseEvent[] } = {},
) {
  const stop = new AbortController()
  let stops = 0
  const control = new ToldApi({ 'POST /api/login': { url: 'http://127.0.0.1:4750/login?token=once' } })
  const network = new ToldApi({ 'STREAM /v1/chat/completions': ANSWER })
  const startHouse: CliContext['startHouse'] = async ({ onEvent }) => {
    events.forEach(onEvent)
    setTimeout(() => {
      more.later?.forEach(onEvent)
      stop.abort()
    }, 20)
    return {
      address: '127.0.0.1:4750',
      control,
      network,
      stop: async () => void stops++,
      ...more.house,
    }
  }
  const seen = await type(['up', ...words], { startHouse, stopped: stop.signal, ...more.setting })
  return { ...seen, stops, network }
}

test('the first start shows the key once with the way to use it, what was read, and where to go', async () => {
  const { exit, out, stops } = await up(FIRST)
  assert.deepEqual([exit, stops], [0, 1])
  assert.match(
    out,
    /^Headworks 0\.1\.0 on Node 26\.10\.0, linux-x64\n✓ data folder \/house\/\.headworks, made just now\n/,
  )
  assert.match(out, /shown this once[^\n]*\n\n {4}export HEADWORKS_KEY=hw_first\n/)
  assert.match(out, /✓ handbook: 12 files: 12 read \(90\.0 kB, 345 passages\)/)
  assert.match(out, /✓ listening on http:\/\/127\.0\.0\.1:4750, ready after 812 ms/)
  assert.match(out, /Console {3}http:\/\/127\.0\.0\.1:4750\/login\?token=once/)
  assert.match(out, /curl http:\/\/127\.0\.0\.1:4750\/v1\/chat\/completions -H "Authorization: Bearer hw_first" \\\n/)
  assert.match(out, /Stopping[^\n]*\n✓ stopped\n$/)
})

test('several gateways are asked for and told; so many as make no sense are not', async () => {
  let asked: number | undefined
  const startHouse: CliContext['startHouse'] = async ({ gateways }) => {
    asked = gateways
    return refuse('port_in_use', { address: '127.0.0.1:4750' })
  }
  await type(['up', '--gateways', '3'], { startHouse })
  assert.equal(asked, 3)
  for (const count of ['0', '65', '-1', '1.5', 'two'])
    assert.equal((await type(['up', '--gateways', count], { startHouse })).exit, 2, count)
  const { out } = await up([{ step: 'listening', address: '127.0.0.1:4750', afterMs: 900, gateways: 3 }])
  assert.match(out, /✓ listening on http:\/\/127\.0\.0\.1:4750 with 3 gateways, ready after 900 ms/)
})

test('a later start shows no key, no news of an ingest without any, and how to get a key', async () => {
  const { out } = await up(SECOND)
  assert(!out.includes('hw_') && !out.includes('handbook:'))
  assert.match(out, /Bearer \$HEADWORKS_KEY/)
  assert.match(out, /export HEADWORKS_KEY=\$\(npx headworks keys create me\)/)
})

test('the question goes over the network and shows answer, sources, stages, tokens and cost', async () => {
  const { out, network } = await up(SECOND, ['--question', "What's a model?"])
  assert.equal((network.asked[0]?.body as { model: string } | undefined)?.model, 'docs')
  assert.match(
    out,
    /“What's a model\?”\n\nAdd an engine and a model \[1\]\.\n\nSources\n {2}\[1\] Models {2}docs\/models\.md\n\nStages {2}12 ms in all\n {2}search {2}█+ +12 ms\n\n800 tokens read, 9 written · cost \$0\.00 · trace req_1\n/,
  )
  assert.match(out, /"content":"What'\\''s a model\?"/)
})

test('the curl that is shown is one a shell understands', async () => {
  const { out } = await up(FIRST, ['--question', `It's "quoted" $HOME`])
  const { spawnSync } = await import('node:child_process')
  const line = /curl [\s\S]*?-d .*/.exec(out)?.[0] ?? ''
  const run = spawnSync('sh', ['-c', line.replace(/^curl/, 'printf "%s\\n"')], { encoding: 'utf8' })
  const words = run.stdout.trim().split('\n')
  assert.equal(words[2], 'Authorization: Bearer hw_first')
  assert.equal(JSON.parse(words.at(-1) ?? '').messages[0].content, `It's "quoted" $HOME`)
})

test('a question that fails is shown, and the house stays', async () => {
  const network = new ToldApi({
    'STREAM /v1/chat/completions': [
      { error: { message: 'It is down.', type: 'server_error', code: 'engine_unreachable' } },
    ],
  })
  const { exit, out, err } = await up(SECOND, ['--question', 'q'], { house: { network } })
  assert.equal(exit, 0)
  assert.match(err, /✗ It is down\./)
  assert.match(out, /Console/)
  const cut = new ToldApi({ 'STREAM /v1/chat/completions': fault('server_absent', { address: 'x' }) })
  assert.equal((await up(SECOND, ['--question', 'q'], { house: { network: cut } })).exit, 0)
})

test('a house that cannot start says why and what to do', async () => {
  for (const [why, exit, text] of [
    [
      fault('port_in_use', { address: '127.0.0.1:4750' }),
      1,
      /address 127\.0\.0\.1:4750 is in use\.\nStop what listens there, or set HEADWORKS_LISTEN/,
    ],
    [fault('data_in_use', { path: '/d', pid: 7 }), 1, /in use by process 7/],
    [
      refuse('config_invalid', { file: 'headworks.yaml', problems: '  line 1' }),
      3,
      /is not valid:\n {2}line 1\nCorrect/,
    ],
  ] as const) {
    const startHouse = async () => {
      if (why instanceof Error) throw why
      return why
    }
    const seen = await type(['up'], { startHouse })
    assert.equal(seen.exit, exit)
    assert.match(seen.err, text)
  }
})

test('a reload says what is in force, what waits, and what was refused', async () => {
  const { out } = await up(SECOND, [], {
    later: [
      { step: 'reloaded', applied: ['models.chat'], needsRestart: ['listen'] },
      { step: 'reload_refused', reason: 'headworks.yaml:1:1: modles is not a known field.' },
    ],
  })
  assert.match(
    out,
    /taken over: models\.chat\n! takes effect at the next start: listen\n! The changed configuration is not taken over/,
  )
})

test('on a terminal the ingest is a bar that makes way for the lines after it', async () => {
  const stderr = new Screen(true, 80)
  const events = [progress({ files: { found: 10, read: 5, unchanged: 0, removed: 0, skipped: 0 } }), done({ read: 12 })]
  await up(events, [], { setting: { stderr } })
  assert.match(stderr.text, /Reading handbook █+░+ {2}50% 5 of 10 files/)
  assert(stderr.text.endsWith('\r\x1b[K'))
})

test('roles are passed on, and those that do not exist are refused', async () => {
  const asked: unknown[] = []
  const startHouse: CliContext['startHouse'] = async ({ roles }) => {
    asked.push(roles)
    return refuse('port_in_use', { address: '127.0.0.1:4750' })
  }
  await type(['up', '--roles', 'control, gateway'], { startHouse })
  assert.deepEqual(asked, [['gateway', 'control']])
  for (const wrong of ['queue', '', 'gateway,', 'gateway serving']) {
    const { exit, err } = await type(['up', `--roles=${wrong}`], { startHouse })
    assert.equal(exit, 2, wrong)
    assert.match(err, /gateway, ingest, control/)
  }
  assert.equal(asked.length, 1)
})
