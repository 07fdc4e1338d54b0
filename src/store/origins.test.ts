import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Origins } from './origins.ts'

test('every chunk is found where it came from', () => {
  const run = fc.record({
    segment: fc.constantFrom('a', 'b', 'c'),
    first: fc.nat(50),
    count: fc.integer({ min: 1, max: 9 }),
  })
  fc.assert(
    fc.property(fc.array(run, { minLength: 1, maxLength: 20 }), (held) => {
      const expected = held.flatMap(({ segment, first, count }) =>
        Array.from({ length: count }, (_, at) => ({ segment, chunk: first + at })),
      )
      const origins = new Origins(held)
      assert.equal(origins.chunks, expected.length)
      assert.deepEqual(
        expected.map((_, chunk) => origins.of(chunk)),
        expected,
      )
      for (const beyond of [-1, expected.length]) assert.throws(() => origins.of(beyond), RangeError)
    }),
  )
})
