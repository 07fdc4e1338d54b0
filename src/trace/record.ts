import type { Rows } from './intake.ts'
import { type MetricPoint, type ScoreRow, type SpanCell, spanCells } from './span.ts'

/** One record of the log: what one delivery brought, as JSON. */
export interface TelemetryRecord {
  readonly spans: readonly (readonly SpanCell[])[]
  readonly scores: readonly ScoreRow[]
  readonly points: readonly MetricPoint[]
  /** When it was taken, in microseconds. */
  readonly atUs: number
}

export const recordText = (
  { spans, scores, points }: Pick<Rows, 'spans' | 'scores' | 'points'>,
  atUs: number,
): string => JSON.stringify({ spans: spans.map(spanCells), scores, points, atUs } satisfies TelemetryRecord)

export const recordFrom = (text: string): TelemetryRecord => JSON.parse(text) as TelemetryRecord
