import { refuse, type Refusal } from '../base/errors.ts'
import type { Request } from '../base/http.ts'
import type { Keyring } from './keyring.ts'
import { LOCAL, type Principal } from './principal.ts'
import { SESSION_COOKIE, type Sessions } from './sessions.ts'

/** Who sent this? `Authorization: Bearer`, `x-api-key` and the console's cookie meet the same
 *  checks; two different keys on one request are refused. */
export function authenticate(request: Request, keyring: Keyring, sessions: Sessions): Principal | Refusal {
  if (request.peer === 'local') return LOCAL
  const bearer = bearerOf(request.headers['authorization'])
  const apiKey = request.headers['x-api-key']?.trim()
  if (bearer !== undefined && apiKey !== undefined && bearer !== apiKey) return refuse('key_ambiguous', {})
  const text = bearer ?? apiKey
  if (text !== undefined && text !== '') return keyring.find(text) ?? refuse('key_unknown', {})
  const cookie = cookieOf(request)
  if (cookie === undefined) return refuse('key_missing', {})
  if (!isSameOrigin(request)) return refuse('not_allowed', { action: 'be used from another site', role: 'admin' })
  const opener = sessions.find(cookie)
  // A session ends with its key, also where that was revoked elsewhere.
  return (opener && keyring.current(opener)) ?? refuse('key_missing', {})
}

export function cookieOf(request: Request): string | undefined {
  for (const pair of (request.headers['cookie'] ?? '').split(';')) {
    const at = pair.indexOf('=')
    if (at > 0 && pair.slice(0, at).trim() === SESSION_COOKIE) return pair.slice(at + 1).trim()
  }
  return undefined
}

function bearerOf(header: string | undefined): string | undefined {
  const match = /^bearer +(\S+)$/i.exec(header?.trim() ?? '')
  return match?.[1]
}

/** A cookie travels with any request the browser makes, so whoever made it must be our own page:
 *  `Sec-Fetch-Site` where the browser sends it, `Origin` against `Host` otherwise. */
function isSameOrigin(request: Request): boolean {
  const site = request.headers['sec-fetch-site']
  if (site !== undefined) return site === 'same-origin' || (site === 'none' && request.method === 'GET')
  const origin = request.headers['origin']
  if (origin === undefined) return request.method === 'GET'
  return URL.canParse(origin) && new URL(origin).host === request.headers['host']
}
