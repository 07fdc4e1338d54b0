import type { Clock } from '../base/clock.ts'
import { refuse, Refusal } from '../base/errors.ts'
import { newId } from '../base/ids.ts'
import { isObject, type Json, type JsonObject } from '../base/json.ts'
import type { Random } from '../base/random.ts'
import { parseUsd } from '../base/units.ts'
import type { Audit } from '../guard/audit.ts'
import type { Accounting } from '../meter/accounting.ts'
import type { Declared } from '../meter/declared.ts'
import { type AccountStanding, reset, standings } from '../meter/ledger/administer.ts'
import type { Budget } from '../meter/ledger/budget.ts'
import {
  checkOverride,
  isInForce,
  listOverrides,
  OverriddenLimits,
  type Override,
  putOverride,
  removeOverride,
} from '../meter/ledger/overrides.ts'
import type { Rows } from '../store/rows.ts'
import { type Answer, type Context, limitOf, ok, type Route } from './router.ts'

/** Budgets and rate limits: what they are, how they stand, and what an administrator does about
 *  them for a while. What they are for good the configuration says. */

export interface BudgetDependencies {
  readonly accounting: Pick<Accounting, 'declared' | 'refresh'>
  readonly rows: Rows
  readonly audit: Audit
  readonly clock: Clock
  readonly random: Random
}

const ACCOUNTS_DEFAULT = 100
const ACCOUNTS_MAX = 1_000
/** Rows looked at for one answer; beyond it the answer says that it is not complete. */
const SCANNED_MAX = 50_000
const SCAN_PAGE = 5_000
const REASON_UNITS_MAX = 500

export function budgetRoutes(dependencies: BudgetDependencies): Route[] {
  return [
    {
      method: 'GET',
      path: '/api/budgets',
      summary: 'The budgets and rate limits in force, and the overrides that are or will be.',
      role: 'admin',
      answer: () => list(dependencies),
    },
    {
      method: 'GET',
      path: '/api/budgets/{id}/accounts',
      summary: 'How a budget stands for each subject, the most used first. `subject`, `limit` (1 to 1000).',
      role: 'admin',
      answer: (context) => accounts(dependencies, context),
    },
    {
      method: 'POST',
      path: '/api/budgets/{id}/overrides',
      summary:
        "Another limit for a while. {limit, until, reason, subject, from}: the limit in the budget's unit, money in US dollars; `*` means every subject.",
      role: 'admin',
      answer: (context) => override(dependencies, context),
    },
    {
      method: 'DELETE',
      path: '/api/budgets/{id}/overrides/{override}',
      summary: 'Ends an override now.',
      role: 'admin',
      answer: (context) => endOverride(dependencies, context),
    },
    {
      method: 'POST',
      path: '/api/budgets/{id}/reset',
      summary: 'Begins the current period of a subject afresh: nothing counts as used. {subject, reason}.',
      role: 'admin',
      answer: (context) => resetAccount(dependencies, context),
    },
  ]
}

async function list({ accounting, rows, clock }: BudgetDependencies): Promise<Answer> {
  const nowMs = clock.wallMs()
  const overrides = (await listOverrides(rows)).filter(({ untilMs }) => untilMs > nowMs)
  return ok({
    budgets: [...accounting.declared.budgets, ...accounting.declared.rateLimits].map((one) =>
      budgetJson(accounting.declared, one),
    ),
    overrides: overrides.map((one) => overrideJson(one, nowMs)),
  })
}

async function accounts(dependencies: BudgetDependencies, { params, query }: Context): Promise<Answer | Refusal> {
  const { rows, clock } = dependencies
  const budget = findBudget(dependencies, params['id'])
  if (budget instanceof Refusal) return budget
  const limit = limitOf(query, { default: ACCOUNTS_DEFAULT, most: ACCOUNTS_MAX, cursor: 'subject' })
  if (limit instanceof Refusal) return limit
  const subject = query.get('subject') ?? undefined
  const nowMs = clock.wallMs()
  const inForce = (await listOverrides(rows, budget.id)).filter((one) => isInForce(one, nowMs))
  const limits = new OverriddenLimits(inForce)
  const { standing, complete } = await currentAccounts(dependencies, budget, subject)
  const shown = standing
    .map((one) => ({ one, limit: limits.of(budget, one.subject).limit }))
    .sort((a, b) => usedOf(b.one) / Math.max(1, b.limit) - usedOf(a.one) / Math.max(1, a.limit))
    .slice(0, limit)
    .map(({ one, limit: ofSubject }) => accountJson(one, ofSubject))
  return ok({
    budget: budgetJson(dependencies.accounting.declared, budget),
    accounts: shown,
    complete: complete && standing.length <= limit,
  })
}

