import type { Clock } from '../../base/clock.ts'
import type { Events as Journal } from '../../store/events.ts'
import {
  type Change,
  getAll,
  type Key,
  put,
  remove,
  type Rows,
  SCAN_MAX,
  type Stored,
  table,
} from '../../store/rows.ts'
import { hourOf } from '../rollup.ts'
import { type Events, Timeline } from './burn.ts'
import { countsOf, isGood, isRecalled, type Objective } from './objective.ts'

/** Good and bad events of every objective, minute by minute, counted from the journal. Each objective
 *  has its place in the journal, committed with its counts: every request is counted exactly once,
 *  whatever crashes, however many processes follow; one that is new counts what was before it. */

interface HourRow {
  /** Of its 60 minutes. */
  readonly good: readonly number[]
  readonly bad: readonly number[]
}

/** Keyed by [hour, objective]: a range of time is a range of keys. */
const HOURS = table<HourRow>('objectives.hours')
/** Keyed by objective. */
const CURSORS = table<{ readonly position: number }>('objectives.cursors')

const MINUTES = 60
export const MINUTE_MS = 60_000
const HOUR_MS = MINUTES * MINUTE_MS
/** The longest window of an objective. */
const DAYS_MAX = 90
/** Entries counted in one commit. */
const BATCH_ENTRIES = 1_000
/** Others follow the same journal rarely; each time one of us wins. */
const ATTEMPTS_MAX = 100
/** Measurements of recall that wait to be written. What a crash takes away are samples. */
const SAMPLES_MAX = 10_000

export interface CountsDependencies {
  readonly clock: Clock
  readonly rows: Rows
  readonly events: Journal
  /** Those of the configuration in force. */
  readonly objectives: () => readonly Objective[]
}

interface Counted {
  readonly atMs: number
  readonly isGood: boolean
}

export class ObjectiveCounts {
  readonly #dependencies: CountsDependencies
  #samples: { readonly collection: string; readonly recall: number; readonly atMs: number }[] = []

  constructor(dependencies: CountsDependencies) {
    this.#dependencies = dependencies
  }

