import assert from 'node:assert/strict'
import { test } from 'node:test'
import { placeOn, scaleFrom, wilson } from './interval.ts'

test('a scale begins at a round share left of everything shown', () => {
  assert.deepEqual(
    [[0.98, 0.95], [0.93], [0.62, 0.95], [0.04], [0]].map((shown) => scaleFrom(...shown)),
    [0.8, 0.8, 0.5, 0, 0],
  )
})

test('places never leave the scale', () => {
  assert.deepEqual(
    [0.5, 0.8, 0.9, 1, 2].map((share) => Number(placeOn(0.8, share).toFixed(6))),
    [0, 0, 0.5, 1, 1],
  )
})

test('an interval of shares is never beyond them, and everything where nothing was seen', () => {
  assert.deepEqual(wilson(0.5, 0), { low: 0, high: 1 })
  const { low, high } = wilson(3 / 12, 12)
  assert.deepEqual([low.toFixed(3), high.toFixed(3)], ['0.089', '0.532'])
  assert.equal(wilson(1, 10).high.toFixed(9), '1.000000000')
})
