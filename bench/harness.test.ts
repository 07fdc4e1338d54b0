import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { compare, medianInterval, percentile } from './harness.ts'
import { formatMs, formatResult } from './table.ts'

test('a percentile is a sample, and exactly as many as asked do not exceed it', () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer(), { minLength: 1 }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (samples, share) => {
        const value = percentile(samples, share)
        assert.ok(samples.includes(value))
        assert.ok(samples.filter((sample) => sample <= value).length >= share * samples.length)
        assert.ok(samples.filter((sample) => sample < value).length < Math.max(1, share * samples.length))
      },
    ),
  )
  assert.throws(() => percentile([], 0.5), RangeError)
})

test('the interval of the median has the ranks of the binomial table', () => {
  const upTo = (n: number): number[] => Array.from({ length: n }, (_, index) => index + 1)
  assert.deepEqual(medianInterval(upTo(5)), { median: 3, low: 1, high: 5 })
  assert.deepEqual(medianInterval(upTo(6)), { median: 3.5, low: 1, high: 6 })
  assert.deepEqual(medianInterval(upTo(12)), { median: 6.5, low: 3, high: 10 })
  assert.deepEqual(medianInterval(upTo(20)), { median: 10.5, low: 6, high: 15 })
})

test('rounds alternate, warm-ups do not count, ratios are taken pair by pair', async () => {
  let order = ''
  let cpu = 0
  const contestant = (name: string, costs: number) => ({
    name,
    run: () => {
      order += name
      cpu += costs
      return [costs]
    },
    cpuMs: () => cpu,
  })
  const result = await compare({
    name: 'a bench',
    subject: contestant('s', 6),
    reference: contestant('r', 2),
    rounds: 4,
    warmups: 1,
    operations: 2,
  })
  assert.equal(order, 'srrssrrssr')
  assert.deepEqual(result.cpuRatio, { median: 3, low: 3, high: 3 })
  assert.deepEqual(result.subject.cpuMs, { n: 4, median: 3, min: 3, max: 3 })
  assert.deepEqual(result.subject.latencyMs, { n: 4, p50: 6, p95: 6, p99: 6, max: 6 })
  assert.match(formatResult(result), /ratio to r: wall .*, CPU 3\.00 \(3\.00 \.\. 3\.00\)/)
})

test('figures and times read well', () => {
  assert.equal(
    formatResult({
      kind: 'figure',
      name: 'start',
      unit: 's',
      value: 0.91234,
      n: 10,
      min: 0.8,
      max: 1.2,
      target: 'at most 1 s',
    }),
    'start: 0.912 s (n = 10, 0.8 .. 1.2), aim: at most 1 s',
  )
  assert.deepEqual([0.0123, 0.5, 12.345, 12345].map(formatMs), ['12.3 us', '500 us', '12.3 ms', '12.3 s'])
})
