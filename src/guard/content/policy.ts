import { matchesAny } from '../bindings.ts'

/** Which inputs and outputs are kept, how much of them, and for how long. */

/** `metadata`: how many messages, of whom and how long. `redacted`: texts without what detectors find.
 *  `full`: everything. */
export type Keep = 'off' | 'metadata' | 'redacted' | 'full'

export interface ContentRules {
  readonly keep: Keep
  /** The first that fits holds. */
  readonly rules: readonly ContentRule[]
  readonly retention: { readonly redactedDays: number; readonly fullDays: number }
}

interface ContentRule {
  /** Names, or beginnings of names followed by `*`; absent: of any. */
  readonly tenants?: readonly string[] | undefined
  readonly workflows?: readonly string[] | undefined
  readonly models?: readonly string[] | undefined
  /** Ids of keys, likewise. */
  readonly keys?: readonly string[] | undefined
  readonly keep: Keep
  readonly days?: number | undefined
}

export interface Keeping {
  readonly keep: Keep
  /** Of texts; 0 where none are kept. */
  readonly days: number
}

export interface ContentScopes {
  readonly key: string
  readonly tenant?: string
  readonly workflow?: string
  readonly model: string
}

export function keepingOf({ keep, rules, retention }: ContentRules, scopes: ContentScopes): Keeping {
  const rule = rules.find((one) => fits(one, scopes))
  const kept = rule?.keep ?? keep
  const days = kept === 'full' ? retention.fullDays : kept === 'redacted' ? retention.redactedDays : 0
  return { keep: kept, days: days === 0 ? 0 : (rule?.days ?? days) }
}

const fits = ({ tenants, workflows, models, keys }: ContentRule, scopes: ContentScopes): boolean =>
  isOneOf(tenants, scopes.tenant) &&
  isOneOf(workflows, scopes.workflow) &&
  isOneOf(models, scopes.model) &&
  isOneOf(keys, scopes.key)

/** Who has no name is named by no pattern. */
const isOneOf = (patterns: readonly string[] | undefined, name: string | undefined): boolean =>
  patterns === undefined || (name !== undefined && matchesAny(patterns, name))
