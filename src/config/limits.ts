import * as z from 'zod'
import { integer, meta, MS_MAX } from './scalars.ts'

const MIB = 2 ** 20

/** Bounds on what one process takes on. */
export const LIMITS = z.strictObject({
  bodyBytesMax: integer(1024, 1024 * MIB)
    .default(32 * MIB)
    .meta(meta('Bytes of one request body.')),
  bodyDepthMax: integer(8, 256).default(64).meta(meta('Nesting of arrays and objects in one request body.')),
  bodyTimeoutMs: integer(100, MS_MAX)
    .default(30_000)
    .meta(meta("For a request's headers and body to arrive, in milliseconds.", { reload: 'restart' })),
  requestsInFlightMax: integer(1, 100_000)
    .default(1_000)
    .meta(meta('Requests being answered at the same time, streams included; beyond it callers get 503 at once.')),
  cacheBytesMax: integer(0, 64 * 1024 * MIB)
    .default(64 * MIB)
    .meta(meta('Bytes of cached answers in the memory of one process, of all models with a `cache` together.')),
  budgetStatus: z
    .union([z.literal(429), z.literal(402)])
    .default(429)
    .meta(
      meta(
        'HTTP status of a refusal for want of budget. 429 is what OpenAI sends; with it goes `x-should-retry: false`.',
        { shown: '429 or 402' },
      ),
    ),
  clientStallMs: integer(100, MS_MAX)
    .default(60_000)
    .meta(meta('A client that takes nothing of its stream for this long is cut off, in milliseconds.')),
  drainMs: integer(0, MS_MAX)
    .default(10_000)
    .meta(meta('How long a stop waits for answers in flight, in milliseconds.')),
})
