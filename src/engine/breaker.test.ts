import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { ManualClock } from '../../tests/kit/clock.ts'
import { fault, type Fault } from '../base/errors.ts'
import { Breaker, type Pass } from './breaker.ts'

const down = fault('engine_unreachable', { engine: 'a', reason: 'connect ECONNREFUSED' })
const busy = (retryAfterMs?: number): Fault =>
  fault('engine_busy', { engine: 'a', ...(retryAfterMs === undefined ? {} : { retryAfterMs }) })

function setUp() {
  const clock = new ManualClock()
  const breaker = new Breaker(clock)
  const enter = (): Pass => breaker.enter() ?? assert.fail(`the circuit is ${breaker.state}`)
  const fail = (times: number, cause = down): void => {
    for (let i = 0; i < times; i++) breaker.leave(enter(), cause)
  }
  return { clock, breaker, enter, fail }
}

test('five failures in a row open it; an answer between them does not let them add up', () => {
  const { breaker, enter, fail } = setUp()
  fail(4)
  breaker.leave(enter(), 'answered')
  fail(4)
  assert.equal(breaker.state, 'closed')
  fail(1)
  assert.deepEqual([breaker.state, breaker.opened?.trouble, breaker.enter()], ['open', 'unreachable', undefined])
  assert.match(breaker.opened?.reason ?? '', /ECONNREFUSED/)
})

test('every other call failing opens it too, once ten of the last twenty have', () => {
  const { breaker, enter, fail } = setUp()
  for (let i = 0; i < 9; i++) {
    fail(1)
    breaker.leave(enter(), 'answered')
  }
  assert.equal(breaker.state, 'closed')
  fail(1)
  assert.equal(breaker.state, 'open')
})

test('an engine that rejects requests, and callers who leave, never open it', () => {
  const { breaker, enter } = setUp()
  const rejected = fault('engine_rejected', { engine: 'a', reason: 'temperature is too high' })
  for (let i = 0; i < 100; i++) {
    breaker.leave(enter(), rejected)
    breaker.leave(enter(), 'unknown')
    breaker.leave(enter(), fault('internal', { reason: 'ours' }))
  }
  assert.equal(breaker.state, 'closed')
})

test('after its pause one call at a time tries; its answer closes the circuit', () => {
  const { clock, breaker, enter, fail } = setUp()
  fail(5)
  clock.advance(4_999)
  assert.equal(breaker.enter(), undefined)
  clock.advance(1)
  const probe = enter()
  assert.deepEqual([breaker.state, probe.isProbe, breaker.enter()], ['half_open', true, undefined])
  breaker.spoke(probe)
  assert.equal(breaker.state, 'closed', 'an answer that has begun says enough')
  assert.equal(enter().isProbe, false)
})

test('a probe that fails opens it for twice as long, up to a minute; since when stays', () => {
  const { clock, breaker, fail } = setUp()
  fail(5)
  const sinceMs = breaker.opened?.sinceMs
  for (const pauseMs of [5_000, 10_000, 20_000, 40_000, 60_000, 60_000]) {
    assert.equal(breaker.waitMs, pauseMs)
    clock.advance(pauseMs)
    fail(1)
  }
  assert.equal(breaker.opened?.sinceMs, sinceMs)
})

test('a probe whose caller leaves says nothing: the next call tries', () => {
  const { clock, breaker, enter, fail } = setUp()
  fail(5)
  clock.advance(5_000)
  breaker.leave(enter(), 'unknown')
  assert.deepEqual([breaker.state, enter().isProbe], ['half_open', true])
})

test('an overloaded engine is left alone as long as it asks, five minutes at most', () => {
  for (const [askedMs, waitMs] of [
    [1_500, 1_500],
    [3_600_000, 300_000],
  ] as const) {
    const { breaker, fail } = setUp()
    fail(1, busy(askedMs))
    assert.deepEqual([breaker.state, breaker.opened?.trouble, breaker.waitMs], ['open', 'overloaded', waitMs])
  }
  const { breaker, fail } = setUp()
  fail(4, busy())
  assert.equal(breaker.state, 'closed', 'one that names no time is overloaded for a moment')
  fail(1, busy())
  assert.deepEqual([breaker.opened?.trouble, breaker.waitMs], ['overloaded', 1_000])
})

test('what began before the circuit opened or closed says nothing about now', () => {
  const { clock, breaker, enter, fail } = setUp()
  const [early, late] = [enter(), enter()]
  fail(5)
  breaker.leave(early, 'answered')
  assert.equal(breaker.state, 'open')
  clock.advance(5_000)
  breaker.leave(enter(), 'answered')
  breaker.leave(late, busy(9_000))
  assert.equal(breaker.state, 'closed')
})

test('whatever happens, an open circuit passes nothing and a half-open one a single call', () => {
  const step = fc.record({
    waitMs: fc.integer({ min: 0, max: 8_000 }),
    leaves: fc.nat(8),
    verdict: fc.constantFrom('answered' as const, 'unknown' as const, down, busy(), busy(700)),
  })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
      const { clock, breaker } = setUp()
      const passes: Pass[] = []
      for (const { waitMs, leaves, verdict } of steps) {
        clock.advance(waitMs)
        const before = breaker.state
        const pass = breaker.enter()
        if (before === 'open') assert.equal(pass, undefined)
        if (pass !== undefined) passes.push(pass)
        const probes = passes.filter(({ isProbe, epoch }) => isProbe && epoch === pass?.epoch)
        assert.ok(probes.length <= 1 || before === 'closed')
        for (const left of passes.splice(0, leaves)) breaker.leave(left, verdict)
      }
    }),
  )
})
