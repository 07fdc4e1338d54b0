import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeEach, describe, test } from 'node:test'
import { ManualClock } from '../../../tests/kit/clock.ts'
import { openCollection } from '../../../tests/kit/source-contract.ts'
import { NO_SOURCES } from '../../../tests/kit/sources.ts'
import { Refusal } from '../../base/errors.ts'
import { silentLog as log } from '../../base/log.ts'
import { seededRandom } from '../../base/random.ts'
import type { SourceConfig } from '../../config/schema.ts'
import { MemoryLeases } from '../../drivers/memory/leases.ts'
import { MemoryRows } from '../../drivers/memory/rows.ts'
import { put } from '../../store/rows.ts'
import { sourceText } from '../sources.ts'
import { everyMsOf, Schedules } from './schedules.ts'
import { ingestKey, INGESTS, type IngestRow, newRow, type RunState } from './state.ts'

const MINUTE = 60_000
const STEP_MS = MINUTE
const wiki: SourceConfig = { kind: 'folder', path: '/srv/wiki', every: '10m' }
const pages: SourceConfig = { kind: 'urls', name: 'urls', urls: ['https://example.com/'], every: '10m' }

let clock: ManualClock
let rows: MemoryRows
let leases: MemoryLeases
/** Runs that were begun, in their order. */
let begun: IngestRow[]
let refusal: Refusal | undefined

