import * as z from 'zod'
import { integer, meta } from './scalars.ts'

/** Requests in files, run beside everybody else's. */
export const BATCHES = z.strictObject({
  parallel: integer(1, 10_000).default(16).meta(meta('Requests of batches in flight at once, all batches together.')),
  share: z
    .number()
    .min(0.01)
    .max(1)
    .default(0.9)
    .meta(
      meta(
        'Of what a model with `admission` takes at once, how much requests of the class `batch` may have. Beyond it they wait, and those of the class `interactive` always go first.',
      ),
    ),
})
