import { refuse, Refusal } from '../base/errors.ts'
import { isObject, type Json, type JsonObject } from '../base/json.ts'
import type { Audit } from '../guard/audit.ts'
import { isScopeName } from '../guard/bindings.ts'
import type { Subject } from '../guard/content/capture.ts'
import type { ContentStore, ErasureReceipt, KeptContent } from '../guard/content/store.ts'
import type { Principal } from '../guard/principal.ts'
import type { Events } from '../store/events.ts'
import { traceIdOf, traceOfEntry } from '../trace/journal.ts'
import { type Answer, type Context, ok, type Route } from './router.ts'

/** Inputs and outputs of models: who may read them, on record, and how they are erased. */

export interface ContentRoutesDependencies {
  readonly content: Pick<ContentStore, 'read' | 'erase'>
  readonly audit: Pick<Audit, 'record'>
  /** The journal, which knows the trace of a request. */
  readonly events: Pick<Events, 'read'>
}

const TRACE_ID = /^[0-9a-f]{32}$/
const REQUEST_ID = /^req_[0-9a-z]{26}$/

export function contentRoutes(dependencies: ContentRoutesDependencies): Route[] {
  return [
    {
      method: 'GET',
      path: '/api/traces/{id}/content',
      summary:
        'Inputs and outputs of a request, or of all requests of a trace, as far as they are kept. For administrators, and keys made with `content`. Each read is on record.',
      role: 'user',
      answer: (context) => read(dependencies, context),
    },
    {
      method: 'POST',
      path: '/api/subjects/{id}/erase',
      summary:
        'Destroys the key of a subject, `user:NAME` or `key:ID`, and then its inputs and outputs. {tenant, reason}; without `tenant`, those in every tenant. Answers with a receipt.',
      role: 'user',
      answer: (context) => erase(dependencies, context),
    },
  ]
}

async function read(
  { content, audit, events }: ContentRoutesDependencies,
  { params, principal }: Context,
): Promise<Answer | Refusal> {
  const id = params['id'] ?? ''
  if (principal?.role !== 'admin' && principal?.bindings.content === undefined)
    return refuse('not_allowed', { action: 'read inputs and outputs', role: 'admin, or one made with `content`' })
  if (!TRACE_ID.test(id) && !REQUEST_ID.test(id)) return refuse('not_found', { what: 'trace', id: id.slice(0, 80) })
  return await audit.record(
    principal,
    { action: 'content.read', object: id, details: {} },
    async () => {
      const entry = REQUEST_ID.test(id) ? (await events.read(id)).at(-1) : undefined
      const traceId = entry === undefined ? (TRACE_ID.test(id) ? id : traceIdOf(id)) : traceOfEntry(entry)
      const all = await content.read(traceId)
      const kept = REQUEST_ID.test(id) ? all.filter((one) => isOf(one, id)) : all
      const seen = kept.filter((one) => maySee(principal, one))
      // To whom it does not belong, it is not there.
      return seen.length === 0
        ? refuse('not_found', { what: 'content of a trace', id })
        : ok({ id, content: seen.map(shown) })
    },
    (answer) => ({ found: !(answer instanceof Refusal) }),
  )
}

/** Itself, or what was said of it. */
const isOf = ({ requestId, value }: KeptContent, id: string): boolean =>
  requestId === id || (isObject(value) && value['about'] === id)

function maySee({ id, role, bindings }: Principal, { tenant, key }: KeptContent): boolean {
  if (role === 'admin') return bindings.tenant === undefined || bindings.tenant === tenant
  return bindings.content === 'tenant' ? tenant !== '' && tenant === bindings.tenant : key === id
}

/** `erased`: its key is there no more. */
const shown = ({ value, requestId, ...rest }: KeptContent): JsonObject => ({
  request: requestId,
  ...rest,
  ...(isObject(value) ? value : { erased: true }),
})

async function erase(
  { content, audit }: ContentRoutesDependencies,
  { params, body, principal }: Context,
): Promise<Answer | Refusal> {
  const id = params['id'] ?? ''
  const given = isObject(body) ? body : {}
  if (principal?.role !== 'admin') return refuse('not_allowed', { action: 'erase inputs and outputs', role: 'admin' })
  const subject = subjectOf(id)
  if (subject === undefined)
    return invalid('id', 'is neither user:NAME nor key:ID', 'Write the user as requests name it: user:ada.')
  const { tenant, reason } = given
  if (tenant !== undefined && tenant !== null && tenant !== '' && !isScopeName(tenant))
    return invalid('tenant', 'is no name of a tenant', 'Leave it out for every tenant, or "" for those without one.')
  const own = principal.bindings.tenant
  if (own !== undefined && isText(tenant) && tenant !== own)
    return refuse('not_allowed', { action: 'erase what is another tenant’s', role: 'admin that is bound to no tenant' })
  const of = own ?? (isText(tenant) ? tenant : undefined)
  const details = { tenant: of ?? null, reason: isText(reason) ? reason.slice(0, REASON_UNITS_MAX) : '' }
  let receipt: ErasureReceipt | undefined
  await audit.record(
    principal,
    { action: 'content.erase', object: id, details },
    async () => (receipt = await content.erase(subject, of)),
    (done) => ({ ...done }),
  )
  return ok({ subject: id, tenant: of ?? null, ...receipt })
}

const REASON_UNITS_MAX = 500
const isText = (value: Json | undefined): value is string => typeof value === 'string'

function subjectOf(id: string): Subject | undefined {
  const [, kind, name = ''] = /^(user|key):(.*)$/s.exec(id) ?? []
  return (kind === 'user' || kind === 'key') && isScopeName(name) ? { kind, id: name } : undefined
}

const invalid = (field: string, problem: string, remedy: string): Refusal =>
  refuse('field_invalid', { field, problem, remedy })
