import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fault } from '../base/errors.ts'
import { type } from '../../tests/kit/terminal.ts'
import { CHECKS, type GatewayHealth, type Probes } from './checks.ts'

const yaml = `
engines: { gpu: { kind: openai, url: "http://h/v1", models: [listed] }, spare: { kind: openai, url: "http://s/v1" } }
models: { chat: { deployments: [{ engine: gpu, model: qwen }, { engine: gpu, model: listed }] } }`

type Row = readonly [check: string, state: 'ok' | 'warn' | 'fail', probes: Partial<Probes>, text: RegExp]

const engines = (models: (name: string) => Promise<string[]>): Partial<Probes> => ({
  engines: () => [{ name: 'gpu', models: () => models('gpu') }],
})
const spare = (models: () => Promise<string[]>): Partial<Probes> => ({ engines: () => [{ name: 'spare', models }] })
const gateways = (...found: readonly Partial<GatewayHealth>[]): Partial<Probes> => ({
  lockHolder: async () => 4711,
  gateways: async () => found.map((one, at) => ({ node: `gateway-${at + 1}`, restarts: 0, deployments: [], ...one })),
})
const closed = { deployment: 'gpu/small', leftOut: [], reason: null, since: null } as const
const open = {
  deployment: 'gpu/large',
  leftOut: ['chat'],
  reason: 'connect ECONNREFUSED',
  since: '2026-01-01T00:00:00.000Z',
} as const
const refused = () => Promise.reject(fault('engine_refused', { engine: 'gpu', status: 404, reason: 'Not Found' }))
const down = () => Promise.reject(fault('engine_unreachable', { engine: 'gpu', reason: 'ECONNREFUSED' }))
const away = (): Promise<never> => Promise.reject(new Error('EIO: i/o error'))

