import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { budgetLeft, burnOf, type Events, QUIET_MINUTES, severityOf, Timeline } from './burn.ts'

const FIRST = 30_000_000
const HOURS_6 = 360

const steady = (bad: number, of: number, minutes = HOURS_6): Events[] =>
  Array.from({ length: minutes }, () => ({ good: of - bad, bad }))
const after = (minutes: readonly Events[]): number => FIRST + minutes.length - 1

test('alerts hold exactly from the documented burn rates on, and not below', () => {
  fc.assert(
    fc.property(fc.constantFrom(0.9, 0.95, 0.99, 0.999), fc.integer({ min: 0, max: 20_000 }), (share, bad) => {
      const minutes = steady(bad, 20_000)
      // In whole numbers: bad / 20,000 >= burn * (1 - share).
      const spent = bad * 10_000
      const budget = Math.round((1 - share) * 1000)
      const expected = spent >= 144 * 20_000 * budget ? 'fast' : spent >= 60 * 20_000 * budget ? 'slow' : undefined
      assert.equal(severityOf(new Timeline(FIRST, minutes), after(minutes), share), expected)
    }),
    { numRuns: 2_000 },
  )
})

test('at each threshold one bad event less tells nobody', () => {
  for (const [share, bad, expected] of [
    [0.99, 144, 'fast'],
    [0.99, 143, 'slow'],
    [0.99, 60, 'slow'],
    [0.99, 59, undefined],
    [0.999, 15, 'fast'],
    [0.999, 14, 'slow'],
    [0.999, 5, undefined],
  ] as const) {
    const minutes = steady(bad, 1000)
    assert.equal(severityOf(new Timeline(FIRST, minutes), after(minutes), share), expected, `${share} ${bad}`)
  }
})

test('both windows must say it: a burst that is over, and one that has just begun, tell nobody', () => {
  const quiet = steady(0, 1000)
  const told = (minutes: Events[]) => severityOf(new Timeline(FIRST, minutes), after(minutes), 0.99)
  // At 14.4 times the budget the hour bears 8.64 minutes of failure.
  assert.equal(told([...quiet, ...steady(1000, 1000, 5)]), undefined)
  assert.equal(told([...quiet, ...steady(1000, 1000, 8)]), undefined)
  assert.equal(told([...quiet, ...steady(1000, 1000, 9)]), 'fast')
  const over = [...quiet, ...steady(1000, 1000, 9), ...steady(0, 1000, 5 + QUIET_MINUTES)]
  assert.equal(told(over), undefined)
})

test('an alert goes on for the quiet minutes after its last rule held, and no longer', () => {
  const minutes = [...steady(0, 1000), ...steady(1000, 1000, 10), ...steady(0, 1000, 60)]
  const timeline = new Timeline(FIRST, minutes)
  const held = Array.from({ length: 60 }, (_, at) => severityOf(timeline, FIRST + 370 + at, 0.99) !== undefined)
  const last = held.lastIndexOf(true)
  assert.ok(held.slice(0, last).every((one) => one))
  // The last five minutes still hold a failing one for four minutes.
  assert.equal(last, 4 + QUIET_MINUTES - 2)
})

test('nothing that comes and goes makes an alert flap', () => {
  const minute = fc.record({ good: fc.integer({ min: 0, max: 50 }), bad: fc.integer({ min: 0, max: 20 }) })
  fc.assert(
    fc.property(fc.array(minute, { minLength: 400, maxLength: 900 }), (minutes) => {
      const timeline = new Timeline(FIRST, minutes)
      const held = minutes.map((_, at) => severityOf(timeline, FIRST + at, 0.95) !== undefined)
      const closings = held.flatMap((one, at) => (at > 0 && held[at - 1] === true && !one ? [at] : []))
      for (const [at, closing] of closings.entries()) {
        const next = closings[at + 1]
        assert.ok(next === undefined || next - closing > QUIET_MINUTES)
      }
    }),
    { numRuns: 100 },
  )
})

test('a failure or two of a quiet night wake nobody, and silence is no failure', () => {
  for (const [bad, expected] of [
    [0, undefined],
    [2, undefined],
    [3, 'fast'],
  ] as const) {
    const minutes = [...steady(0, 0, 359), { good: 0, bad }]
    assert.equal(severityOf(new Timeline(FIRST, minutes), after(minutes), 0.99), expected)
  }
  assert.equal(burnOf({ good: 0, bad: 0 }, 0.99), 0)
})

test('the error budget runs from one to nothing, and below', () => {
  assert.equal(budgetLeft({ good: 0, bad: 0 }, 0.99), undefined)
  assert.equal(budgetLeft({ good: 100, bad: 0 }, 0.99), 1)
  assert.ok(Math.abs((budgetLeft({ good: 99, bad: 1 }, 0.99) ?? 1) - 0) < 1e-9)
  assert.ok(Math.abs((budgetLeft({ good: 97, bad: 3 }, 0.99) ?? 1) + 2) < 1e-9)
})
