import { AMOUNT_MAX, isAmount, isPosted, type Unit, UNITS } from './amounts.ts'
import { CALENDAR_UNITS, isZone, ROLLING_MS_MAX, ROLLING_MS_MIN, type Window } from './window.ts'

/** A limit on what may be used: whose use, of what, how much, over which time, and what happens
 *  when it is used up. */
export interface Budget {
  readonly id: string
  readonly scope: Scope
  /** The key, user, team ... it binds; `*`: each one has an account of its own. Absent for
   *  `request` and `global`. */
  readonly match?: string
  readonly unit: Unit
  readonly limit: number
  readonly window: Window
  readonly action: Action
  /** Shares of the limit, between 0 and 1 and growing, at which to say so. */
  readonly warnAt: readonly number[]
}

export const SCOPES = ['request', 'key', 'user', 'team', 'workflow', 'model', 'tag', 'tenant', 'global'] as const
export type Scope = (typeof SCOPES)[number]

/** What happens to a request that a budget cannot afford. `warn` and `dryRun` count and let
 *  pass: the first tells whoever asked, the second only the log. */
export type Action =
  | { readonly kind: 'refuse' }
  /** Lower the output cap to what is left, but not below `minimum` units of the budget. */
  | { readonly kind: 'clamp'; readonly minimum: number }
  /** Take the cheaper model of this name. */
  | { readonly kind: 'degrade'; readonly to: string }
  | { readonly kind: 'warn' }
  | { readonly kind: 'dryRun' }

export const isSoft = (action: Action): boolean => action.kind === 'warn' || action.kind === 'dryRun'

/** Something wrong with a budget: where, what, and what to do. */
export interface BudgetProblem {
  readonly path: readonly (string | number)[]
  /** Reads on from the path: "is not above 0". */
  readonly wrong: string
  readonly remedy: string
}

/** Of one key part in the store; ids and matches are parts. */
const NAME_UNITS_MAX = 256
const NAME = /^[^\0]+$/

/** Everything wrong with a list of budgets, in its order. */
export function checkBudgets(budgets: readonly Budget[]): BudgetProblem[] {
  const problems = budgets.flatMap((budget, at) =>
    checkBudget(budget).map(({ path, wrong, remedy }) => ({ path: [at, ...path], wrong, remedy })),
  )
  const ids = new Map<string, number>()
  const limits = new Map<string, number>()
  budgets.forEach((budget, at) => {
    const twin = ids.get(budget.id)
    if (twin !== undefined)
      problems.push({ path: [at, 'id'], wrong: `is the id of budget ${twin} too`, remedy: 'Give each its own id.' })
    ids.set(budget.id, at)
    if (isSoft(budget.action)) return
    const what = JSON.stringify([budget.scope, budget.match ?? '', budget.unit, budget.window])
    const other = limits.get(what)
    if (other !== undefined)
      problems.push({
        path: [at],
        wrong: `contradicts budget ${other}, which limits the same unit for the same ${budget.scope} over the same window`,
        remedy: 'Keep the one that is meant; make the other `warn` if it is a soft limit.',
      })
    limits.set(what, at)
  })
  return problems
}

function checkBudget(budget: Budget): BudgetProblem[] {
  const problems: BudgetProblem[] = []
  const wrong = (path: BudgetProblem['path'], wrong: string, remedy: string): void =>
    void problems.push({ path, wrong, remedy })
  if (!isName(budget.id)) wrong(['id'], `is no name of 1 to ${NAME_UNITS_MAX} characters`, 'Give it a short name.')
  if (!SCOPES.includes(budget.scope)) wrong(['scope'], 'is no scope', `Choose one of ${SCOPES.join(', ')}.`)
  if (!UNITS.includes(budget.unit)) wrong(['unit'], 'is no unit', `Choose one of ${UNITS.join(', ')}.`)
  const common = budget.scope === 'global' || budget.scope === 'request'
  if (common && budget.match !== undefined)
    wrong(['match'], `has no meaning for the scope ${budget.scope}`, 'Leave it out.')
  if (!common && (budget.match === undefined || !isName(budget.match)))
    wrong(['match'], `does not say which ${budget.scope} is meant`, `Name one, or write "*" for each ${budget.scope}.`)
  if (!isAmount(budget.limit) || budget.limit === 0)
    wrong(
      ['limit'],
      `is no whole number from 1 to ${AMOUNT_MAX}`,
      'Say how much may be used; money counts in nano-USD.',
    )
  if (budget.scope === 'request' && budget.window.kind !== 'request')
    wrong(['window'], 'outlives the request that it is for', 'Use the window `request`, or the scope `global`.')
  checkWindow(budget.window, wrong)
  checkAction(budget, wrong)
  if (budget.unit === 'concurrent') checkConcurrent(budget, wrong)
  budget.warnAt.forEach((share, at) => {
    if (!(share > 0 && share < 1) || share <= (budget.warnAt[at - 1] ?? 0))
      wrong(['warnAt', at], 'is no share between 0 and 1 above the one before', 'Write them as in [0.5, 0.8, 0.95].')
  })
  return problems
}

type Wrong = (path: BudgetProblem['path'], wrong: string, remedy: string) => void

function checkWindow(window: Window, wrong: Wrong): void {
  if (window.kind === 'rolling') {
    const { durationMs } = window
    if (!Number.isSafeInteger(durationMs) || durationMs < ROLLING_MS_MIN || durationMs > ROLLING_MS_MAX)
      wrong(['window', 'durationMs'], 'is not between one second and one year', 'Say it in milliseconds.')
  } else if (window.kind === 'calendar') {
    if (!CALENDAR_UNITS.includes(window.unit))
      wrong(['window', 'unit'], 'is no calendar unit', `Choose one of ${CALENDAR_UNITS.join(', ')}.`)
    if (!isZone(window.zone))
      wrong(['window', 'zone'], 'is no time zone', 'Use a name of the IANA database, such as Europe/Berlin or UTC.')
  }
}

function checkAction({ action, unit, limit, scope, match }: Budget, wrong: Wrong): void {
  if (action.kind === 'clamp') {
    if (unit === 'requests' || unit === 'inputTokens' || !isPosted(unit))
      wrong(['action'], `cannot clamp ${unit}: only output can be made shorter`, 'Use `refuse`.')
    if (!isAmount(action.minimum) || action.minimum === 0 || action.minimum > limit)
      wrong(['action', 'minimum'], 'is no whole number from 1 to the limit', 'Say the least that is worth a call.')
  } else if (action.kind === 'degrade') {
    if (!isName(action.to)) wrong(['action', 'to'], 'names no model', 'Name the cheaper model.')
    if (scope === 'model' && match === action.to)
      wrong(['action', 'to'], 'is the very model that the budget limits', 'Name another one.')
    if (scope !== 'model' && (unit === 'requests' || !isPosted(unit)))
      wrong(['action'], `helps nobody: another model's request counts as much`, 'Use `refuse`, or the scope `model`.')
  }
}

function checkConcurrent({ window, action, warnAt }: Budget, wrong: Wrong): void {
  if (window.kind !== 'lifetime')
    wrong(['window'], 'has no meaning for requests that run at the same time', 'Use the window `lifetime`.')
  if (isSoft(action)) wrong(['action'], 'cannot be told: a process sees only its own running requests', 'Use `refuse`.')
  if (warnAt.length > 0)
    wrong(['warnAt'], 'is about what was used, and running requests use nothing up', 'Leave it empty.')
}

const isName = (text: string): boolean => text.length <= NAME_UNITS_MAX && NAME.test(text) && text.isWellFormed()
