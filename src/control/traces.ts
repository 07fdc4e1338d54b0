import { refuse, Refusal } from '../base/errors.ts'
import { isObject, type Json, type JsonObject } from '../base/json.ts'
import { documentKey, DOCUMENTS } from '../retrieval/document.ts'
import { storageOf } from '../retrieval/generation/row.ts'
import type { Entry, Events } from '../store/events.ts'
import type { Rows } from '../store/rows.ts'
import { limitOf, ok, type Route } from './router.ts'

const LIMIT_MAX = 200
const LIMIT_DEFAULT = 50

export function traceRoutes(events: Events, rows: Rows): Route[] {
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
    {
      method: 'GET',
      path: '/api/traces/{id}/lineage',
      summary: "Where a workflow's answer comes from, and what has become of each document since.",
      role: 'admin',
      async answer({ params }) {
        const id = params['id'] ?? ''
        const last = (await events.read(id)).at(-1)
        const lineage = last?.body['lineage']
        if (last === undefined || !isObject(lineage)) return refuse('not_found', { what: 'lineage', id })
        const { answered, unansweredBy, evidence, groundedness, outcome } = last.body
        const verdict = { answered, unansweredBy, evidence, groundedness, outcome }
        const passages = await sinceThen(rows, lineage)
        return ok({ id, at: new Date(last.atMs).toISOString(), ...verdict, ...lineage, passages })
      },
    },
  ]
}

/** The passages an answer was given, each with what its document is `now`: `unchanged`, `changed`,
 *  `removed`, or `unknown`
 *  where no hash of it was kept. */
async function sinceThen(rows: Rows, lineage: JsonObject): Promise<JsonObject[]> {
  const given = Array.isArray(lineage['passages']) ? (lineage['passages'] as readonly Json[]).filter(isObject) : []
  const storage = await storageOf(rows, String(lineage['collection']))
  const keys = given.map(({ document }) => documentKey(storage, String(document)))
  const stored = await rows.getMany(DOCUMENTS, keys)
  return given.map((passage, at) => {
    const document = stored[at]?.row
    if (document === undefined) return { ...passage, now: 'removed' }
    const { contentHash } = passage
    return { ...passage, now: document.contentHash === contentHash ? 'unchanged' : contentHash ? 'changed' : 'unknown' }
  })
}

const shown = ({ id, kind, phase, atMs, body }: Entry): Json => ({
  id,
  kind,
  at: new Date(atMs).toISOString(),
  running: phase === 'open',
  body,
})
