import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ManualClock } from '../../tests/kit/clock.ts'
import { Pace } from './pace.ts'

test('a percentile is of the latest, and of enough of them', () => {
  const pace = new Pace(new ManualClock())
  for (let ms = 1; ms <= 19; ms++) pace.record(ms)
  assert.equal(pace.percentileMs(0.95), undefined)
  for (let ms = 20; ms <= 100; ms++) pace.record(ms)
  assert.deepEqual([pace.percentileMs(0.5), pace.percentileMs(0.95)], [50, 95])
  for (let n = 0; n < 128; n++) pace.record(7)
  assert.deepEqual([pace.percentileMs(0.5), pace.percentileMs(0.95)], [7, 7])
  pace.forget()
  assert.deepEqual([pace.percentileMs(0.5), pace.expectedMs], [undefined, 0])
})

test('what is slower is believed at once, what is faster by and by, and what was long ago not at all', () => {
  const clock = new ManualClock()
  const pace = new Pace(clock)
  pace.record(100)
  pace.record(900)
  assert.equal(pace.expectedMs, 900)
  clock.advance(1_000)
  pace.record(100)
  assert.ok(pace.expectedMs > 700 && pace.expectedMs < 900, String(pace.expectedMs))
  clock.advance(120_000)
  assert.ok(pace.expectedMs < 0.1, String(pace.expectedMs))
})
