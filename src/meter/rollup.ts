import { isObject, type Json, type JsonObject } from '../base/json.ts'
import type { Entry } from '../store/events.ts'
import { table } from '../store/rows.ts'
import { EMPTY_SKETCH, mergeSketches, type Sketch, sketchOf } from './sketch.ts'

/** Usage added up: one row for each day and combination of who and what. Counts and money are
 *  integers; percentiles are sketches, so that rows of any selection add up to one answer. */

export const DIMENSIONS = [
  'day',
  'key',
  'user',
  'team',
  'tenant',
  'workflow',
  'model',
  'deployment',
  'operation',
] as const
export type Dimension = (typeof DIMENSIONS)[number]

/** Absent dimensions are ''. */
export type Coordinates = { readonly [Name in Dimension]: string }

export interface Rollup {
  readonly at: Coordinates
  readonly requests: number
  readonly answered: number
  readonly failed: number
  readonly cancelled: number
  readonly interrupted: number
  readonly inputTokens: number
  readonly cachedInputTokens: number
  readonly outputTokens: number
  readonly reasoningTokens: number
  /** Decimal, since a row is JSON. */
  readonly costNanoUsd: string
  /** Requests whose cost is unknown, because their deployment has no price. */
  readonly unpriced: number
  /** Requests whose engine sent no usage, so that the tokens are our own count. */
  readonly estimated: number
  /** Nano-USD per priced request. */
  readonly cost: Sketch
  /** Milliseconds per answered request. */
  readonly totalMs: Sketch
  /** Milliseconds to the first token, where there was one. */
  readonly firstTokenMs: Sketch
}

/** Keyed by [day, digest of all coordinates]: a range of days is a range of keys. */
export const ROLLUPS = table<Rollup>('rollups')

const COUNTS = [
  'requests',
  'answered',
  'failed',
  'cancelled',
  'interrupted',
  'inputTokens',
  'cachedInputTokens',
  'outputTokens',
  'reasoningTokens',
  'unpriced',
  'estimated',
] as const

export const emptyRollup = (at: Coordinates): Rollup => ({
  at,
  ...(Object.fromEntries(COUNTS.map((name) => [name, 0])) as { [Name in (typeof COUNTS)[number]]: number }),
  costNanoUsd: '0',
  cost: EMPTY_SKETCH,
  totalMs: EMPTY_SKETCH,
  firstTokenMs: EMPTY_SKETCH,
})

/** What one closed request adds; undefined for an entry that is no request. */
export function rollupOf({ kind, atMs, body }: Entry): Rollup | undefined {
  if (kind !== 'request') return undefined
  const usage = isObject(body['usage']) ? body['usage'] : {}
  const scopes = isObject(body['scopes']) ? body['scopes'] : {}
  const costNanoUsd = nanoUsd(body['costNanoUsd'])
  const outcome = text(body['outcome'])
  const day = new Date(atMs).toISOString().slice(0, 10)
  const own = {
    key: text(body['key']),
    model: text(body['model']),
    deployment: text(body['deployment']),
    operation: text(body['operation']),
  }
  const who = {
    user: text(scopes['user']),
    team: text(scopes['team']),
    tenant: text(scopes['tenant']),
    workflow: text(body['workflow']),
  }
  const one = emptyRollup({ day, ...own, ...who })
  return {
    ...one,
    requests: 1,
    answered: Number(outcome === 'answered'),
    failed: Number(outcome === 'failed'),
    cancelled: Number(outcome === 'cancelled'),
    interrupted: Number(outcome === 'interrupted'),
    inputTokens: count(usage['inputTokens']),
    cachedInputTokens: count(usage['cachedInputTokens']),
    outputTokens: count(usage['outputTokens']),
    reasoningTokens: count(usage['reasoningTokens']),
    costNanoUsd: (costNanoUsd ?? 0n).toString(),
    unpriced: Number(costNanoUsd === undefined && outcome === 'answered'),
    estimated: Number(usage['estimated'] === true),
    cost: costNanoUsd === undefined ? EMPTY_SKETCH : sketchOf(Number(costNanoUsd)),
    totalMs: outcome === 'answered' ? sketchOf(count(body['totalMs'])) : EMPTY_SKETCH,
    firstTokenMs: typeof body['firstTokenMs'] === 'number' ? sketchOf(body['firstTokenMs']) : EMPTY_SKETCH,
  }
}

/** The sum, under the coordinates of the first. */
export function addRollups(a: Rollup, b: Rollup): Rollup {
  const counts = Object.fromEntries(COUNTS.map((name) => [name, a[name] + b[name]])) as JsonObject
  return {
    ...a,
    ...counts,
    costNanoUsd: (BigInt(a.costNanoUsd) + BigInt(b.costNanoUsd)).toString(),
    cost: mergeSketches(a.cost, b.cost),
    totalMs: mergeSketches(a.totalMs, b.totalMs),
    firstTokenMs: mergeSketches(a.firstTokenMs, b.firstTokenMs),
  }
}

const text = (value: Json | undefined): string => (typeof value === 'string' ? value : '')
const count = (value: Json | undefined): number => (typeof value === 'number' && value >= 0 ? value : 0)
const nanoUsd = (value: Json | undefined): bigint | undefined =>
  typeof value === 'string' && /^\d{1,30}$/.test(value) ? BigInt(value) : undefined
