import { refuse, type Refusal } from '../base/errors.ts'
import { isObject, type Json } from '../base/json.ts'
import type { Keyring, KeyRow } from '../guard/keyring.ts'
import type { Sessions } from '../guard/sessions.ts'
import { type Answer, type Context, ok, type Route } from './router.ts'

const NAME_UNITS_MAX = 100

export function keyRoutes(keyring: Keyring, sessions: Sessions): Route[] {
  return [
    {
      method: 'GET',
      path: '/api/keys',
      summary: 'Lists the keys: never their text.',
      role: 'admin',
      answer: async () => ok({ keys: (await keyring.list()).map(shown) }),
    },
    {
      method: 'POST',
      path: '/api/keys',
      summary: 'Makes a key; its text is in this answer only.',
      role: 'admin',
      answer: (context) => create(keyring, context),
    },
    {
      method: 'DELETE',
      path: '/api/keys/{id}',
      summary: 'Revokes a key at once.',
      role: 'admin',
      async answer({ params }) {
        const id = params['id'] ?? ''
        // What it opened ends with it, also where the revocation cannot be written.
        const known = await keyring.revoke(id).finally(() => sessions.closeAllOf(id))
        return known ? ok({ id, revoked: true }) : refuse('not_found', { what: 'key', id })
      },
    },
  ]
}

async function create(keyring: Keyring, { body }: Context): Promise<Answer | Refusal> {
  const name = isObject(body) ? (body['name'] ?? '') : ''
  const role = isObject(body) ? (body['role'] ?? 'user') : 'user'
  if (typeof name !== 'string' || name.length === 0 || name.length > NAME_UNITS_MAX) {
    return refuse('field_invalid', {
      field: 'name',
      problem: `must be 1 to ${NAME_UNITS_MAX} characters`,
      remedy: 'Say who or what the key is for.',
    })
  }
  if (role !== 'admin' && role !== 'user') {
    return refuse('field_invalid', {
      field: 'role',
      problem: 'must be "admin" or "user"',
      remedy: 'Leave it out for "user".',
    })
  }
  const { id, text } = await keyring.create(name, role)
  return { status: 201, value: { id, key: text, name, role } }
}

const shown = ({ id, name, role, hint, createdAtMs, revokedAtMs }: KeyRow): Json => ({
  id,
  name,
  role,
  hint: `${hint}…`,
  createdAt: new Date(createdAtMs).toISOString(),
  revokedAt: revokedAtMs === undefined ? null : new Date(revokedAtMs).toISOString(),
})