const usedOf = ({ posted, leased }: AccountStanding): number => posted + leased

/** Accounts of the period that runs. */
export async function currentAccounts(
  { rows, clock }: Pick<BudgetDependencies, 'rows' | 'clock'>,
  budget: Budget,
  subject: string | undefined,
): Promise<{ readonly standing: AccountStanding[]; readonly complete: boolean }> {
  const nowMs = clock.wallMs()
  const budgets = new Map([[budget.id, budget]])
  const standing: AccountStanding[] = []
  for (let scanned = 0, after; scanned < SCANNED_MAX;) {
    const page: AccountStanding[] = await standings(rows, {
      budget: budget.id,
      budgets,
      nowMs,
      limit: SCAN_PAGE,
      ...(subject === undefined ? {} : { subject }),
      ...(after === undefined ? {} : { after }),
    })
    for (const one of page)
      if (
        one.unit === budget.unit &&
        (one.startMs ?? -Infinity) <= nowMs &&
        nowMs < (one.endMs ?? (one.startMs === undefined ? Infinity : -Infinity))
      )
        standing.push(one)
    scanned += page.length
    after = page.at(-1)?.key
    if (page.length < SCAN_PAGE) return { standing, complete: true }
  }
  return { standing, complete: false }
}

async function override(
  dependencies: BudgetDependencies,
  { params, body, principal }: Context,
): Promise<Answer | Refusal> {
  const { accounting, rows, clock, random, audit } = dependencies
  const budget = findBudget(dependencies, params['id'])
  if (budget instanceof Refusal) return budget
  const fields = readFields(body, ['limit', 'until', 'from', 'reason', 'subject'])
  if (fields instanceof Refusal) return fields
  const nowMs = clock.wallMs()
  const wanted: Override = {
    id: newId('ovr', clock, random),
    budget: budget.id,
    subject:
      typeof fields['subject'] === 'string' ? fields['subject'] : budget.match === '*' ? '' : (budget.match ?? ''),
    limit: amountOf(budget, fields['limit']),
    fromMs: fields['from'] === undefined ? nowMs : timeOf(fields['from']),
    untilMs: timeOf(fields['until']),
    reason: typeof fields['reason'] === 'string' ? fields['reason'].trim() : '',
    by: principal?.id ?? 'nobody',
  }
  const [problem] = checkOverride(wanted, [budget], nowMs)
  if (problem !== undefined) {
    const field = FIELD_NAMES[String(problem.path[0])] ?? String(problem.path[0])
    return invalid(field, problem.wrong, problem.remedy)
  }
  const act = { action: 'budget.override', object: budget.id, details: overrideJson(wanted, nowMs) }
  await audit.record(principal, act, () => putOverride(rows, wanted))
  await accounting.refresh()
  return { status: 201, value: overrideJson(wanted, nowMs) }
}

const FIELD_NAMES: { readonly [field: string]: string } = { fromMs: 'from', untilMs: 'until' }

async function endOverride(
  dependencies: BudgetDependencies,
  { params, principal }: Context,
): Promise<Answer | Refusal> {
  const { accounting, rows, audit } = dependencies
  const { id: budget = '', override: id = '' } = params
  const found = (await listOverrides(rows, budget)).find((one) => one.id === id)
  if (found === undefined) return refuse('not_found', { what: 'override', id })
  const act = { action: 'budget.override.end', object: budget, details: { override: id } }
  await audit.record(principal, act, () => removeOverride(rows, found))
  await accounting.refresh()
  return ok({ id, ended: true })
}

