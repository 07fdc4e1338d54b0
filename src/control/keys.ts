import { refuse, Refusal } from '../base/errors.ts'
import { isObject, type Json, type JsonObject } from '../base/json.ts'
import { frozen, isBinding, readBindings } from '../guard/bindings.ts'
import type { Audit } from '../guard/audit.ts'
import type { KeyRow } from '../guard/key-rows.ts'
import { type Keyring, KEYS_MAX, type NewKey } from '../guard/keyring.ts'
import type { Role } from '../guard/principal.ts'
import type { Sessions } from '../guard/sessions.ts'
import { readKeyBudgets } from './key-budgets.ts'
import { type Answer, type Context, ok, type Route } from './router.ts'

const NAME_UNITS_MAX = 100
const PAGE_MAX = 1000
const GRACE_MS_MAX = 30 * 24 * 3_600_000
/** A time is written in fewer characters than this. */
const TIME_UNITS_MAX = 40
const LIFE_MS_MAX = 100 * 366 * 24 * 3_600_000

export interface KeyDependencies {
  readonly keyring: Keyring
  readonly sessions: Sessions
  readonly audit: Audit
  /** The wall clock, in milliseconds. */
  readonly nowMs: () => number
}

export function keyRoutes(dependencies: KeyDependencies): Route[] {
  const { keyring, sessions, audit } = dependencies
  return [
    {
      method: 'GET',
      path: '/api/keys',
      summary: 'Lists the keys, the oldest first: never their text. `limit` (1 to 1000), `after` (from `next`).',
      role: 'admin',
      answer: (context) => list(keyring, context),
    },
    {
      method: 'POST',
      path: '/api/keys',
      summary:
        'Makes a key; its text is in this answer only. {name, role, user, team, tenant, tags, models, workflows, collections, mayName, content, priority, budgets, expiresAt}.',
      role: 'admin',
      answer: (context) => create(dependencies, context),
    },
    {
      method: 'POST',
      path: '/api/keys/{id}/rotate',
      summary: 'Gives a key a new text; its id and bindings stay. The old text is taken for `graceMs` longer.',
      role: 'admin',
      answer: (context) => rotate(dependencies, context),
    },
    {
      method: 'DELETE',
      path: '/api/keys/{id}',
      summary: 'Revokes a key at once.',
      role: 'admin',
      async answer({ params, principal }) {
        const id = params['id'] ?? ''
        const act = { action: 'key.revoke', object: id, details: {} }
        const revoked = audit.record(
          principal,
          act,
          () => keyring.revoke(id),
          (found) => ({ found }),
        )
        // What it opened ends with it, also where the revocation cannot be written.
        const known = await revoked.finally(() => sessions.closeAllOf(id))
        return known ? ok({ id, revoked: true }) : refuse('not_found', { what: 'key', id })
      },
    },
  ]
}

async function list(keyring: Keyring, { query }: Context): Promise<Answer | Refusal> {
  const limit = Number(query.get('limit') ?? PAGE_MAX)
  if (!Number.isInteger(limit) || limit < 1 || limit > PAGE_MAX)
    return invalid('limit', `must be 1 to ${PAGE_MAX}`, 'Page with `after`.')
  const after = query.get('after') ?? undefined
  if (after !== undefined && !/^key_[0-9a-z]{1,40}$/.test(after))
    return invalid('after', 'must be the id of a key', 'Pass `next` of the page before, unchanged.')
  const page = await keyring.list(after, limit)
  const next = page.length === limit ? (page.at(-1)?.id ?? null) : null
  return ok({ keys: page.map((row) => shown(row, keyring)), next })
}

const OWN_FIELDS = ['name', 'role', 'expiresAt']

