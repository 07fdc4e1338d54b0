import assert from 'node:assert/strict'
import { test } from 'node:test'
import { pooled } from './pool.ts'

const mask = BigInt64Array.of(1n, 1n, 1n, 0n)
const hidden = { dims: [2, 2, 2], data: Float32Array.of(3, 0, 0, 4, 0, 2, 100, 100) }

test('the mean leaves padding out, the first token is the first token, and both are of unit length', () => {
  assert.deepEqual(pooled(hidden, mask, 2, 'mean'), [Float32Array.of(0.6, 0.8), Float32Array.of(0, 1)])
  assert.deepEqual(pooled(hidden, mask, 2, 'cls'), [Float32Array.of(1, 0), Float32Array.of(0, 1)])
})

test('what is one vector already stays one', () => {
  assert.deepEqual(pooled({ dims: [1, 2], data: Float32Array.of(0, 5) }, mask, 1, 'mean'), [Float32Array.of(0, 1)])
})

test('another shape is named', () => {
  for (const dims of [[2, 2, 3], [1, 2, 2], [8], [2, 2, 1, 2]])
    assert.match(String(pooled({ ...hidden, dims }, mask, 2, 'mean')), /shape/)
})
