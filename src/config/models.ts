import * as z from 'zod'
import { parseUsd } from '../base/units.ts'
import { AFFINITY, EJECTION, HEDGE, ROUTING, TARGETS } from './routing.ts'
import { integer, meta, MS_MAX, text, wrong } from './scalars.ts'

const USD_REMEDY =
  'Write US dollars per million tokens, such as "0.15": at most six digits before the point and nine after it.'

/** Beyond a million dollars per million tokens it is a slip; below, a YAML number is exact. */
const usd = z.union([z.string(), z.number()]).transform((value, context) => {
  const nanoUsd = parseUsd(String(value))
  if (nanoUsd !== undefined && nanoUsd < 1_000_000_000_000_000n) return nanoUsd
  context.issues.push(wrong('is no price', USD_REMEDY, value))
  return z.NEVER
})

/** A published encoding, or a file. */
export const ENCODINGS = ['o200k_base', 'cl100k_base', 'o200k_harmony', 'bytes'] as const

const tokenizer = text(4096).check((context) => {
  if ((ENCODINGS as readonly string[]).includes(context.value) || /\.json$/i.test(context.value)) return
  context.issues.push(
    wrong(
      'is no encoding and no path of a tokenizer.json',
      `Write one of ${ENCODINGS.join(', ')}, or a path such as ./qwen3/tokenizer.json.`,
      context.value,
    ),
  )
})

const bucketUsd = (which: string) =>
  usd.meta(meta(`US dollars per million input tokens ${which}`, { shown: 'decimal' })).optional()

const PRICE = z
  .strictObject({
    inputUsd: usd.meta(meta('US dollars per million input tokens.', { shown: 'decimal' })),
    cachedInputUsd: usd
      .meta(
        meta('US dollars per million input tokens that the engine had cached. Without it, as `inputUsd`.', {
          shown: 'decimal',
        }),
      )
      .optional(),
    cacheWrite5mUsd: bucketUsd('that the engine writes to its cache for five minutes. Without it, as `inputUsd`.'),
    cacheWrite1hUsd: bucketUsd('that it writes to its cache for an hour. Without it, as `cacheWrite5mUsd`.'),
    audioInputUsd: bucketUsd('of sound. Without it, as `inputUsd`.'),
    imageInputUsd: bucketUsd('of pictures. Without it, as `inputUsd`.'),
    outputUsd: usd.meta(meta('US dollars per million output tokens, reasoning included.', { shown: 'decimal' })),
    audioOutputUsd: usd
      .meta(meta('US dollars per million output tokens of sound. Without it, as `outputUsd`.', { shown: 'decimal' }))
      .optional(),
    unitUsd: usd
      .meta(
        meta(
          'US dollars for each unit of what is passed through and not counted in tokens: a picture that is made, or a request of sound, moderation or another path. Without it their cost is unknown.',
          { shown: 'decimal' },
        ),
      )
      .optional(),
  })
  .transform(({ inputUsd, cachedInputUsd, outputUsd, ...others }) => ({
    inputNanoUsd: inputUsd,
    cachedInputNanoUsd: cachedInputUsd ?? inputUsd,
    ...(others.cacheWrite5mUsd === undefined ? {} : { cacheWrite5mNanoUsd: others.cacheWrite5mUsd }),
    ...(others.cacheWrite1hUsd === undefined ? {} : { cacheWrite1hNanoUsd: others.cacheWrite1hUsd }),
    ...(others.audioInputUsd === undefined ? {} : { audioInputNanoUsd: others.audioInputUsd }),
    ...(others.imageInputUsd === undefined ? {} : { imageInputNanoUsd: others.imageInputUsd }),
    outputNanoUsd: outputUsd,
    ...(others.audioOutputUsd === undefined ? {} : { audioOutputNanoUsd: others.audioOutputUsd }),
    ...(others.unitUsd === undefined ? {} : { unitNanoUsd: others.unitUsd }),
  }))

const DEPLOYMENT = z.strictObject({
  engine: z.string().meta(meta('Name of an engine.')),
  model: text(256).meta(meta('What the engine calls the model.')),
  weight: integer(0, 1000)
    .default(1)
    .meta(meta('Share of the load, relative to the other deployments. 0: only after the others have failed.')),
  label: text(64).meta(meta('A word of your own, such as `canary`.')).optional(),
  price: PRICE.meta(
    meta(
      'What its tokens cost, in US dollars per million. Without it costs are unknown, which is not the same as free.',
    ),
  ).optional(),
  tokenizer: tokenizer
    .meta(
      meta(
        "What counts its input before a call: `o200k_base`, `cl100k_base` or `o200k_harmony`, the path of the model's `tokenizer.json`, or `bytes`. A relative path starts at the folder of this file. Without it, what its provider documents for the model, else bytes.",
        { shown: 'encoding or path' },
      ),
    )
    .optional(),
  templateTokensMax: integer(1, 100_000)
    .meta(
      meta(
        'Tokens its chat template adds to a request by itself, at most: a system prompt of its own, say. Without it, what its provider is known for, else 512.',
      ),
    )
    .optional(),
  imageTokensMax: integer(1, 1_000_000)
    .meta(
      meta(
        'Tokens of one picture, at most. Without it, what its provider documents; where nothing is known, a budget that must hold refuses pictures.',
      ),
    )
    .optional(),
})

