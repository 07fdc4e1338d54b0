import * as z from 'zod'
import { parseUsd } from '../base/units.ts'
import { MODEL_NAME } from './forms.ts'
import { integer, meta, text, wrong } from './scalars.ts'

/** What requests count for, and can be limited by. */
const BUDGET_SCOPES = ['request', 'key', 'user', 'team', 'workflow', 'model', 'tag', 'tenant', 'global'] as const

const tokens = () => integer(1, AMOUNT_MAX)
/** In tokens and in nano-USD; beyond it sums would not be exact. */
const AMOUNT_MAX = 9_000_000_000_000_000

export const money = z.union([z.string(), z.number()]).transform((value, context) => {
  const nanoUsd = parseUsd(String(value))
  if (nanoUsd !== undefined && nanoUsd > 0n && nanoUsd <= BigInt(AMOUNT_MAX)) return nanoUsd
  context.issues.push(
    wrong('is no limit in US dollars', 'Write an amount above 0 and up to 9000000, such as 50 or "0.25".', value),
  )
  return z.NEVER
})

/** `24h`, `30d`: a window that moves with time. */
const ROLLING = /^[1-9]\d{0,4}(?:s|m|h|d)$/
const CALENDAR = ['minute', 'hour', 'day', 'week', 'month'] as const

const window = z.string().check((context) => {
  const { value } = context
  if (['request', 'lifetime', ...CALENDAR].includes(value) || ROLLING.test(value)) return
  context.issues.push(
    wrong(
      'is no window of time',
      `Write request, ${CALENDAR.join(', ')} or lifetime; or a span that moves with time, such as 24h or 30d.`,
      value,
    ),
  )
})

const scopeField = z
  .enum(BUDGET_SCOPES)
  .meta(meta('Whose use it limits. `request`: that of each request alone; `global`: that of all together.'))
const matchField = text(256)
  .meta(
    meta(
      'Which one is meant, by name; for keys the id. `*`, as without it: each one by itself, with a limit of its own.',
    ),
  )
  .optional()
const idField = z
  .string()
  .regex(MODEL_NAME)
  .meta(
    meta(
      'A name of your own, shown in errors, headers and reports. What was used is kept under it: a budget with another name begins anew. Without it one is made of scope, match, window and unit.',
    ),
  )
  .optional()

/** Limits on what may be used. */
export const BUDGET = z.strictObject({
  id: idField,
  scope: scopeField,
  match: matchField,
  limit: z
    .strictObject({
      tokens: tokens().meta(meta('Input and output together.')).optional(),
      inputTokens: tokens().meta(meta('Tokens read.')).optional(),
      outputTokens: tokens().meta(meta('Tokens written, reasoning included.')).optional(),
      usd: money
        .meta(meta('US dollars. Deployments without a price are then refused.', { shown: 'decimal' }))
        .optional(),
      requests: tokens().meta(meta('Requests that were let in.')).optional(),
    })
    .meta(meta('How much may be used. Several units are several budgets.')),
  window: window
    .meta(
      meta(
        'Over which time: a calendar `minute`, `hour`, `day`, `week` (from Monday) or `month` in `timeZone`; a span that moves with time, such as `24h` or `30d`; `lifetime`; or each `request`. Needed unless the scope is `request`.',
        { shown: 'window' },
      ),
    )
    .optional(),
  timeZone: text(64)
    .default('UTC')
    .meta(meta('Where the calendar is read: a name of the IANA database, such as `Europe/Berlin`.')),
  onLimit: z
    .union([
      z.enum(['refuse', 'warn', 'dryRun']),
      z.strictObject({
        clamp: z
          .strictObject({
            outputTokensMin: integer(1, 1_000_000).meta(meta('The least output that is worth a call.')),
          })
          .meta(meta('Lower the cap on output to what is left.')),
      }),
      z.strictObject({
        degradeTo: z.string().meta(meta('Name of the model to call instead, as long as it can be afforded.')),
      }),
    ])
    .meta(
      meta(
        'What happens to a request that cannot be afforded. `refuse`; `warn`: it passes, and its answer says so; `dryRun`: it passes, and only the log says so; `{ clamp: { outputTokensMin: 64 } }`: its output is made shorter; `{ degradeTo: small }`: a cheaper model answers. Default: `refuse`, and for the scope `request` a clamp to what is left.',
        { shown: 'action' },
      ),
    )
    .optional(),
  warnAt: z
    .array(z.number().gt(0).lt(1))
    .max(10)
    .default([])
    .meta(meta('Shares of the limit at which an alert is raised, such as [0.5, 0.8].', { shown: 'list of shares' })),
})

/** Budgets that a key carries itself. */
export const OWN_BUDGETS = z.array(BUDGET.omit({ id: true, scope: true, match: true })).max(8)

/** Limits on how fast. */
export const RATE_LIMIT = z.strictObject({
  id: idField,
  scope: z.enum(BUDGET_SCOPES).exclude(['request']).meta(meta('Whose requests it slows down. `global`: all together.')),
  match: matchField,
  limit: z
    .strictObject({
      requests: tokens().meta(meta('Requests let in per `per`.')).optional(),
      tokens: tokens().meta(meta('Input and output together, per `per`.')).optional(),
      concurrent: tokens()
        .meta(meta('Requests being answered at the same time; `per` has no meaning for it.'))
        .optional(),
    })
    .meta(meta('How fast.')),
  per: z
    .enum(['second', 'minute', 'hour', 'day'])
    .default('minute')
    .meta(meta('Any span of this length, not the calendar.')),
  onLimit: z.enum(['refuse', 'warn', 'dryRun']).default('refuse').meta(meta('As for budgets.')),
})
