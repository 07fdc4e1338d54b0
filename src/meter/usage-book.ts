import { hash } from 'node:crypto'
import type { Clock, Timer } from '../base/clock.ts'
import type { Events } from '../store/events.ts'
import { type Change, type Key, put, remove, type Rows, SCAN_MAX, type Table, table } from '../store/rows.ts'
import type { Unit } from './ledger/amounts.ts'
import {
  addRollups,
  type Coordinates,
  DAYS,
  DIMENSIONS,
  type Dimension,
  emptyRollup,
  hourOf,
  HOURS,
  type Rollup,
  rollupOf,
  tagsOf,
} from './rollup.ts'
import { inputTokensOf, outputTokensOf, totalTokens } from './usage.ts'

/** The usage of every request, added up from the journal. It follows the journal by a cursor that
 *  is committed with the sums, so each request is counted exactly once, whatever crashes and
 *  however many follow at the same time. */

interface CursorRow {
  readonly position: number
}

const CURSORS = table<CursorRow>('cursors')
const CURSOR_KEY: Key = ['usage']

/** Entries added up in one commit. */
const BATCH_ENTRIES = 2000
/** Others follow the same journal rarely; each time one of us wins. */
const ATTEMPTS_MAX = 100
/** So that the first question of a month does not read a month of journal. */
const KEEP_UP_MS = 30_000
/** Rows of one answer. */
export const GROUPS_MAX = 10_000

const HOUR_MS = 3_600_000
/** How long sums of hours are kept: the longest month, and enough weeks to know the days of a week
 *  by. Those of days are kept for good. */
export const HOURS_KEPT_DAYS = 35

export type Where = Partial<Coordinates>

export interface UsageQuery {
  /** First and last day, `2026-11-22`, in UTC. */
  readonly from: string
  readonly to: string
  readonly by: readonly Dimension[]
  /** Only where the dimension has this value; of a request's tags, one of them. */
  readonly where: Where
}

/** What is to be added up hour by hour. */
export interface Series {
  readonly where: Where
  readonly unit: Unit
}

export interface UsageBookDependencies {
  readonly clock: Clock
  readonly rows: Rows
  readonly events: Events
}

export class UsageBook {
  readonly #clock: Clock
  readonly #rows: Rows
  readonly #events: Events
  #following: Promise<void> | undefined
  #timer: Timer | undefined

  constructor({ clock, rows, events }: UsageBookDependencies) {
    this.#clock = clock
    this.#rows = rows
    this.#events = events
  }

  /** Takes in what the journal has by now. Rejects with a `Fault` of the store. */
  catchUp(): Promise<void> {
    this.#following ??= this.#follow().finally(() => (this.#following = undefined))
    return this.#following
  }

  /** Takes in what comes and forgets old hours, now and then. A store that refuses is asked again
   *  next time. */
  keepUp(): void {
    this.#timer = this.#clock.after(KEEP_UP_MS, () => {
      void this.catchUp()
        .then(() => this.#forget())
        .catch(() => {})
        .then(() => this.#timer !== undefined && this.keepUp())
    })
  }

  /** Ends `keepUp`; resolves when nothing of it runs. */
  async stop(): Promise<void> {
    this.#timer?.cancel()
    this.#timer = undefined
    await this.#following?.catch(() => {})
  }

