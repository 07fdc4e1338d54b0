import * as z from 'zod'
import { PII_KINDS } from './pii-kinds.ts'
import { engineUrl, headers } from './endpoints.ts'
import { integer, meta, text } from './scalars.ts'

const SPANS = ['note', 'redact', 'tokenise', 'block'] as const
const WHOLE = ['note', 'block'] as const
const SPANS_IN =
  'What becomes of a request in which it finds something. `note`: it is counted on record. `redact`: `[EMAIL]` stands in its place. `tokenise`: `<EMAIL_1>` does for the model alone, and the answer has it again. `block`: the request is refused. Without it, requests are not looked at.'
const SPANS_OUT =
  'What becomes of an answer: `note`, `redact` or `block`, which ends it with `content_filter`. Without it, answers are not looked at.'

const common = (budgetMs: number) => ({
  budgetMs: integer(1, 60_000)
    .default(budgetMs)
    .meta(meta('What it may take for the texts of one request, or of its answer, in milliseconds.')),
  onFailure: z
    .enum(['block', 'pass'])
    .default('block')
    .meta(meta('What follows where the time is up or no verdict comes: the request is refused, or goes on.')),
})

const spans = {
  input: z.enum(SPANS).meta(meta(SPANS_IN)).optional(),
  output: z.enum(['note', 'redact', 'block']).meta(meta(SPANS_OUT)).optional(),
  ...common(50),
}

/** What is looked for in requests and answers. */
export const GUARD = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z
      .literal('pii')
      .meta(meta('Personal data that has a form. Names of people have none: they take a model, behind `http`.')),
    find: z
      .array(z.enum(PII_KINDS))
      .min(1)
      .default([...PII_KINDS])
      .meta(meta('What is looked for.')),
    ...spans,
  }),
  z.strictObject({
    kind: z
      .literal('secrets')
      .meta(meta('Keys and tokens that are told by their form, private keys, passwords in URLs.')),
    ...spans,
  }),
  z.strictObject({
    kind: z.literal('blocklist').meta(meta('Words and patterns of your own.')),
    words: z
      .array(text(256))
      .max(10_000)
      .default([])
      .meta(meta('Words and phrases; case does not matter, and parts of words do not count.')),
    patterns: z
      .array(text(1000))
      .max(1000)
      .default([])
      .meta(meta("Expressions in RE2's syntax, which take linear time; case does not matter.")),
    ...spans,
  }),
  z.strictObject({
    kind: z
      .literal('injection')
      .meta(
        meta('Texts that read like instructions to a model. A signal and no proof: what it finds is in the handbook.'),
      ),
    scoreMin: z.number().min(0.05).max(1).default(0.5).meta(meta('The least score that counts, of 0 to 1.')),
    input: z
      .enum(WHOLE)
      .meta(meta('What becomes of a request: `note` or `block`. Messages of users and tools are read.'))
      .optional(),
    output: z.enum(WHOLE).meta(meta('What becomes of an answer. It is held until all of it was read.')).optional(),
    ...common(50),
  }),
  z.strictObject({
    kind: z
      .literal('schema')
      .meta(
        meta(
          'Holds answers to the JSON schema in `response_format` of their request, whatever their engine makes of it.',
        ),
      ),
    output: z
      .enum(WHOLE)
      .default('block')
      .meta(meta('What becomes of an answer that is not what its schema says. Answers are held until they are whole.')),
    ...common(50),
  }),
  z.strictObject({
    kind: z
      .literal('http')
      .meta(
        meta(
          'Somebody else\'s check: POST `{"point", "model", "texts"}`, answered with `{"allow", "reason", "texts"}`.',
        ),
      ),
    url: engineUrl.meta(meta('Where it is asked.', { shown: 'URL' })),
    headers: headers
      .meta(
        meta('Headers to send. Values that are secrets must be references.', {
          shown: 'header name → text or secret reference',
          hidden: true,
        }),
      )
      .optional(),
    input: z
      .enum(WHOLE)
      .meta(meta("What becomes of a request that it does not allow. `texts` of its verdict replace the request's."))
      .optional(),
    output: z
      .enum(WHOLE)
      .meta(meta('What becomes of an answer that it does not allow. It is held until it is whole.'))
      .optional(),
    ...common(1_000),
  }),
])
