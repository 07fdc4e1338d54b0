import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ToldApi, type } from '../../tests/kit/terminal.ts'

const BATCH = {
  id: 'batch_1',
  status: 'in_progress',
  endpoint: '/v1/chat/completions',
  model: 'chat\u001b[31m',
  key: 'key_1',
  input_file_id: 'file_1',
  output_file_id: null,
  created_at: 1_780_000_000,
  expires_at: 1_780_086_400,
  request_counts: { total: 2000, completed: 990, failed: 10 },
  usage: { input_tokens: 12_345, output_tokens: 678 },
  costNanoUsd: '1500000000',
  errors: null,
}

test('batches are listed with how far they are and what they cost', async () => {
  const api = new ToldApi({ 'GET /api/batches?limit=20': { batches: [BATCH] } })
  const { exit, out } = await type(['batches', 'list'], { api })
  assert.equal(exit, 0)
  assert.match(out, /batch_1 +in_progress .*50 ?% +10 +\$?1\.50? .*2026-05-28 20:26/)
  const none = new ToldApi({ 'GET /api/batches?limit=1': { batches: [] } })
  assert.match((await type(['batches', 'list', '--count', '1'], { api: none })).out, /^No batch\./)
})

test('one is shown with its tokens and what is wrong with its lines', async () => {
  const errors = { object: 'list', data: [{ code: 'invalid_json_line', message: 'Not JSON.', line: 7, param: null }] }
  const api = new ToldApi({
    'GET /api/batches/batch_1': BATCH,
    'GET /api/batches/batch_2': { ...BATCH, status: 'failed', errors },
    'GET /api/batches/x': { status: 404, body: { error: { code: 'not_found', message: 'No batch is called "x".' } } },
  })
  const { out } = await type(['batches', 'show', 'batch_1'], { api })
  assert.match(out, /lines +2,000, 990 answered, 10 failed/)
  assert.match(out, /tokens +12,345 in, 678 out/)
  assert.ok(!out.includes('\u001b[31m') && !out.includes('output'))
  assert.match((await type(['batches', 'show', 'batch_2'], { api })).out, /line 7: Not JSON\./)
  assert.equal((await type(['batches', 'show', 'x'], { api })).exit, 3)
})

test('one is cancelled, or is over already', async () => {
  const over = { status: 409, body: { error: { code: 'batch_over', message: 'The batch has ended.' } } }
  const api = new ToldApi({ 'POST /api/batches/batch_1/cancel': BATCH, 'POST /api/batches/x/cancel': over })
  assert.match((await type(['batches', 'cancel', 'batch_1'], { api })).out, /batch_1 is being cancelled/)
  assert.equal((await type(['batches', 'cancel', 'x'], { api })).exit, 3)
})

test('a question steps back behind others', async () => {
  const api = new ToldApi({ 'POST /v1/chat/completions': { id: 'x' } })
  await type(['ask', 'chat', 'Well?', '--json', '--priority', 'batch'], { api })
  assert.deepEqual(api.asked[0]?.headers, { 'x-headworks-priority': 'batch' })
  const streamed = new ToldApi({ 'STREAM /v1/chat/completions': [] })
  await type(['ask', 'chat', 'Well?', '--priority', 'batch'], { api: streamed })
  assert.deepEqual(streamed.asked[0]?.headers, { 'x-headworks-priority': 'batch' })
  assert.equal((await type(['ask', 'Well?', '--priority', 'urgent'], { api })).exit, 2)
})
