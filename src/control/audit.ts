import { Refusal } from '../base/errors.ts'
import type { Audit } from '../guard/audit.ts'
import { limitOf, ok, type Route } from './router.ts'

const PAGE_DEFAULT = 50
const PAGE_MAX = 500

export function auditRoutes(audit: Audit): Route[] {
  return [
    {
      method: 'GET',
      path: '/api/audit',
      summary: 'What administrators did, the newest first. `limit` (1 to 500), `before` (from `next`).',
      role: 'admin',
      async answer({ query }) {
        const limit = limitOf(query, { default: PAGE_DEFAULT, most: PAGE_MAX, cursor: 'before' })
        if (limit instanceof Refusal) return limit
        const { entries, next } = await audit.recent(query.get('before') ?? undefined, limit)
        const acts = entries.map(({ id, atMs, body }) => ({ id, at: new Date(atMs).toISOString(), ...body }))
        return ok({ acts, next: next ?? null })
      },
    },
  ]
}
