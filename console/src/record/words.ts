import type { Unit } from '../api/budgets.ts'
import { isRecord, numberOf, timeOf, type Json } from '../api/shape.ts'
import { formatAmount } from '../design/amount.ts'
import { formatLength, formatTime } from '../design/units.ts'

/** What the other columns say, and what is so of every act. */
const LEFT_OUT: ReadonlySet<string> = new Set(['budget', 'inForce', 'found', 'override'])
/** Amounts in the unit of the budget that the act was about. */
const AMOUNTS: ReadonlySet<string> = new Set(['limit', 'posted'])

/** Everything that was recorded of an act, the reason first; what says nothing is left out. */
export function detailsText(details: Json, unit: Unit | undefined, nowMs: number): string {
  const { reason, mayName, ...rest } = details
  const naming = isRecord(mayName) ? Object.entries(mayName).filter(([, value]) => value !== 'ignore') : []
  const parts = Object.entries(rest).flatMap(([name, value]) => {
    const text = LEFT_OUT.has(name) ? '' : factText(name, value, unit, nowMs)
    return text === '' ? [] : [text]
  })
  const why = valueText(reason)
  return [
    ...(why === '' ? [] : [`“${why}”`]),
    ...parts,
    ...naming.map(([what, value]) => `${what} named: ${valueText(value)}`),
  ].join(' · ')
}

function factText(name: string, value: unknown, unit: Unit | undefined, nowMs: number): string {
  const number = numberOf(value)
  if (number !== undefined && unit !== undefined && AMOUNTS.has(name)) return `${name} ${formatAmount(unit, number)}`
  if (number !== undefined && name.endsWith('Ms')) return `${name.slice(0, -2)} ${formatLength(number)}`
  const atMs = timeOf(value)
  if (atMs !== undefined && /^\d{4}-\d\d-\d\dT/.test(String(value))) return `${name} ${formatTime(atMs, nowMs)}`
  const text = valueText(value)
  return text === '' ? '' : `${name} ${text}`
}

function valueText(value: unknown): string {
  if (Array.isArray(value)) return value.map(valueText).join(', ')
  if (isRecord(value))
    return Object.entries(value)
      .map(([name, one]) => `${name}: ${valueText(one)}`)
      .join(', ')
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? String(value) : ''
}
