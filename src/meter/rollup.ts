import { isObject, type Json, type JsonObject } from '../base/json.ts'
import type { Entry } from '../store/events.ts'
import { table } from '../store/rows.ts'
import { EMPTY_SKETCH, mergeSketches, type Sketch, sketchOf } from '../trace/sketch.ts'
import { TOKEN_BUCKETS, totalTokens } from './usage.ts'

/** Usage added up: one row for each day (and, for a while, for each hour) and combination of who and
 *  what. Counts and money are integers; percentiles are sketches, so that rows of any selection add
 *  up to one answer. */

export const DIMENSIONS = [
  'hour',
  'day',
  'key',
  'user',
  'team',
  'tenant',
  'workflow',
  'prompt',
  'tag',
  'model',
  'deployment',
  'operation',
] as const
export type Dimension = (typeof DIMENSIONS)[number]

/** Absent dimensions are ''. `hour` is `2026-11-22T13`, in UTC. `tag` of a row that is kept holds all
 *  tags of its requests, in order, so that no request is in two rows. */
export type Coordinates = { readonly [Name in Dimension]: string }

/** No tag contains it. */
const TAG_SEPARATOR = ','
export const tagsOf = ({ tag }: Coordinates): readonly string[] => tag.split(TAG_SEPARATOR)

/** What is counted, in the order it is shown. A request that was refused (for want of budget, say)
 *  is counted as `refused` and as nothing else: `requests` are those that were let in. What a workflow
 *  had used before it was refused is part of the tokens and the cost all the same. */
export const COUNTS = [
  'requests',
  'answered',
  'failed',
  'cancelled',
  'interrupted',
  'refused',
  ...TOKEN_BUCKETS,
  // Answered requests whose cost is unknown, because their deployment has no price.
  'unpriced',
  // Requests whose engine sent no usage, so that the tokens are our own count.
  'estimated',
] as const

/** What has percentiles: nano-USD of each priced request, tokens of each request that used any,
 *  milliseconds of each answered request, milliseconds to the first token where there was one. */
export const SKETCHES = ['costNanoUsdPerRequest', 'tokensPerRequest', 'totalMs', 'firstTokenMs'] as const

type Counts = { readonly [Name in (typeof COUNTS)[number]]: number }
type Sketches = { readonly [Name in (typeof SKETCHES)[number]]: Sketch }

export interface Rollup extends Counts, Sketches {
  readonly at: Coordinates
  /** Decimal, since a row is JSON. */
  readonly costNanoUsd: string
}

/** Keyed by [day or hour, digest of all coordinates]: a range of time is a range of keys. */
export const DAYS = table<Rollup>('usage.days')
export const HOURS = table<Rollup>('usage.hours')

const NO_COUNTS = Object.fromEntries(COUNTS.map((name) => [name, 0])) as { [Name in keyof Counts]: number }
const NO_SKETCHES = Object.fromEntries(SKETCHES.map((name) => [name, EMPTY_SKETCH])) as {
  [Name in keyof Sketches]: Sketch
}

export const emptyRollup = (at: Coordinates): Rollup => ({ at, ...NO_COUNTS, costNanoUsd: '0', ...NO_SKETCHES })

/** What one closed request adds to its hour; undefined for an entry that is no request. */
export function rollupOf({ kind, atMs, body }: Entry): Rollup | undefined {
  if (kind !== 'request') return undefined
  const one = emptyRollup(coordinatesOf(atMs, body))
  const outcome = text(body['outcome'])
  const usage = isObject(body['usage']) ? body['usage'] : {}
  const tokens = Object.fromEntries(TOKEN_BUCKETS.map((bucket) => [bucket, count(usage[bucket])]))
  const used = totalTokens(tokens)
  const costNanoUsd = nanoUsd(body['costNanoUsd'])
  const sums = { ...tokens, costNanoUsd: (costNanoUsd ?? 0n).toString() }
  if (outcome === 'refused') return { ...one, refused: 1, ...sums }
  return {
    ...one,
    ...sums,
    requests: 1,
    answered: Number(outcome === 'answered'),
    failed: Number(outcome === 'failed'),
    cancelled: Number(outcome === 'cancelled'),
    interrupted: Number(outcome === 'interrupted'),
    unpriced: Number(costNanoUsd === undefined && outcome === 'answered'),
    estimated: Number(usage['estimated'] === true),
    costNanoUsdPerRequest: costNanoUsd === undefined ? EMPTY_SKETCH : sketchOf(Number(costNanoUsd)),
    tokensPerRequest: used === 0 ? EMPTY_SKETCH : sketchOf(used),
    totalMs: outcome === 'answered' ? sketchOf(count(body['totalMs'])) : EMPTY_SKETCH,
    firstTokenMs: typeof body['firstTokenMs'] === 'number' ? sketchOf(body['firstTokenMs']) : EMPTY_SKETCH,
  }
}

function coordinatesOf(atMs: number, body: JsonObject): Coordinates {
  const hour = hourOf(atMs)
  const tags = Array.isArray(body['tags']) ? (body['tags'] as readonly Json[]).map(text) : []
  return {
    hour,
    day: hour.slice(0, 10),
    key: text(body['key']),
    user: text(body['user']),
    team: text(body['team']),
    tenant: text(body['tenant']),
    workflow: text(body['workflow']),
    prompt: text(body['prompt']),
    tag: [...new Set(tags)].toSorted().join(TAG_SEPARATOR),
    model: text(body['model']),
    deployment: text(body['deployment']),
    operation: text(body['operation']),
  }
}

/** `2026-11-22T13`, in UTC. */
export const hourOf = (atMs: number): string => new Date(atMs).toISOString().slice(0, 13)

/** The sum, under the coordinates of the first. */
export function addRollups(a: Rollup, b: Rollup): Rollup {
  const counts = Object.fromEntries(COUNTS.map((name) => [name, a[name] + b[name]]))
  const sketches = Object.fromEntries(SKETCHES.map((name) => [name, mergeSketches(a[name], b[name])]))
  return { ...a, ...counts, ...sketches, costNanoUsd: (BigInt(a.costNanoUsd) + BigInt(b.costNanoUsd)).toString() }
}

const text = (value: Json | undefined): string => (typeof value === 'string' ? value : '')
const count = (value: Json | undefined): number =>
  typeof value === 'number' && value >= 0 && Number.isFinite(value) ? value : 0
const nanoUsd = (value: Json | undefined): bigint | undefined =>
  typeof value === 'string' && /^\d{1,30}$/.test(value) ? BigInt(value) : undefined
