import type { Json, JsonObject } from '../../base/json.ts'
import type { Usage } from '../../meter/usage.ts'

/** Converse's usage in our buckets, which are its own: `inputTokens` leaves out what was read from the cache or
 *  written to it. Undefined where it makes no sense. */
export function readUsage(raw: JsonObject): Usage | undefined {
  const input = count(raw['inputTokens'])
  const output = count(raw['outputTokens'])
  const cached = count(raw['cacheReadInputTokens'] ?? 0)
  const written = count(raw['cacheWriteInputTokens'] ?? 0)
  if (input === undefined || output === undefined || cached === undefined || written === undefined) return undefined
  return {
    inputTokens: input,
    cachedInputTokens: cached,
    ...(written === 0 ? {} : { cacheWrite5mTokens: written }),
    outputTokens: output,
    reasoningTokens: 0,
    estimated: false,
  }
}

const count = (value: Json | undefined): number | undefined =>
  typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : undefined
