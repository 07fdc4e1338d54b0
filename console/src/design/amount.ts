import type { Unit } from '../api/budgets.ts'
import { formatCount, formatNanoUsd } from './units.ts'

/** What a budget counts, for people. */

const NAMES: { readonly [Name in Exclude<Unit, 'nanoUsd'>]: string } = {
  inputTokens: 'input tokens',
  outputTokens: 'output tokens',
  totalTokens: 'tokens',
  requests: 'requests',
  concurrent: 'requests at once',
}

/** `$1.20`, `12,300`: where the unit stands beside it. */
export const formatFigure = (unit: Unit, amount: number): string =>
  unit === 'nanoUsd' ? formatNanoUsd(amount) : formatCount(Math.round(amount))

/** `$1.20`, `12,300 tokens`. */
export const formatAmount = (unit: Unit, amount: number): string =>
  unit === 'nanoUsd' ? formatNanoUsd(amount) : `${formatFigure(unit, amount)} ${nameOf(unit, amount)}`

const nameOf = (unit: Exclude<Unit, 'nanoUsd'>, amount: number): string =>
  amount === 1 ? NAMES[unit].replace(/s( |$)/, '$1') : NAMES[unit]
