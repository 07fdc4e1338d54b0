import { refuse, Refusal } from '../base/errors.ts'
import type { Json } from '../base/json.ts'
import type { Entry, Events } from '../store/events.ts'
import { limitOf, ok, type Route } from './router.ts'

const LIMIT_MAX = 200
const LIMIT_DEFAULT = 50

export function traceRoutes(events: Events): Route[] {
  return [
    {
      method: 'GET',
      path: '/api/traces',
      summary: 'The latest requests, newest first. `limit` (1 to 200), `before` (from `next`), `kind`.',
      role: 'admin',
      async answer({ query }) {
        const limit = limitOf(query, { default: LIMIT_DEFAULT, most: LIMIT_MAX, cursor: 'before' })
        if (limit instanceof Refusal) return limit
        const before = query.get('before')
        const kind = query.get('kind')
        const page = await events.recent({
          limit,
          ...(before === null ? {} : { before }),
          ...(kind === null ? {} : { kind }),
        })
        return ok({ traces: page.entries.map(shown), next: page.next ?? null })
      },
    },
    {
      method: 'GET',
      path: '/api/traces/{id}',
      summary: 'Everything known about one request.',
      role: 'admin',
      async answer({ params }) {
        const id = params['id'] ?? ''
        const entries = await events.read(id)
        const last = entries.at(-1)
        return last === undefined ? refuse('not_found', { what: 'trace', id }) : ok(shown(last))
      },
    },
  ]
}

const shown = ({ id, kind, phase, atMs, body }: Entry): Json => ({
  id,
  kind,
  at: new Date(atMs).toISOString(),
  running: phase === 'open',
  body,
})