const TIMEOUTS = z.strictObject({
  connectMs: integer(1, MS_MAX).default(3_000).meta(meta('To connect to the engine, in milliseconds.')),
  firstTokenMs: integer(1, MS_MAX)
    .default(60_000)
    .meta(meta('From sending the request to the first content, in milliseconds.')),
  betweenTokensMs: integer(1, MS_MAX)
    .default(30_000)
    .meta(meta('Between two pieces of a streamed answer, in milliseconds.')),
  totalMs: integer(1, MS_MAX)
    .default(600_000)
    .meta(meta('For the whole answer, all attempts together, in milliseconds.')),
})

const SEMANTIC = z.strictObject({
  embedding: z
    .string()
    .meta(
      meta(
        'The model under `models` that measures how near two questions are. Whoever asks pays for it. Another one, or another engine of it, begins anew.',
      ),
    ),
  similarityMin: z
    .number()
    .min(0.5)
    .max(1)
    .default(0.95)
    .meta(
      meta(
        'Cosine of both questions, at least. What it should be depends on the embedding model: measure it on questions of your own.',
      ),
    ),
  turnsMax: integer(1, 64)
    .default(1)
    .meta(
      meta(
        'Turns of the user in a conversation, at most; all but the last have to be the very same. Longer conversations take no part.',
      ),
    ),
})

const CACHE = z.strictObject({
  ttlMs: integer(1, 30 * 24 * MS_MAX).meta(meta('How long an answer is given again, in milliseconds.')),
  scope: z
    .enum(['key', 'tenant', 'user'])
    .default('key')
    .meta(
      meta(
        'Who shares answers. `key`: all requests of one key. `tenant`: all keys of one tenant. `user`: one user of one key.',
      ),
    ),
  tools: z
    .boolean()
    .default(false)
    .meta(meta('Also requests that offer tools: a call that is given again may be carried out again by the caller.')),
  semantic: SEMANTIC.meta(
    meta('Gives an answer also to a question in other words that means the same. Without it only to the very same.'),
  ).optional(),
})

const ADMISSION = z.strictObject({
  inFlightMax: integer(1, 100_000)
    .default(1_000)
    .meta(meta('Calls at the same time, at most, whatever the engines seem to take.')),
  queueMax: integer(0, 100_000).default(200).meta(meta('Requests that wait for a place, at most.')),
  queueMs: integer(1, MS_MAX).default(1_000).meta(meta('How long one waits for a place, at most, in milliseconds.')),
})

/** What callers name, and what answers. */
export const MODEL = z.strictObject({
  deployments: z
    .array(DEPLOYMENT)
    .min(1)
    .max(64)
    .meta(meta('Where it runs. Several share the load, as `routing` says, and stand in for each other.')),
  fallback: z
    .array(z.string())
    .max(16)
    .default([])
    .meta(
      meta(
        'Models tried in this order when every deployment has failed before its first content: names under `models`, or `engine/model` for one without a name of its own.',
      ),
    ),
  routing: ROUTING.default('weighted').meta(
    meta(
      'Which deployment is tried first. `weighted`: drawn by weight. `priority`: as they stand here. `least_outstanding`: the one with the fewest tokens in flight for its weight. `p2c`: the better of two drawn by weight, likewise. `cheapest`: where the request can cost least; unknown prices last. `fastest`: where it will begin to be answered soonest. Deployments whose circuit is open are left out.',
    ),
  ),
  affinity: AFFINITY.meta(
    meta('What makes requests that belong together come to the same deployment, before `routing` decides.'),
  ).optional(),
  hedge: HEDGE.meta(
    meta(
      'Asks a second deployment of this model as well when a stream is late, and takes whichever begins first. The other is stopped, and what it used is charged. Paid from the retry budget; both are held in the budgets. Without it nobody is asked twice.',
    ),
  ).optional(),
  ejection: EJECTION.meta(
    meta(
      'Asks deployments that fail more often than the others, or begin to answer much later, after them for half a minute and longer each time. Without it only circuits leave deployments out.',
    ),
  ).optional(),
  targets: TARGETS.prefault({}).meta(meta('What its answers shall reach.')),
  outputTokensMax: integer(1, 1_000_000)
    .default(4_096)
    .meta(meta('Cap on the tokens of one answer. It is always sent to the engine; a caller may ask for less.')),
  timeouts: TIMEOUTS.prefault({}).meta(meta('How long to wait, phase by phase.')),
  admission: ADMISSION.meta(
    meta(
      'Calls as many at the same time as its engines take without making them wait, which is found out by their answers; the rest waits here, interactive requests before batch ones and tenants in turn, or is refused at once. Without it every request is called at once.',
    ),
  ).optional(),
  guards: z
    .array(z.string())
    .max(32)
    .default([])
    .meta(
      meta(
        'Names under `guards`, applied in this order to its chat completions, and to the texts it embeds. They hold for its fallbacks too, and for workflows that call it.',
      ),
    ),
  cache: CACHE.meta(
    meta(
      'Gives the same chat completion again to the very same question, and the same vector to the very same text, at no cost. Without it everything is asked anew.',
    ),
  ).optional(),
  description: text(1000).meta(meta('Shown in `GET /v1/models`.')).optional(),
})
