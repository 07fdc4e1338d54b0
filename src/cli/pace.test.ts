import assert from 'node:assert/strict'
import { test } from 'node:test'
import { paceText } from './pace.ts'

const window = { from: '2026-11-01T00:00:00.000Z', to: '2026-12-01T00:00:00.000Z' }
const known = (at: object) => ({
  window,
  forecast: {
    known: true,
    historyHours: 719,
    path: [{ at: window.to, p10: 70e9, p50: 71.65e9, p90: 73e9 }],
    passesLimit: { probability: 0.5, at: { p10: null, p50: null, p90: null, ...at } },
  },
})

test('where a budget leads, in one sentence', () => {
  assert.equal(
    paceText('nanoUsd', known({ p10: '2026-11-20T01:00:00.000Z', p50: '2026-11-24T03:00:00.000Z' })),
    'At this pace spent on 2026-11-24 03:00 UTC; in four of five cases between 2026-11-20 01:00 and not in this window (719 hours of history).\n',
  )
  assert.equal(
    paceText('nanoUsd', known({})),
    'At this pace $71.65 by 2026-12-01 00:00 UTC; in four of five cases $70.00 to $73.00 (719 hours of history).\n',
  )
  assert.equal(
    paceText('totalTokens', { window, forecast: { known: false, historyHours: 29, historyHoursNeeded: 336 } }),
    'Too little history to say where this ends: 29 of the 336 hours that it takes.\n',
  )
  assert.equal(paceText('concurrent', { window: null, forecast: null }), '')
})
