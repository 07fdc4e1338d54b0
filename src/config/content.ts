import * as z from 'zod'
import { integer, meta } from './scalars.ts'

const KEEP = z.enum(['off', 'metadata', 'redacted', 'full'])
const DAYS_MAX = 3650

const patterns = (what: string) =>
  z
    .array(z.string().regex(/^(?!$)[^*]{0,255}\*?$/))
    .min(1)
    .max(100)
    .meta(meta(`${what} Names, or beginnings of names followed by \`*\`.`))
    .optional()

const RULE = z.strictObject({
  tenants: patterns('Of requests on account of one of these tenants.'),
  workflows: patterns('Of requests to one of these workflows.'),
  models: patterns('Of requests to one of these models or workflows, as callers name them.'),
  keys: patterns('Of requests with one of these keys, by their ids.'),
  keep: KEEP.meta(meta('What is kept where all of the above hold.')),
  days: integer(1, DAYS_MAX).meta(meta('How long, in days. Absent: as `retention` says.')).optional(),
})

/** Inputs and outputs of models: what of them is kept, and how long. */
export const CONTENT = z.strictObject({
  keep: KEEP.default('metadata').meta(
    meta(
      'What is kept of requests that no rule names. `off`: nothing. `metadata`: how many messages, of whom, how long. `redacted`: the texts, without personal data and secrets that have a form. `full`: everything.',
    ),
  ),
  rules: z.array(RULE).max(1000).default([]).meta(meta('Exceptions. The first that fits holds.')),
  retention: z
    .strictObject({
      redactedDays: integer(1, DAYS_MAX).default(30).meta(meta('How long redacted texts are kept, in days.')),
      fullDays: integer(1, DAYS_MAX).default(7).meta(meta('How long whole texts are kept, in days.')),
    })
    .prefault({})
    .meta(meta('How long texts are kept, by how much of them is.')),
})
