import * as z from 'zod'
import { integer, meta, MS_MAX } from './scalars.ts'

/** Which deployment of a model answers. */

export const ROUTING = z.enum(['weighted', 'priority', 'least_outstanding', 'p2c', 'cheapest', 'fastest'])

export const AFFINITY = z.strictObject({
  by: z
    .enum(['user', 'session', 'prefix'])
    .meta(
      meta(
        'What keeps requests together. `user`: who asks. `session`: `x-headworks-session`, `metadata.session_id` or `prompt_cache_key`. `prefix`: what a prompt begins with, which the engine then has in its cache.',
      ),
    ),
  releaseTokens: integer(0, 100_000_000)
    .default(16_384)
    .meta(
      meta(
        'Of `prefix`: how many tokens that it has not cached a deployment is given to read at the same time, for each weight, before another is asked. As many as it reads in the time that a first token may take.',
      ),
    ),
})

export const TARGETS = z.strictObject({
  firstTokenMs: integer(1, MS_MAX)
    .meta(
      meta(
        'How soon 95 of 100 answers shall begin, in milliseconds: under `routing: fastest`, deployments that keep it come before those that do not.',
      ),
    )
    .optional(),
})

export const HEDGE = z.strictObject({
  afterMs: integer(1, MS_MAX)
    .meta(
      meta(
        'How long a stream may take to begin before another deployment is asked as well, in milliseconds. Without it as long as 95 of 100 take at the fastest.',
      ),
    )
    .optional(),
})

export const EJECTION = z.strictObject({
  shareMax: z
    .number()
    .gt(0)
    .max(0.9)
    .default(0.5)
    .meta(meta('Share of the deployments that may be out at the same time; never all of them.')),
})
