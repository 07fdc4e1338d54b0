import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { isWithin, samplingOf } from './sampling.ts'

const id = fc.uint8Array({ minLength: 16, maxLength: 16 }).map((bytes) => Buffer.from(bytes).toString('hex'))
const share = fc.double({ min: 0, max: 1, noNaN: true })
const ordinary = { errors: 0, durationUs: 1000, costNanoUsd: 10, isFlagged: false }

test('what a smaller share keeps, a larger one keeps too', () => {
  fc.assert(
    fc.property(id, share, share, (traceId, a, b) => {
      if (isWithin(traceId, Math.min(a, b))) assert.ok(isWithin(traceId, Math.max(a, b)))
    }),
  )
})

test('a share keeps about its part, each with the chance it had', () => {
  const n = 20_000
  let [kept, weight] = [0, 0]
  for (let at = 0; at < n; at++) {
    const digits = (Math.imul(at, 2_654_435_761) >>> 0).toString(16).padStart(8, '0')
    const probability = samplingOf({ ...ordinary, traceId: '0'.repeat(18) + digits + '0'.repeat(6) }, { share: 0.1 })
    if (probability === 0) continue
    kept++
    weight += 1 / probability
  }
  assert.ok(Math.abs(kept / n - 0.1) < 0.01, `${kept}`)
  assert.ok(Math.abs(weight - n) < n * 0.1)
})

test('errors, the slow, the dear and the flagged are kept whatever the share, and count once', () => {
  const rules = { share: 0, slowMs: 500, costNanoUsd: 1000n }
  const traceId = '0'.repeat(32)
  assert.equal(samplingOf({ ...ordinary, traceId }, rules), 0)
  for (const worth of [{ errors: 1 }, { durationUs: 500_000 }, { costNanoUsd: 1000 }, { isFlagged: true }])
    assert.equal(samplingOf({ ...ordinary, traceId, ...worth }, rules), 1)
})