describe('ingest: schedules', () => {
  beforeEach(() => {
    clock = new ManualClock()
    rows = new MemoryRows()
    leases = new MemoryLeases(clock)
    begun = []
    refusal = undefined
  })

  /** One process. Its runs stay as they are until a test ends them. */
  function open(holder: string): Schedules {
    return new Schedules({
      rows,
      leases,
      holder,
      clock,
      random: seededRandom(1),
      log,
      ingest: {
        async start(collection, what) {
          if (refusal !== undefined) return refusal
          const source = what as SourceConfig
          const run = `ing_${String(begun.length).padStart(3, '0')}`
          const row = newRow({ run, collection, path: sourceText(source), source }, clock.wallMs())
          begun.push(row)
          await rows.commit([put(INGESTS, ingestKey(run), row)])
          return run
        },
      },
    })
  }

  const following = (holder: string, sources: readonly SourceConfig[]): Schedules => {
    const schedules = open(holder)
    schedules.follow({ shelf: { sources } })
    return schedules
  }

  async function end(state: RunState): Promise<void> {
    const row = begun.at(-1)!
    await rows.commit([put(INGESTS, ingestKey(row.run), { ...row, state, endedAtMs: clock.wallMs() })])
  }

  /** How long until the next run begins, looked at now and then. */
  async function untilBegun(schedules: Schedules, withinMs: number): Promise<number | undefined> {
    const { length } = begun
    for (let waited = 0; waited <= withinMs; waited += STEP_MS) {
      await schedules.look()
      if (begun.length > length) return waited
      clock.advance(STEP_MS)
    }
    return undefined
  }

  test('a source is read again when it is due, a little late, and once however many processes look', async () => {
    const houses = ['a', 'b', 'c'].map((holder) => following(holder, [wiki]))
    await houses[0]!.look()
    assert.deepEqual(begun, [])
    clock.advance(10 * MINUTE - 1)
    await Promise.all(houses.map((one) => one.look()))
    assert.deepEqual(begun, [], 'not before it is due')
    clock.advance(MINUTE + 1)
    await Promise.all(houses.map((one) => one.look()))
    await Promise.all(houses.map((one) => one.look()))
    assert.deepEqual(
      begun.map(({ collection, path }) => [collection, path]),
      [['shelf', '/srv/wiki']],
    )
    await end('done')
    const waited = await untilBegun(houses[1]!, 20 * MINUTE)
    assert.ok(waited !== undefined && waited >= 10 * MINUTE && waited <= 11 * MINUTE + STEP_MS, String(waited))
  })

  test('two sources of one collection are never read at once, nor beside a run that somebody asked for', async () => {
    const schedules = following('a', [wiki, pages])
    const asked = newRow({ run: 'ing_asked', collection: 'shelf', path: '/elsewhere' }, clock.wallMs())
    await rows.commit([put(INGESTS, ingestKey('ing_asked'), { ...asked, state: 'running' })])
    await schedules.look()
    clock.advance(20 * MINUTE)
    await schedules.look()
    assert.deepEqual(begun, [])
    await rows.commit([
      put(INGESTS, ingestKey('ing_asked'), { ...asked, state: 'cancelled', endedAtMs: clock.wallMs() }),
    ])
    await schedules.look()
    await schedules.look()
    assert.equal(begun.length, 1)
    await end('done')
    await schedules.look()
    assert.deepEqual(
      begun.map(({ path }) => path).toSorted((a, b) => (a < b ? -1 : 1)),
      ['/srv/wiki', 'urls:urls'],
    )
  })

  test('a source that fails is asked half as often each time, down to once a day, and as often as before once it answers', async () => {
    const schedules = following('a', [wiki])
    await schedules.look()
    clock.advance(11 * MINUTE)
    await schedules.look()
    for (const failures of [1, 2, 3]) {
      await end('failed')
      const waited = await untilBegun(schedules, 24 * 60 * MINUTE)
      const leastMs = 10 * MINUTE * 2 ** failures
      assert.ok(
        waited !== undefined && waited >= leastMs && waited <= leastMs * 1.1 + STEP_MS,
        `${failures}: ${waited}`,
      )
    }
    for (let failures = 4; failures < 12; failures++) {
      await end('failed')
      await untilBegun(schedules, 30 * 60 * MINUTE)
    }
    await end('failed')
    await schedules.look()
    const [row] = await schedules.of('shelf')
    assert.equal(row?.failures, 12)
    assert.ok(row.nextAtMs - clock.wallMs() <= 24 * 60 * MINUTE * 1.1)
    await untilBegun(schedules, 30 * 60 * MINUTE)
    await end('done')
    await schedules.look()
    const [after] = await schedules.of('shelf')
    assert.equal(after?.failures, 0)
    assert.ok(after.nextAtMs - clock.wallMs() <= 11 * MINUTE)
  })

  test('what cannot even begin counts as a failure', async () => {
    const schedules = following('a', [wiki])
    await schedules.look()
    clock.advance(11 * MINUTE)
    refusal = new Refusal('source_unreadable', { source: '/srv/wiki', reason: 'it is gone' })
    await schedules.look()
    const [row] = await schedules.of('shelf')
    assert.equal(row?.failures, 1)
    assert.ok(row.nextAtMs >= clock.wallMs() + 20 * MINUTE)
  })

  test('a restart changes nothing: what was due stays due, what was begun is waited for', async () => {
    const before = following('a', [wiki])
    await before.look()
    const [planned] = await before.of('shelf')
    clock.advance(5 * MINUTE)
    await before.stop()
    const after = following('b', [wiki])
    await after.look()
    assert.deepEqual(await after.of('shelf'), [planned])
    clock.advance(6 * MINUTE)
    await after.look()
    assert.equal(begun.length, 1)
    const third = following('c', [wiki])
    clock.advance(60 * MINUTE)
    await third.look()
    assert.equal(begun.length, 1, 'its run has not ended')
  })

  test('a reading that somebody asked for counts, and puts off the next', async () => {
    const schedules = following('a', [wiki])
    await schedules.look()
    clock.advance(9 * MINUTE)
    const asked = newRow({ run: 'ing_asked', collection: 'shelf', path: '/srv/wiki', source: wiki }, clock.wallMs())
    await rows.commit([put(INGESTS, ingestKey('ing_asked'), { ...asked, state: 'done', endedAtMs: clock.wallMs() })])
    clock.advance(2 * MINUTE)
    await schedules.look()
    assert.deepEqual(begun, [])
    const waited = await untilBegun(schedules, 30 * MINUTE)
    assert.ok(waited !== undefined && waited >= 8 * MINUTE, String(waited))
  })

  test('who holds the lease of a collection and dies holds nobody up for long', async () => {
    const schedules = following('a', [wiki])
    await schedules.look()
    clock.advance(11 * MINUTE)
    await leases.acquire('schedule/shelf', 'dead', 30_000)
    await schedules.look()
    assert.deepEqual(begun, [])
    clock.advance(30_000)
    await schedules.look()
    assert.equal(begun.length, 1)
  })

  test('the configuration decides: what it drops is forgotten, what it asks for sooner comes sooner', async () => {
    const schedules = following('a', [{ ...wiki, every: '7d' }, pages])
    await schedules.look()
    assert.equal((await schedules.of('shelf')).length, 2)
    schedules.follow({ shelf: { sources: [{ ...wiki, every: '1m' }] } })
    await schedules.look()
    const [row, ...others] = await schedules.of('shelf')
    assert.deepEqual([row?.source, row?.everyMs, others], ['/srv/wiki', MINUTE, []])
    assert.ok(row!.nextAtMs <= clock.wallMs() + 1.1 * MINUTE)
    schedules.follow({ shelf: { sources: [{ kind: 'folder', path: '/srv/wiki' }] } })
    await schedules.look()
    assert.deepEqual(await schedules.of('shelf'), [])
  })

  test('durations are read as they are written', () => {
    const read = (every: string): number | undefined => everyMsOf({ kind: 'folder', path: '/', every })
    assert.deepEqual(['1m', '15m', '6h', '7d'].map(read), [MINUTE, 15 * MINUTE, 360 * MINUTE, 7 * 1440 * MINUTE])
    assert.equal(everyMsOf({ kind: 'folder', path: '/' }), undefined)
    assert.equal(everyMsOf({ kind: 'nats', servers: ['h:1'], stream: 's', consumer: 'c' }), undefined)
  })

  test('a changed file of a folder is found again by the real ingest', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'headworks-schedule-'))
    await writeFile(join(folder, 'a.md'), 'A red apple.')
    const house = openCollection(NO_SOURCES)
    // The ingest's own clock is the machine's.
    const wall = new ManualClock(Date.now())
    const source: SourceConfig = { kind: 'folder', path: folder, every: '1h' }
    const schedules = new Schedules({
      rows: house.rows,
      leases: new MemoryLeases(wall),
      holder: 'a',
      ingest: house.ingest,
      clock: wall,
      random: seededRandom(1),
      log,
    })
    schedules.follow({ shelf: { sources: [source] } })
    await house.run(source)
    await schedules.look()
    await writeFile(join(folder, 'a.md'), 'A green apricot.')
    wall.advance(70 * MINUTE)
    await schedules.look()
    const [row] = await schedules.of('shelf')
    await house.ended(row?.run)
    assert.deepEqual([await house.find('apple'), await house.find('apricot')], [0, 1])
    await schedules.stop()
    await house.ingest.stop()
    await rm(folder, { recursive: true })
  })
})
