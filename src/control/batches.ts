import { BATCHES, type BatchRow, ENDPOINTS } from '../batch/batch.ts'
import type { Batches, NewBatch, Standing } from '../batch/batches.ts'
import { refuse, Refusal } from '../base/errors.ts'
import { isObject, type Json, type JsonObject } from '../base/json.ts'
import { ownerOf } from '../files/owner.ts'
import type { Audit } from '../guard/audit.ts'
import type { Principal } from '../guard/principal.ts'
import { type Rows, scanAll } from '../store/rows.ts'
import { readExpiry } from './files.ts'
import { cursorOf, pageOf, shownPage } from './openai-list.ts'
import { type Answer, type Context, limitOf, ok, type Route } from './router.ts'

/** Batches: OpenAI's for those who asked for them, and all of them for administrators, who see how far
 *  they are and not what stands in them. */

export interface BatchDependencies {
  readonly rows: Rows
  readonly batches: Pick<Batches, 'create' | 'find' | 'standing' | 'cancel'>
  readonly audit: Audit
}

const HOURS_MAX = 14 * 24
const HOUR_MS = 3_600_000
const METADATA_MAX = 16
const METADATA_NAME_UNITS_MAX = 64
const METADATA_VALUE_UNITS_MAX = 512
const LISTED = { default: 50, most: 1_000, cursor: 'limit' }

export function batchRoutes(dependencies: BatchDependencies): Route[] {
  const { rows, batches } = dependencies
  return [
    {
      method: 'POST',
      path: '/v1/batches',
      summary:
        'Runs the requests of a file: {input_file_id, endpoint, completion_window, metadata, output_expires_after}.',
      role: 'user',
      answer: (context) => create(dependencies, context),
    },
    {
      method: 'GET',
      path: '/v1/batches',
      summary: "The caller's batches, newest first. `limit`, `after`.",
      role: 'user',
      async answer({ query, principal }) {
        const cursor = cursorOf(query)
        if (cursor instanceof Refusal) return cursor
        const { chosen, more } = await pageOf(rows, BATCHES, [scopeOf(principal)], cursor, () => true)
        const standings = await Promise.all(chosen.map((batch) => batches.standing(batch)))
        return ok(shownPage(standings.map(shownBatch), more))
      },
    },
    {
      method: 'GET',
      path: '/v1/batches/{id}',
      summary: 'How far one batch is.',
      role: 'user',
      async answer({ params, principal }) {
        const id = params['id'] ?? ''
        const found = await batches.find(scopeOf(principal), id)
        return found === undefined ? absent(id) : ok(shownBatch(found))
      },
    },
    {
      method: 'POST',
      path: '/v1/batches/{id}/cancel',
      summary: 'Lets what is in flight end, and asks nothing more.',
      role: 'user',
      async answer({ params, principal }) {
        const cancelled = await batches.cancel(scopeOf(principal), params['id'] ?? '')
        return cancelled instanceof Refusal ? cancelled : ok(shownBatch(cancelled))
      },
    },
    ...administration(dependencies),
  ]
}

function administration({ rows, batches, audit }: BatchDependencies): Route[] {
  return [
    {
      method: 'GET',
      path: '/api/batches',
      summary: 'The batches of all keys, newest first. `limit`, `state`.',
      role: 'admin',
      async answer({ query }) {
        const limit = limitOf(query, LISTED)
        if (limit instanceof Refusal) return limit
        const state = query.get('state')
        const all: BatchRow[] = []
        for await (const { row } of scanAll(rows, BATCHES)) if (state === null || row.state === state) all.push(row)
        const newest = all.toSorted((a, b) => (a.id < b.id ? 1 : -1)).slice(0, limit)
        const standings = await Promise.all(newest.map((batch) => batches.standing(batch)))
        return ok({ batches: standings.map(shownToAdmin) })
      },
    },
    {
      method: 'GET',
      path: '/api/batches/{id}',
      summary: 'How far any batch is, and what is wrong with it.',
      role: 'admin',
      async answer({ params }) {
        const batch = await findAny(rows, params['id'] ?? '')
        return batch instanceof Refusal ? batch : ok(shownToAdmin(await batches.standing(batch)))
      },
    },
    {
      method: 'POST',
      path: '/api/batches/{id}/cancel',
      summary: 'Cancels any batch, on record.',
      role: 'admin',
      async answer({ params, principal }) {
        const batch = await findAny(rows, params['id'] ?? '')
        if (batch instanceof Refusal) return batch
        const act = { action: 'batch.cancel', object: batch.id, details: { key: batch.key } }
        const cancelled = await audit.record(principal, act, () => batches.cancel(batch.owner, batch.id))
        return cancelled instanceof Refusal ? cancelled : ok(shownToAdmin(cancelled))
      },
    },
  ]
}

async function findAny(rows: Rows, id: string): Promise<BatchRow | Refusal> {
  for await (const { row } of scanAll(rows, BATCHES)) if (row.id === id) return row
  return absent(id)
}

/** Of nobody: no owner is called so. */
const scopeOf = (principal: Principal | undefined): string => (principal === undefined ? '-' : ownerOf(principal))

const FIELDS = ['input_file_id', 'endpoint', 'completion_window', 'metadata', 'output_expires_after']

