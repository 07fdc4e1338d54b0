import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { seededRandom } from '../base/random.ts'
import { type Expected, forecast, type ForecastInput } from './forecast.ts'

const HOUR_MS = 3_600_000
const NOW_MS = Date.UTC(2026, 10, 18)
const DAY_HOURS = 24

const ask = (input: Partial<ForecastInput> & { readonly hours: readonly number[]; readonly aheadHours?: number }) =>
  forecast({
    nowMs: NOW_MS,
    spent: 0,
    endMs: (input.nowMs ?? NOW_MS) + (input.aheadHours ?? 24) * HOUR_MS,
    random: seededRandom(3),
    ...input,
  })

function known(input: Parameters<typeof ask>[0]): Expected {
  const found = ask(input)
  return found.known ? found : assert.fail(`${found.n} of ${found.needed} hours`)
}

const constant = (days: number, value = 10): number[] => Array.from({ length: days * DAY_HOURS }, () => value)

test('a load that never varies ends where it must, and passes its limit when it must', () => {
  const found = known({ hours: constant(10), spent: 100, limit: 220 })
  assert.deepEqual([found.n, found.season, found.draws], [240, 'day', 1000])
  for (const total of Object.values(found.total)) assert.ok(Math.abs(total - 340) < 1e-6, `${total}`)
  assert.equal(found.limit?.probability, 1)
  for (const atMs of Object.values(found.limit?.atMs ?? {})) assert.equal(atMs, NOW_MS + 12 * HOUR_MS)
})

test('a limit that is out of reach is never passed; one that was passed already, at once', () => {
  const far = known({ hours: constant(10), limit: 1e9 })
  assert.deepEqual(far.limit, { probability: 0, atMs: { p10: null, p50: null, p90: null } })
  const gone = known({ hours: constant(10), spent: 50, limit: 49 })
  assert.deepEqual(gone.limit, { probability: 1, atMs: { p10: NOW_MS, p50: NOW_MS, p90: NOW_MS } })
})

test('the hour that runs counts as far as it is to come, and so does the last one', () => {
  const nowMs = NOW_MS + HOUR_MS / 4
  assert.ok(Math.abs(known({ hours: constant(8), nowMs, aheadHours: 1.5 }).total.p50 - 15) < 1e-6)
  assert.equal(known({ hours: constant(8), aheadHours: 0, spent: 7 }).total.p90, 7)
})

test('on the way to its end it says how far it is at each mark', () => {
  const marksMs = [0, 0.5, 3, 12].map((hours) => NOW_MS + hours * HOUR_MS)
  const { path, total } = known({ hours: constant(10), spent: 100, aheadHours: 12, marksMs })
  assert.deepEqual(
    path.map(({ p10, p50, p90 }) => [p10, p50, p90].map(Math.round)),
    [100, 105, 130, 220].map((value) => [value, value, value]),
  )
  assert.deepEqual(path.at(-1), total)
  const varied = Array.from({ length: 30 * DAY_HOURS }, (_, hour) => (hour * 7919) % 23)
  const spreads = known({ hours: varied, aheadHours: 48, marksMs: [6, 18, 48].map((h) => NOW_MS + h * HOUR_MS) }).path
  for (const [at, { p10, p50, p90 }] of spreads.entries()) {
    assert.ok(p10 <= p50 && p50 <= p90)
    assert.ok(p10 >= (spreads[at - 1]?.p10 ?? 0), 'use never grows less')
  }
})

test('the shape of the day is kept: the night costs what nights cost', () => {
  const hours = Array.from({ length: 20 * DAY_HOURS }, (_, hour) => (hour % 24 < 8 ? 0 : 30))
  assert.equal(known({ hours, aheadHours: 8 }).total.p90, 0)
  assert.ok(Math.abs(known({ hours, aheadHours: 24 }).total.p50 - 480) < 1e-6)
})

test('weekends are weekends once two weeks are known', () => {
  const hours = Array.from({ length: 28 * DAY_HOURS }, (_, hour) => (Math.floor(hour / 24) % 7 >= 5 ? 1 : 9))
  const week = known({ hours, aheadHours: 5 * 24 })
  assert.equal(week.season, 'week')
  assert.ok(Math.abs(week.total.p50 / (5 * 24 * 9) - 1) < 0.1, `${week.total.p50}`)
})

test('too little history gives no number, and says how much it takes', () => {
  assert.deepEqual(ask({ hours: constant(2) }), { known: false, n: 48, needed: 168 })
  assert.deepEqual(ask({ hours: constant(10), aheadHours: 8 * 24 }), { known: false, n: 240, needed: 336 })
  assert.deepEqual(ask({ hours: [] }), { known: false, n: 0, needed: 168 })
  assert.deepEqual(ask({ hours: constant(30, 0) }), { known: false, n: 0, needed: 168 })
  const idle = known({ hours: [...constant(10), ...constant(40, 0)], spent: 5 })
  assert.deepEqual(idle.total, { p10: 5, p50: 5, p90: 5 })
  // What was before the first use is no history.
  assert.deepEqual(ask({ hours: [...constant(30, 0), ...constant(1)] }), { known: false, n: 24, needed: 168 })
})

test('whatever the history, the answer is finite, in order, not below what is spent, and the same again', () => {
  fc.assert(
    fc.property(
      fc.array(fc.oneof(fc.constant(0), fc.nat(1e9)), { minLength: 1, maxLength: 24 * 20 }),
      fc.nat(24 * 31),
      fc.nat(1e9),
      (hours, aheadHours, spent) => {
        const input = { hours, aheadHours, spent, limit: spent + 1e6 }
        const found = ask(input)
        assert.deepEqual(ask(input), found)
        if (!found.known) return
        const { p10, p50, p90 } = found.total
        assert.ok(spent <= p10 && p10 <= p50 && p50 <= p90 && Number.isFinite(p90), JSON.stringify(found))
        assert.ok((found.limit?.probability ?? -1) >= 0)
      },
    ),
    { numRuns: 30 },
  )
})