  /** The first hour that is kept, `2026-11-22T13`. */
  get oldestHour(): string {
    return hourOf(this.#clock.wallMs() - HOURS_KEPT_DAYS * 24 * HOUR_MS)
  }

  /** Sums by the dimensions asked for, everything that is recorded by now included: largest cost
   *  first. By `tag` a request counts under each of its tags. */
  async report(query: UsageQuery): Promise<Rollup[]> {
    const groups: Rollup[] = []
    for await (const some of this.groups(query)) groups.push(...some)
    return groups.toSorted(largestFirst).slice(0, GROUPS_MAX)
  }

  /** The same without a bound on the rows, hour by hour or day by day where it is by these, all at
   *  once where it is not: what is held in memory are the groups of one hour or day. */
  async *groups({ from, to, by, where }: UsageQuery): AsyncGenerator<Rollup[]> {
    await this.catchUp()
    const hourly = by.includes('hour') || where.hour !== undefined
    const time = hourly ? 'hour' : 'day'
    let now = ''
    let groups = new Map<string, Rollup>()
    for await (const row of this.#between(hourly ? HOURS : DAYS, time, from, `${to}~`)) {
      if (row.at[time] !== now && by.includes(time)) {
        if (groups.size > 0) yield [...groups.values()].toSorted(largestFirst)
        groups = new Map()
        now = row.at[time]
      }
      if (!isWhere(row.at, where)) continue
      for (const tag of by.includes('tag') ? tagsOf(row.at) : ['']) {
        if (by.includes('tag') && where.tag !== undefined && tag !== where.tag) continue
        const names = { ...row.at, tag }
        const at = Object.fromEntries(
          DIMENSIONS.map((name) => [name, by.includes(name) ? names[name] : '']),
        ) as Coordinates
        const key = JSON.stringify(Object.values(at))
        groups.set(key, addRollups(groups.get(key) ?? emptyRollup(at), row))
      }
    }
    if (groups.size > 0) yield [...groups.values()].toSorted(largestFirst)
  }

  /** What each series came to in each hour from that of `fromMs` to that of `toMs`, both included, as
   *  far as hours are kept: one pass over them, however many series there are. Nano-USD are rounded
   *  to what a number holds. */
  async hours(series: readonly Series[], fromMs: number, toMs: number): Promise<number[][]> {
    await this.catchUp()
    const first = Math.floor(fromMs / HOUR_MS)
    const length = Math.max(0, Math.floor(toMs / HOUR_MS) - first + 1)
    const sums = series.map(() => Array.from({ length }, () => 0))
    for await (const row of this.#between(HOURS, 'hour', hourOf(fromMs), hourOf(toMs))) {
      const at = Date.parse(`${row.at.hour}:00Z`) / HOUR_MS - first
      for (const [i, { where, unit }] of series.entries()) {
        const sum = sums[i]
        if (sum !== undefined && isWhere(row.at, where)) sum[at] = (sum[at] ?? 0) + amountOf(row, unit)
      }
    }
    return sums
  }

  async *#between(from: Table<Rollup>, time: 'hour' | 'day', first: string, last: string): AsyncGenerator<Rollup> {
    let after: Key = [first]
    for (;;) {
      const page = await this.#rows.scan(from, { after, limit: SCAN_MAX })
      for (const { row } of page) {
        if (row.at[time] > last) return
        yield row
      }
      const end = page.at(-1)
      if (end === undefined || page.length < SCAN_MAX) return
      after = end.key
    }
  }

  async #follow(): Promise<void> {
    for (let lost = 0; lost < ATTEMPTS_MAX;) {
      const cursor = await this.#rows.get(CURSORS, CURSOR_KEY)
      const from = cursor?.row.position ?? 0
      const { entries, position } = await this.#events.follow(from, BATCH_ENTRIES)
      if (position === from) return
      const hours: Rollup[] = []
      const days: Rollup[] = []
      const { oldestHour } = this
      for (const entry of entries) {
        const one = rollupOf(entry)
        if (one === undefined) continue
        days.push({ ...one, at: { ...one.at, hour: '' } })
        if (one.at.hour >= oldestHour) hours.push(one)
      }
      const changes = [...(await this.#adding(DAYS, 'day', days)), ...(await this.#adding(HOURS, 'hour', hours))]
      changes.push(put(CURSORS, CURSOR_KEY, { position }, cursor?.version ?? 0))
      if (!(await this.#rows.commit(changes))) lost++
    }
  }

  async #adding(into: Table<Rollup>, time: 'hour' | 'day', ones: readonly Rollup[]): Promise<Change[]> {
    const sums = new Map<string, Rollup>()
    for (const one of ones) {
      const key = keyOf(one.at, time).join('\n')
      const sum = sums.get(key)
      sums.set(key, sum === undefined ? one : addRollups(sum, one))
    }
    const added = [...sums.values()]
    const before = await this.#rows.getMany(
      into,
      added.map(({ at }) => keyOf(at, time)),
    )
    return added.map((sum, i) => {
      const stored = before[i]
      const row = stored === undefined ? sum : addRollups(stored.row, sum)
      return put(into, keyOf(sum.at, time), row, stored?.version ?? 0)
    })
  }

  async #forget(): Promise<void> {
    const { oldestHour } = this
    for (;;) {
      const page = await this.#rows.scan(HOURS, { limit: BATCH_ENTRIES })
      const old = page.filter(({ row }) => row.at.hour < oldestHour)
      if (old.length === 0) return
      await this.#rows.commit(old.map(({ key }) => remove(HOURS, key)))
    }
  }
}

/** The time first, so that a range of it is a range of keys. */
const keyOf = (at: Coordinates, time: 'hour' | 'day'): Key => [
  at[time],
  hash('sha256', JSON.stringify(DIMENSIONS.map((name) => at[name])), 'base64url'),
]

const isWhere = (at: Coordinates, where: Where): boolean =>
  DIMENSIONS.every((name) => {
    const wanted = where[name]
    return wanted === undefined || (name === 'tag' ? tagsOf(at).includes(wanted) : at[name] === wanted)
  })

function amountOf(row: Rollup, unit: Unit): number {
  if (unit === 'nanoUsd') return Number(row.costNanoUsd)
  if (unit === 'requests') return row.requests
  if (unit === 'inputTokens') return inputTokensOf(row)
  return unit === 'outputTokens' ? outputTokensOf(row) : totalTokens(row)
}

function largestFirst(a: Rollup, b: Rollup): number {
  const difference = BigInt(b.costNanoUsd) - BigInt(a.costNanoUsd)
  return difference > 0n ? 1 : difference < 0n ? -1 : b.requests - a.requests
}
