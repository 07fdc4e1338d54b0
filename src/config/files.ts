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
