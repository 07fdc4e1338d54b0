import { isRecord, numberOf, timeOf, type Json } from '../api/shape.ts'
import type { Alert } from '../api/alerts.ts'
import { UNITS } from '../api/budgets.ts'
import { formatAmount } from '../design/amount.ts'
import { formatCount, formatNanoUsd, formatShare, formatTime } from '../design/units.ts'

/** Alerts in words, with their evidence. */

export function titleOf({ kind, subject, evidence }: Alert): string {
  const about = subject.map(([what, name]) => `${what} ${name}`).join(', ')
  if (kind === 'usage_anomaly') {
    const times = ratioOf(evidence)
    if (evidence['measure'] === 'costNanoUsdPerRequest')
      return times === undefined
        ? `Requests of ${about} cost something now`
        : `Requests of ${about} cost ${times} times as much`
    return times === undefined
      ? `Requests of ${about} take tokens now`
      : `Requests of ${about} take ${times} times the tokens`
  }
  const whose = aboutBudget(subject)
  if (kind === 'budget_warning') return `${formatShare(numberOf(evidence['share']) ?? 0)} of ${whose} is used`
  if (kind === 'budget_forecast') return `${whose.replace('the budget', 'The budget')} will hardly last`
  return `${kind}: ${about}`
}

/** `the budget spend of user ann`. */
function aboutBudget(subject: Alert['subject']): string {
  const budget = subject.find(([what]) => what === 'budget')?.[1] ?? ''
  const others = subject.flatMap(([what, name]) => (what === 'budget' ? [] : [`${what} ${name}`]))
  return `the budget ${budget}${others.length === 0 ? '' : ` of ${others.join(', ')}`}`
}

/** Where the account of an alert about a budget is shown. */
export function addressOf({ subject }: Alert): string | undefined {
  const budget = subject.find(([what]) => what === 'budget')?.[1]
  const other = subject.find(([what]) => what !== 'budget')?.[1]
  if (budget === undefined) return undefined
  return `/budgets?${new URLSearchParams({ budget, ...(other !== undefined && { subject: other }) }).toString()}`
}

const BUDGET_FACTS: { readonly [name: string]: string } = {
  posted: 'Posted',
  spent: 'Posted',
  limit: 'Limit',
  p50: 'At the end, p50',
  p10: 'p10',
  p90: 'p90',
  probability: 'Spent before',
  passesAt: 'Spent on, p50',
  resetsAt: 'Resets',
  historyHours: 'From',
}

function budgetFacts(evidence: Json, nowMs: number): (readonly [string, string])[] {
  const unit = UNITS.find((one) => one === evidence['unit'])
  return Object.entries(BUDGET_FACTS).flatMap(([field, name]) => {
    const value = evidence[field]
    const number = numberOf(value)
    const atMs = timeOf(value)
    if (field === 'probability' && number !== undefined)
      return [[name, `in ${Math.round(number * 100)} of 100 futures`]]
    if (field === 'historyHours' && number !== undefined) return [[name, `${formatCount(number)} hours of history`]]
    if (number !== undefined && unit !== undefined) return [[name, formatAmount(unit, number)]]
    return atMs === undefined ? [] : [[name, formatTime(atMs, nowMs)]]
  })
}

/** Figures with their n; what is not known of an evidence is shown as it came. */
export function evidenceOf(
  { kind, evidence }: Alert,
  nowMs: number,
): readonly (readonly [name: string, text: string])[] {
  if (kind === 'budget_warning' || kind === 'budget_forecast') return budgetFacts(evidence, nowMs)
  if (kind !== 'usage_anomaly') return Object.entries(evidence).map(([name, value]) => [name, plain(value)] as const)
  const isMoney = evidence['measure'] === 'costNanoUsdPerRequest'
  const amount = (value: number): string =>
    isMoney ? formatNanoUsd(value) : `${formatCount(Math.round(value))} tokens`
  const spread = (value: unknown): string => {
    const side: Json = isRecord(value) ? value : {}
    const quantiles = ['p50', 'p95'].flatMap((name) => {
      const given = side[name]
      const figure = numberOf(isRecord(given) ? given['value'] : given)
      return figure === undefined ? [] : [`${name} ${amount(figure)}`]
    })
    return `${quantiles.join(', ') || '–'} (n ${formatCount(numberOf(side['n']) ?? 0)})`
  }
  const ratio: Json = isRecord(evidence['ratio']) ? evidence['ratio'] : {}
  const sinceMs = timeOf(evidence['since'])
  return [
    ['Before', spread(evidence['before'])],
    ['Since then', spread(evidence['after'])],
    ['Ratio of p50', ratioText(ratio['p50'])],
    ['Since', sinceMs === undefined ? '–' : formatTime(sinceMs, nowMs)],
  ]
}

/** Of the medians. */
function ratioOf(evidence: Json): string | undefined {
  const ratio = isRecord(evidence['ratio']) ? evidence['ratio']['p50'] : undefined
  return isRecord(ratio) ? numberOf(ratio['value'])?.toFixed(2) : undefined
}

function ratioText(value: unknown): string {
  if (!isRecord(value)) return '–'
  const middle = numberOf(value['value'])
  const [low, high] = [numberOf(value['low']), numberOf(value['high'])]
  const range = low === undefined || high === undefined ? '' : ` (${low.toFixed(2)} to ${high.toFixed(2)})`
  return middle === undefined ? 'from nothing' : `× ${middle.toFixed(2)}${range}`
}

const plain = (value: unknown): string =>
  typeof value === 'number' ? formatCount(value) : typeof value === 'string' ? value : JSON.stringify(value)
