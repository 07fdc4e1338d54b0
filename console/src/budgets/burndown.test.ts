import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { BurnDown } from '../api/budgets.ts'
import { chartOf, fanPath, middlePath, rowsOf, stepPath, timeTicks, xOf, yOf, type Chart } from './burndown.ts'

const HOUR_MS = 3_600_000
const FROM_MS = Date.UTC(2026, 10, 18)

function burnDown(hours: readonly number[], more: Partial<BurnDown> = {}): BurnDown {
  return {
    limit: 100,
    posted: hours.reduce((sum, hour) => sum + hour, 0),
    leased: 0,
    nowMs: FROM_MS + hours.length * HOUR_MS,
    window: { fromMs: FROM_MS, toMs: FROM_MS + 24 * HOUR_MS },
    used: { basis: '', fromMs: FROM_MS, hours, requests: 1 },
    forecast: undefined,
    ...more,
  }
}

const chart = (given: BurnDown): Chart => chartOf(given) ?? assert.fail('no chart')

test('what remains goes down by what each hour used, and ends at what the account says', () => {
  const { steps } = chart(burnDown([10, 0, 30]))
  assert.deepEqual(
    steps.map(({ atMs, remaining }) => [(atMs - FROM_MS) / HOUR_MS, remaining]),
    [
      [0, 100],
      [1, 90],
      [2, 90],
      [3, 60],
    ],
  )
})

test('hours that the account does not count, before a reset or from before the budget, leave it whole', () => {
  const { steps } = chart(burnDown([50, 50, 5], { posted: 8 }))
  assert.deepEqual(
    steps.map(({ remaining }) => remaining),
    [100, 100, 97, 92],
  )
})

test('what the account counts and no hour explains was there from the beginning', () => {
  assert.equal(chart(burnDown([5, 5], { posted: 40 })).steps[0]?.remaining, 70)
})

test('the lines as paths: level, then down; the fan around its middle, opening now', () => {
  const nowMs = FROM_MS + 12 * HOUR_MS
  const path = [
    { atMs: FROM_MS + 18 * HOUR_MS, p10: 55, p50: 60, p90: 70 },
    { atMs: FROM_MS + 24 * HOUR_MS, p10: 60, p50: 80, p90: 110 },
  ]
  const forecast = {
    isKnown: true,
    historyHours: 400,
    path,
    probability: 0.2,
    passesMs: {},
  } as unknown as BurnDown['forecast']
  const one = chart(
    burnDown([50], { nowMs, forecast, used: { basis: '', fromMs: nowMs - HOUR_MS, hours: [50], requests: 1 } }),
  )
  assert.deepEqual([one.top, one.bottom], [100, -10])
  assert.equal(stepPath(one), 'M458.33 0L500 0L500 454.55')
  assert.equal(fanPath(one), 'M500 454.55L750 500L1000 545.45L1000 1000L750 636.36L500 454.55Z')
  assert.equal(middlePath(one), 'M500 454.55L750 545.45L1000 727.27')
})

test('nothing to draw where there are no hours, and no fan where nobody knows', () => {
  assert.equal(chartOf(burnDown([1], { used: undefined })), undefined)
  assert.equal(chartOf(burnDown([1], { window: undefined })), undefined)
  const unknown = chart(burnDown([1], { forecast: { isKnown: false, historyHours: 1, historyHoursNeeded: 168 } }))
  assert.deepEqual([unknown.fan, fanPath(unknown), middlePath(unknown)], [[], '', ''])
  assert.deepEqual(chart(burnDown([], { limit: 0 })).top, 1, 'a limit of nothing is a chart as well')
})

test('whatever is used, every point lies on the chart and what remains never grows', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(1e9), { maxLength: 60 }), fc.nat(1e9), fc.nat(2e9), (hours, limit, posted) => {
      const one = chart(burnDown(hours, { limit, posted }))
      for (const [at, { atMs, remaining }] of one.steps.entries()) {
        assert.ok(xOf(one, atMs) >= 0 && xOf(one, atMs) <= 1 && yOf(one, remaining) >= 0 && yOf(one, remaining) <= 1)
        assert.ok(at === 0 || remaining <= (one.steps[at - 1]?.remaining ?? 0))
      }
      assert.equal(one.steps.at(-1)?.remaining, limit - posted)
    }),
  )
})

test('ticks are round times within the window, and few', () => {
  for (const hours of [4, 24, 48, 7 * 24, 30 * 24, 31 * 24, 366 * 24]) {
    const ticks = timeTicks({ fromMs: FROM_MS, toMs: FROM_MS + hours * HOUR_MS }, 6)
    assert.ok(ticks.length >= 2 && ticks.length <= 7, `${ticks.length} for ${hours} h`)
    assert.ok(ticks.every((atMs) => atMs <= FROM_MS + hours * HOUR_MS && (atMs - FROM_MS) % HOUR_MS === 0))
  }
})

test('a table of a long window has few rows, the last of them now', () => {
  const one = chart(
    burnDown(
      Array.from({ length: 700 }, () => 1),
      { limit: 1000 },
    ),
  )
  const rows = rowsOf(one, 48)
  assert.ok(rows.length <= 48)
  assert.equal(rows.at(-1)?.remaining, 300)
})
