import type { Fetch } from './chat.ts'
import { get, post, read, remove } from './exchange.ts'
import type { Result } from './problem.ts'
import { isRecord, listOf, numberOf, textOf, timeOf, type Json } from './shape.ts'

/** Budgets and rate limits: as declared, as they stand, and what is done about them. Amounts are in
 *  the budget's unit, money in nano-dollars. */

export const UNITS = ['inputTokens', 'outputTokens', 'totalTokens', 'nanoUsd', 'requests', 'concurrent'] as const
export type Unit = (typeof UNITS)[number]

export interface Budget {
  readonly id: string
  readonly kind: 'budget' | 'rate_limit'
  readonly scope: string
  /** Whom it is for; `*`: each one by itself; null: all. */
  readonly match: string | null
  readonly unit: Unit
  readonly limit: number
  readonly window: Window
  readonly onLimit: { readonly kind: string; readonly to?: string; readonly minimum?: number }
  readonly warnAt: readonly number[]
}

export type Window =
  | { readonly kind: 'calendar'; readonly unit: string; readonly zone: string }
  | { readonly kind: 'rolling'; readonly durationMs: number }
  | { readonly kind: 'request' | 'lifetime' }

export interface Override {
  readonly id: string
  readonly budget: string
  readonly subject: string
  readonly limit: number
  readonly fromMs: number
  readonly untilMs: number
  readonly inForce: boolean
  readonly reason: string
  /** The key of whoever granted it. */
  readonly by: string
}

export interface Budgets {
  readonly budgets: readonly Budget[]
  readonly overrides: readonly Override[]
}

export interface Account {
  readonly subject: string
  /** Undefined where the period has no end. */
  readonly endsMs: number | undefined
  readonly limit: number
  readonly posted: number
  readonly leased: number
}

export interface Standing {
  readonly accounts: readonly Account[]
  /** False: there are more than are shown. */
  readonly isComplete: boolean
}

export interface BurnDown {
  readonly limit: number
  readonly posted: number
  readonly leased: number
  readonly nowMs: number
  readonly window: { readonly fromMs: number; readonly toMs: number } | undefined
  readonly used:
    | {
        readonly basis: string
        readonly fromMs: number
        /** Of each hour from there, the one that runs last. */
        readonly hours: readonly number[]
        readonly requests: number
      }
    | undefined
  readonly forecast: Forecast | undefined
}

export type Forecast =
  | { readonly isKnown: false; readonly historyHours: number; readonly historyHoursNeeded: number }
  | {
      readonly isKnown: true
      readonly historyHours: number
      /** What will have been used by then. */
      readonly path: readonly Mark[]
      /** That the limit is passed within the window; undefined where nobody said. */
      readonly probability: number | undefined
      readonly passesMs: { readonly [Name in 'p10' | 'p50' | 'p90']: number | undefined }
    }

export interface Mark {
  readonly atMs: number
  readonly p10: number
  readonly p50: number
  readonly p90: number
}

export interface Raise {
  readonly subject: string
  /** In the budget's unit, money in dollars, as typed. */
  readonly limit: string
  readonly until: string
  readonly reason: string
}

export interface BudgetsApi {
  list(): Promise<Result<Budgets>>
  accounts(budget: string, limit: number, subject?: string): Promise<Result<Standing>>
  burnDown(budget: string, subject: string): Promise<Result<BurnDown>>
  raise(budget: string, raise: Raise): Promise<Result<unknown>>
  endOverride(budget: string, override: string): Promise<Result<unknown>>
  reset(budget: string, subject: string, reason: string): Promise<Result<unknown>>
}

export function openBudgets(fetch: Fetch): BudgetsApi {
  const path = (budget: string) => `/api/budgets/${encodeURIComponent(budget)}`
  return {
    list: async () => read(await get(fetch, '/api/budgets'), 'list of budgets', readBudgets),
    accounts: async (budget, limit, subject) => {
      const query = new URLSearchParams({ limit: String(limit), ...(subject !== undefined && { subject }) })
      return read(await get(fetch, `${path(budget)}/accounts?${query}`), 'list of accounts', readStanding)
    },
    burnDown: async (budget, subject) => {
      const query = new URLSearchParams({ subject })
      return read(await get(fetch, `${path(budget)}/burn-down?${query}`), 'burn-down', readBurnDown)
    },
    raise: async (budget, raise) => read(await post(fetch, `${path(budget)}/overrides`, raise), 'override', isRecord),
    endOverride: async (budget, override) =>
      read(await remove(fetch, `${path(budget)}/overrides/${encodeURIComponent(override)}`), 'answer', isRecord),
    reset: async (budget, subject, reason) =>
      read(await post(fetch, `${path(budget)}/reset`, { subject, reason }), 'answer', isRecord),
  }
}

function readBudgets(body: unknown): Budgets | undefined {
  if (!isRecord(body) || !Array.isArray(body['budgets'])) return undefined
  return { budgets: listOf(body['budgets'], readBudget), overrides: listOf(body['overrides'], readOverride) }
}

