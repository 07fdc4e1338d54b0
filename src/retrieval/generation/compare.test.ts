import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { rankBiasedOverlap } from './compare.ts'

const near = (a: number, b: number): void => assert.ok(Math.abs(a - b) < 1e-9, `${a} is not ${b}`)

test('the same is 1, nothing in common is 0', () => {
  near(rankBiasedOverlap(['a', 'b', 'c'], ['a', 'b', 'c']), 1)
  near(rankBiasedOverlap(['a'], ['b']), 0)
  near(rankBiasedOverlap([], []), 1)
  near(rankBiasedOverlap(['a'], []), 0)
})

test('the first ranks weigh most', () => {
  const first = rankBiasedOverlap(['a', 'b', 'c', 'd'], ['x', 'b', 'c', 'd'])
  const last = rankBiasedOverlap(['a', 'b', 'c', 'd'], ['a', 'b', 'c', 'x'])
  assert.ok(last > first && first > 0 && last < 1)
})

test('by hand: two of two swapped', () => {
  // Agreement 0 at rank 1, 1 at rank 2: 1 * .81 + (.1 / .9) * .81.
  near(rankBiasedOverlap(['a', 'b'], ['b', 'a']), 0.81 + (0.1 / 0.9) * 0.81)
})

test('is symmetric and between 0 and 1', () => {
  const list = fc.uniqueArray(fc.constantFrom(...'abcdefghijklmno'), { maxLength: 10 })
  fc.assert(
    fc.property(list, list, (a, b) => {
      const overlap = rankBiasedOverlap(a, b)
      near(overlap, rankBiasedOverlap(b, a))
      assert.ok(overlap >= 0 && overlap <= 1 + 1e-9)
    }),
  )
})
