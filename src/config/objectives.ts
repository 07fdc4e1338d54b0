import * as z from 'zod'
import { money } from './budgets.ts'
import { integer, meta, MS_MAX, text } from './scalars.ts'

/** What is promised of answers. */

const share = z
  .number()
  .min(0.85)
  .max(0.9999)
  .meta(
    meta(
      'The share of good events that is promised: with `underMs: 2000`, 0.95 says that the 95th percentile stays under two seconds. Below 0.94 the faster of the two alerts cannot be reached.',
    ),
  )
const windowDays = integer(1, 90)
  .default(30)
  .meta(meta('Over how many days the error budget, 1 - `share`, is reckoned.'))

const one = (what: string) =>
  text(256)
    .meta(meta(`Only of this ${what}.`))
    .optional()
const match = z
  .strictObject({
    model: one('model, as callers name it'),
    workflow: one('workflow'),
    team: one('team'),
    user: one('user'),
    tenant: one('tenant'),
    tag: one('tag'),
  })
  .prefault({})
  .meta(meta('Which requests it is about; without it, all.'))

const underMs = integer(1, MS_MAX).meta(meta('Milliseconds up to which an answer is good.'))

export const OBJECTIVE = z.discriminatedUnion('what', [
  z.strictObject({
    what: z.literal('latency').meta(meta('The time from the request to the end of its answer.')),
    underMs,
    share,
    windowDays,
    match,
  }),
  z.strictObject({
    what: z.literal('firstToken').meta(meta('The time to the first token.')),
    underMs,
    share,
    windowDays,
    match,
  }),
  z.strictObject({
    what: z
      .literal('errors')
      .meta(
        meta(
          "Whether requests are answered. What is wrong with a request itself is not counted, nor what its caller's limits refuse.",
        ),
      ),
    share,
    windowDays,
    match,
  }),
  z.strictObject({
    what: z.literal('cost').meta(meta('The cost of a request.')),
    underUsd: money.meta(meta('US dollars up to which a request is good.', { shown: 'decimal' })),
    share,
    windowDays,
    match,
  }),
  z.strictObject({
    what: z.literal('recall').meta(meta('The recall@10 of sampled searches by vector.')),
    atLeast: z.number().gt(0).max(1).meta(meta('Recall from which on a search is good.')),
    share,
    windowDays,
    match: z
      .strictObject({ collection: one('collection') })
      .prefault({})
      .meta(meta('Which searches it is about; without it, all.')),
  }),
])
