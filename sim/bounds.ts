import { isPosted, type Unit } from '../src/meter/ledger/amounts.ts'
import { type Budget, isSoft } from '../src/meter/ledger/budget.ts'
import type { Entry } from '../src/store/events.ts'
import { chargesIn, expectedCost, type Part } from './bill.ts'
import { budgetsOf } from './budgets.ts'
import { capIn } from './engine.ts'
import { ATTEMPTS, ATTEMPTS_PRICED, OUTPUT_TOKENS_MAX, PRICES } from './house.ts'
import type { ExchangeRecord } from './outgoing.ts'
import type { ModelName, RequestPlan, Scenario } from './scenario.ts'

/** Whom a budget binds, and how much of it a call can use at most, told without the house. */

/** More input than any request here can be held at. */
const INPUT_MAX = { docs: 2_500, others: 600 } as const

export const isHard = ({ action }: Budget): boolean => !isSoft(action)

/** What is counted goes into the books, and stays there while the run lasts. */
export const stays = ({ window, unit }: Budget, nowMs: number): boolean =>
  isPosted(unit) && window.kind !== 'request' && (window.kind !== 'rolling' || nowMs < window.durationMs)

export const countsRequests = (unit: Unit): boolean => unit === 'requests' || unit === 'concurrent'

/** What calls a request may make, by the model they are held for. */
const CALLED: { readonly [model in ModelName]: readonly string[] } = {
  solo: ['solo', 'spare'],
  pair: ['pair', 'spare'],
  chain: ['chain', 'solo', 'pair', 'spare'],
  docs: ['pair', 'spare'],
  absent: [],
}

/** Whether a request, or any call that it may make, is bound by a budget. */
export function mayBind({ scope, match, unit }: Budget, { model }: RequestPlan): boolean {
  if (scope !== 'model') return true
  return countsRequests(unit) ? match === model : CALLED[model].includes(match ?? '')
}

export function subjectOf({ scope, match }: Budget, key: string, model: string): string | undefined {
  if (scope === 'global') return ''
  if (scope === 'key') return key
  return scope === 'model' && match === model ? model : undefined
}

export function amountOf(unit: Unit, { usage, costNanoUsd }: Part): number {
  const input = usage.inputTokens + usage.cachedInputTokens
  const output = usage.outputTokens + usage.reasoningTokens
  if (unit === 'nanoUsd') return Number(costNanoUsd ?? 0)
  return unit === 'inputTokens' ? input : unit === 'outputTokens' ? output : input + output
}

export const engineIn = (url: string): string => /\/\/(\w+)\./.exec(url)?.[1] ?? ''

/** Of what an engine may use, what its cap allows. */
export function capAmount(unit: Unit, request: ExchangeRecord['request']): number {
  const cap = capIn(request) ?? 0
  if (unit === 'nanoUsd') return Math.floor((cap * Number(PRICES[engineIn(request.url)]?.outputNanoUsd ?? 0n)) / 1e6)
  return unit === 'outputTokens' || unit === 'totalTokens' ? cap : 0
}

/** What a request can be held at, all its calls together. */
export function mostOf({ unit }: Budget, { model, operation }: RequestPlan): number {
  if (countsRequests(unit)) return 1
  const input = model === 'docs' ? INPUT_MAX.docs : INPUT_MAX.others
  const output = operation === 'chat' ? OUTPUT_TOKENS_MAX : 0
  const usage = { inputTokens: input, cachedInputTokens: 0, outputTokens: output, reasoningTokens: 0, estimated: false }
  const cost = PRICES['alpha'] === undefined ? 0n : expectedCost(usage, PRICES['alpha'])
  return ATTEMPTS[model] * amountOf(unit, { deployment: '', usage, costNanoUsd: cost.toString(), priceVersion: null })
}

/** How many attempts nothing but engines can make fail. Where money counts, no deployment without a price
 *  is asked, nor what would come after it. */
export function attemptsAffordable({ budgets, requests }: Scenario, { model }: RequestPlan): number {
  const hard = budgetsOf(budgets).filter(isHard)
  const isAmple = hard.every((budget) => {
    const most = requests.filter((one) => mayBind(budget, one)).map((one) => mostOf(budget, one))
    const all = budget.window.kind === 'request' ? Math.max(0, ...most) : most.reduce((sum, one) => sum + one, 0)
    return all <= budget.limit
  })
  const attempts = hard.some(({ unit }) => unit === 'nanoUsd') ? ATTEMPTS_PRICED[model] : ATTEMPTS[model]
  return isAmple ? attempts : Math.min(1, attempts)
}

/** What a closed request used, at most, in the widest scope that the budget may have. */
export function used({ unit }: Budget, { body }: Entry): number {
  if (unit === 'requests') return 1
  return unit === 'concurrent' ? 0 : chargesIn(body).reduce((sum, part) => sum + amountOf(unit, part), 0)
}
