import { isObject, type Json, type JsonObject } from '../../base/json.ts'
import type { Usage } from '../../meter/usage.ts'

/** Gemini's `usageMetadata` in our buckets: there `promptTokenCount` includes what was cached, sound and
 *  pictures, and `candidatesTokenCount` leaves out what was thought. Undefined where it makes no sense. */
export function readUsage(raw: JsonObject): Usage | undefined {
  const prompt = count(raw['promptTokenCount'])
  const tools = count(raw['toolUsePromptTokenCount'] ?? 0)
  const cached = count(raw['cachedContentTokenCount'] ?? 0)
  const said = count(raw['candidatesTokenCount'] ?? 0)
  const thought = count(raw['thoughtsTokenCount'] ?? 0)
  const [audio, image] = [modality(raw, 'AUDIO'), modality(raw, 'IMAGE')]
  if (prompt === undefined || tools === undefined || cached === undefined) return undefined
  if (said === undefined || thought === undefined || audio === undefined || image === undefined) return undefined
  const text = prompt - audio - image
  if (cached > prompt || text < 0) return undefined
  // Sound and pictures may be among what was cached: the dearer one counts.
  const cachedText = Math.min(cached, text)
  return {
    inputTokens: text - cachedText + tools,
    cachedInputTokens: cachedText,
    ...(audio === 0 ? {} : { audioInputTokens: audio }),
    ...(image === 0 ? {} : { imageInputTokens: image }),
    outputTokens: said,
    reasoningTokens: thought,
    estimated: false,
  }
}

function modality(raw: JsonObject, name: string): number | undefined {
  const details = raw['promptTokensDetails']
  const found = Array.isArray(details)
    ? (details as readonly Json[]).filter(isObject).find((one) => one['modality'] === name)
    : undefined
  return count(found?.['tokenCount'] ?? 0)
}

const count = (value: Json | undefined): number | undefined =>
  typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : undefined
