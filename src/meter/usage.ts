/** What a call used, in tokens, in buckets that do not overlap. Totals are derived. */
export interface Usage {
  readonly inputTokens: number
  readonly cachedInputTokens: number
  /** Visible output, reasoning excluded. */
  readonly outputTokens: number
  readonly reasoningTokens: number
  /** True when the engine sent no usage and these are our own count. */
  readonly estimated: boolean
}

export const NO_USAGE: Usage = {
  inputTokens: 0,
  cachedInputTokens: 0,
  outputTokens: 0,
  reasoningTokens: 0,
  estimated: false,
}

export const totalTokens = (usage: Usage): number =>
  usage.inputTokens + usage.cachedInputTokens + usage.outputTokens + usage.reasoningTokens

/** Visible output and reasoning. */
export const outputTokensOf = (usage: Usage): number => usage.outputTokens + usage.reasoningTokens

export const addUsage = (a: Usage, b: Usage): Usage => ({
  inputTokens: a.inputTokens + b.inputTokens,
  cachedInputTokens: a.cachedInputTokens + b.cachedInputTokens,
  outputTokens: a.outputTokens + b.outputTokens,
  reasoningTokens: a.reasoningTokens + b.reasoningTokens,
  estimated: a.estimated || b.estimated,
})
