/** What a call used, in tokens, in buckets that do not overlap. Totals are derived. Of the buckets
 *  that few calls know, none is the same as 0. */
export interface Usage {
  /** Text read at the full price. */
  readonly inputTokens: number
  /** Read from the provider's cache. */
  readonly cachedInputTokens: number
  /** Written to the provider's cache, to be kept for five minutes or for an hour. */
  readonly cacheWrite5mTokens?: number
  readonly cacheWrite1hTokens?: number
  readonly audioInputTokens?: number
  readonly imageInputTokens?: number
  /** Visible text, reasoning excluded. */
  readonly outputTokens: number
  readonly reasoningTokens: number
  readonly audioOutputTokens?: number
  /** Pictures made, or requests, of what is not counted in tokens. */
  readonly units?: number
  /** True when the engine sent no usage and these are our own count. */
  readonly estimated: boolean
}

export const INPUT_BUCKETS = [
  'inputTokens',
  'cachedInputTokens',
  'cacheWrite5mTokens',
  'cacheWrite1hTokens',
  'audioInputTokens',
  'imageInputTokens',
] as const
export const OUTPUT_BUCKETS = ['outputTokens', 'reasoningTokens', 'audioOutputTokens'] as const

export const TOKEN_BUCKETS = [...INPUT_BUCKETS, ...OUTPUT_BUCKETS] as const
export type TokenBucket = (typeof TOKEN_BUCKETS)[number]

/** What several buckets have in common: usage, and sums of it. */
export type Tokens = { readonly [Name in TokenBucket]?: number }

export const NO_USAGE: Usage = {
  inputTokens: 0,
  cachedInputTokens: 0,
  outputTokens: 0,
  reasoningTokens: 0,
  estimated: false,
}

const sumOf = (usage: Tokens, buckets: readonly TokenBucket[]): number =>
  buckets.reduce((sum, bucket) => sum + (usage[bucket] ?? 0), 0)

export const inputTokensOf = (usage: Tokens): number => sumOf(usage, INPUT_BUCKETS)
export const outputTokensOf = (usage: Tokens): number => sumOf(usage, OUTPUT_BUCKETS)
export const totalTokens = (usage: Tokens): number => sumOf(usage, TOKEN_BUCKETS)

export function addUsage(a: Usage, b: Usage): Usage {
  const sum: { [Name in TokenBucket]?: number } = {}
  for (const bucket of TOKEN_BUCKETS) {
    const [left, right] = [a[bucket], b[bucket]]
    if (left !== undefined || right !== undefined) sum[bucket] = (left ?? 0) + (right ?? 0)
  }
  const units = (a.units ?? 0) + (b.units ?? 0)
  return { ...NO_USAGE, ...sum, ...(units === 0 ? {} : { units }), estimated: a.estimated || b.estimated }
}
