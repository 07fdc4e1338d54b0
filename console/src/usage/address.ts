import { DIMENSIONS, type Dimension } from '../api/usage.ts'
import { REST } from '../design/icicle.ts'

/** What the usage page shows, as its address says it. */

export interface Shown {
  /** Days, the one that runs included. */
  readonly days: number
  readonly measure: Measure
  readonly levels: readonly Dimension[]
  /** Names of the parts gone into, from the top. */
  readonly into: readonly string[]
}

export const MEASURES = ['cost', 'tokens', 'requests'] as const
export type Measure = (typeof MEASURES)[number]

export const SPANS = [1, 7, 30, 90, 365] as const

const LEVELS_DEFAULT: readonly Dimension[] = ['team', 'user', 'prompt', 'model']
const DAYS_DEFAULT = 30
const PATH_MAX = 16
const DAY_MS = 86_400_000

export function shownAt(query: URLSearchParams): Shown {
  const days = SPANS.find((span) => String(span) === query.get('days')) ?? DAYS_DEFAULT
  const measure = MEASURES.find((one) => one === query.get('measure')) ?? 'cost'
  const named = (query.get('by') ?? '').split(',').filter((name) => isDimension(name))
  const levels = new Set(named).size === LEVELS_DEFAULT.length ? [...new Set(named)] : LEVELS_DEFAULT
  return { days, measure, levels, into: pathIn(query.getAll('in'), levels.length - 1) }
}

/** As far down as there are levels; what stands for several is none. */
function pathIn(names: readonly string[], levelsMax: number): string[] {
  const end = names.findIndex((_, at) => names.slice(0, at + 1).filter((name) => name !== REST).length > levelsMax)
  return names.slice(0, end < 0 ? PATH_MAX : end)
}

const isDimension = (name: string): name is Dimension => (DIMENSIONS as readonly string[]).includes(name)

/** The address of a page that shows this. */
export function addressOf({ days, measure, levels, into }: Shown): string {
  const query = new URLSearchParams()
  if (days !== DAYS_DEFAULT) query.set('days', String(days))
  if (measure !== 'cost') query.set('measure', measure)
  if (levels.join() !== LEVELS_DEFAULT.join()) query.set('by', levels.join(','))
  for (const name of into) query.append('in', name)
  const search = query.toString()
  return search === '' ? '/usage' : `/usage?${search}`
}

/** Another dimension at a level; the level that had it takes over the one it replaces. */
export const withLevel = (levels: readonly Dimension[], at: number, to: Dimension): Dimension[] =>
  levels.map((one, level) => (level === at ? to : one === to ? (levels[at] ?? one) : one))

/** First and last day, in UTC as the server counts them. */
export function spanOf(days: number, nowMs: number): { readonly from: string; readonly to: string } {
  return { from: dayOf(nowMs - (days - 1) * DAY_MS), to: dayOf(nowMs) }
}

/** Every day of a span, in order. */
export function daysOf({ from, to }: { readonly from: string; readonly to: string }): string[] {
  const days: string[] = []
  for (let atMs = Date.parse(from); atMs <= Date.parse(to); atMs += DAY_MS) days.push(dayOf(atMs))
  return days
}

const dayOf = (atMs: number): string => new Date(atMs).toISOString().slice(0, 10)
