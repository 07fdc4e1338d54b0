import { SERIES_DIMENSIONS, type SeriesDimension, type SeriesPoint } from './port.ts'
import { sketchFrom, SketchSum } from './sketch.ts'
import type { SpanRow } from './span.ts'

/** Spans added up: one sum for each bucket of time and combination of tenant, service, kind, name and
 *  model. Sums of any selection add up to one answer, percentiles included. */

export const MINUTES_US = 5 * 60_000_000
export const HOUR_US = 3_600_000_000

/** Names, models and services told apart within a bucket; what comes after is `(other)`. A program
 *  that puts ids into the names of its spans fills no disk. */
const COMBINATIONS_MAX = 2_000
const OTHER = '(other)'

export interface RollupSums {
  readonly bucketUs: number
  readonly of: { readonly [Name in SeriesDimension]: string }
  spans: number
  errors: number
  inputTokens: number
  outputTokens: number
  costNanoUsd: number
  readonly durationUs: SketchSum
  readonly firstTokenUs: SketchSum
  /** One of its spans, the latest that was added. */
  example: { readonly traceId: string; readonly durationUs: number; readonly atUs: number } | undefined
}

/** Sums of one batch of spans, by the width of the bucket. */
export class Rollups {
  readonly #widthUs: number
  readonly #sums = new Map<string, RollupSums>()

  constructor(widthUs: number) {
    this.#widthUs = widthUs
  }

  add(row: SpanRow): void {
    if (row.kind === 'event') return
    const bucketUs = Math.floor(row.startUs / this.#widthUs) * this.#widthUs
    const sums = this.#sumsOf(bucketUs, row)
    sums.spans++
    if (row.status === 'error') sums.errors++
    sums.inputTokens += (row.inputTokens ?? 0) + (row.cachedInputTokens ?? 0) + (row.cacheWriteTokens ?? 0)
    sums.outputTokens += (row.outputTokens ?? 0) + (row.reasoningTokens ?? 0)
    sums.costNanoUsd += row.costNanoUsd ?? 0
    sums.durationUs.add(row.durationUs)
    if (row.firstTokenUs !== null) sums.firstTokenUs.add(row.firstTokenUs)
    sums.example = { traceId: row.traceId, durationUs: row.durationUs, atUs: row.startUs + row.durationUs }
  }

  sums(): Iterable<RollupSums> {
    return this.#sums.values()
  }

  #sumsOf(bucketUs: number, row: SpanRow): RollupSums {
    const { tenant, service, kind, name, model } = row
    const key = `${bucketUs}\n${tenant}\n${service}\n${kind}\n${name}\n${model}`
    const known = this.#sums.get(key)
    if (known !== undefined) return known
    const isOther = this.#sums.size >= COMBINATIONS_MAX
    const sums = emptySums(bucketUs, {
      tenant,
      service,
      kind,
      name: isOther ? OTHER : name,
      model: isOther ? OTHER : model,
    })
    const stored = isOther ? `${bucketUs}\n${tenant}\n${service}\n${kind}\n${OTHER}` : key
    const again = this.#sums.get(stored)
    if (again !== undefined) return again
    this.#sums.set(stored, sums)
    return sums
  }
}

export const emptySums = (bucketUs: number, of: RollupSums['of']): RollupSums => ({
  bucketUs,
  of,
  spans: 0,
  errors: 0,
  inputTokens: 0,
  outputTokens: 0,
  costNanoUsd: 0,
  durationUs: new SketchSum(),
  firstTokenUs: new SketchSum(),
  example: undefined,
})

/** The coordinates of a sum as one text, which orders and compares. */
export const coordinatesText = (of: RollupSums['of']): string =>
  JSON.stringify(SERIES_DIMENSIONS.map((name) => of[name]))

export function coordinatesFrom(text: string): RollupSums['of'] {
  const values = JSON.parse(text) as string[]
  return Object.fromEntries(SERIES_DIMENSIONS.map((name, at) => [name, values[at] ?? ''])) as RollupSums['of']
}

/** What was added up since this process began, by tenant, service, kind and model: counters, as those who
 *  scrape want them. */
export class Totals {
  readonly #sums = new Map<string, RollupSums>()

  add(all: Iterable<RollupSums>): void {
    for (const one of all) {
      const of = { ...one.of, name: '' }
      const text = coordinatesText(of)
      const key = this.#sums.has(text) || this.#sums.size < COMBINATIONS_MAX ? text : OTHER
      let sums = this.#sums.get(key)
      if (sums === undefined) {
        sums = emptySums(0, key === OTHER ? { tenant: OTHER, service: OTHER, kind: OTHER, name: '', model: OTHER } : of)
        this.#sums.set(key, sums)
      }
      sums.spans += one.spans
      sums.errors += one.errors
      sums.inputTokens += one.inputTokens
      sums.outputTokens += one.outputTokens
      sums.costNanoUsd += one.costNanoUsd
      sums.durationUs.mergeBytes(one.durationUs.bytes())
      sums.firstTokenUs.mergeBytes(one.firstTokenUs.bytes())
      sums.example = one.example
    }
  }

  points(): PackedPoint[] {
    return [...this.#sums.values()].map((sums) => pointOf(sums, sums.of))
  }
}

/** A point on its way between threads: sketches are many small objects, which cost more to hand over than
 *  to add up. */
export type PackedPoint = Omit<SeriesPoint, 'durationUs' | 'firstTokenUs'> & {
  readonly sketches: readonly [durationUs: Uint8Array, firstTokenUs: Uint8Array]
}

/** Sums as they are answered. */
export const pointOf = (sums: RollupSums, of: SeriesPoint['of']): PackedPoint => ({
  atUs: sums.bucketUs,
  of,
  spans: sums.spans,
  errors: sums.errors,
  inputTokens: sums.inputTokens,
  outputTokens: sums.outputTokens,
  costNanoUsd: sums.costNanoUsd,
  sketches: [sums.durationUs.bytes(), sums.firstTokenUs.bytes()],
  ...(sums.example === undefined ? {} : { example: sums.example }),
})

export function unpacked({ sketches: [durationUs, firstTokenUs], ...point }: PackedPoint): SeriesPoint {
  return { ...point, durationUs: sketchFrom(durationUs), firstTokenUs: sketchFrom(firstTokenUs) }
}
