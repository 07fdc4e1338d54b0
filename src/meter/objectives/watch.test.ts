import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ManualClock } from '../../../tests/kit/clock.ts'
import type { JsonObject } from '../../base/json.ts'
import { seededRandom } from '../../base/random.ts'
import { MemoryEvents } from '../../drivers/memory/events.ts'
import { MemoryRows } from '../../drivers/memory/rows.ts'
import { Alerts } from '../alerts/alerts.ts'
import type { Objective } from './objective.ts'
import { ObjectiveWatch, standingJson } from './watch.ts'

const T0 = Date.UTC(2026, 10, 1, 0, 30)
const HOUR_MS = 3_600_000
const FAST: Objective = { name: 'fast', what: 'latency', limit: 2000, share: 0.95, windowDays: 30, match: {} }
const ERRORS: Objective = { ...FAST, name: 'answered', what: 'errors', limit: 0, share: 0.99 }

function open(...objectives: Objective[]) {
  const clock = new ManualClock(T0)
  const rows = new MemoryRows()
  const events = new MemoryEvents()
  const alerts = new Alerts({ clock, random: seededRandom(1), rows })
  const watch = () => new ObjectiveWatch({ clock, rows, events, alerts, objectives: () => objectives })
  let made = 0
  const requests = (count: number, body: JsonObject = {}) =>
    events.append(
      Array.from({ length: count }, () => ({
        id: `req_${made++}`,
        phase: 'close' as const,
        kind: 'request',
        atMs: clock.wallMs(),
        body: { outcome: 'answered', totalMs: 100, firstTokenMs: 10, costNanoUsd: '1000', ...body },
      })),
    )
  const all = async () => (await alerts.list({ limit: 100, fits: () => true })).alerts
  const figures = async (name: string) =>
    (await watch().standings()).map(standingJson).find((one) => one['name'] === name)
  return { clock, rows, events, alerts, watch, requests, all, figures, objectives }
}

test('each kind of objective counts what it is about, and only that', async () => {
  const team: Objective = { ...ERRORS, name: 'web', match: { team: 'web', model: 'chat' } }
  const first: Objective = { ...FAST, name: 'first', what: 'firstToken', limit: 50 }
  const cost: Objective = { ...FAST, name: 'cost', what: 'cost', limit: 5000 }
  const tagged: Objective = { ...ERRORS, name: 'tagged', match: { tag: 'nightly' } }
  const { requests, figures } = open(FAST, ERRORS, team, first, cost, tagged)
  await requests(10)
  await requests(1, { totalMs: 2000, firstTokenMs: 51 })
  await requests(2, { totalMs: 2000.5, costNanoUsd: '5001' })
  await requests(3, { outcome: 'failed', error: 'engine_unreachable', team: 'web', model: 'chat', tags: ['nightly'] })
  await requests(4, { outcome: 'failed', error: 'field_invalid', team: 'web', model: 'chat' })
  await requests(1, { outcome: 'interrupted', team: 'web', model: 'other' })
  await requests(5, { outcome: 'refused', error: 'budget_spent' })
  await requests(5, { outcome: 'cancelled' })
  const counted = async (name: string) => {
    const one = await figures(name)
    return [one?.['events'], one?.['bad']]
  }
  assert.deepEqual(await counted('fast'), [13, 2])
  assert.deepEqual(await counted('answered'), [17, 4])
  assert.deepEqual(await counted('web'), [3, 3])
  assert.deepEqual(await counted('first'), [13, 1])
  assert.deepEqual(await counted('cost'), [13, 2])
  assert.deepEqual(await counted('tagged'), [3, 3])
})

test('every request is counted once, by several watches and after a restart; an objective that is new counts the past', async () => {
  const { requests, watch, figures, objectives } = open(ERRORS)
  await requests(1500)
  const [one, two] = [watch(), watch()]
  await Promise.all([one.look(), two.look()])
  await requests(500, { outcome: 'failed', error: 'engine_unreachable' })
  await Promise.all([watch().look(), two.look(), one.standings()])
  objectives.push({ ...FAST, name: 'late' })
  assert.deepEqual([(await figures('answered'))?.['events'], (await figures('answered'))?.['bad']], [2000, 500])
  assert.equal((await figures('late'))?.['events'], 1500)
})

