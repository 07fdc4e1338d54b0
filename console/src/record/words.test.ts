import assert from 'node:assert/strict'
import { test } from 'node:test'
import { detailsText } from './words.ts'

const NOW_MS = new Date(2026, 10, 18, 15).getTime()

test('what was recorded of an act: the reason first, nothing empty, nothing lost', () => {
  const details = {
    subject: 'ann',
    tags: ['a', 'b'],
    none: [],
    team: null,
    mayName: { user: 'refuse', tags: 'ignore' },
  }
  assert.equal(
    detailsText({ ...details, reason: 'a demo' }, undefined, NOW_MS),
    '“a demo” · subject ann · tags a, b · user named: refuse',
  )
  assert.equal(detailsText({}, undefined, NOW_MS), '')
})

test('amounts in the unit of their budget, times and lengths for people', () => {
  const until = new Date(2026, 10, 20, 13).toISOString()
  const details = { limit: 35_000_000_000, until, graceMs: 18_000_000, inForce: true, more: { deep: [1, true] } }
  assert.equal(
    detailsText(details, 'nanoUsd', NOW_MS),
    'limit $35.00 · until 20 Nov, 13:00 · grace 5 h · more deep: 1, true',
  )
  assert.match(detailsText(details, undefined, NOW_MS), /^limit 35000000000 · /)
})
