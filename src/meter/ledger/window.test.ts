import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { counts, bucketAt, CALENDAR_UNITS, freedAtMs, isZone, periodAt, type Window } from './window.ts'

/** Changes of the clocks by an hour and by half of one, at midnight, over the date line, and none. */
const ZONES = [
  'Europe/Berlin',
  'America/New_York',
  'Australia/Lord_Howe',
  'America/Havana',
  'Pacific/Apia',
  'America/St_Johns',
  'Asia/Kathmandu',
  'UTC',
] as const
const zoned = fc.record({ unit: fc.constantFrom(...CALENDAR_UNITS), zone: fc.constantFrom(...ZONES) })
const instant = fc.integer({ min: Date.UTC(1987, 0, 1), max: Date.UTC(2060, 0, 1) })
/** Around changes of the clocks. */
const change = fc
  .record({
    at: fc.constantFrom(
      '2026-03-29T01:00Z',
      '2026-10-25T01:00Z',
      '2026-11-01T06:00Z',
      '2026-04-04T15:00Z',
      '2011-12-30T10:00Z',
      '1987-10-25T02:31Z',
    ),
    byMs: fc.integer({ min: -90_000_000, max: 90_000_000 }),
  })
  .map(({ at, byMs }) => Date.parse(at) + byMs)

test('calendar periods tile time: an instant is in its own, and all of a period has the same', () => {
  fc.assert(
    fc.property(
      zoned,
      fc.oneof(instant, change),
      fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
      (zone, atMs, share) => {
        const window: Window = { kind: 'calendar', ...zone }
        const period = periodAt(window, atMs)
        assert.ok(period.startMs <= atMs && atMs < period.endMs)
        const within = period.startMs + Math.floor(share * (period.endMs - period.startMs))
        assert.deepEqual(periodAt(window, within), period)
        assert.equal(periodAt(window, period.endMs).startMs, period.endMs)
        assert.equal(periodAt(window, period.startMs - 1).endMs, period.startMs)
      },
    ),
    { numRuns: 2_000 },
  )
})

test('days are 23 to 25 hours long where clocks change, and a local hour that comes twice is two', () => {
  const hours = (text: string, zone: string): number => {
    const { startMs, endMs } = periodAt({ kind: 'calendar', unit: 'day', zone }, Date.parse(text))
    return (endMs - startMs) / 3_600_000
  }
  assert.deepEqual([hours('2026-03-29T12:00Z', 'Europe/Berlin'), hours('2026-10-25T12:00Z', 'Europe/Berlin')], [23, 25])
  assert.equal(hours('2026-03-29T12:00Z', 'UTC'), 24)
  const hour = (text: string) =>
    periodAt({ kind: 'calendar', unit: 'hour', zone: 'Europe/Berlin' }, Date.parse(text)).key
  assert.notEqual(hour('2026-10-25T00:30Z'), hour('2026-10-25T01:30Z'))
})

test('weeks begin on Monday, months on the first, in local time', () => {
  const at = Date.parse('2026-11-22T12:00Z')
  const start = (unit: 'week' | 'month', zone: string): string =>
    new Date(periodAt({ kind: 'calendar', unit, zone }, at).startMs).toISOString()
  assert.equal(start('week', 'UTC'), '2026-11-16T00:00:00.000Z')
  assert.equal(start('month', 'America/New_York'), '2026-11-01T04:00:00.000Z')
})

test('names of zones are known; offsets and fancies are not', () => {
  for (const zone of ['UTC', 'Europe/Berlin', 'Asia/Kathmandu']) assert.ok(isZone(zone), zone)
  for (const zone of ['', 'Mars/Base', '+02:00', 'Europe/Atlantis', 'Europe/Berlin[u-ca=iso8601]'])
    assert.ok(!isZone(zone), zone)
})

test('what was posted counts for the whole duration, and is free a twentieth and a tenth of a second later', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1_000, max: 400_000_000 }), instant, (durationMs, atMs) => {
      const bucket = bucketAt(durationMs, atMs)
      assert.ok(counts(durationMs, bucket, bucketAt(durationMs, atMs + durationMs)))
      const freeMs = freedAtMs(durationMs, bucket)
      assert.ok(!counts(durationMs, bucket, bucketAt(durationMs, freeMs)))
      assert.ok(counts(durationMs, bucket, bucketAt(durationMs, freeMs - 1)))
      assert.ok(freeMs - atMs <= durationMs * 1.05 + 110 + 4)
    }),
  )
})
