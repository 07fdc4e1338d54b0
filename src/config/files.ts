import * as z from 'zod'
import { integer, meta } from './scalars.ts'

/** Files that callers send. */
export const FILES = z.strictObject({
  ownerMiBMax: integer(1, 2 ** 30)
    .default(10_240)
    .meta(
      meta('MiB of all files of one owner together: of the keys that are bound to the same tenant, team and user.'),
    ),
})

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
