import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ToldApi, type } from '../../tests/kit/terminal.ts'

const percentiles = (p50: number | null) => ({ n: p50 === null ? 0 : 3, p50, p95: p50, p99: p50 })
const row = (model: string, more: object = {}) => ({
  model,
  requests: 1234,
  answered: 3,
  failed: 1,
  cancelled: 0,
  interrupted: 0,
  inputTokens: 10,
  cachedInputTokens: 5,
  outputTokens: 7,
  reasoningTokens: 1,
  costNanoUsd: '1500000000',
  unpriced: 0,
  estimated: 0,
  costNanoUsdPerRequest: percentiles(5),
  totalMs: percentiles(1200),
  firstTokenMs: percentiles(null),
  ...more,
})

/** Whatever days it asks for. */
function api(rows: object[]): ToldApi {
  const told = new ToldApi({})
  told.request = async (_, path) => {
    told.asked.push({ method: 'GET', path, body: undefined })
    const text = JSON.stringify({ rows })
    return { status: 200, headers: {}, text, json: () => JSON.parse(text) }
  }
  return told
}

test('usage shows sums by what was named, and says where a cost is unknown', async () => {
  const told = api([row('chat'), row('raw', { unpriced: 3, costNanoUsd: '0' }), row('mixed', { unpriced: 1 })])
  const { exit, out } = await type(['usage', '--days', '7'], { api: told })
  assert.equal(exit, 0)
  assert.match(told.asked[0]?.path ?? '', /^\/api\/usage\?from=\d{4}-\d\d-\d\d&by=model$/)
  const lines = out.split('\n')
  assert.match(lines[0] ?? '', /MODEL +REQUESTS +FAILED +TOKENS IN +TOKENS OUT +COST +P50/)
  assert.match(lines[1] ?? '', /chat +1,234 +1 +15 +8 +\$1\.50 +1\.2 s/)
  assert.match(lines[2] ?? '', /raw .* unknown /)
  assert.match(lines[3] ?? '', /mixed .*\$1\.50 \+ unknown/)
})

test('usage as CSV has every column, and no cell a spreadsheet would run', async () => {
  const { out } = await type(['usage', '--csv'], { api: api([row('=HYPERLINK("x")'), row('a,b')]) })
  const [head = '', first = '', second = ''] = out.split('\r\n')
  assert.equal(head.split(',').length, second.replace('"a,b"', 'ab').split(',').length)
  assert.ok(first.startsWith(`"'=HYPERLINK(""x"")",1234,`), first)
  assert.ok(second.startsWith('"a,b",1234,'))
})

test('usage without requests says so', async () => {
  assert.match((await type(['usage'], { api: api([]) })).out, /^No request since \d{4}-/)
})
