import type { DatabaseSync, StatementSync } from 'node:sqlite'
import type { SeriesDimension, SeriesPoint, SeriesQuery } from '../../../trace/port.ts'
import {
  coordinatesFrom,
  coordinatesText,
  emptySums,
  HOUR_US,
  MINUTES_US,
  type PackedPoint,
  pointOf,
  type RollupSums,
} from '../../../trace/rollup.ts'
import { sketchFromText, type SketchSum } from '../../../trace/sketch.ts'
import { writing } from './schema.ts'

/** Sums over time, in their table. */

/** A longer range is answered by hours. */
const BY_MINUTES_US_MAX = 24 * HOUR_US

export class RollupTable {
  readonly #find: StatementSync
  readonly #put: StatementSync
  readonly #range: StatementSync

  constructor(db: DatabaseSync) {
    this.#find = db.prepare('SELECT * FROM rollup WHERE width_us = ? AND bucket_us = ? AND of = ?')
    this.#put = writing(
      db,
      `
      INSERT OR REPLACE INTO rollup
        (width_us, bucket_us, of, spans, errors, input_tokens, output_tokens, cost, duration, first_token)
      VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    )
    this.#range = db.prepare('SELECT * FROM rollup WHERE width_us = ? AND bucket_us >= ? AND bucket_us < ?')
  }

  /** Adds to what is there. */
  add(widthUs: number, sums: Iterable<RollupSums>): void {
    for (const added of sums) {
      const of = coordinatesText(added.of)
      const stored = this.#find.get(widthUs, added.bucketUs, of)
      const sum = emptySums(added.bucketUs, added.of)
      if (stored !== undefined) mergeRow(sum, stored)
      sum.durationUs.mergeBytes(added.durationUs.bytes())
      sum.firstTokenUs.mergeBytes(added.firstTokenUs.bytes())
      this.#put.run(
        widthUs,
        added.bucketUs,
        of,
        sum.spans + added.spans,
        sum.errors + added.errors,
        sum.inputTokens + added.inputTokens,
        sum.outputTokens + added.outputTokens,
        sum.costNanoUsd + added.costNanoUsd,
        sum.durationUs.bytes(),
        sum.firstTokenUs.bytes(),
      )
    }
  }

  series({ fromUs, toUs, by, where, overTime }: SeriesQuery): PackedPoint[] {
    const widthUs = toUs - fromUs <= BY_MINUTES_US_MAX ? MINUTES_US : HOUR_US
    const first = Math.floor(fromUs / widthUs) * widthUs
    const groups = new Map<string, { readonly of: SeriesPoint['of']; readonly sums: RollupSums }>()
    const wanted = Object.entries(where) as [SeriesDimension, string | undefined][]
    const coordinates = new Map<string, { readonly of: RollupSums['of']; readonly fits: boolean }>()
    for (const row of this.#range.iterate(widthUs, first, toUs)) {
      const text = row['of'] as string
      let place = coordinates.get(text)
      if (place === undefined) {
        const of = coordinatesFrom(text)
        place = { of, fits: wanted.every(([name, value]) => value === undefined || of[name] === value) }
        coordinates.set(text, place)
      }
      if (!place.fits) continue
      const { of } = place
      const atUs = overTime ? Number(row['bucket_us']) : first
      const key = `${atUs}\n${by.map((name) => of[name]).join('\n')}`
      let group = groups.get(key)
      if (group === undefined) {
        group = { of: Object.fromEntries(by.map((name) => [name, of[name]])), sums: emptySums(atUs, of) }
        groups.set(key, group)
      }
      mergeRow(group.sums, row)
    }
    return [...groups.values()].map(({ of, sums }) => pointOf(sums, of))
  }
}

function mergeRow(sums: RollupSums, row: { readonly [column: string]: unknown }): void {
  sums.spans += Number(row['spans'])
  sums.errors += Number(row['errors'])
  sums.inputTokens += Number(row['input_tokens'])
  sums.outputTokens += Number(row['output_tokens'])
  sums.costNanoUsd += Number(row['cost'])
  mergeCell(sums.durationUs, row['duration'])
  mergeCell(sums.firstTokenUs, row['first_token'])
}

function mergeCell(sum: SketchSum, cell: unknown): void {
  if (cell instanceof Uint8Array) sum.mergeBytes(cell)
  else sum.merge(sketchFromText(cell as string))
}
