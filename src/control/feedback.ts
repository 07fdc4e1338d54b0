import { hash } from 'node:crypto'
import type { Clock } from '../base/clock.ts'
import { refuse, Refusal } from '../base/errors.ts'
import { isObject, type Json, type JsonObject } from '../base/json.ts'
import type { CapturedContent } from '../guard/content/capture.ts'
import { type ContentRules, keepingOf } from '../guard/content/policy.ts'
import type { Principal } from '../guard/principal.ts'
import type { Entry, Events } from '../store/events.ts'
import { traceIdOf, traceOfEntry } from '../trace/journal.ts'
import type { TelemetryStore } from '../trace/port.ts'
import { ERROR_UNITS_MAX, keptText, NAME_UNITS_MAX, type ScoreRow } from '../trace/span.ts'
import { type Answer, type Context, ok, type Route } from './router.ts'

/** What people say of answers: of any trace that is theirs. */

export interface FeedbackRoutesDependencies {
  readonly clock: Clock
  /** The journal, which knows whose a request was. */
  readonly events: Pick<Events, 'read'>
  readonly telemetry: Pick<TelemetryStore, 'trace' | 'score'>
  readonly content: {
    readonly rules: () => ContentRules
    /** Resolves once it is durable. */
    keep(contents: readonly CapturedContent[]): Promise<void>
  }
}

const ID = /^(?:[0-9a-f]{32}|req_[0-9a-z]{26})$/
const SPAN_ID = /^[0-9a-f]{16}$/
const CORRECTION_UNITS_MAX = 100_000
const FIELDS = ['trace', 'span', 'name', 'value', 'label', 'comment', 'correction']

export function feedbackRoutes(dependencies: FeedbackRoutesDependencies): Route[] {
  return [
    {
      method: 'POST',
      path: '/api/feedback',
      summary:
        'Says something of a trace of one’s own, or with `span` of one of its spans: `trace` (a request id or a trace id), `name`, `value` (a number, a boolean, or a category), `label`, `comment`, `correction` (kept with inputs and outputs).',
      role: 'user',
      answer: (context) => feedback(dependencies, context),
    },
  ]
}

interface Told {
  readonly trace: string
  readonly span: string
  readonly name: string
  readonly value: number | null
  readonly label: string
  readonly comment: string
  readonly correction: string
}

async function feedback(
  dependencies: FeedbackRoutesDependencies,
  { body, principal }: Context,
): Promise<Answer | Refusal> {
  const { clock, telemetry } = dependencies
  const told = readTold(body)
  if (told instanceof Refusal) return told
  const about = await aboutOf(dependencies, told.trace, principal)
  // To whom it does not belong, it is not there.
  if (about === undefined) return refuse('not_found', { what: 'trace', id: told.trace })
  const { traceId, tenant, request } = about
  const { span, name, value, label, comment, correction } = told
  const atUs = Math.round(clock.wallMs() * 1000)
  const said: Json = [traceId, span, name, value, label, comment, correction, principal?.id ?? '', atUs]
  const id = hash('sha256', JSON.stringify(said)).slice(0, 16)
  if (correction !== '') {
    const content = correctionOf(dependencies, about, told, id)
    if (content instanceof Refusal) return content
    await dependencies.content.keep([content])
  }
  const score: ScoreRow = {
    id,
    traceId,
    spanId: span,
    kind: 'feedback',
    name: keptText(name, NAME_UNITS_MAX),
    value,
    label: keptText(label, NAME_UNITS_MAX),
    comment: keptText(comment, ERROR_UNITS_MAX),
    tenant,
    atUs,
    ...(request === undefined ? {} : { requestId: request.id }),
  }
  await telemetry.score(score)
  return ok({ id, ...(correction === '' ? {} : { corrected: true }) })
}

