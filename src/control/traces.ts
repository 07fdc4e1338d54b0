import { refuse, Refusal } from '../base/errors.ts'
import { isObject, type Json, type JsonObject } from '../base/json.ts'
import { documentKey, DOCUMENTS } from '../retrieval/document.ts'
import { storageOf } from '../retrieval/generation/row.ts'
import type { Entry, Events } from '../store/events.ts'
import type { Rows } from '../store/rows.ts'
import type { TelemetryStore, TraceQuery, TraceSpans } from '../trace/port.ts'
import { traceOfEntry } from '../trace/journal.ts'
import { limitOf, ok, type Route } from './router.ts'
import { isoOf, spanJson, summaryJson } from './spans.ts'

const LIMIT_MAX = 200
const LIMIT_DEFAULT = 50
/** Spans of one page of a trace. */
const SPANS_MAX = 2_000
const SPANS_DEFAULT = 1_000
const TRACE_ID = /^[0-9a-f]{32}$/
const NAMES = ['tenant', 'service', 'user', 'session', 'workflow', 'prompt', 'model'] as const
const TEXT_UNITS_MAX = 500

export interface TraceRoutesDependencies {
  readonly events: Events
  readonly rows: Rows
  readonly telemetry: Pick<TelemetryStore, 'traces' | 'trace'>
}

export function traceRoutes({ events, rows, telemetry }: TraceRoutesDependencies): Route[] {
  return [
    {
      method: 'GET',
      path: '/api/traces',
      summary: `Traces, ours and those of other programs, newest first. \`limit\` (1 to ${LIMIT_MAX}), \`before\` (from \`next\`), \`from\`, \`to\` (ISO 8601), ${NAMES.map((name) => `\`${name}\``).join(', ')}, \`status\` (ok, error), \`minMs\`, \`minUsd\`, \`text\` (words).`,
      role: 'admin',
      async answer({ query }) {
        const wanted = traceQuery(query)
        if (wanted instanceof Refusal) return wanted
        const { traces, next } = await telemetry.traces(wanted)
        return ok({ traces: traces.map(summaryJson), next: next ?? null })
      },
    },
    {
      method: 'GET',
      path: '/api/traces/{id}',
      summary:
        'Everything known about one request, by its id, or about one trace, by its trace id: its spans by their start (`offset`, `limit`), and what was said of them.',
      role: 'admin',
      async answer({ params, query }) {
        const id = params['id'] ?? ''
        const page = spansPage(query)
        if (page instanceof Refusal) return page
        const last = (await events.read(id)).at(-1)
        const traceId = TRACE_ID.test(id) ? id : last && traceOfEntry(last)
        const found = traceId === undefined ? undefined : await telemetry.trace(traceId, page)
        const record =
          last ?? (found === undefined ? undefined : (await events.read(found.summary.requestId || id)).at(-1))
        if (record === undefined && found === undefined) return refuse('not_found', { what: 'trace', id })
        return ok({
          ...(record === undefined ? { id } : shown(record)),
          ...(found === undefined ? {} : traceJson(found)),
        })
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

const shown = ({ id, kind, phase, atMs, body }: Entry): JsonObject => ({
  id,
  kind,
  at: new Date(atMs).toISOString(),
  running: phase === 'open',
  body,
})

const traceJson = ({ summary, spans, scores, total }: TraceSpans): JsonObject => ({
  trace: summaryJson(summary),
  spans: spans.map(spanJson),
  scores: scores.map((score) => ({ ...score, at: isoOf(score.atUs), atUs: undefined })),
  total,
})

/** The filters of a list; `field_invalid` where one cannot be read. */
function traceQuery(query: URLSearchParams): TraceQuery | Refusal {
  const limit = limitOf(query, { default: LIMIT_DEFAULT, most: LIMIT_MAX, cursor: 'before' })
  if (limit instanceof Refusal) return limit
  const range = rangeOf(query)
  if (range instanceof Refusal) return range
  const status = query.get('status') ?? undefined
  if (status !== undefined && status !== 'ok' && status !== 'error')
    return invalid('status', 'is neither ok nor error', 'Leave it out to have both.')
  const minMs = figureOf(query, 'minMs')
  const minUsd = figureOf(query, 'minUsd')
  if (minMs instanceof Refusal) return minMs
  if (minUsd instanceof Refusal) return minUsd
  const text = query.get('text') ?? undefined
  if (text !== undefined && text.length > TEXT_UNITS_MAX)
    return invalid('text', `is longer than ${TEXT_UNITS_MAX} characters`, 'Search for fewer words.')
  return {
    limit,
    ...range,
    ...Object.fromEntries(NAMES.map((name) => [name, query.get(name) ?? undefined])),
    status,
    durationUsMin: minMs === undefined ? undefined : Math.round(minMs * 1e3),
    costNanoUsdMin: minUsd === undefined ? undefined : Math.round(minUsd * 1e9),
    text,
    before: query.get('before') ?? undefined,
  }
}

/** `from` and `to`, ISO 8601, in microseconds. */
export function rangeOf(query: URLSearchParams): { readonly fromUs?: number; readonly toUs?: number } | Refusal {
  const found: { fromUs?: number; toUs?: number } = {}
  for (const [name, to] of [
    ['from', 'fromUs'],
    ['to', 'toUs'],
  ] as const) {
    const text = query.get(name)
    if (text === null) continue
    const ms = Date.parse(text)
    if (Number.isNaN(ms)) return invalid(name, 'is no instant', 'Write it as 2026-11-22T08:00:00Z.')
    found[to] = ms * 1000
  }
  return found
}

function figureOf(query: URLSearchParams, field: string): number | undefined | Refusal {
  const text = query.get(field)
  if (text === null) return undefined
  const figure = text === '' ? Number.NaN : Number(text)
  return figure >= 0 && figure <= FIGURE_MAX ? figure : invalid(field, 'is no figure of 0 or more', 'Write digits.')
}

const FIGURE_MAX = 1e9

function spansPage(query: URLSearchParams): { readonly offset: number; readonly limit: number } | Refusal {
  const limit = limitOf(query, { default: SPANS_DEFAULT, most: SPANS_MAX, cursor: 'offset' })
  if (limit instanceof Refusal) return limit
  const offset = figureOf(query, 'offset')
  return offset instanceof Refusal ? offset : { limit, offset: Math.floor(offset ?? 0) }
}

const invalid = (field: string, problem: string, remedy: string): Refusal =>
  refuse('field_invalid', { field, problem, remedy })
