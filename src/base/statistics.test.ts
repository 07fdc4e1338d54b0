import assert from 'node:assert/strict'
import { test } from 'node:test'
import { seededRandom, uniform } from './random.ts'
import { intervalOfMean } from './statistics.ts'

test('the mean of equal values has no doubt, that of one value has no bound', () => {
  assert.deepEqual(intervalOfMean([2, 2, 2]), { mean: 2, halfWidth: 0, n: 3 })
  assert.deepEqual(intervalOfMean([7]), { mean: 7, halfWidth: Number.POSITIVE_INFINITY, n: 1 })
})

test('the interval holds the true mean in about 95 of 100 draws', () => {
  const random = seededRandom(3)
  let held = 0
  for (let draw = 0; draw < 1000; draw++) {
    const { mean, halfWidth } = intervalOfMean(Array.from({ length: 100 }, () => uniform(random)))
    if (Math.abs(mean - 0.5) <= halfWidth) held++
  }
  assert.ok(held > 925 && held < 970, String(held))
})
