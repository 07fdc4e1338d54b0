import type { Fetch } from './chat.ts'
import { get, read } from './exchange.ts'
import type { Result } from './problem.ts'
import { isRecord, listOf, numberOf, textOf, timeOf, type Json } from './shape.ts'

/** Traces: requests of the house and what other programs sent. */

export const NAMES = ['service', 'model', 'user', 'workflow', 'prompt', 'session', 'tenant'] as const
export type NameField = (typeof NAMES)[number]

export interface Trace {
  /** Of the request where it is one of ours, else of the trace. */
  readonly id: string
  readonly atMs: number
  readonly name: string
  /** `` where it has none. */
  readonly names: { readonly [Name in NameField]: string }
  readonly status: 'ok' | 'error'
  readonly durationMs: number
  readonly firstTokenMs: number | undefined
  readonly spans: number
  readonly inputTokens: number
  readonly outputTokens: number
  readonly costNanoUsd: string
  /** The chance it had of being kept. */
  readonly probability: number
}

export interface Traces {
  /** The newest first. */
  readonly traces: readonly Trace[]
  readonly next: string | undefined
}

export interface TraceSpan {
  readonly id: string
  readonly parent: string
  readonly kind: string
  readonly name: string
  readonly atMs: number
  readonly durationMs: number
  readonly status: string
  readonly error: string
  readonly model: string
  readonly prompt: string
  readonly attributes: Json
}

export interface Score {
  readonly name: string
  readonly value: number | undefined
  readonly label: string
  readonly comment: string
}

export interface OneTrace {
  /** Undefined: of a request only its record is left. */
  readonly trace: Trace | undefined
  readonly spans: readonly TraceSpan[]
  readonly scores: readonly Score[]
  /** Spans in all. */
  readonly total: number
  /** What was recorded of the request; empty where it is none of ours. */
  readonly record: Json
}

export interface Passage {
  readonly document: string
  readonly uri: string
  /** What has become of it since. */
  readonly now: string
}

export interface TracesApi {
  list(filter: { readonly [name: string]: string }, before?: string): Promise<Result<Traces>>
  one(id: string, offset: number, limit: number): Promise<Result<OneTrace>>
  /** The documents an answer was given. */
  lineage(id: string): Promise<Result<readonly Passage[]>>
}

/** Of one page, as the server has it. */
const PAGE_TRACES = 200

export function openTraces(fetch: Fetch): TracesApi {
  const path = (id: string) => `/api/traces/${encodeURIComponent(id)}`
  return {
    list: async (filter, before) => {
      const query = new URLSearchParams({
        ...filter,
        limit: String(PAGE_TRACES),
        ...(before !== undefined && { before }),
      })
      return read(await get(fetch, `/api/traces?${query}`), 'list of traces', readTraces)
    },
    one: async (id, offset, limit) =>
      read(await get(fetch, `${path(id)}?offset=${offset}&limit=${limit}`), 'trace', readOne),
    lineage: async (id) =>
      read(await get(fetch, `${path(id)}/lineage`), 'lineage', (body) =>
        isRecord(body) ? listOf(body['passages'], readPassage) : undefined,
      ),
  }
}

function readTraces(body: unknown): Traces | undefined {
  if (!isRecord(body) || !Array.isArray(body['traces'])) return undefined
  return { traces: listOf(body['traces'], readTrace), next: textOf(body['next']) }
}

function readTrace(value: unknown): Trace | undefined {
  const id = isRecord(value) ? textOf(value['id']) : undefined
  const atMs = isRecord(value) ? timeOf(value['at']) : undefined
  if (!isRecord(value) || id === undefined || atMs === undefined) return undefined
  return {
    id,
    atMs,
    name: textOf(value['name']) ?? '',
    names: Object.fromEntries(NAMES.map((name) => [name, textOf(value[name]) ?? ''])) as Trace['names'],
    status: value['status'] === 'error' ? 'error' : 'ok',
    durationMs: numberOf(value['durationMs']) ?? 0,
    firstTokenMs: numberOf(value['firstTokenMs']),
    spans: numberOf(value['spans']) ?? 0,
    inputTokens: numberOf(value['inputTokens']) ?? 0,
    outputTokens: numberOf(value['outputTokens']) ?? 0,
    costNanoUsd: textOf(value['costNanoUsd']) ?? '0',
    probability: numberOf(value['probability']) ?? 1,
  }
}

function readOne(body: unknown): OneTrace | undefined {
  if (!isRecord(body)) return undefined
  return {
    trace: readTrace(body['trace']),
    spans: listOf(body['spans'], readSpan),
    scores: listOf(body['scores'], readScore),
    total: numberOf(body['total']) ?? 0,
    record: isRecord(body['body']) ? body['body'] : {},
  }
}

function readSpan(value: unknown): TraceSpan | undefined {
  const id = isRecord(value) ? textOf(value['spanId']) : undefined
  const startUs = isRecord(value) ? numberOf(value['startUs']) : undefined
  if (!isRecord(value) || id === undefined || startUs === undefined) return undefined
  const text = (name: string): string => textOf(value[name]) ?? ''
  return {
    id,
    parent: text('parentId'),
    kind: text('kind'),
    name: text('name'),
    atMs: startUs / 1000,
    durationMs: numberOf(value['durationMs']) ?? 0,
    status: text('status'),
    error: text('error'),
    model: text('model'),
    prompt: text('prompt'),
    attributes: isRecord(value['attributes']) ? value['attributes'] : {},
  }
}

const readScore = (value: unknown): Score | undefined =>
  isRecord(value)
    ? {
        name: textOf(value['name']) ?? '',
        value: numberOf(value['value']),
        label: textOf(value['label']) ?? '',
        comment: textOf(value['comment']) ?? '',
      }
    : undefined

function readPassage(value: unknown): Passage | undefined {
  if (!isRecord(value)) return undefined
  const document = textOf(value['document']) ?? ''
  return { document, uri: textOf(value['uri']) ?? document, now: textOf(value['now']) ?? 'unknown' }
}
