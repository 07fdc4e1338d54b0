import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  ALPHA,
  countOf,
  countUpTo,
  EMPTY_SKETCH,
  mergeSketches,
  quantile,
  type Sketch,
  sketchBytes,
  sketchFrom,
  sketchFromText,
  sketchOf,
  SketchSum,
  sumOf,
} from './sketch.ts'

const of = (values: readonly number[]): Sketch =>
  values.map((value) => sketchOf(value)).reduce(mergeSketches, EMPTY_SKETCH)

/** Nearest rank, exactly. */
const exact = (values: readonly number[], q: number): number =>
  values.toSorted((a, b) => a - b)[Math.max(0, Math.ceil(q * values.length) - 1)] ?? Number.NaN

const value = fc.oneof(fc.double({ min: 1e-9, max: 1e12, noNaN: true }), fc.constant(0))
const values = fc.array(value, { minLength: 1, maxLength: 200 })
const share = fc.double({ min: 0, max: 1, noNaN: true })

test('every quantile is within one per cent of the exact one', () => {
  fc.assert(
    fc.property(values, share, (list, q) => {
      const truth = exact(list, q)
      const found = quantile(of(list), q) ?? Number.NaN
      assert.ok(Math.abs(found - truth) <= truth * ALPHA * 1.000001, `${found} for ${truth}`)
    }),
  )
})

test('merging is adding, in any order', () => {
  fc.assert(
    fc.property(values, values, (a, b) => {
      assert.deepEqual(mergeSketches(of(a), of(b)), of([...b, ...a]))
      assert.equal(countOf(mergeSketches(of(a), of(b))), a.length + b.length)
    }),
  )
})

test('nothing has no quantile, and what is no number counts as none', () => {
  assert.equal(quantile(EMPTY_SKETCH, 0.5), undefined)
  assert.equal(quantile(of([Number.NaN, -5]), 0.99), 0)
})

test('a sum that is filled one by one is the sketch of all, and its bytes read back', () => {
  fc.assert(
    fc.property(values, (list) => {
      const sum = new SketchSum()
      for (const one of list) sum.add(one)
      assert.deepEqual(sum.sketch(), of(list))
      assert.deepEqual(sketchFrom(sum.bytes()), sum.sketch())
      const twice = new SketchSum()
      twice.merge(sum.sketch())
      twice.merge(sum.sketch())
      assert.deepEqual(twice.sketch(), mergeSketches(of(list), of(list)))
      twice.mergeBytes(sketchBytes(of(list)))
      assert.equal(countOf(twice.sketch()), 3 * list.length)
    }),
  )
})

test('a histogram of any bounds counts what the values say, but for the bucket at the bound', () => {
  fc.assert(
    fc.property(values, value, (list, bound) => {
      const upTo = (limit: number): number => list.filter((one) => one <= limit).length
      const told = countUpTo(of(list), bound)
      assert.ok(told >= upTo(bound / 1.021) && told <= upTo(bound * 1.021), `${told}`)
      const exactSum = list.reduce((total, one) => total + one, 0)
      assert.ok(Math.abs(sumOf(of(list)) - exactSum) <= exactSum * ALPHA * 1.000001)
    }),
  )
})

test('counts beyond 32 bits and indexes below nought read back, and so does the text of older indexes', () => {
  const sketch: Sketch = {
    zeros: 2 ** 40,
    buckets: [
      [-1382, 127],
      [-1, 128],
      [0, 2 ** 45],
      [1381, 1],
    ],
  }
  assert.deepEqual(sketchFrom(sketchBytes(sketch)), sketch)
  const above: Sketch = { zeros: 0, buckets: [[7, 3]] }
  assert.deepEqual(sketchFrom(sketchBytes(above)), above)
  assert.deepEqual(sketchFrom(sketchBytes(EMPTY_SKETCH)), EMPTY_SKETCH)
  assert.deepEqual(sketchFromText('[1,-5,2,9,4]'), {
    zeros: 1,
    buckets: [
      [-5, 2],
      [9, 4],
    ],
  })
})
