import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { decadesOf, logScale, placeOf, valueAt } from './logscale.ts'

test('a scale is made of whole decades', () => {
  assert.deepEqual(decadesOf(logScale([3, 250])), [1, 10, 100, 1000])
  assert.deepEqual(decadesOf(logScale([100, 100])), [100, 1000])
  assert.deepEqual(decadesOf(logScale([0.04, 1000])), [0.01, 0.1, 1, 10, 100, 1000])
  assert.deepEqual(decadesOf(logScale([0, -1])), [1, 10])
  assert.equal(placeOf(logScale([1, 99]), 10), 0.5)
})

test('whatever it was made from has its place, in order; a place leads back to its value', () => {
  const values = fc.array(fc.double({ min: 1e-3, max: 1e7, noNaN: true }), { minLength: 1 })
  fc.assert(
    fc.property(values, (given) => {
      const scale = logScale(given)
      const sorted = given.toSorted((a, b) => a - b)
      sorted.forEach((value, at) => {
        const place = placeOf(scale, value)
        assert.ok(place >= 0 && place <= 1 && place >= placeOf(scale, sorted[at - 1] ?? 0))
        assert.ok(Math.abs(valueAt(scale, place) / value - 1) < 1e-6, `${value}`)
      })
    }),
  )
})
