import { isObject, type Json } from '../../base/json.ts'
import type { Usage } from '../../meter/usage.ts'

/** OpenAI's usage in disjoint buckets: there `prompt_tokens` includes the cached ones and
 *  `completion_tokens` the reasoning. Undefined where the object is missing or makes no sense
 *  (negative, fractional, parts larger than the whole): such a count is not believed. */
export function readUsage(raw: Json | undefined): Usage | undefined {
  if (!isObject(raw)) return undefined
  const prompt = count(raw['prompt_tokens'])
  const completion = count(raw['completion_tokens'] ?? 0)
  const cached = count(part(raw['prompt_tokens_details'], 'cached_tokens'))
  const reasoning = count(part(raw['completion_tokens_details'], 'reasoning_tokens'))
  if (prompt === undefined || completion === undefined || cached === undefined || reasoning === undefined)
    return undefined
  if (cached > prompt || reasoning > completion) return undefined
  return {
    inputTokens: prompt - cached,
    cachedInputTokens: cached,
    outputTokens: completion - reasoning,
    reasoningTokens: reasoning,
    estimated: false,
  }
}

const part = (details: Json | undefined, name: string): Json => (isObject(details) ? (details[name] ?? 0) : 0)

const count = (value: Json | undefined): number | undefined =>
  typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : undefined
