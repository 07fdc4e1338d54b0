import assert from 'node:assert/strict'
import { test } from 'node:test'
import { meteredHouse } from '../../tests/kit/metered.ts'

const BUDGETS = `
budgets:
  - { id: spend, scope: user, limit: { usd: 100 }, window: month, timeZone: Europe/Berlin }
  - { id: day, scope: team, match: web, limit: { tokens: 1000 }, window: day }
  - { id: span, scope: user, limit: { tokens: 1000 }, window: 24h }
  - { id: all, scope: global, limit: { requests: 5000 }, window: lifetime }
  - { id: each, scope: request, limit: { outputTokens: 10 } }
  - { id: soon, scope: user, limit: { tokens: 10 }, window: hour }
rateLimits:
  - { id: rate, scope: key, limit: { requests: 20, concurrent: 4 } }
`

/** Ann uses 10 tokens for a tenth of a dollar every hour. */
const steady = (hours: number, more: object = {}) =>
  Array.from({ length: hours }, (_, hour) => ({
    hoursAgo: hour,
    user: 'ann',
    team: 'web',
    usage: { inputTokens: 4, outputTokens: 6 },
    costNanoUsd: '100000000',
    ...more,
  }))

async function ask(house: Awaited<ReturnType<typeof meteredHouse>>, path: string) {
  return (await house.call('GET', `/api/budgets/${path}`)).json()
}

test('a calendar window: the account, its hours, and where a steady pace ends', async () => {
  const house = await meteredHouse(BUDGETS)
  await house.used(...steady(24 * 30))
  await house.stand('spend', 'ann', 42_000_000_000, 3_000_000_000)
  const found = await ask(house, 'spend/burn-down?subject=ann')
  assert.deepEqual(
    [found.unit, found.limit, found.posted, found.leased, found.window],
    [
      'nanoUsd',
      100_000_000_000,
      42_000_000_000,
      3_000_000_000,
      { from: '2026-10-31T23:00:00.000Z', to: '2026-11-30T23:00:00.000Z' },
    ],
  )
  // From midnight in Berlin: 17 days and 16 hours, the one that runs included.
  assert.deepEqual([found.used.from, found.used.hours.length, found.used.requests], [found.window.from, 424, 424])
  assert.ok(found.used.hours.every((used: number) => used === 100_000_000))
  assert.match(found.used.basis, /requests of the user "ann"/)
  const { known, historyHours, season, path, passesLimit } = found.forecast
  assert.deepEqual([known, historyHours, season, path.length, path.at(-1).at], [true, 719, 'week', 24, found.window.to])
  // 296.5 hours are left: 29.65 dollars.
  assert.ok(Math.abs(path.at(-1).p50 - 71_650_000_000) < 1e6, path.at(-1).p50)
  assert.deepEqual(passesLimit, { probability: 0, at: { p10: null, p50: null, p90: null } })
})

test('an override in force is the limit that counts', async () => {
  const house = await meteredHouse(BUDGETS)
  await house.used(...steady(24 * 30))
  await house.stand('spend', 'ann', 42_000_000_000)
  const raise = { subject: 'ann', limit: '50', until: '2026-11-25T00:00:00Z', reason: 'less for a while' }
  assert.equal((await house.call('POST', '/api/budgets/spend/overrides', raise)).status, 201)
  const found = await ask(house, 'spend/burn-down?subject=ann')
  assert.equal(found.limit, 50_000_000_000)
  assert.deepEqual(
    [found.forecast.passesLimit.probability, found.forecast.passesLimit.at.p50],
    [1, '2026-11-21T22:30:00.000Z'],
  )
})

test('too little history is said, with how much there is and how much it takes', async () => {
  const house = await meteredHouse(BUDGETS)
  await house.used(...steady(30))
  assert.deepEqual((await ask(house, 'spend/burn-down?subject=ann')).forecast, {
    known: false,
    historyHours: 29,
    historyHoursNeeded: 336,
  })
  const nobody = await ask(house, 'spend/burn-down?subject=bob')
  assert.deepEqual([nobody.posted, nobody.used.requests, nobody.forecast.historyHours], [0, 0, 0])
})

test('a window that moves: what is used counts until it is a span old', async () => {
  const house = await meteredHouse(BUDGETS)
  await house.used(...steady(24 * 20))
  await house.stand('span', 'ann', 240)
  const { window, used, forecast } = await ask(house, 'span/burn-down?subject=ann')
  assert.deepEqual(window, { from: '2026-11-17T14:30:00.000Z', to: '2026-11-19T14:30:00.000Z' })
  assert.equal(used.hours.length, 25)
  for (const { p10, p50, p90 } of forecast.path)
    for (const value of [p10, p50, p90]) assert.ok(Math.abs(value - 240) <= 10, `${value} is not as before`)
  assert.deepEqual(forecast.passesLimit, { probability: null, at: { p10: null, p50: null, p90: null } })
  const stopped = await meteredHouse(BUDGETS)
  await stopped.used(...steady(24 * 20, { usage: { inputTokens: 0, outputTokens: 45 } }))
  await stopped.stand('span', 'ann', 900)
  const ahead = (await ask(stopped, 'span/burn-down?subject=ann')).forecast
  assert.equal(ahead.passesLimit.at.p50, ahead.path.find(({ p50 }: { p50: number }) => p50 > 1000)?.at ?? null)
})

test('a budget without an end is looked at 30 days back and ahead', async () => {
  const house = await meteredHouse(BUDGETS)
  await house.used(...steady(24 * 35))
  await house.stand('all', '', 4_900)
  const { window, used, forecast } = await ask(house, 'all/burn-down')
  assert.deepEqual([window.from, window.to], ['2026-10-19T14:30:00.000Z', '2026-12-18T14:30:00.000Z'])
  assert.equal(used.hours.length, 721)
  assert.match(used.basis, /requests of all/)
  assert.deepEqual(
    [forecast.passesLimit.probability, forecast.passesLimit.at.p50.slice(0, 13)],
    [1, '2026-11-22T18'],
    'a hundred hours on',
  )
})

test('where hours show nothing there are none: each request, running requests, short windows', async () => {
  const house = await meteredHouse(BUDGETS)
  await house.used(...steady(24 * 20))
  await house.stand('rate-requests', 'k', 3)
  for (const path of ['each/burn-down', 'rate-concurrent/burn-down?subject=k']) {
    const { window, used, forecast } = await ask(house, path)
    assert.deepEqual([window, used, forecast], [null, null, null], path)
  }
  const rate = await ask(house, 'rate-requests/burn-down?subject=k')
  assert.deepEqual([rate.posted, rate.window === null, rate.used, rate.forecast], [3, false, null, null])
  assert.equal((await ask(house, 'soon/burn-down?subject=ann')).used, null)
})

test('an unknown budget, nobody named, no administrator', async () => {
  const house = await meteredHouse(BUDGETS)
  assert.equal((await house.call('GET', '/api/budgets/none/burn-down')).status, 404)
  const { error } = (await house.call('GET', '/api/budgets/spend/burn-down')).json()
  assert.deepEqual([error.code, /user that is meant/.test(error.message)], ['field_invalid', true])
  assert.equal((await ask(house, 'day/burn-down')).subject, 'web')
  const { text } = await house.keyring.create('app', 'user')
  assert.equal((await house.call('GET', '/api/budgets/day/burn-down', '', text)).status, 403)
})
