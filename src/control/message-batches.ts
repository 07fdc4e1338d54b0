import { type BatchRow, BATCHES, isOver } from '../batch/batch.ts'
import type { Batches, Standing } from '../batch/batches.ts'
import { checkLines } from '../batch/input.ts'
import { linesOf } from '../batch/lines.ts'
import type { Clock } from '../base/clock.ts'
import { refuse, Refusal } from '../base/errors.ts'
import { isObject, type Json, type JsonObject, parseJson } from '../base/json.ts'
import type { Files } from '../files/files.ts'
import { ownerOf } from '../files/owner.ts'
import type { Rows } from '../store/rows.ts'
import { cursorOf, pageOf } from './openai-list.ts'
import { type Answer, type Context, type Download, ok, type Route } from './router.ts'

/** Anthropic's message batches: the same batches, whose lines come in the body and whose results are
 *  read in one go. */

export interface MessageBatchDependencies {
  readonly clock: Clock
  readonly rows: Rows
  readonly batches: Pick<Batches, 'create' | 'find' | 'standing' | 'cancel'>
  readonly files: Pick<Files, 'write' | 'find' | 'read'>
}

const ENDPOINT = '/v1/messages'
/** Parsing holds up everything else. */
const LIMITS = { bytesMax: 16 * 2 ** 20, depthMax: 64 }
const WINDOW_HOURS = 24
const HOUR_MS = 3_600_000
/** As long as Anthropic keeps results. */
const KEPT_S = 29 * 24 * 3_600

export function messageBatchRoutes(dependencies: MessageBatchDependencies): Route[] {
  const { rows, batches } = dependencies
  const path = '/v1/messages/batches'
  return [
    {
      method: 'POST',
      path,
      summary: "Anthropic's message batches: {requests: [{custom_id, params}]}.",
      role: 'user',
      rawBytesMax: LIMITS.bytesMax,
      answer: (context) => create(dependencies, context),
    },
    {
      method: 'GET',
      path,
      summary: "The caller's message batches, newest first. `limit`, `after_id`, `before_id`.",
      role: 'user',
      async answer({ query, principal }) {
        const renamed = new URLSearchParams([...query].map(([name, value]) => [name.replace(/_id$/, ''), value]))
        const cursor = cursorOf(renamed)
        if (cursor instanceof Refusal) return cursor
        const isOurs = ({ endpoint }: BatchRow): boolean => endpoint === ENDPOINT
        const owner = principal === undefined ? '-' : ownerOf(principal)
        const { chosen, more } = await pageOf(rows, BATCHES, [owner], cursor, isOurs)
        const data = (await Promise.all(chosen.map((batch) => batches.standing(batch)))).map(shown)
        return ok({ data, has_more: more, first_id: chosen[0]?.id ?? null, last_id: chosen.at(-1)?.id ?? null })
      },
    },
    {
      method: 'GET',
      path: `${path}/{id}`,
      summary: 'How far one message batch is.',
      role: 'user',
      async answer(context) {
        const found = await find(dependencies, context)
        return found instanceof Refusal ? found : ok(shown(found))
      },
    },
    {
      method: 'POST',
      path: `${path}/{id}/cancel`,
      summary: 'Lets what is in flight end, and asks nothing more.',
      role: 'user',
      async answer(context) {
        const found = await find(dependencies, context)
        if (found instanceof Refusal) return found
        const cancelled = await batches.cancel(found.batch.owner, found.batch.id)
        return cancelled instanceof Refusal ? cancelled : ok(shown(cancelled))
      },
    },
    {
      method: 'GET',
      path: `${path}/{id}/results`,
      summary: 'What became of each request of an ended message batch: JSON Lines, in any order.',
      role: 'user',
      answer: (context) => results(dependencies, context),
    },
  ]
}

async function create(
  { clock, batches, files }: MessageBatchDependencies,
  { bytes, principal }: Context,
): Promise<Answer | Refusal> {
  if (principal === undefined) return refuse('key_missing', {})
  const body = parseJson(bytes, LIMITS)
  if (body instanceof Refusal) return body
  const requests = isObject(body) ? body['requests'] : undefined
  if (!Array.isArray(requests) || requests.length === 0)
    return invalid('requests', 'must be a list that is not empty', 'Send [{"custom_id": "...", "params": {...}}].')
  const input = Buffer.from((requests as Json[]).map((one) => `${JSON.stringify(lineOf(one))}\n`).join(''))
  const lines = linesOf(piecesOf(input), { clock, lineBytesMax: LIMITS.bytesMax })
  const { problems } = await checkLines(lines, ENDPOINT, LIMITS, new AbortController().signal)
  const [problem] = problems
  if (problem !== undefined) {
    const field = problem.line === undefined ? 'requests' : `requests.${problem.line - 1}`
    return invalid(field, `is refused (${problem.code}): ${problem.message}`.replace(/\.$/, ''), 'Correct it.')
  }
  const file = { owner: ownerOf(principal), name: 'message_batch.jsonl', mediaType: 'application/jsonl' }
  const written = await files.write(file, piecesOf(input), async () => ({ purpose: 'batch', expiresAfterS: KEPT_S }))
  if (written instanceof Refusal) return written
  const made = await batches.create(principal, {
    endpoint: ENDPOINT,
    inputFile: written.id,
    windowText: `${WINDOW_HOURS}h`,
    windowMs: WINDOW_HOURS * HOUR_MS,
    metadata: {},
    outputExpiresAfterS: KEPT_S,
  })
  return made instanceof Refusal ? made : ok(shown(made))
}

