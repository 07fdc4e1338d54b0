import * as z from 'zod'
import { ALERTS } from './alerts.ts'
import { BATCHES } from './batches.ts'
import { BUDGET, type OWN_BUDGETS, RATE_LIMIT } from './budgets.ts'
import { COLLECTION } from './collections.ts'
import { ENGINE } from './engines.ts'
import { FILES } from './files.ts'
import { GUARD } from './guards.ts'
import { GATEWAYS_MAX, MODEL_NAME, PLAIN_NAME } from './forms.ts'
import { INDEX } from './indexes.ts'
import { INGEST } from './ingest.ts'
import { LIMITS } from './limits.ts'
import { MODEL } from './models.ts'
import { PROMPTS } from './prompts.ts'
import { integer, meta, named, text, wrong } from './scalars.ts'
import { TELEMETRY } from './telemetry.ts'
import { WORKFLOW } from './workflows.ts'

/** The one schema of `headworks.yaml`: types, validation, the reference page and the editor's JSON
 *  schema all come from here; most sections have a file of their name. `reload` says what a change
 *  needs: `live` is applied to the running process, `restart` waits for the next start. A field
 *  without one has its parent's. */

const address = z.string().check((context) => {
  if (/^unix:\/[^\s]{1,100}$/.test(context.value)) return
  const found = /^(?:\[([0-9A-Fa-f:.]+)\]|([^\s:[\]/]+)):(\d{1,5})$/.exec(context.value)
  if (found !== null && Number(found[3]) <= 65_535) return
  context.issues.push(
    wrong(
      'is no address',
      'Write host:port, such as 127.0.0.1:4750, 0.0.0.0:4750 or [::1]:4750, or unix:/path of a socket.',
      context.value,
    ),
  )
})

const LOG = z.strictObject({
  level: z.enum(['debug', 'info', 'warn', 'error']).default('info').meta(meta('The least level that is written.')),
})

const TLS = z.strictObject({
  certificate: text(4096).meta(
    meta(
      'PEM file of the certificate and those that vouch for it. Taken over within seconds when it changes; no restart. A relative path starts at the folder of this file.',
      { shown: 'path' },
    ),
  ),
  key: text(4096).meta(meta('PEM file of its private key, likewise.', { shown: 'path' })),
})

