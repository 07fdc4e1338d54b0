import assert from 'node:assert/strict'
import { test } from 'node:test'
import { formatBytes, formatCount, formatMs, formatNanoUsd } from './units.ts'

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
})

test('bytes and counts', () => {
  assert.deepEqual([512, 1400, 999_960, 3e6].map(formatBytes), ['512 B', '1.4 kB', '1.0 MB', '3.0 MB'])
  assert.equal(formatCount(1_234_567), '1,234,567')
})