function readTold(body: Json): Told | Refusal {
  if (!isObject(body)) return invalid('body', 'is no object')
  const stranger = Object.keys(body).find((field) => !FIELDS.includes(field))
  if (stranger !== undefined) return invalid(stranger.slice(0, 80), 'is no field of feedback')
  const { trace, span, name, value } = body
  if (typeof trace !== 'string' || !ID.test(trace))
    return invalid('trace', 'is neither the id of a request nor that of a trace')
  if (span !== undefined && (typeof span !== 'string' || !SPAN_ID.test(span))) return invalid('span', 'is no span id')
  const isValue = value === undefined || value === null || ['number', 'boolean', 'string'].includes(typeof value)
  if (!isValue || (typeof value === 'number' && !Number.isFinite(value)))
    return invalid('value', 'is neither a number nor a boolean nor a category')
  for (const field of ['name', 'label', 'comment', 'correction'] as const) {
    const text = body[field]
    if (text !== undefined && text !== null && typeof text !== 'string') return invalid(field, 'is no text')
  }
  if (typeof value === 'string' && textOf(body['label']) !== '')
    return invalid('label', 'is said twice: a category is a label already')
  if (textOf(body['correction']).length > CORRECTION_UNITS_MAX)
    return invalid('correction', `is longer than ${CORRECTION_UNITS_MAX} characters`)
  const label = typeof value === 'string' ? value : typeof value === 'boolean' ? String(value) : textOf(body['label'])
  const told = {
    trace,
    span: span ?? '',
    name: textOf(name) || 'feedback',
    value: typeof value === 'number' ? value : typeof value === 'boolean' ? Number(value) : null,
    label,
    comment: textOf(body['comment']),
    correction: textOf(body['correction']),
  }
  if (told.value === null && told.label === '' && told.comment === '' && told.correction === '')
    return invalid('value', 'is missing, and there is neither a label nor a comment nor a correction')
  return told
}

interface About {
  readonly traceId: string
  readonly tenant: string
  /** Where it is of ours, and still on record. */
  readonly request: Entry | undefined
}

/** Undefined where there is none, or it is another's: a key speaks of its own requests, one that is bound to a
 *  tenant of that tenant's traces. */
async function aboutOf(
  { events, telemetry }: FeedbackRoutesDependencies,
  id: string,
  principal: Principal | undefined,
): Promise<About | undefined> {
  const closing = async (requestId: string): Promise<Entry | undefined> =>
    (await events.read(requestId)).find(({ kind, phase }) => kind === 'request' && phase === 'close')
  const named = id.startsWith('req_') ? await closing(id) : undefined
  const traceId = named !== undefined ? traceOfEntry(named) : id.startsWith('req_') ? traceIdOf(id) : id
  const found = named === undefined ? (await telemetry.trace(traceId, { offset: 0, limit: 1 }))?.summary : undefined
  if (named === undefined && found === undefined) return undefined
  const request = named ?? (found?.requestId ? await closing(found.requestId) : undefined)
  const tenant = named === undefined ? (found?.tenant ?? '') : textOf(named.body['tenant'])
  const bound = principal?.bindings.tenant
  const isTheirs =
    bound !== undefined
      ? tenant === bound
      : principal?.role === 'admin' || (request !== undefined && request.body['key'] === principal?.id)
  return isTheirs ? { traceId, tenant, request } : undefined
}

/** What should have been said is said about the same subject as the answer: it lies, and is erased, with it. */
function correctionOf(
  { clock, content }: FeedbackRoutesDependencies,
  { traceId, tenant, request }: About,
  { span, correction }: Told,
  id: string,
): CapturedContent | Refusal {
  if (request === undefined) return invalid('correction', 'is of a trace without a request to this gateway')
  const { body } = request
  const [key, model, workflow, user] = [body['key'], body['model'], body['workflow'], body['user']].map(textOf) as [
    string,
    string,
    string,
    string,
  ]
  const rules = content.rules()
  const scopes = { key, model, ...(tenant === '' ? {} : { tenant }), ...(workflow === '' ? {} : { workflow }) }
  const { keep, days } = keepingOf(rules, scopes)
  if (keep === 'off') return invalid('correction', 'is of a request of which nothing is to be kept')
  return {
    requestId: `fb_${id}`,
    traceId,
    atMs: clock.wallMs(),
    subject: user === '' ? { kind: 'key', id: key } : { kind: 'user', id: user },
    tenant,
    key,
    model,
    workflow,
    keep: keep === 'full' ? 'full' : 'redacted',
    days: keep === 'metadata' ? rules.retention.redactedDays : days,
    text: JSON.stringify({ about: request.id, ...(span === '' ? {} : { span }), correction } satisfies JsonObject),
  }
}

const textOf = (value: Json | undefined): string => (typeof value === 'string' ? value : '')
const invalid = (field: string, problem: string): Refusal =>
  refuse('field_invalid', { field, problem, remedy: 'See POST /api/feedback in /api/openapi.json.' })
