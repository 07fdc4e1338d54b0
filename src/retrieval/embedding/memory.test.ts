import assert from 'node:assert/strict'
import { test } from 'node:test'
import { vectorMemoryBytes } from './memory.ts'

const MIB = 2 ** 20

for (const [vectors, dimension, residentMiB] of [
  [10_000_000, 384, 6_568],
  [1_000_000, 768, 1_259],
] as const)
  test(`the estimate for ${vectors} vectors of ${dimension} dimensions is what was measured`, () => {
    const measured = (residentMiB - 150) * MIB
    const share = vectorMemoryBytes(vectors, dimension) / measured
    assert.ok(share > 0.9 && share < 1.1, `${share}`)
  })
