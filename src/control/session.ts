import { refuse } from '../base/errors.ts'
import { isObject, type Json } from '../base/json.ts'
import { cookieOf } from '../guard/authenticate.ts'
import type { Keyring } from '../guard/keyring.ts'
import { LOCAL, type Principal } from '../guard/principal.ts'
import { sessionCookie, type Sessions } from '../guard/sessions.ts'
import { ok, type Route } from './router.ts'

export interface SessionDependencies {
  readonly keyring: Keyring
  readonly sessions: Sessions
  /** Where the console is, for the sign-in link. Undefined while nothing listens on TCP. */
  readonly consoleUrl: () => string | undefined
}

export function sessionRoutes({ keyring, sessions, consoleUrl }: SessionDependencies): Route[] {
  return [
    {
      method: 'GET',
      path: '/api/session',
      summary: 'Who the credential belongs to.',
      role: 'user',
      answer: ({ principal }) => ok({ key: principal === undefined ? null : shown(principal) }),
    },
    {
      method: 'POST',
      path: '/api/session',
      summary: 'Signs the console in with a key: answers with a cookie.',
      role: 'anyone',
      answer({ body }) {
        const text = isObject(body) ? body['key'] : undefined
        const principal = typeof text === 'string' ? keyring.find(text.trim()) : undefined
        if (principal === undefined) return refuse('key_unknown', {})
        return { value: { key: shown(principal) }, headers: { 'set-cookie': sessionCookie(sessions.open(principal)) } }
      },
    },
    {
      method: 'DELETE',
      path: '/api/session',
      summary: 'Signs the console out.',
      role: 'anyone',
      answer({ request }) {
        sessions.close(cookieOf(request) ?? '')
        return { value: {}, headers: { 'set-cookie': sessionCookie('') } }
      },
    },
    {
      method: 'POST',
      path: '/api/login',
      summary: 'Makes a one-time sign-in link for the console.',
      role: 'local',
      answer() {
        const url = consoleUrl()
        if (url === undefined) return refuse('server_absent', { address: 'any TCP address' })
        return ok({ url: `${url}/login?token=${sessions.issueLink(LOCAL)}` })
      },
    },
    {
      method: 'GET',
      path: '/login',
      redeems: true,
      summary: 'Redeems a sign-in link: sets the cookie and leads to the console.',
      role: 'anyone',
      answer({ query }) {
        const cookie = sessions.redeemLink(query.get('token') ?? '')
        const headers = { 'referrer-policy': 'no-referrer' }
        if (cookie === undefined)
          return { status: 303, headers: { ...headers, location: '/?login=expired' }, value: {} }
        return { status: 303, headers: { ...headers, location: '/', 'set-cookie': sessionCookie(cookie) }, value: {} }
      },
    },
  ]
}

const shown = ({ id, name, role }: Principal): Json => ({ id, name, role })
