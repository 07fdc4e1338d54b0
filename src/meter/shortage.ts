import { refuse, type Refusal } from '../base/errors.ts'
import { formatCount, formatUsd } from '../base/units.ts'
import type { Unit } from './ledger/amounts.ts'
import type { Budget } from './ledger/budget.ts'
import type { Short, Shortfall } from './ledger/shortfall.ts'

/** What a caller is told whose request a budget cannot afford. */

export interface Terms {
  /** Budgets that limit how fast, and not how much: there, waiting helps. */
  readonly rateLimits: ReadonlySet<string>
  /** Of a refusal for want of budget. */
  readonly spentStatus: 402 | 429
}

/** A budget as an error's body shows it. */
export interface ShortBudget {
  readonly id: string
  readonly scope: Budget['scope']
  readonly subject: string
  readonly unit: Unit
  readonly limit: number
  readonly spent: number
  readonly available: number
  readonly needed: number
  /** ISO 8601; null where it does not reset by time. */
  readonly resetsAt: string | null
}

/** Where somebody else's request has to end first. */
const RETRY_DEFAULT_MS = 1_000
const RETRY_MAX_MS = 86_400_000

export function refusalOf({ reason, short }: Shortfall, terms: Terms, nowMs: number): Refusal {
  const [first] = short
  if (reason === 'store_unavailable' || reason === 'fenced' || first === undefined)
    return refuse('budgets_unavailable', {
      reason:
        reason === 'store_unavailable'
          ? 'what this process had put aside is used up, and the store does not answer'
          : 'this process lost its part of them and is taking it up again',
    })
  const { budget } = first
  const details = { budget: budget.id, whose: whoseOf(first), short: shown(first) }
  if (reason === 'contended') return refuse('budget_contended', details)
  if (reason === 'spent' && terms.rateLimits.has(budget.id))
    return refuse('rate_limited', {
      ...details,
      limit: amountText(budget.unit, budget.limit),
      retryAfterMs: Number.isFinite(first.resetsAtMs)
        ? Math.min(RETRY_MAX_MS, Math.max(1, Math.ceil(first.resetsAtMs - nowMs)))
        : RETRY_DEFAULT_MS,
    })
  const { unit, limit } = budget
  const amounts = {
    needed: amountText(unit, first.needed),
    available: amountText(unit, first.available),
    limit: amountText(unit, limit),
    httpStatus: terms.spentStatus,
  }
  if (reason === 'over_limit') return refuse('budget_too_small', { ...details, ...amounts })
  const resets = Number.isFinite(first.resetsAtMs)
    ? `It resets at ${new Date(first.resetsAtMs).toISOString()}`
    : 'It does not reset by itself'
  return refuse('budget_spent', { ...details, ...amounts, resets })
}

const whoseOf = ({ budget: { scope }, subject }: Short): string =>
  scope === 'request' ? 'each request' : scope === 'global' ? 'all requests together' : `the ${scope} "${subject}"`

const UNIT_TEXTS: { readonly [unit in Exclude<Unit, 'nanoUsd'>]: string } = {
  inputTokens: 'input tokens',
  outputTokens: 'output tokens',
  totalTokens: 'tokens',
  requests: 'requests',
  concurrent: 'requests at the same time',
}

/** `$0.25`, `1,200 tokens`. */
export const amountText = (unit: Unit, amount: number): string =>
  unit === 'nanoUsd'
    ? formatUsd(BigInt(amount))
    : `${formatCount(amount)} ${amount === 1 ? UNIT_TEXTS[unit].replace(/s\b/, '') : UNIT_TEXTS[unit]}`

const shown = ({ budget, subject, needed, available, spent, resetsAtMs }: Short): ShortBudget => ({
  id: budget.id,
  scope: budget.scope,
  subject,
  unit: budget.unit,
  limit: budget.limit,
  spent,
  available,
  needed,
  resetsAt: Number.isFinite(resetsAtMs) ? new Date(resetsAtMs).toISOString() : null,
})
