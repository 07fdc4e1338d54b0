import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ManualClock, settled } from '../../tests/kit/clock.ts'
import { RecordedReply, request } from '../../tests/kit/exchange.ts'
import type { BatchRow } from '../batch/batch.ts'
import { BATCHES, NO_PROGRESS } from '../batch/batch.ts'
import type { NewBatch } from '../batch/batches.ts'
import { refuse } from '../base/errors.ts'
import { seededRandom } from '../base/random.ts'
import { MemoryEvents } from '../drivers/memory/events.ts'
import { MemoryRows } from '../drivers/memory/rows.ts'
import { Audit } from '../guard/audit.ts'
import { unbound } from '../guard/bindings.ts'
import type { Role } from '../guard/principal.ts'
import { put } from '../store/rows.ts'
import { batchRoutes } from './batches.ts'
import { controlPlane } from './router.ts'

const ROW: BatchRow = {
  id: 'batch_1',
  owner: 'key_1',
  key: 'key_1',
  endpoint: '/v1/embeddings',
  inputFile: 'file_1',
  windowText: '24h',
  expiresAtMs: 90_000_000,
  metadata: {},
  state: 'failed',
  atMs: { created: 3_600_000, failed: 3_601_500 },
  total: 3,
  model: 'embed',
  problems: [{ code: 'empty_file', message: 'The file has no line.' }],
}

async function open() {
  const rows = new MemoryRows()
  const clock = new ManualClock()
  const audit = new Audit({ events: new MemoryEvents(), clock, random: seededRandom(1) })
  const asked: NewBatch[] = []
  await rows.commit([
    put(BATCHES, ['key_1', 'batch_1'], ROW),
    put(BATCHES, ['key_2', 'batch_2'], { ...ROW, id: 'batch_2', owner: 'key_2', key: 'key_2', state: 'in_progress' }),
  ])
  const standing = async (batch: BatchRow) => ({ batch, progress: { ...NO_PROGRESS, completed: 2, costNanoUsd: '7' } })
  const find = async (owner: string, id: string) => {
    const stored = await rows.get(BATCHES, [owner, id])
    return stored && standing(stored.row)
  }
  let caller: { id: string; role: Role } = { id: 'key_1', role: 'user' }
  const handle = controlPlane({
    routes: batchRoutes({
      rows,
      audit,
      batches: {
        create: async (_, batch) => {
          asked.push(batch)
          return standing(ROW)
        },
        find,
        standing,
        cancel: async (owner, id) => (await find(owner, id)) ?? refuse('not_found', { what: 'batch', id }),
      },
    }),
    authenticate: () => ({ ...caller, name: '', bindings: unbound(caller.role) }),
    newRequestId: () => 'req_1',
  })
  async function call(method: string, target: string, body: unknown = '', as = caller) {
    caller = as
    const reply = new RecordedReply()
    handle(request(method, target, body), reply)
    for (let turn = 0; turn < 100 && !reply.ended; turn++) await settled()
    return { status: reply.status, json: reply.json() }
  }
  return { call, asked }
}

const OTHER = { id: 'key_2', role: 'user' } as const
const ADMIN = { id: 'key_9', role: 'admin' } as const
const FINE = { input_file_id: 'file_1', endpoint: '/v1/embeddings', completion_window: '24h' }