function readBudget(value: unknown): Budget | undefined {
  if (!isRecord(value)) return undefined
  const id = textOf(value['id'])
  const unit = UNITS.find((one) => one === value['unit'])
  const limit = numberOf(value['limit'])
  if (id === undefined || unit === undefined || limit === undefined) return undefined
  const onLimit: Json = isRecord(value['onLimit']) ? value['onLimit'] : {}
  const to = textOf(onLimit['to'])
  const minimum = numberOf(onLimit['minimum'])
  return {
    id,
    kind: value['kind'] === 'rate_limit' ? 'rate_limit' : 'budget',
    scope: textOf(value['scope']) ?? 'global',
    match: textOf(value['match']) ?? null,
    unit,
    limit,
    window: readWindow(value['window']),
    onLimit: {
      kind: textOf(onLimit['kind']) ?? 'refuse',
      ...(to !== undefined && { to }),
      ...(minimum !== undefined && { minimum }),
    },
    warnAt: listOf(value['warnAt'], numberOf),
  }
}

export function readWindow(value: unknown): Window {
  if (!isRecord(value)) return { kind: 'lifetime' }
  if (value['kind'] === 'calendar')
    return { kind: 'calendar', unit: textOf(value['unit']) ?? '', zone: textOf(value['zone']) ?? 'UTC' }
  if (value['kind'] === 'rolling') return { kind: 'rolling', durationMs: numberOf(value['durationMs']) ?? 0 }
  return { kind: value['kind'] === 'request' ? 'request' : 'lifetime' }
}

function readOverride(value: unknown): Override | undefined {
  if (!isRecord(value)) return undefined
  const id = textOf(value['id'])
  const limit = numberOf(value['limit'])
  if (id === undefined || limit === undefined) return undefined
  return {
    id,
    budget: textOf(value['budget']) ?? '',
    subject: textOf(value['subject']) ?? '',
    limit,
    fromMs: timeOf(value['from']) ?? 0,
    untilMs: timeOf(value['until']) ?? 0,
    inForce: value['inForce'] === true,
    reason: textOf(value['reason']) ?? '',
    by: textOf(value['by']) ?? '',
  }
}

function readStanding(body: unknown): Standing | undefined {
  if (!isRecord(body) || !Array.isArray(body['accounts'])) return undefined
  const accounts = listOf(body['accounts'], (value): Account | undefined =>
    isRecord(value)
      ? {
          subject: textOf(value['subject']) ?? '',
          endsMs: timeOf(value['endsAt']),
          limit: numberOf(value['limit']) ?? 0,
          posted: numberOf(value['posted']) ?? 0,
          leased: numberOf(value['leased']) ?? 0,
        }
      : undefined,
  )
  return { accounts, isComplete: body['complete'] !== false }
}

function readBurnDown(body: unknown): BurnDown | undefined {
  if (!isRecord(body)) return undefined
  const nowMs = timeOf(body['now'])
  const limit = numberOf(body['limit'])
  if (nowMs === undefined || limit === undefined) return undefined
  const window = isRecord(body['window']) ? body['window'] : {}
  const fromMs = timeOf(window['from'])
  const toMs = timeOf(window['to'])
  const used = isRecord(body['used']) ? body['used'] : undefined
  return {
    limit,
    posted: numberOf(body['posted']) ?? 0,
    leased: numberOf(body['leased']) ?? 0,
    nowMs,
    window: fromMs === undefined || toMs === undefined ? undefined : { fromMs, toMs },
    used: used && {
      basis: textOf(used['basis']) ?? '',
      fromMs: timeOf(used['from']) ?? nowMs,
      hours: listOf(used['hours'], numberOf),
      requests: numberOf(used['requests']) ?? 0,
    },
    forecast: readForecast(body['forecast']),
  }
}

function readForecast(value: unknown): Forecast | undefined {
  if (!isRecord(value)) return undefined
  const historyHours = numberOf(value['historyHours']) ?? 0
  if (value['known'] !== true)
    return { isKnown: false, historyHours, historyHoursNeeded: numberOf(value['historyHoursNeeded']) ?? 0 }
  const passes: Json = isRecord(value['passesLimit']) ? value['passesLimit'] : {}
  const at: Json = isRecord(passes['at']) ? passes['at'] : {}
  return {
    isKnown: true,
    historyHours,
    path: listOf(value['path'], (mark): Mark | undefined => {
      const atMs = isRecord(mark) ? timeOf(mark['at']) : undefined
      if (!isRecord(mark) || atMs === undefined) return undefined
      const [p10, p50, p90] = [numberOf(mark['p10']), numberOf(mark['p50']), numberOf(mark['p90'])]
      return p10 === undefined || p50 === undefined || p90 === undefined ? undefined : { atMs, p10, p50, p90 }
    }),
    probability: numberOf(passes['probability']),
    passesMs: { p10: timeOf(at['p10']), p50: timeOf(at['p50']), p90: timeOf(at['p90']) },
  }
}
