import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  BLOCK_HEAD_BYTES_MAX,
  BLOCK_POSTINGS,
  COUNT_BYTES_MAX,
  DISTANCE_BYTES_MAX,
  postingBuffer,
  readBlock,
  writeBlock,
} from './posting-block.ts'

/** Mostly near one another, now and then far apart, as in a collection of documents. */
const distance = fc.oneof(
  { weight: 8, arbitrary: fc.integer({ min: 1, max: 300 }) },
  { weight: 1, arbitrary: fc.integer({ min: 1, max: 70_000 }) },
  { weight: 1, arbitrary: fc.constantFrom(255, 256, 65_535, 65_536, 1_999_999) },
)
const count = fc.oneof(
  { weight: 5, arbitrary: fc.constant(1) },
  { weight: 1, arbitrary: fc.integer({ min: 2, max: 2 ** 31 - 1 }) },
)
const postings = fc.array(fc.record({ distance, count }), { minLength: 1, maxLength: BLOCK_POSTINGS })

test('a block is read as it was written, within its bounds', () => {
  fc.assert(
    fc.property(postings, fc.nat(2_000_000), fc.nat(20), (given, former, before) => {
      const chunks = new Uint32Array(given.length)
      let chunk = former
      for (const [at, one] of given.entries()) chunks[at] = chunk += at === 0 ? one.distance - 1 : one.distance
      const counts = Uint32Array.from(given, (one) => one.count)
      const repeated = given.filter((one) => one.count > 1).length
      const bytesMax = BLOCK_HEAD_BYTES_MAX + given.length * DISTANCE_BYTES_MAX + repeated * COUNT_BYTES_MAX
      const bytes = new Uint8Array(before + bytesMax)
      const end = writeBlock(bytes, before, former, chunks, counts, 0, given.length)
      assert.ok(end <= before + bytesMax, `${end - before} of ${bytesMax} bytes`)
      const buffer = postingBuffer()
      buffer.counts.fill(7)
      readBlock(bytes, before, former, given.length, buffer)
      assert.deepEqual([...buffer.chunks.subarray(0, given.length)], [...chunks])
      assert.deepEqual([...buffer.counts.subarray(0, given.length)], [...counts])
    }),
    { numRuns: 300 },
  )
})