test('a batch has the shape of OpenAI', async () => {
  const { call, asked } = await open()
  const { json } = await call('GET', '/v1/batches/batch_1')
  assert.deepEqual(json, {
    id: 'batch_1',
    object: 'batch',
    endpoint: '/v1/embeddings',
    model: 'embed',
    errors: {
      object: 'list',
      data: [{ code: 'empty_file', message: 'The file has no line.', line: null, param: null }],
    },
    input_file_id: 'file_1',
    completion_window: '24h',
    status: 'failed',
    output_file_id: null,
    error_file_id: null,
    created_at: 3600,
    in_progress_at: null,
    expires_at: 90_000,
    finalizing_at: null,
    completed_at: null,
    failed_at: 3601,
    expired_at: null,
    cancelling_at: null,
    cancelled_at: null,
    request_counts: { total: 3, completed: 2, failed: 0 },
    usage: {
      input_tokens: 0,
      input_tokens_details: { cached_tokens: 0 },
      output_tokens: 0,
      output_tokens_details: { reasoning_tokens: 0 },
      total_tokens: 0,
    },
    metadata: {},
  })
  const expiry = { anchor: 'created_at', seconds: 3600 }
  const made = await call('POST', '/v1/batches', { ...FINE, metadata: { a: 'b' }, output_expires_after: expiry })
  assert.equal(made.status, 200)
  assert.deepEqual(asked, [
    {
      inputFile: 'file_1',
      endpoint: '/v1/embeddings',
      windowText: '24h',
      windowMs: 86_400_000,
      metadata: { a: 'b' },
      outputExpiresAfterS: 3600,
    },
  ])
})

test('everybody sees their own, an administrator how far all of them are', async () => {
  const { call } = await open()
  const ids = (json: { data: { id: string }[] }): string[] => json.data.map(({ id }) => id)
  assert.deepEqual(ids((await call('GET', '/v1/batches')).json), ['batch_1'])
  assert.deepEqual(ids((await call('GET', '/v1/batches', '', OTHER)).json), ['batch_2'])
  assert.equal((await call('GET', '/v1/batches/batch_1', '', OTHER)).status, 404)
  assert.equal((await call('POST', '/v1/batches/batch_1/cancel', {}, OTHER)).status, 404)
  assert.deepEqual(ids((await call('GET', '/v1/batches', '', ADMIN)).json), [])
  assert.equal((await call('GET', '/api/batches', '', OTHER)).status, 403)
  const { batches } = (await call('GET', '/api/batches', '', ADMIN)).json
  assert.deepEqual(
    batches.map(({ id, key, costNanoUsd }: Record<string, string>) => [id, key, costNanoUsd]),
    [
      ['batch_2', 'key_2', '7'],
      ['batch_1', 'key_1', '7'],
    ],
  )
  assert.equal((await call('GET', '/api/batches?state=in_progress&limit=1', '', ADMIN)).json.batches.length, 1)
  assert.equal((await call('GET', '/api/batches/batch_2', '', ADMIN)).json.key, 'key_2')
  assert.equal((await call('GET', '/api/batches/batch_3', '', ADMIN)).status, 404)
  assert.equal((await call('POST', '/api/batches/batch_2/cancel', {}, ADMIN)).json.id, 'batch_2')
})

test('every kind of bad request is refused by its field', async () => {
  const { call, asked } = await open()
  const CASES: readonly [param: string, body: unknown][] = [
    ['body', []],
    ['surprise', { ...FINE, surprise: 1 }],
    ['input_file_id', { ...FINE, input_file_id: undefined }],
    ['endpoint', { ...FINE, endpoint: '/v1/nowhere' }],
    ['endpoint', { ...FINE, endpoint: undefined }],
    ['completion_window', { ...FINE, completion_window: '1d' }],
    ['completion_window', { ...FINE, completion_window: '337h' }],
    ['completion_window', { ...FINE, completion_window: 24 }],
    ['metadata', { ...FINE, metadata: [] }],
    ['metadata', { ...FINE, metadata: { a: 1 } }],
    ['metadata', { ...FINE, metadata: { ['a'.repeat(65)]: 'b' } }],
    ['metadata', { ...FINE, metadata: Object.fromEntries(Array.from({ length: 17 }, (_, at) => [at, 'b'])) }],
    ['output_expires_after.anchor', { ...FINE, output_expires_after: 7 }],
    ['output_expires_after.seconds', { ...FINE, output_expires_after: { anchor: 'created_at', seconds: 1 } }],
  ]
  for (const [param, body] of CASES) {
    const { status, json } = await call('POST', '/v1/batches', body)
    assert.deepEqual([status, json.error.param], [400, param], JSON.stringify(body))
  }
  assert.deepEqual(asked, [])
})