async function resetAccount(
  dependencies: BudgetDependencies,
  { params, body, principal }: Context,
): Promise<Answer | Refusal> {
  const { rows, audit } = dependencies
  const budget = findBudget(dependencies, params['id'])
  if (budget instanceof Refusal) return budget
  const fields = readFields(body, ['subject', 'reason'])
  if (fields instanceof Refusal) return fields
  const { reason } = fields
  const subject =
    typeof fields['subject'] === 'string' ? fields['subject'] : budget.match === '*' ? undefined : (budget.match ?? '')
  if (subject === undefined)
    return invalid('subject', 'is missing', `Name the ${budget.scope} whose account is to begin afresh.`)
  if (typeof reason !== 'string' || reason.trim() === '' || reason.length > REASON_UNITS_MAX)
    return invalid('reason', `must be 1 to ${REASON_UNITS_MAX} characters`, 'Say why: it goes on record.')
  const { standing } = await currentAccounts(dependencies, budget, subject)
  const [account] = standing
  if (account === undefined) return refuse('not_found', { what: 'account', id: `${budget.id} of ${subject || 'all'}` })
  const act = { action: 'budget.reset', object: budget.id, details: { subject, reason, period: account.period } }
  const was = await audit.record(
    principal,
    act,
    () => reset(rows, account.key),
    (posted) => ({ posted: posted ?? null }),
  )
  return ok({ budget: budget.id, subject, unit: budget.unit, was: was ?? 0 })
}

export function findBudget({ accounting }: Pick<BudgetDependencies, 'accounting'>, id = ''): Budget | Refusal {
  const { budgets, rateLimits } = accounting.declared
  return [...budgets, ...rateLimits].find((one) => one.id === id) ?? refuse('not_found', { what: 'budget', id })
}

function readFields(body: Json, known: readonly string[]): JsonObject | Refusal {
  if (!isObject(body)) return invalid('body', 'must be an object', `Send {${known.join(', ')}}.`)
  const stranger = Object.keys(body).find((field) => !known.includes(field))
  if (stranger !== undefined)
    return invalid(stranger.slice(0, 80), 'is not a field here', `Known: ${known.join(', ')}.`)
  return body
}

/** NaN where it is none, which `checkOverride` then says. */
function amountOf({ unit }: Budget, given: Json | undefined): number {
  if (typeof given !== 'number' && typeof given !== 'string') return Number.NaN
  if (unit !== 'nanoUsd') return /^\d{1,16}$/.test(String(given)) ? Number(given) : Number.NaN
  const nanoUsd = parseUsd(String(given))
  return nanoUsd === undefined ? Number.NaN : Number(nanoUsd)
}

function timeOf(given: Json | undefined): number {
  try {
    return typeof given === 'string' && given.length < 40 ? Temporal.Instant.from(given).epochMilliseconds : Number.NaN
  } catch {
    return Number.NaN
  }
}

const budgetJson = ({ rateLimits }: Declared, budget: Budget): JsonObject => {
  const { id, scope, match, unit, limit, window, action, warnAt } = budget
  return {
    id,
    kind: rateLimits.includes(budget) ? 'rate_limit' : 'budget',
    scope,
    match: match ?? null,
    unit,
    limit,
    window: { ...window },
    onLimit: { ...action },
    warnAt,
  }
}

const overrideJson = (one: Override, nowMs: number): JsonObject => ({
  id: one.id,
  budget: one.budget,
  subject: one.subject,
  limit: one.limit,
  from: new Date(one.fromMs).toISOString(),
  until: new Date(one.untilMs).toISOString(),
  inForce: isInForce(one, nowMs),
  reason: one.reason,
  by: one.by,
})

const accountJson = (
  { subject, period, startMs, endMs, posted, leased, leases }: AccountStanding,
  limit: number,
): JsonObject => ({
  subject,
  period,
  startsAt: startMs === undefined ? null : new Date(startMs).toISOString(),
  endsAt: endMs === undefined ? null : new Date(endMs).toISOString(),
  limit,
  posted,
  leased,
  leases: leases.map((one) => ({ ...one })),
})

const invalid = (field: string, problem: string, remedy: string): Refusal =>
  refuse('field_invalid', { field, problem, remedy })
