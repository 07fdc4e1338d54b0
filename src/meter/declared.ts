import type { BudgetConfig, Config, OwnBudgetConfig, RateLimitConfig } from '../config/schema.ts'
import type { ConfigProblem } from '../config/problem.ts'
import type { Unit } from './ledger/amounts.ts'
import { type Action, type Budget, checkBudgets } from './ledger/budget.ts'
import { CALENDAR_UNITS, type Window } from './ledger/window.ts'

/** The budgets and rate limits of a configuration, as the ledger keeps them. */
export interface Declared {
  readonly budgets: readonly Budget[]
  readonly rateLimits: readonly Budget[]
  readonly spentStatus: 402 | 429
}

/** Everything wrong with them beyond what the schema says, or all of them. */
export function declaredIn({ budgets, rateLimits, limits, models }: Config): Declared | ConfigProblem[] {
  const given = new Entries('budgets')
  budgets.forEach((budget, at) => given.addBudget(budget, at))
  const rates = new Entries('rateLimits')
  rateLimits.forEach((rate, at) => rates.addRate(rate, at))
  const problems = [...given.problems(), ...rates.problems()]
  const ids = new Set(given.list.map(({ id }) => id))
  rates.list.forEach(({ id }, at) => {
    if (ids.has(id))
      problems.push({
        path: ['rateLimits', rates.places[at] ?? 0, 'id'],
        wrong: 'is the id of a budget too',
        remedy: 'Give each its own id.',
      })
  })
  given.list.forEach(({ action }, at) => {
    if (action.kind === 'degrade' && models[action.to] === undefined)
      problems.push({
        path: ['budgets', given.places[at] ?? 0, 'onLimit', 'degradeTo'],
        value: JSON.stringify(action.to),
        wrong: 'names no model',
        remedy: `Name one of ${Object.keys(models).join(', ')}.`,
      })
  })
  if (problems.length > 0) return problems
  return { budgets: given.list, rateLimits: rates.list, spentStatus: limits.budgetStatus }
}

/** The budgets that a key carries itself: for its requests alone, wherever it is used. */
export function ownBudgets(budgets: readonly OwnBudgetConfig[]): Budget[] | ConfigProblem[] {
  const own = new Entries('budgets')
  budgets.forEach((budget, at) => own.addBudget({ ...budget, id: `own-${budget.window ?? ''}`, scope: 'key' }, at))
  const problems = own.problems()
  return problems.length > 0 ? problems : own.list
}

const UNIT_OF = {
  tokens: 'totalTokens',
  inputTokens: 'inputTokens',
  outputTokens: 'outputTokens',
  usd: 'nanoUsd',
  requests: 'requests',
  concurrent: 'concurrent',
} as const satisfies { readonly [limit: string]: Unit }

/** Where a field of a `Budget` stands in the file. */
const FIELD_OF: { readonly [field: string]: readonly string[] } = {
  unit: ['limit'],
  window: ['window'],
  'window.zone': ['timeZone'],
  'window.durationMs': ['window'],
  'action.minimum': ['onLimit', 'clamp', 'outputTokensMin'],
  'action.to': ['onLimit', 'degradeTo'],
  action: ['onLimit'],
}

class Entries {
  readonly list: Budget[] = []
  /** `list[i]` comes from the entry `places[i]` of the section. */
  readonly places: number[] = []
  readonly #section: 'budgets' | 'rateLimits'
  readonly #own: ConfigProblem[] = []

  constructor(section: 'budgets' | 'rateLimits') {
    this.#section = section
  }

