import { hash } from 'node:crypto'
import type { Clock, Timer } from '../base/clock.ts'
import type { Events } from '../store/events.ts'
import { type Change, type Key, put, type Rows, type Stored, table } from '../store/rows.ts'
import {
  addRollups,
  type Coordinates,
  DIMENSIONS,
  type Dimension,
  emptyRollup,
  type Rollup,
  rollupOf,
  ROLLUPS,
} from './rollup.ts'

/** The usage of every request, added up from the journal. It follows the journal by a cursor that
 *  is committed with the sums, so each request is counted exactly once, whatever crashes and
 *  however many follow at the same time. */

interface CursorRow {
  readonly position: number
}

const CURSORS = table<CursorRow>('cursors')
const CURSOR_KEY: Key = ['rollups']

/** Entries added up in one commit. */
const BATCH_ENTRIES = 2000
/** Others follow the same journal rarely; each time one of us wins. */
const ATTEMPTS_MAX = 100
const SCAN_PAGE = 10_000
/** So that the first question of a month does not read a month of journal. */
const KEEP_UP_MS = 30_000
/** Rows of one answer. */
export const GROUPS_MAX = 10_000

export interface UsageQuery {
  /** First and last day, `2026-11-22`, in UTC. */
  readonly from: string
  readonly to: string
  readonly by: readonly Dimension[]
  /** Only where the dimension has this value. */
  readonly where: Partial<Coordinates>
}

export interface UsageBookDependencies {
  readonly rows: Rows
  readonly events: Events
}

export class UsageBook {
  readonly #rows: Rows
  readonly #events: Events
  #following: Promise<void> | undefined
  #timer: Timer | undefined

  constructor({ rows, events }: UsageBookDependencies) {
    this.#rows = rows
    this.#events = events
  }

  /** Takes in what the journal has by now. Rejects with a `Fault` of the store. */
  catchUp(): Promise<void> {
    this.#following ??= this.#follow().finally(() => (this.#following = undefined))
    return this.#following
  }

  /** Takes in what comes, now and then. A store that refuses is asked again next time. */
  keepUp(clock: Clock): void {
    this.#timer = clock.after(KEEP_UP_MS, () => {
      void this.catchUp()
        .catch(() => {})
        .then(() => this.#timer !== undefined && this.keepUp(clock))
    })
  }

  /** Ends `keepUp`; resolves when nothing of it runs. */
  async stop(): Promise<void> {
    this.#timer?.cancel()
    this.#timer = undefined
    await this.#following?.catch(() => {})
  }

  /** Sums by the dimensions asked for, everything that is recorded by now included: largest cost
   *  first. */
  async report({ from, to, by, where }: UsageQuery): Promise<Rollup[]> {
    await this.catchUp()
    const groups = new Map<string, Rollup>()
    for await (const row of this.#between(from, to)) {
      if (!DIMENSIONS.every((name) => where[name] === undefined || where[name] === row.at[name])) continue
      const at = Object.fromEntries(
        DIMENSIONS.map((name) => [name, by.includes(name) ? row.at[name] : '']),
      ) as Coordinates
      const key = JSON.stringify(Object.values(at))
      groups.set(key, addRollups(groups.get(key) ?? emptyRollup(at), row))
    }
    return [...groups.values()].toSorted(largestFirst).slice(0, GROUPS_MAX)
  }

  async *#between(from: string, to: string): AsyncGenerator<Rollup> {
    let after: Key = [from]
    for (;;) {
      const page = await this.#rows.scan(ROLLUPS, { after, limit: SCAN_PAGE })
      for (const { row } of page) {
        if (row.at.day > to) return
        yield row
      }
      const last = page.at(-1)
      if (last === undefined || page.length < SCAN_PAGE) return
      after = last.key
    }
  }

  async #follow(): Promise<void> {
    for (let lost = 0; lost < ATTEMPTS_MAX;) {
      const cursor = await this.#rows.get(CURSORS, CURSOR_KEY)
      const from = cursor?.row.position ?? 0
      const { entries, position } = await this.#events.follow(from, BATCH_ENTRIES)
      if (position === from) return
      const sums = new Map<string, Rollup>()
      for (const entry of entries) {
        const one = rollupOf(entry)
        if (one === undefined) continue
        const key = keyOf(one.at).join('\n')
        sums.set(key, addRollups(sums.get(key) ?? emptyRollup(one.at), one))
      }
      const added = [...sums.values()]
      const before: (Stored<Rollup> | undefined)[] = await this.#rows.getMany(
        ROLLUPS,
        added.map(({ at }) => keyOf(at)),
      )
      const changes: Change[] = added.map((sum, i) => {
        const stored = before[i]
        return put(
          ROLLUPS,
          keyOf(sum.at),
          stored === undefined ? sum : addRollups(stored.row, sum),
          stored?.version ?? 0,
        )
      })
      changes.push(put(CURSORS, CURSOR_KEY, { position }, cursor?.version ?? 0))
      if (!(await this.#rows.commit(changes))) lost++
    }
  }
}

/** The day first, so that a range of days is a range of keys. */
const keyOf = (at: Coordinates): Key => [
  at.day,
  hash('sha256', JSON.stringify(DIMENSIONS.map((name) => at[name])), 'base64url'),
]

function largestFirst(a: Rollup, b: Rollup): number {
  const difference = BigInt(b.costNanoUsd) - BigInt(a.costNanoUsd)
  return difference > 0n ? 1 : difference < 0n ? -1 : b.requests - a.requests
}
