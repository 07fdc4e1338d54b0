import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { assemble } from '../../../scripts/assemble.ts'
import { seededRandom, uniform } from '../../base/random.ts'
import { openKernel } from './compared-kernel.ts'
import { ComparedQuestion, ComparedRows } from './compared-rows.ts'
import { COMPARED_ROWS_WASM } from './compared-rows-wasm.ts'
import { Comparison } from './comparison.ts'
import { writeUnit } from './segment-build.ts'
import { Top } from './top.ts'

test('what is run is what its source says', async () => {
  assert.equal(
    Buffer.from(await assemble()).toString('base64'),
    COMPARED_ROWS_WASM,
    'run `npm run wasm` after a change of compared-rows.wat',
  )
})

test('products are those of plain arithmetic, bit for bit, at the ends of their range too', () => {
  const sizes = fc.tuple(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 0, max: 9 }))
  fc.assert(
    fc.property(sizes, fc.integer(), ([pieces, count], seed) => {
      const random = seededRandom(seed)
      const width = 16 * pieces
      const most = Math.min(32_767, Math.floor((2 ** 31 - 1) / (127 * width)))
      const draw = (limit: number): number =>
        uniform(random) < 0.1 ? (uniform(random) < 0.5 ? -limit : limit) : Math.round((uniform(random) * 2 - 1) * limit)
      const question = Int16Array.from({ length: width }, () => draw(most))
      const rows = Int8Array.from({ length: width * count }, () => draw(127))
      const expected = Array.from({ length: count }, (_, row) =>
        question.reduce((sum, value, at) => sum + value * (rows[row * width + at] ?? 0), 0),
      )
      assert.deepEqual(multiplied(question, rows, count), expected)
    }),
  )
})

function multiplied(question: Int16Array, rows: Int8Array, count: number): number[] {
  const productsAt = question.byteLength + rows.byteLength
  const { memory, multiply } = openKernel(productsAt + 4 * count)
  new Int16Array(memory).set(question)
  new Int8Array(memory).set(rows, question.byteLength)
  multiply(0, question.byteLength, question.length, count, productsAt)
  return [...new Int32Array(memory, productsAt, count)]
}

/** Unit vectors, in clusters so tight that eight bits cannot tell many of them apart. */
function vectors(count: number, dimension: number, spread: number, seed: number): Float32Array {
  const random = seededRandom(seed)
  const centres = Array.from({ length: 3 }, () => Array.from({ length: dimension }, () => uniform(random) - 0.5))
  const rows = new Float32Array(count * dimension)
  for (let row = 0; row < count; row++) {
    const centre = centres[row % 3] ?? []
    const one = Float32Array.from(centre, (value) => value + spread * (uniform(random) - 0.5))
    // The same as the one before, now and then.
    if (row > 0 && row % 7 === 0) rows.copyWithin(row * dimension, (row - 1) * dimension, row * dimension)
    else writeUnit(one, rows, row * dimension)
  }
  return rows
}

/** By comparing every one at full precision. */
function truth(rows: ComparedRows, question: ComparedQuestion, k: number, live?: Uint8Array) {
  const top = new Top(k)
  for (let row = 0; row < rows.count; row++) if (live?.[row] !== 0) top.offer(row, rows.cosine(question, row))
  return top.sorted()
}

function compared(rows: ComparedRows, question: ComparedQuestion, k: number, live?: Uint8Array) {
  const comparison = new Comparison(question, k)
  comparison.look(rows, { live, fits: undefined })
  const top = new Top(k)
  comparison.offer(rows, 0, top)
  return top.sorted()
}

test('the nearest are exactly those that comparing each at full precision finds', () => {
  const setting = fc.record({
    count: fc.integer({ min: 1, max: 2_500 }),
    dimension: fc.integer({ min: 1, max: 80 }),
    k: fc.integer({ min: 1, max: 60 }),
    spread: fc.constantFrom(1, 0.05, 1e-4, 0),
    seed: fc.integer(),
    removed: fc.boolean(),
  })
  fc.assert(
    fc.property(setting, ({ count, dimension, k, spread, seed, removed }) => {
      const rows = new ComparedRows(vectors(count, dimension, spread, seed), dimension)
      const unit = vectors(1, dimension, 1, seed + 1)
      const live = removed ? Uint8Array.from({ length: count }, (_, row) => Number(row % 3 > 0)) : undefined
      const question = new ComparedQuestion(unit)
      assert.deepEqual(compared(rows, question, k, live), truth(rows, question, k, live))
    }),
    { numRuns: 60 },
  )
})

test('of vectors that lie apart, a few in a hundred are computed at full precision', () => {
  let computed = 0
  class CountedRows extends ComparedRows {
    override cosine(question: ComparedQuestion, row: number): number {
      computed++
      return super.cosine(question, row)
    }
  }
  const rows = new CountedRows(vectors(8_192, 384, 2, 5), 384)
  const random = seededRandom(6)
  const unit = new Float32Array(384)
  writeUnit(
    Float32Array.from({ length: 384 }, () => uniform(random) - 0.5),
    unit,
    0,
  )
  const question = new ComparedQuestion(unit)
  const comparison = new Comparison(question, 10)
  comparison.look(rows, { live: undefined, fits: undefined })
  comparison.offer(rows, 0, new Top(10))
  assert.ok(computed >= 10 && computed < 8_192 * 0.05, `${computed} of 8192`)
})