  addBudget(entry: BudgetConfig, at: number): void {
    const { scope, timeZone, onLimit, warnAt } = entry
    const window = windowOf(entry.window ?? (scope === 'request' ? 'request' : undefined), timeZone)
    if (window === undefined)
      return void this.#own.push({
        path: [this.#section, at, 'window'],
        wrong: 'is missing',
        remedy: 'Say over which time it counts, such as `window: month`.',
      })
    for (const [unit, limit] of limitsIn(entry.limit)) {
      const action =
        onLimit === undefined
          ? defaultAction(scope, unit)
          : typeof onLimit === 'string'
            ? { kind: onLimit }
            : actionOf(onLimit)
      this.#add(at, entry, entry.window ?? 'request', { unit, limit, window, action, warnAt })
    }
  }

  addRate(entry: RateLimitConfig, at: number): void {
    for (const [unit, limit] of limitsIn(entry.limit)) {
      const window: Window =
        unit === 'concurrent' ? { kind: 'lifetime' } : { kind: 'rolling', durationMs: SPAN_MS[entry.per] }
      const name = unit === 'concurrent' ? 'at-once' : entry.per
      this.#add(at, entry, name, { unit, limit, window, action: { kind: entry.onLimit }, warnAt: [] })
    }
  }

  problems(): ConfigProblem[] {
    const found = checkBudgets(this.list).map(({ path: [index, ...rest], wrong, remedy }): ConfigProblem => {
      const place = this.places[Number(index)] ?? 0
      const field = FIELD_OF[rest.slice(0, 2).join('.')] ?? FIELD_OF[String(rest[0])] ?? rest
      const named = wrong.replace(/budget (\d+)/, (_, other: string) => `entry ${this.places[Number(other)] ?? 0}`)
      return { path: [this.#section, place, ...field], wrong: named, remedy }
    })
    return [...this.#own, ...found]
  }

  #add(
    at: number,
    entry: BudgetConfig | RateLimitConfig,
    windowName: string,
    rest: Pick<Budget, 'unit' | 'limit' | 'window' | 'action' | 'warnAt'>,
  ): void {
    const { scope, id } = entry
    const isCommon = scope === 'request' || scope === 'global'
    const match = entry.match ?? (isCommon ? undefined : '*')
    const units = Object.values(entry.limit).filter((limit) => limit !== undefined).length
    const shortUnit = SHORT_UNIT[rest.unit]
    const made = [scope, match === '*' ? 'each' : match, windowName, shortUnit].filter((part) => part !== undefined)
    const own = units > 1 ? `${id}-${shortUnit}` : id
    this.list.push({
      id: (id === undefined ? made.join('-') : own) ?? '',
      scope,
      ...(match === undefined ? {} : { match }),
      ...rest,
    })
    this.places.push(at)
  }
}

const SHORT_UNIT: { readonly [unit in Unit]: string } = {
  inputTokens: 'input-tokens',
  outputTokens: 'output-tokens',
  totalTokens: 'tokens',
  nanoUsd: 'usd',
  requests: 'requests',
  concurrent: 'concurrent',
}

const SPAN_MS = { second: 1_000, minute: 60_000, hour: 3_600_000, day: 86_400_000 } as const
const LETTER_MS: { readonly [letter: string]: number } = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }

const limitsIn = (limit: BudgetConfig['limit'] | RateLimitConfig['limit']): [Unit, number][] =>
  Object.entries(limit).flatMap(([name, amount]): [Unit, number][] =>
    amount === undefined ? [] : [[UNIT_OF[name as keyof typeof UNIT_OF], Number(amount)]],
  )

function windowOf(name: string | undefined, zone: string): Window | undefined {
  if (name === undefined) return undefined
  if (name === 'request' || name === 'lifetime') return { kind: name }
  const unit = CALENDAR_UNITS.find((one) => one === name)
  if (unit !== undefined) return { kind: 'calendar', unit, zone }
  return { kind: 'rolling', durationMs: Number(name.slice(0, -1)) * (LETTER_MS[name.slice(-1)] ?? 0) }
}

/** A request whose cap alone is too high is answered up to what is left; whoever sent no cap at all
 *  has not asked for more. */
const defaultAction = (scope: Budget['scope'], unit: Unit): Action =>
  scope === 'request' && unit !== 'inputTokens' && unit !== 'requests'
    ? { kind: 'clamp', minimum: 1 }
    : { kind: 'refuse' }

const actionOf = (given: Exclude<NonNullable<BudgetConfig['onLimit']>, string>): Action =>
  'clamp' in given ? { kind: 'clamp', minimum: given.clamp.outputTokensMin } : { kind: 'degrade', to: given.degradeTo }
