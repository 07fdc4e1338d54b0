import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { BurnDown } from '../api/budgets.ts'
import { actionText, paceText, whomText, windowText } from './words.ts'

const NOW_MS = new Date(2026, 10, 18, 15).getTime()
const DAY_MS = 86_400_000

test('for whom, over which time, and then what', () => {
  const whom = [
    { scope: 'user', match: '*' },
    { scope: 'team', match: 'web' },
    { scope: 'key', match: 'key_1' },
    { scope: 'global', match: null },
    { scope: 'request', match: null },
  ]
  assert.deepEqual(
    whom.map((one) => whomText(one, () => 'laptop')),
    ['each user', 'team web', 'key laptop', 'all requests together', 'each request'],
  )
  const windows = [60_000, 86_400_000, 30 * DAY_MS].map((durationMs) =>
    windowText({ kind: 'rolling', durationMs }, 'requests'),
  )
  assert.deepEqual(windows, ['in any 1 min', 'in any 24 h', 'in any 30 d'])
  assert.equal(windowText({ kind: 'lifetime' }, 'concurrent'), 'at any moment')
  const clamp = (minimum: number) => actionText({ unit: 'outputTokens', onLimit: { kind: 'clamp', minimum } })
  assert.deepEqual(
    [clamp(1), clamp(64)],
    ['answers are cut short', 'answers are cut short, to no less than 64 output tokens'],
  )
})

function burnDown(passesMs: object, more: Partial<BurnDown> = {}): BurnDown {
  const path = [{ atMs: NOW_MS + 5 * DAY_MS, p10: 7e9, p50: 8e9, p90: 9e9 }]
  const passes = { p10: undefined, p50: undefined, p90: undefined, ...passesMs }
  const forecast = { isKnown: true, historyHours: 815, path, probability: 0.834, passesMs: passes } as const
  return { limit: 10e9, posted: 4e9, leased: 0, nowMs: NOW_MS, window: undefined, used: undefined, forecast, ...more }
}

test('where it leads: spent by a time, an amount at the end, spent already, or nothing to say', () => {
  assert.equal(
    paceText('nanoUsd', burnDown({ p10: NOW_MS + DAY_MS, p50: NOW_MS + 2 * DAY_MS }), false),
    'At this pace spent on 20 Nov, 15:00; in four of five cases between 19 Nov, 15:00 and not in this window (815 hours of history, spent in 83 of 100 futures).',
  )
  assert.equal(
    paceText('nanoUsd', burnDown({}), true),
    'At this pace $8.00 used by a span from now; in four of five cases $7.00 to $9.00 (815 hours of history, spent in 83 of 100 futures).',
  )
  assert.equal(paceText('nanoUsd', burnDown({}, { posted: 10e9 }), false), 'Spent already (815 hours of history).')
  const forecast = { isKnown: false, historyHours: 29, historyHoursNeeded: 336 } as const
  assert.equal(
    paceText('nanoUsd', burnDown({}, { forecast }), false),
    'Too little history to say: 29 of the 336 hours that it takes.',
  )
  assert.equal(paceText('nanoUsd', burnDown({}, { forecast: undefined }), false), '')
})
