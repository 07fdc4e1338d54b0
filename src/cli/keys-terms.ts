import type { JsonObject } from '../base/json.ts'
import { Declined } from './declined.ts'

/** What flags of `keys` say, as the API takes it. Names and patterns are checked there. */
export interface TermFlags {
  readonly role: string
  readonly user: string | undefined
  readonly team: string | undefined
  readonly tenant: string | undefined
  readonly tags: string | undefined
  readonly models: string | undefined
  readonly workflows: string | undefined
  readonly collections: string | undefined
  readonly 'may-name': string | undefined
  readonly content: string | undefined
  readonly expires: string | undefined
  readonly budget: string | undefined
}

export function termsOf(flags: TermFlags, nowMs: number): JsonObject | Declined {
  const expiresAt = flags.expires === undefined ? undefined : timeFrom('--expires', flags.expires, nowMs)
  if (expiresAt instanceof Declined) return expiresAt
  const budgets = flags.budget === undefined ? undefined : budgetsOf(flags.budget)
  if (budgets instanceof Declined) return budgets
  const body: JsonObject = {
    role: flags.role,
    user: flags.user,
    team: flags.team,
    tenant: flags.tenant,
    tags: listOf(flags.tags),
    models: listOf(flags.models),
    workflows: listOf(flags.workflows),
    collections: listOf(flags.collections),
    mayName: flags['may-name'] === undefined ? undefined : namingOf(flags['may-name']),
    content: flags.content,
    expiresAt,
    budgets,
  }
  return Object.fromEntries(Object.entries(body).filter(([, value]) => value !== undefined))
}

const listOf = (text: string | undefined): string[] | undefined =>
  text
    ?.split(',')
    .map((one) => one.trim())
    .filter((one) => one !== '')

/** `user,tags=refuse`: a name alone is accepted. */
const namingOf = (text: string): JsonObject =>
  Object.fromEntries(
    (listOf(text) ?? []).map((one) => {
      const [what = '', naming = 'accept'] = one.split('=', 2)
      return [what, naming]
    }),
  )

/** `usd=10/month,tokens=200000/day`. */
function budgetsOf(text: string): JsonObject[] | Declined {
  const budgets: JsonObject[] = []
  for (const one of listOf(text) ?? []) {
    const [, unit = '', amount = '', window = ''] = /^(\w+)=([\d.]+)\/(\w+)$/.exec(one) ?? []
    if (unit === '')
      return wrongUse(`--budget is a list such as usd=10/month,tokens=200000/day, not "${one.slice(0, 80)}".`)
    budgets.push({ limit: { [unit]: unit === 'usd' ? amount : Number(amount) }, window })
  }
  return budgets
}

const UNITS_MS: { readonly [unit: string]: number } = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** `90d`, `12h`, `30m`, `45s` in milliseconds; undefined where it is none. */
export function durationMs(text: string): number | undefined {
  const [, count, unit = ''] = /^(\d{1,6})([smhd])$/.exec(text) ?? []
  return count === undefined ? undefined : Number(count) * (UNITS_MS[unit] ?? 0)
}

/** A time as the API takes it, from a duration, a day or a time. */
export function timeFrom(flag: string, text: string, nowMs: number): string | Declined {
  const afterMs = durationMs(text)
  if (afterMs !== undefined) return new Date(nowMs + afterMs).toISOString()
  if (/^\d{4}-\d{2}-\d{2}$/.test(text)) return `${text}T00:00:00Z`
  if (/^\d{4}-\d{2}-\d{2}T\S+$/.test(text)) return text
  return wrongUse(`${flag} is a duration such as 90d or 12h, or a day such as 2030-01-31, not "${text.slice(0, 80)}".`)
}

export const wrongUse = (message: string): Declined => new Declined('wrong_use', message, 2)