const ROWS: readonly Row[] = [
  ['node', 'ok', {}, /26\.10\.0/],
  ['node', 'fail', { nodeVersion: '20.1.0' }, /Node 26 or later is needed/],
  ['platform', 'ok', {}, /linux-x64, with its own Node 26/],
  ['platform', 'warn', { platformPackage: async () => undefined }, /without --omit=optional/],
  ['memory', 'ok', {}, /8\.0 GB free/],
  ['memory', 'warn', { memoryFreeBytes: async () => 400e6 }, /400\.0 MB free/],
  ['memory', 'fail', { memoryFreeBytes: async () => 100e6 }, /192\.0 MB are needed/],
  ['config', 'ok', {}, /headworks\.yaml/],
  ['data folder', 'ok', {}, /\.headworks/],
  ['data folder', 'ok', { folder: async () => undefined }, /will be made/],
  ['data folder', 'warn', { folder: async () => ({ writable: true, mode: 0o755 }) }, /chmod 700/],
  ['data folder', 'fail', { folder: async () => ({ writable: false, mode: 0o500 }) }, /cannot be written/],
  ['disk space', 'ok', {}, /50\.0 GB free/],
  ['disk space', 'warn', { diskFreeBytes: async () => 5e8 }, /500\.0 MB free/],
  ['disk space', 'fail', { diskFreeBytes: async () => 5e7 }, /writes are about to fail/],
  ['disk space', 'fail', { diskFreeBytes: away }, /cannot be told: EIO/],
  ['disk speed', 'ok', {}, /takes 1\.5 ms/],
  ['disk speed', 'warn', { durableWriteMs: async () => 80 }, /takes 80 ms/],
  [
    'disk speed',
    'fail',
    { durableWriteMs: () => Promise.reject(fault('data_unusable', { path: '/d', reason: 'EROFS' })) },
    /cannot be used: EROFS/,
  ],
  ['lock', 'ok', {}, /no Headworks runs/],
  ['lock', 'ok', { lockHolder: async () => 4711 }, /process 4711/],
  ['lock', 'fail', { lockHolder: away }, /cannot be told/],
  ['address', 'ok', {}, /is free/],
  ['address', 'ok', { listening: async () => 'headworks' }, /Headworks answers/],
  ['address', 'fail', { listening: async () => 'another' }, /set HEADWORKS_LISTEN/],
  [
    'address',
    'fail',
    { listening: () => Promise.reject(fault('address_invalid', { address: 'x:1', reason: 'ENOTFOUND' })) },
    /cannot be listened on/,
  ],
  ['gateways', 'ok', {}, /1 at the next start/],
  ['gateways', 'ok', gateways({ restarts: 0, pid: 1 }), /1 answers/],
  ['gateways', 'ok', gateways({ restarts: 0, pid: 1 }, { restarts: 0, pid: 2 }), /2 answer $/],
  [
    'gateways',
    'warn',
    gateways({ restarts: 2, pid: 1 }, { restarts: 1, pid: 2 }),
    /2 answer; restarts since the start: 3/,
  ],
  ['gateways', 'fail', gateways({ restarts: 2 }, { restarts: 1, pid: 2 }), /gateway-1 of 2 does not run/],
  ['gateways', 'fail', { lockHolder: async () => 4711, gateways: away }, /cannot be told: EIO/],
  ['circuits', 'ok', {}, /all closed at the start/],
  ['circuits', 'ok', gateways({ pid: 1, deployments: [closed, closed] }), /2 are closed/],
  [
    'circuits',
    'warn',
    gateways({ pid: 1, deployments: [closed] }, { pid: 2, deployments: [open] }),
    /gpu\/large is left out of chat by gateway-2 since 2026-01-01T00:00:00.000Z: connect ECONNREFUSED .* tried again by itself/,
  ],
  ['circuits', 'fail', { lockHolder: async () => 4711, gateways: away }, /cannot be told: EIO/],
  ['engine', 'ok', engines(async () => ['qwen', 'a', 'b', 'c', 'd']), /gpu serves qwen, a, b, c and 2 more/],
  ['engine', 'warn', engines(async () => ['other']), /gpu does not list qwen; it serves other, listed/],
  ['engine', 'ok', engines(refused), /it lists no models/],
  ['engine', 'fail', engines(down), /cannot be reached: ECONNREFUSED/],
  ['engine', 'warn', spare(down), /No model uses it/],
  ['store', 'ok', {}, /12 documents, 345 passages, all readable/],
  [
    'store',
    'fail',
    { store: async () => ({ collections: 1, documents: 1, chunks: 1, damage: ['segment s1 of handbook is missing'] }) },
    /segment s1 .* Ingest the collection again/,
  ],
  [
    'store',
    'fail',
    { store: () => Promise.reject(fault('store_unavailable', { reason: 'database disk image is malformed' })) },
    /malformed/,
  ],
]

test('every check passes where all is well, and finds what is not', async () => {
  for (const [check, state, probes, text] of ROWS) {
    const { exit, out } = await type(['doctor', '--json'], {
      yaml,
      probes: { ...engines(async () => ['qwen']), ...probes },
    })
    const report = JSON.parse(out)
    const found = report.checks.filter((one: { check: string }) => one.check === check)
    const shown = JSON.stringify(found)
    assert.deepEqual(
      found.map((one: { state: string }) => one.state),
      [state],
      `${check} ${state}: ${shown}`,
    )
    assert.match(
      found.map((one: { text: string; remedy: string | null }) => `${one.text} ${one.remedy ?? ''}`).join(),
      text,
    )
    if (state !== 'ok') assert(found[0].remedy.length > 10)
    assert.equal(exit, state === 'fail' ? 1 : 0)
    assert.equal(report.ok, state !== 'fail')
  }
  for (const { name } of CHECKS) {
    assert(
      ROWS.some(([check, state]) => check === name && state === 'ok'),
      `${name} passing`,
    )
    assert(name === 'config' || ROWS.some(([check, state]) => check === name && state !== 'ok'), `${name} failing`)
  }
})

test('a broken configuration is one failure; what depends on it is not looked at', async () => {
  const { exit, out } = await type(['doctor'], { yaml: 'modles: {}' })
  assert.equal(exit, 1)
  assert.match(
    out,
    /fail {2}config +The configuration headworks\.yaml is not valid:\n.*headworks\.yaml:1:1: modles is not a known field/,
  )
  assert.match(out, /warn {2}address +not looked at/)
  assert.match(out, /3 ok, 9 to mind, 1 to repair\.\n$/)
})
