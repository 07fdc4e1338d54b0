import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ToldApi, type } from '../../tests/kit/terminal.ts'

const ALERT = {
  id: 'alr_1',
  kind: 'usage_anomaly',
  subject: { prompt: 'summary\u001b[31m' },
  state: 'open',
  raisedAt: '2026-11-22T13:14:15.000Z',
  acknowledged: null,
  evidence: {
    measure: 'tokensPerRequest',
    before: { n: 1200, p50: 410, p95: 900 },
    after: { n: 14, p50: 1260, p95: 3000 },
    ratio: { p50: { value: 3.07, low: 2.2, high: 4.1 } },
  },
}

test('an objective that burns is listed with what is left of its budget', async () => {
  const evidence = { events: 20_000, bad: 150, budgetLeft: 0.25 }
  const alert = { ...ALERT, kind: 'objective_burn', subject: { objective: 'answered' }, evidence }
  const api = new ToldApi({ 'GET /api/alerts?state=open&limit=50': { alerts: [alert], destinations: [] } })
  const { out } = await type(['alerts', 'list'], { api })
  assert.match(out.replace(/\s+/g, ' '), /objective answered: 150 of 20,000 bad, 25\.0 % of the error budget left/)
})

test('alerts are listed with their figures, and webhooks that fail are named', async () => {
  const destinations = [
    { kind: 'webhook', to: 'https://good.example/', failing: null },
    {
      kind: 'webhook',
      to: 'https://ops.example/',
      waiting: 2,
      givenUp: 1,
      failing: { reason: 'it answered 500', attempts: 3 },
    },
  ]
  const answer = { alerts: [ALERT, { ...ALERT, acknowledged: { at: 'x', by: 'ops' } }], next: null, destinations }
  const api = new ToldApi({ 'GET /api/alerts?state=open&limit=50': answer })
  const { exit, out } = await type(['alerts', 'list'], { api })
  assert.equal(exit, 0)
  assert.match(
    out.replace(/\s+/g, ' '),
    /2026-11-22 13:14 UTC alr_1 usage_anomaly open prompt summary.*: median 410 tokens → 1,260 tokens \(x3\.07\), n 1,200 → 14/,
  )
  assert.match(out, /alr_1 +usage_anomaly +open, seen/)
  assert.ok(!out.includes('\u001b[31m') && !out.includes('good.example'))
  assert.match(
    out.replace(/\s+/g, ' '),
    /ops\.example\/ fails: it answered 500 \(3 attempts; 2 messages wait, 1 were given up\)/,
  )
})

test('an alert is acknowledged; none and an unknown one say so', async () => {
  const unknown = { status: 404, body: { error: { code: 'not_found', message: 'No alert is called "x".' } } }
  const api = new ToldApi({
    'POST /api/alerts/alr_1/acknowledge': ALERT,
    'POST /api/alerts/x/acknowledge': unknown,
    'GET /api/alerts?state=all&limit=1': { alerts: [], destinations: [] },
  })
  assert.match((await type(['alerts', 'acknowledge', 'alr_1'], { api })).out, /alr_1 is acknowledged/)
  assert.equal((await type(['alerts', 'acknowledge', 'x'], { api })).exit, 3)
  assert.equal((await type(['alerts', 'list', '--state', 'all', '--count', '1'], { api })).out, 'No alert.\n')
})
