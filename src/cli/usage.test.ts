import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ToldApi, type } from '../../tests/kit/terminal.ts'
import { COUNTS } from '../meter/rollup.ts'

const percentiles = (p50: number | null) => ({ n: p50 === null ? 0 : 3, p50, p95: p50, p99: p50 })
const row = (model: string, more: object = {}) => ({
  model,
  requests: 1234,
  answered: 3,
  failed: 1,
  cancelled: 0,
  interrupted: 0,
  refused: 2,
  inputTokens: 10,
  cacheWrite1hTokens: 3,
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
  assert.match(lines[0] ?? '', /MODEL +REQUESTS +FAILED +REFUSED +TOKENS IN +TOKENS OUT +COST +P50/)
  assert.match(lines[1] ?? '', /chat +1,234 +1 +2 +18 +8 +\$1\.50 +1\.2 s/)
  assert.match(lines[2] ?? '', /raw .* unknown /)
  assert.match(lines[3] ?? '', /mixed .*\$1\.50 \+ unknown/)
})

test('usage as CSV has every column, and no cell a spreadsheet would run', async () => {
  const { out } = await type(['usage', '--csv'], { api: api([row('=HYPERLINK("x")'), row('a,b')]) })
  const [head = '', first = '', second = ''] = out.split('\r\n')
  assert.equal(head.split(',').length, second.replace('"a,b"', 'ab').split(',').length)
  for (const column of [...COUNTS, 'costNanoUsd', 'tokensPerRequest.p95']) assert.ok(head.includes(column), column)
  assert.ok(first.startsWith(`"'=HYPERLINK(""x"")",1234,`), first)
  assert.ok(second.startsWith('"a,b",1234,'))
})

test('usage without requests says so', async () => {
  assert.match((await type(['usage'], { api: api([]) })).out, /^No request since \d{4}-/)
})

test('rows of several tags say that they overlap', async () => {
  const told = new ToldApi({})
  told.request = async () => {
    const text = JSON.stringify({ overlapping: true, rows: [row('chat', { tag: 'eu' })] })
    return { status: 200, headers: {}, text, json: () => JSON.parse(text) }
  }
  assert.match((await type(['usage', '--by', 'tag'], { api: told })).out, /add up to more than the whole/)
})

const FORECAST = {
  window: 'month',
  timeZone: 'Europe/Berlin',
  from: '2026-10-31T23:00:00.000Z',
  to: '2026-11-30T23:00:00.000Z',
  unit: 'nanoUsd',
  spent: 12_345_678_901,
  limit: 20_000_000_000,
  known: true,
  historyHours: 504,
  total: { p10: 16_912_345_678, p50: 18_212_345_678, p90: 20_112_345_678 },
  passesLimit: { probability: 0.123, at: { p10: '2026-11-29T14:10:00.000Z', p50: null, p90: null } },
}

test('a forecast says what was used, the range of the end with its n, and when the limit is passed', async () => {
  const told = api([])
  const asked: string[] = []
  told.request = async (_, path) => {
    asked.push(path)
    const text = JSON.stringify({ rows: [], forecast: FORECAST })
    return { status: 200, headers: {}, text, json: () => JSON.parse(text) }
  }
  const line = ['usage', '--forecast', 'month', '--time-zone', 'Europe/Berlin', '--limit', '20', '--where', 'team=web']
  const { exit, out } = await type(line, { api: told })
  assert.equal(exit, 0)
  assert.match(asked[0] ?? '', /by=model&team=web&forecast=month&timeZone=Europe%2FBerlin&limit=20000000000$/)
  assert.match(out, /This month, from 2026-10-31 23:00 .*Europe\/Berlin.*: \$12\.345678901 so far\./)
  assert.match(out, /At its end: \$18\.21; in four of five cases \$16\.91 to \$20\.11 \(n: 504 hours of history\)/)
  assert.match(
    out,
    /\$20\.00 is passed with a probability of 12\.3 %; when: p10 2026-11-29 14:10, p50 not in this window/,
  )
})

test('a forecast from too little says so and gives no number', async () => {
  const told = api([])
  told.request = async () => {
    const { total: _, passesLimit: __, ...rest } = FORECAST
    const text = JSON.stringify({
      rows: [],
      forecast: { ...rest, known: false, historyHours: 5, historyHoursNeeded: 336 },
    })
    return { status: 200, headers: {}, text, json: () => JSON.parse(text) }
  }
  const { out } = await type(['usage', '--forecast', 'month'], { api: told })
  assert.match(out, /5 hours of history are too little to tell its end; it takes 336\./)
  assert.doesNotMatch(out, /four of five/)
})

test('usage is saved as Parquet, and what the house refuses is shown', async () => {
  const day = new Date(-29 * 86_400_000).toISOString().slice(0, 10)
  const path = `/api/usage?from=${day}&by=day%2Cmodel&format=parquet`
  const saved = new Map<string, string>()
  const line = ['usage', '--by', 'day,model', '--parquet', 'year.parquet']
  const { exit, out } = await type(line, { api: new ToldApi({ [`DOWNLOAD ${path}`]: 'PAR1' }), saved })
  assert.deepEqual([exit, out, saved.get('year.parquet')], [0, 'Saved 4 B as year.parquet.\n', 'PAR1'])
  const refused = { status: 403, body: { error: { code: 'not_allowed', message: 'Only for admins.' } } }
  const failed = await type(line, { api: new ToldApi({ [`GET ${path}`]: refused }) })
  assert.deepEqual([failed.exit, failed.err.includes('Only for admins.')], [3, true])
})

test('what --where and --limit cannot mean is refused', async () => {
  for (const wrong of [
    ['--where', 'team'],
    ['--where', '=web'],
    ['--where', 'by=day'],
    ['--limit', '-5'],
  ]) {
    const { exit, err } = await type(['usage', '--forecast', 'month', ...wrong], { api: api([]) })
    assert.deepEqual([exit, err.includes(wrong[0] ?? '')], [2, true], wrong.join(' '))
  }
})
