import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { areaOf, boxOf, gridOf, isIn, shadeOf } from './density.ts'

const points = fc.array(
  fc.record({ atMs: fc.integer({ min: 0, max: 1000 }), durationMs: fc.double({ min: 0, max: 1e6, noNaN: true }) }),
  { maxLength: 60 },
)

test('every point is in one cell; the whole grid holds all of them', () => {
  fc.assert(
    fc.property(points, (given) => {
      const grid = gridOf(given, 0, 1000, 10)
      assert.equal(
        grid.counts.reduce((a, b) => a + b, 0),
        given.length,
      )
      const whole = areaOf(grid, { column: 9, row: grid.rows - 1 }, { column: 0, row: 0 })
      assert.deepEqual(
        given.filter((point) => !isIn(whole, point)),
        [],
      )
    }),
  )
})

test('a column is what its part of the time says, whichever corner was taken first', () => {
  const given = [
    { atMs: 50, durationMs: 5 },
    { atMs: 150, durationMs: 50 },
    { atMs: 950, durationMs: 500 },
  ]
  const grid = gridOf(given, 0, 1000, 10)
  assert.deepEqual([grid.rows, grid.most], [18, 1])
  const area = areaOf(grid, { column: 1, row: 11 }, { column: 0, row: 6 })
  assert.deepEqual(area, { fromMs: 0, toMs: 200, lowMs: 10, highMs: 100 })
  assert.deepEqual(
    given.filter((point) => isIn(area, point)),
    [given[1]],
  )
  const box = boxOf(grid, area)
  assert.deepEqual([box.left, box.width, box.bottom.toFixed(3), box.height.toFixed(3)], [0, 0.2, '0.333', '0.333'])
})

test('one beside thousands is seen', () => {
  assert.equal(shadeOf(0, 5000), 0)
  assert.ok(shadeOf(1, 5000) >= 0.18)
  assert.equal(shadeOf(5000, 5000), 1)
  assert.equal(shadeOf(1, 1), 1)
})
