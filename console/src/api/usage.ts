import type { Fetch } from './chat.ts'
import { get, read } from './exchange.ts'
import type { Result } from './problem.ts'
import { isRecord, listOf, numberOf, textOf } from './shape.ts'

/** What was used, by whom and what for. */

export const DIMENSIONS = [
  'tenant',
  'team',
  'user',
  'key',
  'workflow',
  'prompt',
  'tag',
  'model',
  'deployment',
  'operation',
] as const
export type Dimension = (typeof DIMENSIONS)[number]

export interface UsageQuery {
  /** Days in UTC, both included. */
  readonly from: string
  readonly to: string
  readonly by: readonly (Dimension | 'day' | 'hour')[]
  readonly where: readonly (readonly [Dimension, string])[]
}

/** Tokens in buckets that do not overlap. */
export const INPUT_BUCKETS = [
  'inputTokens',
  'cachedInputTokens',
  'cacheWrite5mTokens',
  'cacheWrite1hTokens',
  'audioInputTokens',
  'imageInputTokens',
] as const
export const BUCKETS = [...INPUT_BUCKETS, 'outputTokens', 'reasoningTokens', 'audioOutputTokens'] as const
export type Bucket = (typeof BUCKETS)[number]

export interface Percentiles {
  readonly n: number
  readonly p50: number | undefined
  readonly p95: number | undefined
  readonly p99: number | undefined
}

export interface UsageRow {
  readonly at: { readonly [name: string]: string }
  readonly requests: number
  readonly answered: number
  readonly failed: number
  readonly refused: number
  readonly tokens: { readonly [Name in Bucket]: number }
  readonly costNanoUsd: number
  /** Answered requests whose cost nobody knows. */
  readonly unpriced: number
  readonly estimated: number
  readonly costPerRequest: Percentiles
  readonly tokensPerRequest: Percentiles
  readonly totalMs: Percentiles
  readonly firstTokenMs: Percentiles
}

export interface Usage {
  readonly rows: readonly UsageRow[]
  readonly isComplete: boolean
}

export interface UsageApi {
  report(query: UsageQuery): Promise<Result<Usage>>
}

/** Where the same rows are to be had as a file. */
export const usageFile = (query: UsageQuery, format: 'csv' | 'parquet'): string =>
  `/api/usage?${searchOf(query)}&format=${format}`

export function openUsage(fetch: Fetch): UsageApi {
  return {
    report: async (query) => read(await get(fetch, `/api/usage?${searchOf(query)}`), 'usage report', readUsage),
  }
}

function searchOf({ from, to, by, where }: UsageQuery): string {
  const search = new URLSearchParams({ from, to, by: by.join(',') })
  for (const [name, value] of where) search.set(name, value)
  return search.toString()
}

function readUsage(body: unknown): Usage | undefined {
  if (!isRecord(body) || !Array.isArray(body['rows'])) return undefined
  return { rows: listOf(body['rows'], readRow), isComplete: body['complete'] !== false }
}

function readRow(value: unknown): UsageRow | undefined {
  if (!isRecord(value)) return undefined
  const count = (name: string): number => numberOf(value[name]) ?? 0
  const at = Object.fromEntries(
    [...DIMENSIONS, 'day', 'hour'].flatMap((name) => (typeof value[name] === 'string' ? [[name, value[name]]] : [])),
  )
  return {
    at,
    requests: count('requests'),
    answered: count('answered'),
    failed: count('failed'),
    refused: count('refused'),
    tokens: Object.fromEntries(BUCKETS.map((bucket) => [bucket, count(bucket)])) as { [Name in Bucket]: number },
    costNanoUsd: Number(textOf(value['costNanoUsd']) ?? 0) || 0,
    unpriced: count('unpriced'),
    estimated: count('estimated'),
    costPerRequest: percentilesOf(value['costNanoUsdPerRequest']),
    tokensPerRequest: percentilesOf(value['tokensPerRequest']),
    totalMs: percentilesOf(value['totalMs']),
    firstTokenMs: percentilesOf(value['firstTokenMs']),
  }
}

function percentilesOf(value: unknown): Percentiles {
  if (!isRecord(value)) return { n: 0, p50: undefined, p95: undefined, p99: undefined }
  return {
    n: numberOf(value['n']) ?? 0,
    p50: numberOf(value['p50']),
    p95: numberOf(value['p95']),
    p99: numberOf(value['p99']),
  }
}
