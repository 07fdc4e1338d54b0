import { isObject, type Json } from '../../base/json.ts'
import type { Usage } from '../../meter/usage.ts'

/** OpenAI's usage in disjoint buckets: there `prompt_tokens` includes what was cached, written to the
 *  cache, heard and seen, and `completion_tokens` the reasoning and the sound. Undefined where the
 *  object is missing or makes no sense (negative, fractional, parts larger than the whole): such a
 *  count is not believed.
 *
 *  Sound and pictures may have been cached as well, and nothing says how many of them were. Where
 *  the parts overlap, the dearer one counts. */
export function readUsage(raw: Json | undefined): Usage | undefined {
  if (!isObject(raw)) return undefined
  const prompt = count(raw['prompt_tokens'])
  const completion = count(raw['completion_tokens'] ?? 0)
  const read = parts(raw['prompt_tokens_details'], [
    'cached_tokens',
    'cache_write_tokens',
    'audio_tokens',
    'image_tokens',
  ])
  const written = parts(raw['completion_tokens_details'], ['reasoning_tokens', 'audio_tokens'])
  if (prompt === undefined || completion === undefined || read === undefined || written === undefined) return undefined
  const [cachedTokens = 0, written5m = 0, audioInput = 0, imageInput = 0] = read
  const [reasoning = 0, audioOutput = 0] = written
  const text = prompt - audioInput - imageInput
  const visible = completion - reasoning - audioOutput
  if (cachedTokens > prompt || written5m > prompt || text < 0 || visible < 0) return undefined
  // What it says nothing more about, its cache keeps for minutes.
  const cacheWrite5m = Math.min(written5m, text)
  const cached = Math.min(cachedTokens, text - cacheWrite5m)
  return {
    inputTokens: text - cacheWrite5m - cached,
    cachedInputTokens: cached,
    ...(cacheWrite5m === 0 ? {} : { cacheWrite5mTokens: cacheWrite5m }),
    ...(audioInput === 0 ? {} : { audioInputTokens: audioInput }),
    ...(imageInput === 0 ? {} : { imageInputTokens: imageInput }),
    outputTokens: visible,
    reasoningTokens: reasoning,
    ...(audioOutput === 0 ? {} : { audioOutputTokens: audioOutput }),
    estimated: false,
  }
}

/** Counts by name, 0 where there is none; undefined where one is no count. */
function parts(details: Json | undefined, names: readonly string[]): number[] | undefined {
  const counts = names.map((name) => count(isObject(details) ? (details[name] ?? 0) : 0))
  return counts.every((one) => one !== undefined) ? counts : undefined
}

const count = (value: Json | undefined): number | undefined =>
  typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : undefined