test('events fall out of the window, and a changed limit begins anew', async () => {
  const { clock, requests, figures, watch, objectives } = open({ ...FAST, windowDays: 1 })
  await requests(10, { totalMs: 3000 })
  assert.equal(Math.round(Number((await figures('fast'))?.['budgetLeft'])), -19)
  clock.advance(26 * HOUR_MS)
  await requests(5)
  assert.deepEqual([(await figures('fast'))?.['events'], (await figures('fast'))?.['budgetLeft']], [5, 1])
  objectives[0] = { ...FAST, windowDays: 2, limit: 5000 }
  assert.deepEqual([(await figures('fast'))?.['events'], (await figures('fast'))?.['bad']], [15, 0])
  clock.advance(92 * 24 * HOUR_MS)
  await watch().look()
  assert.equal((await figures('fast'))?.['events'], 0)
})

test('an outage is one alert, with figures and the query that shows it, told of again when it gets worse, and closed when it is over', async () => {
  const { clock, requests, watch, all } = open({ ...ERRORS, match: { model: 'chat' } })
  const one = watch()
  const minutes = async (count: number, failed: number) => {
    for (let minute = 0; minute < count; minute++) {
      await requests(100 - failed, { model: 'chat' })
      await requests(failed, { model: 'chat', outcome: 'failed', error: 'engine_unreachable' })
      await one.look()
      await watch().look()
      clock.advance(60_000)
    }
  }
  await minutes(60, 0)
  assert.deepEqual(await all(), [])
  await minutes(30, 10)
  await minutes(30, 50)
  const [alert, ...more] = await all()
  assert.ok(alert !== undefined && more.length === 0)
  assert.deepEqual([alert.kind, alert.step, alert.times], ['objective_burn', 'fast', 2])
  assert.deepEqual(alert.subject, { objective: 'answered', model: 'chat' })
  const { bad, link } = alert.evidence
  assert.ok(Number(bad) > 300)
  const query = new URL(String(link), 'http://h').searchParams
  assert.deepEqual([query.get('status'), query.get('model')], ['error', 'chat'])
  assert.equal(Date.parse(query.get('to') ?? '') - Date.parse(query.get('from') ?? ''), HOUR_MS)
  await minutes(60, 0)
  const [over, ...others] = await all()
  assert.ok(over?.closed !== undefined && others.length === 0)
  assert.equal(over.closed.because, 'the error budget is no longer spent too fast')
})

test('an objective that is taken out of the configuration leaves no alert open', async () => {
  const { requests, watch, all, objectives } = open(ERRORS)
  await requests(100, { outcome: 'failed', error: 'engine_unreachable' })
  const one = watch()
  await one.look()
  assert.equal((await all())[0]?.closed, undefined)
  objectives.pop()
  await one.look()
  assert.equal((await all())[0]?.closed?.because, 'the objective is no longer configured')
})

test('recall is counted by collection', async () => {
  const recall: Objective = { ...FAST, what: 'recall', limit: 0.9, match: { collection: 'docs' } }
  const { watch } = open(recall, { ...recall, name: 'all', match: {} })
  const one = watch()
  for (const [collection, value] of [
    ['docs', 1],
    ['docs', 0.9],
    ['docs', 0.8],
    ['other', 0.1],
  ] as const)
    one.counts.recalled(collection, value)
  assert.deepEqual(
    (await one.standings()).map(({ events }) => [events.good, events.bad]),
    [
      [2, 1],
      [2, 2],
    ],
  )
})

test('a watch that stops leaves no timer', async () => {
  const { clock, watch, requests, all } = open(ERRORS)
  await requests(10, { outcome: 'failed' })
  const one = watch()
  one.keepUp()
  clock.advance(15_000)
  await one.stop()
  assert.equal((await all()).length, 1)
  assert.equal(clock.pending, 0)
})
