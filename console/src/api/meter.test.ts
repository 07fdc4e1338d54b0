import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openAlerts } from './alerts.ts'
import { openBudgets } from './budgets.ts'
import { openKeys } from './keys.ts'
import { openUsage, usageFile } from './usage.ts'

const answering = (body: unknown) => async () => new Response(JSON.stringify(body))
const recording = () => {
  const asked: [method: string, url: string, body: unknown][] = []
  const fetch = async (url: string, { method = 'GET', body }: RequestInit) => {
    asked.push([method, url, typeof body === 'string' ? JSON.parse(body) : undefined])
    return new Response('{}')
  }
  return { asked, fetch }
}

test('names of any kind go into addresses encoded', async () => {
  const { asked, fetch } = recording()
  await openBudgets(fetch).burnDown('a/b', 'مريم & co')
  await openBudgets(fetch).endOverride('a b', 'ovr_1')
  await openKeys(fetch).rotate('key/1', 5)
  await openAlerts(fetch).acknowledge('alr 1')
  assert.deepEqual(asked, [
    [
      'GET',
      `/api/budgets/a%2Fb/burn-down?subject=${new URLSearchParams({ '': 'مريم & co' }).toString().slice(1)}`,
      undefined,
    ],
    ['DELETE', '/api/budgets/a%20b/overrides/ovr_1', undefined],
    ['POST', '/api/keys/key%2F1/rotate', { graceMs: 5 }],
    ['POST', '/api/alerts/alr%201/acknowledge', {}],
  ])
})

test('a field of the wrong kind is an absent field; what is no list is no answer', async () => {
  const budget = {
    id: 'b',
    scope: 'user',
    match: null,
    unit: 'nanoUsd',
    limit: 5,
    window: { kind: 'rolling' },
    onLimit: 'odd',
  }
  const found = await openBudgets(answering({ budgets: [budget, { id: 'no unit' }, 7], overrides: null })).list()
  assert.deepEqual(found.ok && found.value.budgets, [
    {
      id: 'b',
      kind: 'budget',
      scope: 'user',
      match: null,
      unit: 'nanoUsd',
      limit: 5,
      window: { kind: 'rolling', durationMs: 0 },
      onLimit: { kind: 'refuse' },
      warnAt: [],
    },
  ])
  for (const api of [
    openBudgets(answering({})).list(),
    openBudgets(answering({ limit: 5 })).burnDown('b', ''),
    openUsage(answering([])).report({ from: '', to: '', by: [], where: [] }),
    openKeys(answering({ keys: 'many' })).list(),
    openAlerts(answering(null)).open(),
  ]) {
    const result = await api
    assert.equal(!result.ok && result.problem.code, 'garbled')
  }
})

test('a burn-down without hours or a forecast is one; times that are none are absent', async () => {
  const bare = { limit: 5, now: '2026-11-18T14:30:00Z', window: { from: 'soon', to: null }, used: null, forecast: null }
  const found = await openBudgets(answering(bare)).burnDown('b', '')
  assert.deepEqual(found.ok && [found.value.window, found.value.used, found.value.forecast, found.value.posted], [
    undefined,
    undefined,
    undefined,
    0,
  ])
})

test('a file has the rows of its query', () => {
  const query = { from: '2026-11-01', to: '2026-11-18', by: ['team'], where: [['user', 'a&b']] } as const
  assert.equal(usageFile(query, 'csv'), '/api/usage?from=2026-11-01&to=2026-11-18&by=team&user=a%26b&format=csv')
})
