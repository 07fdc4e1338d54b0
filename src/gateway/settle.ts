import type { JsonObject } from '../base/json.ts'
import type { ChatEnd } from '../engine/port.ts'
import type { Scopes } from '../guard/identify.ts'
import { costOf } from '../meter/prices.ts'
import type { Usage } from '../meter/usage.ts'
import type { Span } from '../trace/trace.ts'
import { deploymentName, type Deployment } from './catalogue.ts'

/** What a call comes to. */
export interface Bill {
  readonly usage: Usage
  /** Absent: the deployment has no price, so the cost is unknown. */
  readonly costNanoUsd?: bigint
  /** Which price it is. Absent like the cost, and where a workflow asked no model. */
  readonly priceVersion?: string
}

/** The engine's usage wins; without one, `ownCount`. A workflow's inner calls were priced where
 *  they were made. `atMs`: when the request came in, whose price holds to its end. */
export function bill(end: ChatEnd | undefined, ownCount: Usage, deployment: Deployment, atMs: number): Bill {
  const usage = end?.usage ?? ownCount
  if (end?.costNanoUsd !== undefined) {
    const { costNanoUsd, priceVersion } = end
    return { usage, costNanoUsd, ...(priceVersion === undefined ? {} : { priceVersion }) }
  }
  const found = deployment.priceAt?.(atMs)
  return found === undefined
    ? { usage }
    : { usage, costNanoUsd: costOf(usage, found.price), priceVersion: found.version }
}

/** A bill as the journal keeps it. */
export const billJson = ({ usage, costNanoUsd, priceVersion }: Bill): JsonObject => ({
  usage: usageJson(usage),
  costNanoUsd: costJson(costNanoUsd),
  priceVersion: priceVersion ?? null,
})

/** Money as JSON: a decimal string of nano-USD, or null when unknown. */
export const costJson = (costNanoUsd: bigint | undefined): string | null => costNanoUsd?.toString() ?? null

export const usageJson = (usage: Usage): JsonObject => ({ ...usage })

/** Who answered and, once it is known, for how much. */
export const answerHeaders = (
  deployment: Deployment | undefined,
  charge?: Bill,
): { readonly [name: string]: string } => ({
  ...(deployment === undefined ? {} : { 'x-headworks-model': headerText(deploymentName(deployment)) }),
  ...(charge?.costNanoUsd === undefined ? {} : { 'x-headworks-cost-nanousd': charge.costNanoUsd.toString() }),
})

/** An engine may call its model anything; a header holds visible ASCII only. The rest is
 *  percent-encoded. */
const headerText = (text: string): string => text.toWellFormed().replace(/[^!-~]+/g, encodeURIComponent)

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
