import { hash } from 'node:crypto'
import { idDigits } from '../base/ids.ts'
import { isObject, type Json, type JsonObject } from '../base/json.ts'
import type { Entry } from '../store/events.ts'
import { keptText, ERROR_UNITS_MAX, NAME_UNITS_MAX, type SpanKind, type SpanRow, type Status } from './span.ts'

/** Our own requests as spans: the journal's closing entries say all there is to say, so that the
 *  request path says it once. */

const OWN_SERVICE = 'headworks'

/** The trace of a request that came without one, in 32 hexadecimal digits: its id, written otherwise. */
export const traceIdOf = (requestId: string): string => idDigits(requestId) ?? hash('sha256', requestId).slice(0, 32)

/** The trace that an entry belongs to: the caller's where it named one, else one of its own. */
export const traceOfEntry = (entry: Entry): string => callerOf(entry)?.traceId ?? traceIdOf(entry.id)

/** W3C Trace Context, as the request brought it. */
const TRACEPARENT = /^[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-[0-9a-f]{2}(?:-|$)/

function callerOf({ body }: Entry): { readonly traceId: string; readonly spanId: string } | undefined {
  const stages = body['stages']
  const admission = Array.isArray(stages) ? (stages as readonly Json[])[0] : undefined
  const attributes = isObject(admission) && isObject(admission['attributes']) ? admission['attributes'] : {}
  const [, traceId, spanId] = TRACEPARENT.exec(text(attributes['traceparent'])) ?? []
  return traceId === undefined || spanId === undefined ? undefined : { traceId, spanId }
}

/** A root for the request, and one for each of its stages. None of another kind of entry. */
export function spansOf(entry: Entry): SpanRow[] {
  const { id, kind, atMs, body } = entry
  if (kind !== 'request') return []
  const caller = callerOf(entry)
  const traceId = caller?.traceId ?? traceIdOf(id)
  const stem = hash('sha256', id).slice(0, 12)
  const rootId = `${stem}ffff`
  const totalMs = figure(body['totalMs']) ?? 0
  const startUs = Math.round((atMs - totalMs) * 1000)
  const common = {
    traceId,
    service: OWN_SERVICE,
    tenant: text(body['tenant']),
    user: text(body['user']),
    session: '',
    workflow: text(body['workflow']),
    prompt: text(body['prompt']),
    operation: text(body['operation']),
    provider: '',
    model: text(body['model']),
    finishReason: '',
    probability: 1,
  }
  const outcome = text(body['outcome'])
  const root: SpanRow = {
    ...common,
    spanId: rootId,
    parentId: caller?.spanId ?? '',
    kind: 'request',
    name: `${common.operation} ${common.model}`.trim(),
    startUs,
    durationUs: Math.round(totalMs * 1000),
    ...verdictOf(outcome, body),
    deployment: text(body['deployment']),
    ...tokensOf(body['usage']),
    costNanoUsd: nanoOf(body['costNanoUsd']),
    firstTokenUs: usOf(body['firstTokenMs']),
    attributes: JSON.stringify({ request: id, outcome, key: text(body['key']), team: text(body['team']) }),
  }
  const stages = Array.isArray(body['stages']) ? (body['stages'] as readonly Json[]).filter(isObject) : []
  const idOf = (at: number): string => `${stem}${at.toString(16).padStart(4, '0')}`
  return [
    root,
    ...stages.map((stage, at): SpanRow => {
      const parent = figure(stage['parent'])
      const attributes = isObject(stage['attributes']) ? stage['attributes'] : {}
      const startMs = figure(stage['start_ms']) ?? 0
      const failed = attributes['outcome'] === 'failed'
      return {
        ...common,
        ...NO_FIGURES,
        spanId: idOf(at),
        parentId: parent === undefined ? rootId : idOf(parent),
        kind: KIND_OF_STAGE[text(stage['name'])] ?? 'span',
        name: text(stage['name']),
        startUs: startUs + Math.round(startMs * 1000),
        durationUs: Math.max(0, Math.round(((figure(stage['end_ms']) ?? startMs) - startMs) * 1000)),
        status: failed ? 'error' : 'ok',
        error: failed ? keptText(text(attributes['reason']), ERROR_UNITS_MAX) : '',
        deployment: text(attributes['deployment']),
        attributes: JSON.stringify(attributes),
      }
    }),
  ]
}

const KIND_OF_STAGE: { readonly [stage: string]: SpanKind } = {
  attempt: 'generation',
  embed: 'embedding',
  search: 'retrieval',
  retrieve: 'retrieval',
  rerank: 'rerank',
}

/** The request alone says what was used, so that nothing counts twice. */
const NO_FIGURES = {
  inputTokens: null,
  cachedInputTokens: null,
  cacheWriteTokens: null,
  outputTokens: null,
  reasoningTokens: null,
  costNanoUsd: null,
  firstTokenUs: null,
} as const

function verdictOf(outcome: string, body: JsonObject): { readonly status: Status; readonly error: string } {
  if (outcome === 'answered') return { status: 'ok', error: '' }
  if (outcome === 'cancelled') return { status: 'unset', error: '' }
  const said = [text(body['error']), text(body['reason'])].filter((part) => part !== '').join(': ')
  return { status: 'error', error: keptText(said || outcome, ERROR_UNITS_MAX) }
}

function tokensOf(usage: Json | undefined) {
  if (!isObject(usage)) return NO_FIGURES
  const sum = (...names: readonly string[]): number =>
    names.reduce((total, name) => total + (figure(usage[name]) ?? 0), 0)
  return {
    inputTokens: sum('inputTokens', 'audioInputTokens', 'imageInputTokens'),
    cachedInputTokens: sum('cachedInputTokens'),
    cacheWriteTokens: sum('cacheWrite5mTokens', 'cacheWrite1hTokens'),
    outputTokens: sum('outputTokens', 'audioOutputTokens'),
    reasoningTokens: sum('reasoningTokens'),
  }
}

const text = (value: Json | undefined): string => (typeof value === 'string' ? keptText(value, NAME_UNITS_MAX) : '')
const figure = (value: Json | undefined): number | undefined =>
  typeof value === 'number' && value >= 0 && Number.isFinite(value) ? value : undefined
const usOf = (ms: Json | undefined): number | null => {
  const found = figure(ms)
  return found === undefined ? null : Math.round(found * 1000)
}
const nanoOf = (value: Json | undefined): number | null => {
  const nano = typeof value === 'string' && value !== '' ? Number(value) : Number.NaN
  return Number.isSafeInteger(nano) ? nano : null
}

/** Of the root that `spansOf` makes; '' for any other span. */
export function requestIdOf({ kind, attributes }: SpanRow): string {
  if (kind !== 'request') return ''
  const said: unknown = JSON.parse(attributes)
  return isObject(said) ? text(said['request']) : ''
}