export const CONFIG = z
  .strictObject({
    listen: address
      .default('127.0.0.1:4750')
      .meta(
        meta(
          'Address of the HTTP interface: `host:port`, where port 0 takes any free one, or `unix:/path` of a socket that everybody on this machine may open. `HEADWORKS_LISTEN` overrides it.',
          { reload: 'restart', shown: 'host:port' },
        ),
      ),
    server: z
      .enum(['llhttp', 'node'])
      .default('llhttp')
      .meta(
        meta(
          'What reads and writes HTTP. `llhttp`: the parser of Node by itself, at half the CPU. `node`: the whole server of Node.',
          { reload: 'restart' },
        ),
      ),
    tls: TLS.meta(meta('Speaks HTTPS instead of HTTP.', { reload: 'restart' })).optional(),
    data: text(4096)
      .default('.headworks')
      .meta(
        meta(
          'Folder of everything that is kept. A relative path starts at the folder of this file. `HEADWORKS_DATA` overrides it.',
          { reload: 'restart', shown: 'path' },
        ),
      ),
    gateways: integer(1, GATEWAYS_MAX)
      .default(1)
      .meta(
        meta(
          'Processes that share the port and answer `/v1`. 1: the main process answers itself. `headworks up --gateways` overrides it.',
          { reload: 'restart' },
        ),
      ),
    engines: named(PLAIN_NAME, ENGINE)
      .prefault({})
      .meta(meta('Where models run, by name.', { reload: 'live' })),
    models: named(MODEL_NAME, MODEL)
      .prefault({})
      .meta(meta('What callers name in `model`, and which deployments answer.', { reload: 'live' })),
    guards: named(PLAIN_NAME, GUARD)
      .prefault({})
      .meta(
        meta('What is looked for in requests and answers, by name; models list those that hold for them.', {
          reload: 'live',
        }),
      ),
    prices: text(4096)
      .meta(
        meta(
          'A file with prices of your own, YAML or JSON, over the list prices that come with Headworks. A relative path starts at the folder of this file. It is read at the start and whenever this file changes.',
          { reload: 'live', shown: 'path' },
        ),
      )
      .optional(),
    collections: named(PLAIN_NAME, COLLECTION)
      .prefault({})
      .meta(meta('Documents to search, by name.', { reload: 'live' })),
    index: INDEX.prefault({ kind: 'embedded' }).meta(
      meta(
        'Where the vectors of large segments lie. Words, attributes and small segments always lie in the data folder. After a change a collection whose vectors lie elsewhere does not answer until it is built again.',
        { reload: 'restart' },
      ),
    ),
    workflows: named(MODEL_NAME, WORKFLOW)
      .prefault({})
      .meta(
        meta(
          'Retrieval workflows: called as models, they search a collection and answer from what they find, with citations.',
          { reload: 'live' },
        ),
      ),
    prompts: PROMPTS.prefault({}).meta(meta('Prompts with versions and labels.', { reload: 'live' })),
    budgets: z
      .array(BUDGET)
      .max(10_000)
      .default([])
      .meta(
        meta('Limits on what may be used, held before a model is called so that they cannot be overspent.', {
          reload: 'live',
        }),
      ),
    rateLimits: z
      .array(RATE_LIMIT)
      .max(10_000)
      .default([])
      .meta(meta('Limits on how fast, exact over all gateway processes.', { reload: 'live' })),
    alerts: ALERTS.prefault({}).meta(
      meta('What becomes of alerts: usage that departs from its history, budgets that run out.', { reload: 'live' }),
    ),
    ingest: INGEST.prefault({}).meta(
      meta('Reading documents: how much at once, and what may be reached.', { reload: 'restart' }),
    ),
    files: FILES.prefault({}).meta(meta('Files that callers send for vector stores and batches.', { reload: 'live' })),
    batches: BATCHES.prefault({}).meta(meta('Batches of requests.', { reload: 'live' })),
    limits: LIMITS.prefault({}).meta(meta('Bounds on what one process takes on.', { reload: 'live' })),
    telemetry: TELEMETRY.prefault({}).meta(
      meta('Traces, ours and those that other programs send to `/v1/traces`.', { reload: 'restart' }),
    ),
    log: LOG.prefault({}).meta(meta('The log: one JSON object a line on standard error.', { reload: 'live' })),
  })
  .meta({ title: 'Headworks configuration', description: 'headworks.yaml; everything is optional.' })

type Frozen<Value> = Value extends bigint | string | number | boolean | undefined
  ? Value
  : Value extends readonly (infer Item)[]
    ? readonly Frozen<Item>[]
    : { readonly [Name in keyof Value]: Frozen<Value[Name]> }

/** The configuration in force: complete, checked, deeply frozen. Named sections have no
 *  prototype: look names up directly. */
export type Config = Frozen<z.output<typeof CONFIG>>
export type EngineConfig = Config['engines'][string]

type EmbeddedKind = 'reader' | 'lexical' | 'onnx' | 'detectors'
const EMBEDDED: ReadonlySet<string> = new Set<EmbeddedKind>(['reader', 'lexical', 'onnx', 'detectors'])

/** Whether it runs behind a network, where tokens may cost money. */
export const isRemote = (engine: EngineConfig): engine is RemoteEngine => !EMBEDDED.has(engine.kind)
export type RemoteEngine = Exclude<EngineConfig, { readonly kind: EmbeddedKind }>
export type SourceConfig = Config['collections'][string]['sources'][number]
export type IndexConfig = Config['index']
export type GuardConfig = Config['guards'][string]
export type ModelConfig = Config['models'][string]
export type OwnBudgetConfig = Frozen<z.output<typeof OWN_BUDGETS>>[number]
export type BudgetConfig = Config['budgets'][number]
export type RateLimitConfig = Config['rateLimits'][number]