async function create({ batches }: BatchDependencies, { body, principal }: Context): Promise<Answer | Refusal> {
  const asked = readBatch(body)
  if (asked instanceof Refusal) return asked
  if (principal === undefined) return refuse('key_missing', {})
  const made = await batches.create(principal, asked)
  return made instanceof Refusal ? made : ok(shownBatch(made))
}

function readBatch(body: Json): NewBatch | Refusal {
  if (!isObject(body)) return invalid('body', 'must be an object', 'Send {"input_file_id": "..."}.')
  const unknown = Object.keys(body).find((name) => !FIELDS.includes(name))
  if (unknown !== undefined)
    return invalid(unknown.slice(0, 80), 'is not a known field', `Known here: ${FIELDS.join(', ')}.`)
  const { input_file_id: inputFile, completion_window: windowText = '24h', output_expires_after: expiry } = body
  if (typeof inputFile !== 'string')
    return invalid('input_file_id', 'must be the id of a file', 'POST /v1/files with the purpose "batch" gives it.')
  const endpoint = ENDPOINTS.find((one) => one === body['endpoint'])
  if (endpoint === undefined)
    return invalid('endpoint', `must be one of ${ENDPOINTS.join(', ')}`, 'All lines of a batch ask the same one.')
  const hours = typeof windowText === 'string' ? /^([1-9]\d{0,2})h$/.exec(windowText)?.[1] : undefined
  if (typeof windowText !== 'string' || hours === undefined || Number(hours) > HOURS_MAX)
    return invalid('completion_window', `must be hours from 1h to ${HOURS_MAX}h`, 'OpenAI knows "24h" alone.')
  const metadata = readMetadata(body['metadata'])
  if (metadata instanceof Refusal) return metadata
  const after =
    expiry === undefined || expiry === null
      ? undefined
      : readExpiry(isObject(expiry) ? expiry : {}, 'output_expires_after')
  if (after instanceof Refusal) return after
  return {
    inputFile,
    endpoint,
    windowText,
    windowMs: Number(hours) * HOUR_MS,
    metadata,
    ...(after === undefined ? {} : { outputExpiresAfterS: after }),
  }
}

function readMetadata(given: Json | undefined): { readonly [name: string]: string } | Refusal {
  const metadata = given ?? {}
  const wrong = (): Refusal =>
    invalid(
      'metadata',
      `must be an object of at most ${METADATA_MAX} texts`,
      `Names have at most ${METADATA_NAME_UNITS_MAX} characters, values ${METADATA_VALUE_UNITS_MAX}.`,
    )
  if (!isObject(metadata) || Object.keys(metadata).length > METADATA_MAX) return wrong()
  for (const [name, value] of Object.entries(metadata))
    if (typeof value !== 'string' || name.length > METADATA_NAME_UNITS_MAX || value.length > METADATA_VALUE_UNITS_MAX)
      return wrong()
  return metadata as { readonly [name: string]: string }
}

const seconds = (ms: number | undefined): number | undefined => (ms === undefined ? undefined : Math.floor(ms / 1000))

function shownBatch({ batch, progress }: Standing): JsonObject {
  const { atMs, problems, model } = batch
  const { inputTokens, cachedTokens, outputTokens, reasoningTokens, completed, failed } = progress
  return {
    id: batch.id,
    object: 'batch',
    endpoint: batch.endpoint,
    ...(model === undefined ? {} : { model }),
    errors:
      problems === undefined
        ? null
        : {
            object: 'list',
            data: problems.map(({ code, message, line, param }) => ({
              code,
              message,
              line: line ?? null,
              param: param ?? null,
            })),
          },
    input_file_id: batch.inputFile,
    completion_window: batch.windowText,
    status: batch.state,
    output_file_id: batch.outputFile ?? null,
    error_file_id: batch.errorFile ?? null,
    created_at: Math.floor(atMs.created / 1000),
    in_progress_at: seconds(atMs.in_progress) ?? null,
    expires_at: Math.floor(batch.expiresAtMs / 1000),
    finalizing_at: seconds(atMs.finalizing) ?? null,
    completed_at: seconds(atMs.completed) ?? null,
    failed_at: seconds(atMs.failed) ?? null,
    expired_at: seconds(atMs.expired) ?? null,
    cancelling_at: seconds(atMs.cancelling) ?? null,
    cancelled_at: seconds(atMs.cancelled) ?? null,
    request_counts: { total: batch.total, completed, failed },
    usage: {
      input_tokens: inputTokens,
      input_tokens_details: { cached_tokens: cachedTokens },
      output_tokens: outputTokens,
      output_tokens_details: { reasoning_tokens: reasoningTokens },
      total_tokens: inputTokens + outputTokens,
    },
    metadata: batch.metadata,
  }
}

const shownToAdmin = (standing: Standing): JsonObject => ({
  ...shownBatch(standing),
  key: standing.batch.key,
  costNanoUsd: standing.progress.costNanoUsd,
})

const absent = (id: string): Refusal => refuse('not_found', { what: 'batch', id })

const invalid = (field: string, problem: string, remedy: string): Refusal =>
  refuse('field_invalid', { field, problem, remedy })
