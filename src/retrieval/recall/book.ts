import type { Clock } from '../../base/clock.ts'
import type { JsonObject } from '../../base/json.ts'
import type { Alerts } from '../../meter/alerts/alerts.ts'
import { countOf, EMPTY_SKETCH, mergeSketches, quantile, type Sketch, sketchOf } from '../../trace/sketch.ts'
import { put, remove, type Rows, scanAll, table } from '../../store/rows.ts'
import { Aims } from './aim.ts'
import { wilson } from './interval.ts'

/** How well collections answer, by what was measured while they did: recall against looking at every
 *  vector, and how long a change took to be searchable. Kept by day, told over the last
 *  `DAYS_TOLD`. */

/** The share of chunks that a query's filter lets through, in percent. */
export const SELECTIVITIES = ['10..100', '1..10', '0..1'] as const
export type Selectivity = (typeof SELECTIVITIES)[number]

/** Of one collection and one day. */
interface QualityRow {
  readonly recall: { readonly [S in Selectivity]?: Recalls }
  /** Sampled, and not replayed: there was too much to do. */
  readonly skipped: number
  /** Milliseconds that searches took. Absent: kept before these were. */
  readonly searches?: Sketch
  /** Milliseconds from when the reading of a source began to when what it found was searchable. */
  readonly freshness: Sketch
}

interface Recalls {
  readonly queries: number
  readonly sum: number
}

const QUALITY = table<QualityRow>('quality')
const NOTHING: QualityRow = { recall: {}, skipped: 0, freshness: EMPTY_SKETCH }

const DAYS_TOLD = 7
const DAY_MS = 86_400_000
/** How long measurements wait to be written together. What a crash takes away is a sample. */
const SAVE_MS = 5_000
/** Another process writes the same row. */
const ATTEMPTS_MAX = 20
/** Before as many queries nobody is alarmed. */
const ALERT_QUERIES_MIN = 50

/** What searching a collection is meant to reach. */
export interface QualityTargets {
  /** 0 to 1. */
  readonly recallAt10: number
  /** Of its vectors, while they are searched. */
  readonly memoryBytesMax?: number | undefined
  readonly searchP95Ms: number
  readonly freshnessMs: number
}

export interface QualityBookDependencies {
  readonly clock: Clock
  readonly rows: Rows
  readonly alerts: Pick<Alerts, 'raise' | 'close'>
  readonly targetsOf: (collection: string) => QualityTargets
  /** Told of every query that was measured. */
  readonly onRecall?: (collection: string, recall: number) => void
  readonly onTrouble: (cause: unknown) => void
}

export class QualityBook {
  /** What searches by vector aim at. */
  readonly aims: Aims
  readonly #dependencies: QualityBookDependencies
  #unsaved = new Map<string, QualityRow>()
  #saving: Promise<void> = Promise.resolve()
  #timer: { cancel(): void } | undefined

  constructor(dependencies: QualityBookDependencies) {
    this.#dependencies = dependencies
    this.aims = new Aims((collection) => dependencies.targetsOf(collection).recallAt10)
  }

  /** Of one query, 0 to 1. */
  measured(collection: string, selectivity: Selectivity, recall: number): void {
    if (selectivity === '10..100') this.aims.measured(collection, recall)
    this.#dependencies.onRecall?.(collection, recall)
    this.#add(collection, { ...NOTHING, recall: { [selectivity]: { queries: 1, sum: recall } } })
  }

  skipped(collection: string): void {
    this.#add(collection, { ...NOTHING, skipped: 1 })
  }

  searched(collection: string, tookMs: number): void {
    this.#add(collection, { ...NOTHING, searches: sketchOf(tookMs) })
  }

  /** `count` documents became searchable so long after what changed them. */
  fresh(collection: string, afterMs: number, count: number): void {
    const { buckets, zeros } = sketchOf(afterMs)
    const freshness = { zeros: zeros * count, buckets: buckets.map(([at, n]) => [at, n * count] as const) }
    this.#add(collection, { ...NOTHING, freshness })
  }

