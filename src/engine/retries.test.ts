import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { ManualClock } from '../../tests/kit/clock.ts'
import { seededRandom } from '../base/random.ts'
import { backoffMs, RetryBudget } from './retries.ts'

/** Requests of which every attempt fails, each with up to three more. */
function outage(gapsMs: readonly number[], clock = new ManualClock(), budget = new RetryBudget(clock)): number {
  let calls = 0
  for (const gapMs of gapsMs) {
    clock.advance(gapMs)
    budget.earn()
    calls++
    for (let again = 0; again < 3 && budget.spend(); again++) calls++
  }
  return calls
}

test('when everything fails there are at most 1.1 calls a request, from 1,000 requests at 10 a second on', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1_000, max: 5_000 }),
      fc.integer({ min: 10, max: 1_000 }),
      (requests, perSecond) => outage(Array.from({ length: requests }, () => 1000 / perSecond)) <= 1.1 * requests,
    ),
    { numRuns: 30 },
  )
})

test('a model that is seldom called can always be tried again', () => {
  const clock = new ManualClock()
  const budget = new RetryBudget(clock)
  for (let i = 0; i < 50; i++) {
    clock.advance(10_000)
    budget.earn()
    assert.ok(budget.spend())
  }
})

test('what is saved up is bounded', () => {
  const clock = new ManualClock()
  const budget = new RetryBudget(clock)
  for (let i = 0; i < 1_000; i++) budget.earn()
  clock.advance(3_600_000)
  let spent = 0
  while (budget.spend()) spent++
  assert.equal(spent, 10)
})

test('the pause grows to its bound, is spread out, and never ends before the engine says', () => {
  const random = seededRandom(7)
  for (const [failures, boundMs] of [
    [1, 200],
    [2, 400],
    [4, 1_600],
    [9, 2_000],
  ] as const) {
    const pauses = Array.from({ length: 500 }, () => backoffMs(failures, 0, random))
    assert.ok(Math.max(...pauses) < boundMs && Math.max(...pauses) > 0.9 * boundMs)
    assert.ok(Math.min(...pauses) < 0.1 * boundMs)
  }
  assert.ok(backoffMs(1, 1_000, random) >= 1_000)
})

test('what is only convenient leaves half of it to those who fail', () => {
  const budget = new RetryBudget(new ManualClock())
  const spare = Array.from({ length: 10 }, () => budget.spendSpare()).filter(Boolean).length
  const failures = Array.from({ length: 10 }, () => budget.spend()).filter(Boolean).length
  assert.deepEqual([spare, failures], [5, 5])
})
