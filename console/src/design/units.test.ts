import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  formatBytes,
  formatCount,
  formatLength,
  formatMs,
  formatNanoUsd,
  formatRelative,
  formatShare,
  formatTime,
} from './units.ts'

test('times: three digits, the unit that fits', () => {
  const times = [0, 0.44, 9.94, 9.96, 38.4, 999.4, 999.6, 9_990, 12_340, 59_960, 125_000]
  assert.deepEqual(times.map(formatMs), [
    '0.0 ms',
    '0.4 ms',
    '9.9 ms',
    '10 ms',
    '38 ms',
    '999 ms',
    '1.00 s',
    '9.99 s',
    '12.3 s',
    '1 min 0 s',
    '2 min 5 s',
  ])
})

test('money: never rounded to nothing', () => {
  const nano = ['0', '1', '1234', '150000', '1234567', '45000000', '1500000000', '123456789012']
  assert.deepEqual(nano.map(formatNanoUsd), [
    '$0',
    '$0.000000001',
    '$0.0000012',
    '$0.00015',
    '$0.0012',
    '$0.045',
    '$1.50',
    '$123.46',
  ])
  assert.deepEqual([12_345_678_900_000, 999_999_999, -5_000_000_000].map(formatNanoUsd), [
    '$12,345.68',
    '$1.00',
    '-$5.00',
  ])
})

test('shares: something is never nothing', () => {
  assert.deepEqual([0, 0.0004, 0.004, 0.0731, 0.335, 1].map(formatShare), [
    '0 %',
    '<0.1 %',
    '0.4 %',
    '7.3 %',
    '34 %',
    '100 %',
  ])
})

test('lengths of time: the two greatest units', () => {
  const lengths = [0, 8_000, 95_000, 3_600_000, 5_400_000, 86_400_000 * 3.2].map(formatLength)
  assert.deepEqual(lengths, ['0 s', '8 s', '1 min', '1 h', '1 h 30 min', '3 d 4 h'])
  assert.deepEqual(
    [60_000, -60_000, 400].map((ms) => formatRelative(5e12 + ms, 5e12)),
    ['in 1 min', '1 min ago', 'now'],
  )
})

test('a time says its year where it is another one', () => {
  const nowMs = new Date(2026, 10, 22, 12).getTime()
  assert.equal(formatTime(new Date(2026, 10, 24, 3).getTime(), nowMs), '24 Nov, 03:00')
  assert.equal(formatTime(new Date(2027, 0, 1).getTime(), nowMs), '1 Jan 2027, 00:00')
})

test('bytes and counts', () => {
  assert.deepEqual([512, 1400, 999_960, 3e6].map(formatBytes), ['512 B', '1.4 kB', '1.0 MB', '3.0 MB'])
  assert.equal(formatCount(1_234_567), '1,234,567')
})
