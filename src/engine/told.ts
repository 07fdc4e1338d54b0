import type { JsonObject } from '../base/json.ts'
import { inputTokensOf, outputTokensOf, totalTokens, type Usage } from '../meter/usage.ts'
import type { ChatEnd } from './port.ts'

/** The end of an answer of another dialect: its usage as it came, beside the same in OpenAI's names. A usage
 *  that makes no sense is not believed, and not told. */
export function told(usage: Usage | undefined, raw: JsonObject): ChatEnd {
  if (usage === undefined) return {}
  const written = (usage.cacheWrite5mTokens ?? 0) + (usage.cacheWrite1hTokens ?? 0)
  const rawUsage = {
    ...raw,
    prompt_tokens: inputTokensOf(usage),
    completion_tokens: outputTokensOf(usage),
    total_tokens: totalTokens(usage),
    prompt_tokens_details: { cached_tokens: usage.cachedInputTokens, cache_write_tokens: written },
    completion_tokens_details: { reasoning_tokens: usage.reasoningTokens },
  }
  return { usage, rawUsage }
}