  /** The recall of one search of a collection, 0 to 1. */
  recalled(collection: string, recall: number): void {
    if (this.#samples.length < SAMPLES_MAX)
      this.#samples.push({ collection, recall, atMs: this.#dependencies.clock.wallMs() })
  }

  /** Counts what there is by now. Rejects with a `Fault` of the store. */
  async catchUp(): Promise<void> {
    const objectives = new Map(this.#dependencies.objectives().map((one) => [countsOf(one), one]))
    await this.#countSamples(objectives)
    for (let lost = 0; lost < ATTEMPTS_MAX;) {
      const keys = [...objectives.keys()].map((id): Key => [id])
      const cursors = await getAll(this.#dependencies.rows, CURSORS, keys)
      const places = new Map(keys.map(([id = ''], at) => [id, cursors[at]]))
      const positions = [...places.values()].map((stored) => stored?.row.position ?? 0)
      const step = await this.#step(objectives, places, [...new Set(positions)])
      if (step === 'done') return
      if (step === 'lost') lost++
    }
  }

  /** Of each objective, the events of so many minutes up to now. */
  async lately(objectives: readonly Objective[], minutes: number): Promise<Map<string, Timeline>> {
    const nowMs = this.#dependencies.clock.wallMs()
    const first = Math.floor((nowMs - minutes * MINUTE_MS) / HOUR_MS)
    const length = (Math.floor(nowMs / HOUR_MS) - first + 1) * MINUTES
    const all = new Map(
      objectives.map((one) => [countsOf(one), Array.from({ length }, () => ({ good: 0, bad: 0 }))] as const),
    )
    for await (const { hour, id, row } of this.#since(first * HOUR_MS)) {
      const found = all.get(id)
      const start = (hour / HOUR_MS - first) * MINUTES
      for (let minute = 0; found !== undefined && minute < MINUTES && start + minute < length; minute++)
        found[start + minute] = { good: row.good[minute] ?? 0, bad: row.bad[minute] ?? 0 }
    }
    return new Map(objectives.map(({ name }, at) => [name, new Timeline(first * MINUTES, [...all.values()][at] ?? [])]))
  }

  /** Of each objective, the events of its window. */
  async inWindow(objectives: readonly Objective[]): Promise<Map<string, Events>> {
    const nowMs = this.#dependencies.clock.wallMs()
    const days = Math.max(0, ...objectives.map(({ windowDays }) => windowDays))
    const sums = new Map<string, Events>()
    const byId = new Map(objectives.map((one) => [countsOf(one), one]))
    for await (const { hour, id, row } of this.#since(nowMs - days * 24 * HOUR_MS)) {
      const objective = byId.get(id)
      if (objective === undefined || hour + HOUR_MS <= nowMs - objective.windowDays * 24 * HOUR_MS) continue
      const { good, bad } = sums.get(objective.name) ?? { good: 0, bad: 0 }
      sums.set(objective.name, { good: good + sum(row.good), bad: bad + sum(row.bad) })
    }
    return sums
  }

  /** Forgets hours that no window reaches. */
  async forget(): Promise<void> {
    const { rows, clock } = this.#dependencies
    const oldest = hourOf(clock.wallMs() - DAYS_MAX * 24 * HOUR_MS)
    for (;;) {
      const page = await rows.scan(HOURS, { limit: BATCH_ENTRIES })
      const old = page.filter(({ key: [hour = ''] }) => hour < oldest)
      if (old.length === 0) return
      await rows.commit(old.map(({ key }) => remove(HOURS, key)))
    }
  }

  async *#since(fromMs: number): AsyncGenerator<{ hour: number; id: string; row: HourRow }> {
    let after: Key | undefined = [hourOf(fromMs)]
    while (after !== undefined) {
      const page: Stored<HourRow>[] = await this.#dependencies.rows.scan(HOURS, { after, limit: SCAN_MAX })
      for (const { key, row } of page) yield { hour: Date.parse(`${key[0]}:00Z`), id: key[1] ?? '', row }
      after = page.length === SCAN_MAX ? page.at(-1)?.key : undefined
    }
  }

  /** Takes those that are furthest behind a batch further. */
  async #step(
    objectives: ReadonlyMap<string, Objective>,
    places: ReadonlyMap<string, Stored<{ readonly position: number }> | undefined>,
    positions: readonly number[],
  ): Promise<'done' | 'lost' | 'on'> {
    const { rows, events } = this.#dependencies
    for (const from of positions.toSorted((a, b) => a - b)) {
      const { entries, position } = await events.follow(from, BATCH_ENTRIES)
      if (position === from) continue
      const counted = new Map<string, Counted[]>()
      const changes: Change[] = []
      for (const [id, stored] of places) {
        const objective = objectives.get(id)
        if (objective === undefined || (stored?.row.position ?? 0) !== from) continue
        changes.push(put(CURSORS, [id], { position }, stored?.version ?? 0))
        const ones = entries.flatMap((entry) => {
          const good = isGood(objective, entry)
          return good === undefined ? [] : [{ atMs: entry.atMs, isGood: good }]
        })
        counted.set(id, ones)
      }
      return (await rows.commit([...changes, ...(await this.#adding(counted))])) ? 'on' : 'lost'
    }
    return 'done'
  }

  async #countSamples(objectives: ReadonlyMap<string, Objective>): Promise<void> {
    const samples = this.#samples
    this.#samples = []
    const counted = new Map<string, Counted[]>()
    for (const [id, objective] of objectives) {
      const ones = samples.flatMap(({ collection, recall, atMs }) => {
        const good = isRecalled(objective, collection, recall)
        return good === undefined ? [] : [{ atMs, isGood: good }]
      })
      if (ones.length > 0) counted.set(id, ones)
    }
    for (let attempt = 0; counted.size > 0 && attempt < ATTEMPTS_MAX; attempt++)
      if (await this.#dependencies.rows.commit(await this.#adding(counted))) return
  }

  /** Changes that add events to their hours. */
  async #adding(counted: ReadonlyMap<string, readonly Counted[]>): Promise<Change[]> {
    const oldest = this.#dependencies.clock.wallMs() - DAYS_MAX * 24 * HOUR_MS
    const sums = new Map<string, { readonly key: Key; readonly good: number[]; readonly bad: number[] }>()
    for (const [id, ones] of counted) {
      for (const one of ones) {
        if (one.atMs < oldest) continue
        const key = [hourOf(one.atMs), id]
        const text = key.join('\n')
        const found = sums.get(text) ?? { key, good: zeros(), bad: zeros() }
        sums.set(text, found)
        const minute = Math.floor(one.atMs / MINUTE_MS) % MINUTES
        const into = one.isGood ? found.good : found.bad
        into[minute] = (into[minute] ?? 0) + 1
      }
    }
    const all = [...sums.values()]
    const before = await getAll(
      this.#dependencies.rows,
      HOURS,
      all.map(({ key }) => key),
    )
    return all.map(({ key, good, bad }, at) => {
      const stored = before[at]
      const row = { good: added(good, stored?.row.good), bad: added(bad, stored?.row.bad) }
      return put(HOURS, key, row, stored?.version ?? 0)
    })
  }
}

const zeros = (): number[] => Array.from({ length: MINUTES }, () => 0)
const added = (counts: readonly number[], more: readonly number[] = []): number[] =>
  counts.map((count, at) => count + (more[at] ?? 0))
const sum = (counts: readonly number[]): number => counts.reduce((total, count) => total + count, 0)
