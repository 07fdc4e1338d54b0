import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { ManualClock, settled } from '../../../tests/kit/clock.ts'
import { seededRandom, uniform } from '../../base/random.ts'
import { MemoryEvents } from '../../drivers/memory/events.ts'
import { MemoryRows } from '../../drivers/memory/rows.ts'
import type { Entry } from '../../store/events.ts'
import { type Alert, Alerts } from '../alerts/alerts.ts'
import { AnomalyWatch } from './watch.ts'

const T0 = Date.UTC(2026, 10, 1)

function open() {
  const clock = new ManualClock(T0)
  const rows = new MemoryRows()
  const events = new MemoryEvents()
  const alerts = new Alerts({ clock, random: seededRandom(1), rows })
  const watch = (): AnomalyWatch => new AnomalyWatch({ clock, random: seededRandom(2), rows, events, alerts })
  const all = async (): Promise<Alert[]> => (await alerts.list({ limit: 1000, fits: () => true })).alerts
  return { clock, rows, events, alerts, watch, all }
}

const lot = seededRandom(3)
let made = 0
/** About `tokens`, give or take a half; a token costs a micro-dollar. */
function request(tokens: number, body: object = { prompt: 'summary' }): Entry {
  const used = Math.round(tokens * (0.5 + uniform(lot)))
  made++
  return {
    id: `req_${made}`,
    phase: 'close',
    kind: 'request',
    atMs: T0 + made * 1000,
    body: {
      outcome: 'answered',
      usage: { inputTokens: used, outputTokens: 0 },
      costNanoUsd: `${used * 1000}`,
      ...body,
    },
  }
}
const many = (count: number, tokens: number, body?: object): Entry[] =>
  Array.from({ length: count }, () => request(tokens, body))

test('a prompt that makes three times the tokens raises one alert for tokens and one for cost, with the evidence', async () => {
  const { events, watch, all } = open()
  await events.append([...many(300, 400), ...many(200, 400, { user: 'ann' })])
  const watching = watch()
  await watching.catchUp()
  assert.deepEqual(await all(), [])
  const since = made
  await events.append(many(40, 1200))
  await watching.catchUp()
  const found = await all()
  for (const { subject } of found) assert.deepEqual(subject, { prompt: 'summary' })
  const measures = found.map(({ evidence }) => evidence['measure'])
  assert.deepEqual(new Set(measures), new Set(['costNanoUsdPerRequest', 'tokensPerRequest']))
  const tokens = found.find(({ evidence }) => evidence['measure'] === 'tokensPerRequest') ?? assert.fail()
  const { before, after, ratio, examples } = tokens.evidence as unknown as {
    before: { n: number; p50: number }
    after: { n: number; p50: number }
    ratio: { [quantile in 'p50' | 'p95']: { low: number; high: number | null } }
    examples: string[]
  }
  assert.ok(before.n >= 290 && after.n <= 25, `${before.n} ${after.n}`)
  assert.ok(Math.abs(before.p50 - 400) < 60 && Math.abs(after.p50 - 1200) < 250, `${before.p50} ${after.p50}`)
  for (const { low, high } of [ratio.p50, ratio.p95])
    assert.ok(low <= 3 && 3 <= (high ?? Infinity), JSON.stringify(ratio))
  assert.ok(Math.max(ratio.p50.low, ratio.p95.low) > 1.25, JSON.stringify(ratio))
  assert.ok(examples.filter((id) => Number(id.slice(4)) > since).length >= 3, examples.join())
})

test('an alert is closed when its subject is back, and stays alone while it is not', async () => {
  const { events, watch, all } = open()
  const watching = watch()
  await events.append([...many(300, 400), ...many(400, 1200)])
  await watching.catchUp()
  const tokens = async () => (await all()).filter(({ evidence }) => evidence['measure'] === 'tokensPerRequest')
  assert.deepEqual(
    (await tokens()).map(({ closed, times }) => [closed, times]),
    [[undefined, 1]],
  )
  await events.append(many(60, 400))
  await watching.catchUp()
  assert.deepEqual(
    (await tokens()).map(({ closed }) => closed?.because),
    ['it is back to what it was'],
  )
})

test('an alert is told of again when it goes further', async () => {
  const { events, watch, all } = open()
  await events.append([...many(300, 400), ...many(100, 1200), ...many(200, 6000)])
  await watch().catchUp()
  const [tokens] = (await all()).filter(({ evidence }) => evidence['measure'] === 'tokensPerRequest')
  assert.ok((tokens?.times ?? 0) >= 2 && (tokens?.times ?? 0) <= 4, `${tokens?.times}`)
  const ratio = tokens?.evidence['ratio'] as unknown as { p50: { value: number } }
  assert.ok(ratio.p50.value > 10, `${ratio.p50.value}`)
})

test('how often requests come, how they end, and who else there is, is no departure', async () => {
  const { events, watch, all } = open()
  const entries = [...many(200, 400), ...many(50, 400, { prompt: 'other' })]
  // A thousand at once, then one an hour; and failures that use ten times as much.
  entries.push(...many(1000, 400).map((entry) => ({ ...entry, atMs: T0 + 500_000 })))
  entries.push(...many(100, 400).map((entry, i) => ({ ...entry, atMs: T0 + i * 3_600_000 })))
  entries.push(...many(300, 4000, { prompt: 'summary', outcome: 'failed' }))
  entries.push(...many(300, 4000, { key: 'k' }))
  await events.append(entries)
  await watch().catchUp()
  assert.deepEqual(await all(), [])
})

test('requests are looked at once each, however the following is cut up, raced and begun anew', async () => {
  const subjectsOf = async (rows: MemoryRows) => rows.scan({ name: 'anomaly.subjects' }, { limit: 100 })
  const seen = async (rows: MemoryRows): Promise<number[]> =>
    (await subjectsOf(rows)).map(({ row }) => {
      const { history } = (row as { tokens: { history: { zeros: number; buckets: [number, number][] } } }).tokens
      return history.buckets.reduce((sum, [, count]) => sum + count, history.zeros)
    })
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat(30), { minLength: 1, maxLength: 6 }), fc.boolean(), async (bursts, anew) => {
      const { rows, events, watch } = open()
      const watches = [watch(), watch()]
      for (const burst of bursts) {
        await events.append(many(burst, 400))
        await Promise.all((anew ? [watch(), watch()] : watches).map((one) => one.catchUp()))
      }
      const total = bursts.reduce((sum, one) => sum + one, 0)
      assert.deepEqual(await seen(rows), total === 0 ? [] : [total])
    }),
    { numRuns: 30 },
  )
})

test('of too many subjects those not seen for the longest are forgotten', async () => {
  const { rows, events, watch } = open()
  for (let at = 0; at < 10_050; at += 150)
    await events.append(Array.from({ length: 150 }, (_, i) => request(400, { user: `u${at + i}` })))
  await watch().catchUp()
  const left = await rows.scan({ name: 'anomaly.subjects' }, { limit: 10_000 })
  assert.ok(left.length > 9_000 && left.length <= 10_000, `${left.length}`)
  const names = new Set(left.map(({ key }) => key[1]))
  assert.deepEqual([names.has('u0'), names.has('u999'), names.has('u10049')], [false, false, true])
})

test('what comes is looked at within a minute, until it is stopped', async () => {
  const { clock, events, watch, all } = open()
  const watching = watch()
  watching.keepUp()
  await events.append([...many(300, 400), ...many(60, 2000)])
  clock.advance(60_000)
  for (let i = 0; i < 50; i++) await settled()
  assert.equal((await all()).length, 2)
  await watching.stop()
  assert.equal(clock.pending, 0)
})