async function create(
  { keyring, audit, nowMs }: KeyDependencies,
  { body, principal }: Context,
): Promise<Answer | Refusal> {
  if (!isObject(body)) return invalid('body', 'must be an object', 'Send {"name": ...}.')
  const stranger = Object.keys(body).find((field) => !OWN_FIELDS.includes(field) && !isBinding(field))
  if (stranger !== undefined)
    return invalid(stranger.slice(0, 80), 'is no field of a key', 'See POST /api/keys in /api/openapi.json.')
  const name = body['name']
  if (typeof name !== 'string' || name.trim() === '' || name.length > NAME_UNITS_MAX)
    return invalid('name', `must be 1 to ${NAME_UNITS_MAX} characters`, 'Say who or what the key is for.')
  const role = body['role'] ?? 'user'
  if (!isRole(role)) return invalid('role', 'must be "admin" or "user"', 'Leave it out for "user".')
  const bound = readBindings(body, role)
  if (bound instanceof Refusal) return bound
  const budgets =
    body['budgets'] === undefined || body['budgets'] === null ? undefined : readKeyBudgets(body['budgets'])
  if (budgets instanceof Refusal) return budgets
  const bindings = budgets === undefined ? bound : frozen({ ...bound, budgets })
  const expiresAtMs = readExpiry(body['expiresAt'] ?? undefined, nowMs())
  if (expiresAtMs instanceof Refusal) return expiresAtMs
  if (keyring.isFull) return refuse('keys_full', { limit: KEYS_MAX })
  const terms = { bindings, ...(expiresAtMs === undefined ? {} : { expiresAtMs }) }
  const act = { action: 'key.create', object: name, details: { role, ...bindings, mayName: { ...bindings.mayName } } }
  return made(
    await audit.record(
      principal,
      act,
      () => keyring.create(name, role, terms),
      ({ id }) => ({ id }),
    ),
  )
}

async function rotate(
  { keyring, sessions, audit }: KeyDependencies,
  { params, body, principal }: Context,
): Promise<Answer | Refusal> {
  const graceMs = isObject(body) ? (body['graceMs'] ?? 0) : undefined
  if (typeof graceMs !== 'number' || !Number.isInteger(graceMs) || graceMs < 0 || graceMs > GRACE_MS_MAX)
    return invalid('graceMs', `must be a whole number from 0 to ${GRACE_MS_MAX}`, 'Leave it out for none.')
  const id = params['id'] ?? ''
  const act = { action: 'key.rotate', object: id, details: { graceMs } }
  const rotated = await audit.record(principal, act, () => keyring.rotate(id, graceMs))
  if (rotated instanceof Refusal) return rotated
  sessions.closeAllOf(id)
  return made(rotated)
}

function readExpiry(given: Json | undefined, nowMs: number): number | undefined | Refusal {
  if (given === undefined) return undefined
  const atMs = typeof given === 'string' && given.length < TIME_UNITS_MAX ? parseTime(given) : undefined
  if (atMs === undefined)
    return invalid('expiresAt', 'must be a time such as "2030-01-31T12:00:00Z"', 'Leave it out for a key that lasts.')
  if (atMs <= nowMs) return invalid('expiresAt', 'lies in the past', 'Leave it out for a key that lasts.')
  if (atMs > nowMs + LIFE_MS_MAX)
    return invalid('expiresAt', 'lies more than a century ahead', 'Leave it out for a key that lasts.')
  return atMs
}

/** RFC 3339, in milliseconds since the Unix epoch; undefined where the text is none or names a day
 *  that does not exist. */
function parseTime(text: string): number | undefined {
  try {
    return Temporal.Instant.from(text).epochMilliseconds
  } catch {
    return undefined
  }
}

const isRole = (value: Json): value is Role => value === 'admin' || value === 'user'

const made = ({ id, text, name, role }: NewKey): Answer => ({ status: 201, value: { id, key: text, name, role } })

function shown(row: KeyRow, keyring: Keyring): JsonObject {
  const { id, name, role, hint, createdAtMs, expiresAtMs, rotatedAtMs, previous, revokedAtMs, bindings } = row
  const { user, team, tenant, tags, models, workflows, collections, mayName, content, priority, budgets } = bindings
  return {
    id,
    name,
    role,
    hint: `${hint}…`,
    state: keyring.stateOf(row),
    createdAt: timeOf(createdAtMs),
    expiresAt: timeOf(expiresAtMs),
    rotatedAt: timeOf(rotatedAtMs),
    graceUntil: timeOf(previous?.untilMs),
    revokedAt: timeOf(revokedAtMs),
    user: user ?? null,
    team: team ?? null,
    tenant: tenant ?? null,
    tags,
    models: models ?? null,
    workflows: workflows ?? null,
    collections: collections ?? null,
    ...(content === undefined ? {} : { content }),
    mayName: { ...mayName },
    priority: priority ?? 'interactive',
    budgets: budgets ?? [],
  }
}

const timeOf = (atMs: number | undefined): string | null => (atMs === undefined ? null : new Date(atMs).toISOString())

const invalid = (field: string, problem: string, remedy: string): Refusal =>
  refuse('field_invalid', { field, problem, remedy })
