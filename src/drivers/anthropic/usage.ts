import { isObject, type Json, type JsonObject } from '../../base/json.ts'
import type { ChatEnd } from '../../engine/port.ts'
import { told } from '../../engine/told.ts'
import type { Usage } from '../../meter/usage.ts'

/** Anthropic's usage in our buckets: there `input_tokens` leaves out what was read from the cache or
 *  written to it, and `output_tokens` includes what was thought. Undefined where the object is missing
 *  or makes no sense: such a count is not believed. */
export function readUsage(raw: JsonObject): Usage | undefined {
  const creation = raw['cache_creation'] ?? {}
  const details = raw['output_tokens_details'] ?? {}
  if (!isObject(creation) || !isObject(details)) return undefined
  const input = count(raw['input_tokens'])
  const output = count(raw['output_tokens'])
  const cached = count(raw['cache_read_input_tokens'] ?? 0)
  const kept5m = count(creation['ephemeral_5m_input_tokens'] ?? 0)
  const kept1h = count(creation['ephemeral_1h_input_tokens'] ?? 0)
  const thought = count(details['thinking_tokens'] ?? 0)
  if (input === undefined || output === undefined || cached === undefined || thought === undefined) return undefined
  if (kept5m === undefined || kept1h === undefined || thought > output) return undefined
  const written = count(raw['cache_creation_input_tokens'] ?? kept5m + kept1h)
  if (written === undefined || kept5m + kept1h > written) return undefined
  // What it says nothing more about is kept for five minutes, its default.
  const written5m = written - kept1h
  return {
    inputTokens: input,
    cachedInputTokens: cached,
    ...(written5m === 0 ? {} : { cacheWrite5mTokens: written5m }),
    ...(kept1h === 0 ? {} : { cacheWrite1hTokens: kept1h }),
    outputTokens: output - thought,
    reasoningTokens: thought,
    estimated: false,
  }
}

/** The end of an answer: its usage as it came, beside the same in OpenAI's names. */
export const endWith = (raw: JsonObject): ChatEnd => told(readUsage(raw), raw)

const count = (value: Json | undefined): number | undefined =>
  typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : undefined
