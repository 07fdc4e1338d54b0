import * as z from 'zod'
import { money } from './budgets.ts'
import { integer, meta, MS_MAX } from './scalars.ts'

/** Traces: how long they are kept, where, and which. */
export const TELEMETRY = z.strictObject({
  retentionDays: integer(1, 3650)
    .default(30)
    .meta(meta('How long spans are kept, in days. Files of a day go at once.')),
  files: z
    .boolean()
    .default(true)
    .meta(
      meta(
        'Whether spans go into Parquet files once their trace is over. Without the library for it they stay in the index.',
      ),
    ),
  sampling: z
    .strictObject({
      share: z
        .number()
        .min(0)
        .max(1)
        .default(1)
        .meta(meta('Share of ordinary traces that are kept. Errors, and what was scored, are always kept.')),
      slowMs: integer(1, MS_MAX).meta(meta('Traces that took as long are always kept, in milliseconds.')).optional(),
      usd: money.meta(meta('Traces that cost as much are always kept.', { shown: 'decimal' })).optional(),
    })
    .prefault({})
    .meta(meta('Which traces are kept. Everything is counted before, so figures and percentiles stay exact.')),
})