/** What is missing is told of by whoever reads the line. */
function lineOf(request: Json): JsonObject {
  const { custom_id: customId, params } = isObject(request) ? request : {}
  return { custom_id: customId ?? null, method: 'POST', url: ENDPOINT, body: params ?? null }
}

async function* piecesOf(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes
}

async function find(
  { batches }: MessageBatchDependencies,
  { params, principal }: Context,
): Promise<Standing | Refusal> {
  const id = params['id'] ?? ''
  const found = principal === undefined ? undefined : await batches.find(ownerOf(principal), id)
  return found?.batch.endpoint === ENDPOINT ? found : refuse('not_found', { what: 'message batch', id })
}

async function results(dependencies: MessageBatchDependencies, context: Context): Promise<Download | Refusal> {
  const found = await find(dependencies, context)
  if (found instanceof Refusal) return found
  const { id, owner, state, outputFile, errorFile } = found.batch
  if (!isOver(state)) return invalid('id', `names a batch that has not ended: ${id} is ${state}`, 'Ask again later.')
  const { clock, files } = dependencies
  async function* pieces(): AsyncGenerator<Uint8Array> {
    for (const one of [outputFile, errorFile]) {
      const file = one === undefined ? undefined : await files.find(owner, one)
      if (file === undefined) continue
      for await (const { bytes } of linesOf(files.read(file), { clock, lineBytesMax: Infinity }))
        if (bytes !== undefined) yield Buffer.from(`${JSON.stringify(shownResult(bytes))}\n`)
    }
  }
  return { headers: { 'content-type': 'application/x-jsonl' }, pieces: pieces() }
}

const ENDS: { readonly [code: string]: string } = { batch_expired: 'expired', batch_cancelled: 'canceled' }

/** Of a line of our own files. */
function shownResult(bytes: Uint8Array): JsonObject {
  const line = JSON.parse(Buffer.from(bytes).toString()) as JsonObject
  const { custom_id: customId, response, error } = line
  const shownAs = (result: JsonObject): JsonObject => ({ custom_id: customId ?? '', result })
  if (isObject(response)) {
    const { status_code: status, body = null } = response
    return shownAs(status === 200 ? { type: 'succeeded', message: body } : { type: 'errored', error: body })
  }
  const { code, message } = isObject(error) ? error : {}
  const end = ENDS[String(code)]
  if (end !== undefined) return shownAs({ type: end })
  return shownAs({ type: 'errored', error: { type: 'error', error: { type: 'api_error', message: message ?? '' } } })
}

function shown({ batch, progress }: Standing): JsonObject {
  const { id, state, atMs, total, expiresAtMs } = batch
  const left = Math.max(0, total - progress.completed - progress.failed)
  const endedMs = atMs.completed ?? atMs.expired ?? atMs.cancelled ?? atMs.failed
  return {
    id,
    type: 'message_batch',
    processing_status: isOver(state) ? 'ended' : state === 'cancelling' ? 'canceling' : 'in_progress',
    request_counts: {
      processing: isOver(state) ? 0 : left,
      succeeded: progress.completed,
      errored: progress.failed + (state === 'failed' ? left : 0),
      canceled: state === 'cancelled' ? left : 0,
      expired: state === 'expired' ? left : 0,
    },
    created_at: timeOf(atMs.created),
    expires_at: timeOf(expiresAtMs),
    ended_at: timeOf(endedMs),
    cancel_initiated_at: timeOf(atMs.cancelling),
    archived_at: null,
    results_url: isOver(state) ? `/v1/messages/batches/${id}/results` : null,
  }
}

const timeOf = (ms: number | undefined): string | null => (ms === undefined ? null : new Date(ms).toISOString())

const invalid = (field: string, problem: string, remedy: string): Refusal =>
  refuse('field_invalid', { field, problem, remedy })
