import { type ErrorCode, type Problem, sentenceOf } from '../base/errors.ts'
import type { Headers } from '../base/http.ts'
import { isObject, type JsonObject } from '../base/json.ts'
import type { Scopes } from '../guard/identify.ts'
import type { Bill, Charge } from '../meter/charge.ts'
import type { Remaining, Spending } from '../meter/spending.ts'
import type { Usage } from '../meter/usage.ts'
import type { Span } from '../trace/trace.ts'
import { deploymentName, type Deployment } from './catalogue.ts'
import type { Outcome } from './journal.ts'

/** What a request came to, as the journal, the headers and the answer say it. */

/** Who answered, and what all calls came to: the sum, and each of them unless the one that answered
 *  was all. */
export function spendingJson({ charges, total }: Spending, answering: Deployment | undefined): JsonObject {
  const deployment = answering === undefined ? null : deploymentName(answering)
  const isItsOwn =
    charges.length === (answering === undefined ? 0 : 1) && (charges[0]?.deployment ?? null) === deployment
  return { deployment, ...billJson(total), ...(isItsOwn ? {} : { charges: charges.map(chargeJson) }) }
}

const chargeJson = (charge: Charge): JsonObject => ({ deployment: charge.deployment, ...billJson(charge) })

const billJson = ({ usage, costNanoUsd, priceVersion }: Bill): JsonObject => ({
  usage: usageJson(usage),
  costNanoUsd: costJson(costNanoUsd),
  priceVersion: priceVersion ?? null,
})

/** Money as JSON: a decimal string of nano-USD, or null when unknown. */
export const costJson = (costNanoUsd: bigint | undefined): string | null => costNanoUsd?.toString() ?? null

const usageJson = (usage: Usage): JsonObject => ({ ...usage })

/** Who answered, what was put aside for it and what is left; with `total`, for how much. */
export function answerHeaders(deployment: Deployment | undefined, spending: Spending, total?: Bill): Headers {
  const { reserved } = spending
  const all = spending.remaining()
  const remaining = all.slice(0, REMAINING_SHOWN_MAX)
  const warnings = spending.warnings()
  return {
    ...(deployment === undefined ? {} : { 'x-headworks-model': headerText(deploymentName(deployment)) }),
    ...(total?.costNanoUsd === undefined ? {} : { 'x-headworks-cost-nanousd': total.costNanoUsd.toString() }),
    ...(remaining.length === 0
      ? {}
      : {
          'x-headworks-reserved': `tokens=${reserved.totalTokens}, nanousd=${reserved.nanoUsd}`,
          'x-headworks-budget-remaining': remaining.map(remainingText).join(', '),
          ...rateHeaders('requests', scarcest(all, 'requests'), spending.nowMs),
          ...rateHeaders('tokens', scarcest(all, 'totalTokens'), spending.nowMs),
        }),
    ...(warnings.length === 0 ? {} : { 'x-headworks-budget-warning': warnings.map(quoted).join(', ') }),
  }
}

const scarcest = (remaining: readonly Remaining[], unit: Remaining['unit']): Remaining | undefined =>
  remaining.find((one) => one.isRate && one.unit === unit)

/** As OpenAI's API says them, for clients that slow down by themselves. */
const rateHeaders = (what: string, rate: Remaining | undefined, nowMs: number): Headers =>
  rate === undefined
    ? {}
    : {
        [`x-ratelimit-limit-${what}`]: String(rate.limit),
        [`x-ratelimit-remaining-${what}`]: String(rate.remaining),
        [`x-ratelimit-reset-${what}`]: resetText(Math.max(0, rate.resetsAtMs - nowMs)),
      }

/** `12ms`, `1.5s`, `6m0s`. */
function resetText(ms: number): string {
  if (ms < 1000) return `${Math.ceil(ms)}ms`
  if (ms < 60_000) return `${Math.ceil(ms / 100) / 10}s`
  return `${Math.floor(ms / 60_000)}m${Math.ceil((ms % 60_000) / 1000)}s`
}

/** The scarcest come first. */
const REMAINING_SHOWN_MAX = 8

/** As in the IETF's draft of `RateLimit` (draft-ietf-httpapi-ratelimit-headers): what remains, and
 *  beside it the limit and the unit. */
const remainingText = ({ budget, unit, limit, remaining }: Remaining): string =>
  `${quoted(budget)};r=${remaining};q=${limit};u=${unit}`

const quoted = (name: string): string => `"${headerText(name).replace(/["\\]/g, encodeURIComponent)}"`

/** An engine may call its model anything; a header holds visible ASCII only. The rest is
 *  percent-encoded. */
const headerText = (text: string): string => text.toWellFormed().replace(/[^!-~]+/g, encodeURIComponent)

/** What a budget, a rate limit or a guard did not let pass has not failed. */
export const outcomeOf = ({ code }: Problem): Outcome => (REFUSED.has(code) ? 'refused' : 'failed')

const REFUSED: ReadonlySet<ErrorCode> = new Set([
  'guard_blocked',
  'budget_spent',
  'budget_too_small',
  'budget_contended',
  'budgets_unavailable',
  'rate_limited',
  'input_unbounded',
  'price_unknown',
] as const)

/** Why it was not answered; with the budget that was short, where one was. */
export function problemJson(problem: Problem): JsonObject {
  const { short } = problem.details
  const budget = isObject(short) ? { budget: { id: short['id'] ?? null, subject: short['subject'] ?? null } } : {}
  return { error: problem.code, reason: sentenceOf(problem), ...budget }
}

/** Whom a request counts for, as its entries say it. */
export const scopesJson = ({ tags, ...scopes }: Scopes): JsonObject => (tags.length > 0 ? { ...scopes, tags } : scopes)

/** Stages as the API shows them. */
export const stagesJson = (spans: readonly Span[]): JsonObject[] =>
  spans.map(({ name, parent, startMs, endMs, attributes }) => ({
    name,
    parent,
    start_ms: roundMicro(startMs),
    end_ms: roundMicro(endMs),
    attributes,
  }))

const roundMicro = (ms: number): number => Math.round(ms * 1000) / 1000
