import type { Clock } from '../base/clock.ts'
import { refuse, Refusal } from '../base/errors.ts'
import { isObject, type Json, type JsonObject } from '../base/json.ts'
import type { Audit } from '../guard/audit.ts'
import { ALERT_KINDS } from '../meter/alerts/alerts.ts'
import { type Matcher, type Silence, type Silences, SILENCES_MAX } from '../meter/alerts/silences.ts'
import { type Answer, type Context, ok, type Route } from './router.ts'

/** Silences of alerts, on record. */

export interface SilenceDependencies {
  readonly silences: Silences
  readonly audit: Audit
  readonly clock: Clock
}

const FIELDS: readonly string[] = ['matcher', 'until', 'reason']
const REASON_UNITS_MAX = 500
const SUBJECT_NAMES_MAX = 8
const SUBJECT_UNITS_MAX = 256
/** What is to be silent longer belongs into the configuration. */
const DAYS_MAX = 90
const DAY_MS = 86_400_000
const TIME_UNITS_MAX = 40

export function silenceRoutes(dependencies: SilenceDependencies): Route[] {
  const { silences, audit } = dependencies
  return [
    {
      method: 'GET',
      path: '/api/alerts/silences',
      summary: 'The silences that hold.',
      role: 'admin',
      answer: async () => ok({ silences: (await silences.list()).map(silenceJson) }),
    },
    {
      method: 'POST',
      path: '/api/alerts/silences',
      summary: `Nobody is told of the alerts that match, up to a time. {matcher: {kind, subject}, until, reason}: \`kind\` one of ${ALERT_KINDS.join(', ')}, \`subject\` names and values that must be so; \`until\` ISO 8601, at most ${DAYS_MAX} days ahead.`,
      role: 'admin',
      answer: (context) => add(dependencies, context),
    },
    {
      method: 'DELETE',
      path: '/api/alerts/silences/{id}',
      summary: 'Ends a silence now. What is still open is told.',
      role: 'admin',
      async answer({ params, principal }) {
        const id = params['id'] ?? ''
        const act = { action: 'alert.silence.end', object: id, details: {} }
        const ended = await audit.record(principal, act, async () =>
          (await silences.end(id)) ? true : refuse('not_found', { what: 'silence', id }),
        )
        return ended instanceof Refusal ? ended : ok({ id, ended })
      },
    },
  ]
}

async function add(
  { silences, audit, clock }: SilenceDependencies,
  { body, principal }: Context,
): Promise<Answer | Refusal> {
  if (!isObject(body)) return invalid('body', 'must be an object', `Send {${FIELDS.join(', ')}}.`)
  const stranger = Object.keys(body).find((field) => !FIELDS.includes(field))
  if (stranger !== undefined)
    return invalid(stranger.slice(0, 80), 'is not a field here', `Known: ${FIELDS.join(', ')}.`)
  const matcher = matcherOf(body['matcher'])
  if (matcher instanceof Refusal) return matcher
  const nowMs = clock.wallMs()
  const untilMs = timeOf(body['until'])
  if (!(untilMs > nowMs && untilMs <= nowMs + DAYS_MAX * DAY_MS))
    return invalid('until', 'is no time ahead', `Write it as 2026-11-22T18:00:00Z, at most ${DAYS_MAX} days ahead.`)
  const { reason } = body
  if (typeof reason !== 'string' || reason.trim() === '' || reason.length > REASON_UNITS_MAX)
    return invalid('reason', `must be 1 to ${REASON_UNITS_MAX} characters`, 'Say why: it goes on record.')
  const wanted = { ...matcher, untilMs, reason: reason.trim(), by: principal?.name ?? '' }
  const details = { ...(body['matcher'] as JsonObject), until: new Date(untilMs).toISOString(), reason: wanted.reason }
  const act = { action: 'alert.silence', object: matcher.kind ?? '*', details }
  const added = await audit.record(
    principal,
    act,
    async () => (await silences.add(wanted)) ?? full(),
    (result) => (result instanceof Refusal ? {} : { silence: result.id }),
  )
  return added instanceof Refusal ? added : { status: 201, value: silenceJson(added) }
}

const full = (): Refusal =>
  invalid('matcher', `would be of silence ${SILENCES_MAX + 1}`, 'End some that are not needed, or match more with one.')

function matcherOf(given: Json | undefined): Matcher | Refusal {
  const wrong = (problem: string): Refusal =>
    invalid(
      'matcher',
      problem,
      'Send {kind, subject}, either or both: {"kind": "objective_burn", "subject": {"model": "chat"}}.',
    )
  if (!isObject(given)) return wrong('must be an object')
  const { kind, subject, ...others } = given
  if (Object.keys(others).length > 0) return wrong('has a field that is unknown')
  const known = ALERT_KINDS.find((one) => one === kind)
  if (kind !== undefined && known === undefined) return wrong('names a kind that there is not')
  if (subject !== undefined && !isSubject(subject)) return wrong('has a subject that is no object of short texts')
  if (known === undefined && (subject === undefined || Object.keys(subject).length === 0)) return wrong('is empty')
  return { ...(known === undefined ? {} : { kind: known }), ...(subject === undefined ? {} : { subject }) }
}

function isSubject(value: Json): value is { readonly [name: string]: string } {
  if (!isObject(value)) return false
  const entries = Object.entries(value)
  const isShort = (text: Json | undefined): boolean => typeof text === 'string' && text.length <= SUBJECT_UNITS_MAX
  return entries.length <= SUBJECT_NAMES_MAX && entries.every((pair) => pair.every(isShort))
}

function timeOf(given: Json | undefined): number {
  try {
    return typeof given === 'string' && given.length < TIME_UNITS_MAX
      ? Temporal.Instant.from(given).epochMilliseconds
      : Number.NaN
  } catch {
    return Number.NaN
  }
}

const silenceJson = ({ id, kind, subject, fromMs, untilMs, reason, by }: Silence): JsonObject => ({
  id,
  matcher: { ...(kind === undefined ? {} : { kind }), ...(subject === undefined ? {} : { subject }) },
  from: new Date(fromMs).toISOString(),
  until: new Date(untilMs).toISOString(),
  reason,
  by,
})

const invalid = (field: string, problem: string, remedy: string): Refusal =>
  refuse('field_invalid', { field, problem, remedy })
