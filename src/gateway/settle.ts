import type { JsonObject } from '../base/json.ts'
import type { ChatEnd } from '../engine/port.ts'
import type { Scopes } from '../guard/identify.ts'
import { costOf } from '../meter/prices.ts'
import type { Usage } from '../meter/usage.ts'
import type { Span } from '../trace/trace.ts'
import type { Deployment } from './catalogue.ts'

/** What a call comes to. */
export interface Bill {
  readonly usage: Usage
  /** Absent: the deployment has no price, so the cost is unknown. */
  readonly costNanoUsd?: bigint
}

/** The engine's usage wins; without one, `ownCount`. A workflow's inner calls were priced where
 *  they were made. */
export function bill(end: ChatEnd | undefined, ownCount: Usage, deployment: Deployment): Bill {
  const usage = end?.usage ?? ownCount
  if (end?.costNanoUsd !== undefined) return { usage, costNanoUsd: end.costNanoUsd }
  return deployment.price === undefined ? { usage } : { usage, costNanoUsd: costOf(usage, deployment.price) }
}

/** Money as JSON: a decimal string of nano-USD, or null when unknown. */
export const costJson = (costNanoUsd: bigint | undefined): string | null => costNanoUsd?.toString() ?? null

export const usageJson = (usage: Usage): JsonObject => ({ ...usage })

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