  /** As the API shows it. */
  async figures(collection: string): Promise<JsonObject> {
    await this.save()
    const row = await this.#lately(collection)
    const percentiles = (sketch: Sketch): JsonObject => ({
      p50: quantile(sketch, 0.5) ?? null,
      p95: quantile(sketch, 0.95) ?? null,
      p99: quantile(sketch, 0.99) ?? null,
    })
    const { searches = EMPTY_SKETCH, freshness } = row
    return {
      days: DAYS_TOLD,
      recallAt10: SELECTIVITIES.map((selectivity) => {
        const { queries = 0, sum = 0 } = row.recall[selectivity] ?? {}
        const mean = queries === 0 ? null : sum / queries
        const { low, high } = wilson(mean ?? 0, queries)
        return { selectivityPercent: selectivity, recall: mean, low, high, queries }
      }),
      targets: { ...this.#dependencies.targetsOf(collection) },
      recallAim: this.aims.of(collection),
      skipped: row.skipped,
      searchMs: { ...percentiles(searches), searches: countOf(searches) },
      freshnessMs: { ...percentiles(freshness), documents: countOf(freshness) },
    }
  }

  /** Resolves once what was measured so far is kept. */
  save(): Promise<void> {
    this.#timer?.cancel()
    this.#timer = undefined
    const unsaved = this.#unsaved
    this.#unsaved = new Map()
    if (unsaved.size > 0)
      this.#saving = this.#saving
        .then(async () => {
          for (const [collection, row] of unsaved) {
            await this.#keep(collection, row)
            await this.#judge(collection)
          }
        })
        .catch(this.#dependencies.onTrouble)
    return this.#saving
  }

  /** Forgets what was measured of collections that `isKnown` does not know, and what is too old. */
  async prune(isKnown: (collection: string) => boolean): Promise<void> {
    const { rows } = this.#dependencies
    const oldest = this.#day(-DAYS_TOLD)
    for await (const { key } of scanAll(rows, QUALITY)) {
      const [collection = '', day = ''] = key
      if (day < oldest || !isKnown(collection)) await rows.commit([remove(QUALITY, key)])
    }
  }

  #add(collection: string, row: QualityRow): void {
    this.#unsaved.set(collection, sum(this.#unsaved.get(collection) ?? NOTHING, row))
    this.#timer ??= this.#dependencies.clock.after(SAVE_MS, () => void this.save())
  }

  async #keep(collection: string, row: QualityRow): Promise<void> {
    const { rows } = this.#dependencies
    const key = [collection, this.#day(0)]
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
      const stored = await rows.get(QUALITY, key)
      if (await rows.commit([put(QUALITY, key, sum(stored?.row ?? NOTHING, row), stored?.version ?? 0)])) return
    }
  }

  /** Raised where the whole interval lies below the target, closed where it no longer does. */
  async #judge(collection: string): Promise<void> {
    const { alerts, targetsOf } = this.#dependencies
    const { recall } = await this.#lately(collection)
    const target = targetsOf(collection).recallAt10
    for (const selectivity of SELECTIVITIES) {
      const { queries, sum: total } = recall[selectivity] ?? { queries: 0, sum: 0 }
      if (queries < ALERT_QUERIES_MIN) continue
      const mean = total / queries
      const { low, high } = wilson(mean, queries)
      const key = JSON.stringify(['recall', collection, selectivity])
      if (high >= target) await alerts.close(key, 'recall is no longer known to be below its target')
      else
        await alerts.raise({
          kind: 'recall_low',
          subject: { collection, selectivityPercent: selectivity },
          key,
          step: mean.toFixed(1),
          evidence: { recallAt10: mean, low, high, queries, target, days: DAYS_TOLD },
        })
    }
  }

  async #lately(collection: string): Promise<QualityRow> {
    const days = await this.#dependencies.rows.getMany(
      QUALITY,
      Array.from({ length: DAYS_TOLD }, (_, at) => [collection, this.#day(-at)]),
    )
    return days.reduce((total, stored) => (stored === undefined ? total : sum(total, stored.row)), NOTHING)
  }

  #day(after: number): string {
    return new Date(this.#dependencies.clock.wallMs() + after * DAY_MS).toISOString().slice(0, 10)
  }
}

function sum(a: QualityRow, b: QualityRow): QualityRow {
  const recall: { [S in Selectivity]?: Recalls } = {}
  for (const selectivity of SELECTIVITIES) {
    const [left, right] = [a.recall[selectivity], b.recall[selectivity]]
    if (left === undefined && right === undefined) continue
    recall[selectivity] = {
      queries: (left?.queries ?? 0) + (right?.queries ?? 0),
      sum: (left?.sum ?? 0) + (right?.sum ?? 0),
    }
  }
  const searches = mergeSketches(a.searches ?? EMPTY_SKETCH, b.searches ?? EMPTY_SKETCH)
  return { recall, skipped: a.skipped + b.skipped, searches, freshness: mergeSketches(a.freshness, b.freshness) }
}
