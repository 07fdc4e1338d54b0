import { isObject, type Json, type JsonObject } from '../src/base/json.ts'
import type { Price } from '../src/meter/prices.ts'
import { totalTokens, type Usage } from '../src/meter/usage.ts'

/** Usage as the journal has it, and as it should be. */

const BUCKETS = ['inputTokens', 'cachedInputTokens', 'outputTokens', 'reasoningTokens'] as const

export const sameUsage = (a: Usage, b: Usage): boolean =>
  a.estimated === b.estimated && BUCKETS.every((bucket) => a[bucket] === b[bucket])

/** The usage in a closing entry's body; undefined where it is not whole and non-negative. */
export function usageIn(body: JsonObject): Usage | undefined {
  const usage = body['usage']
  if (!isObject(usage)) return undefined
  const sane = BUCKETS.every((bucket) => Number.isSafeInteger(usage[bucket]) && Number(usage[bucket]) >= 0)
  return sane && Number.isSafeInteger(totalTokens(usage)) ? (usage as unknown as Usage) : undefined
}

export interface Part {
  readonly deployment: string
  readonly usage: Usage
  readonly costNanoUsd: string | null
  readonly priceVersion: string | null
}

/** The calls of a request, as its closing has them: listed, or the one that answered. */
export function chargesIn(body: JsonObject): Part[] {
  const { charges } = body
  if (Array.isArray(charges)) return charges as Part[]
  return typeof body['deployment'] === 'string' ? [body as unknown as Part] : []
}

/** Of the call that answered: attempts that failed are in the bill, and not in what an answer says of
 *  itself. */
export const answerUsageIn = (body: JsonObject): Usage | undefined => chargesIn(body).at(-1)?.usage ?? usageIn(body)

/** What the house must make of an engine's figures; undefined where they are no figures, and it has
 *  to count for itself. */
export function expectedUsage(raw: JsonObject | undefined): Usage | undefined {
  const prompt = raw?.['prompt_tokens']
  const completion = raw?.['completion_tokens'] ?? 0
  if (!isCount(prompt) || !isCount(completion)) return undefined
  const detail = (name: string, part: string): number => {
    const details = raw?.[name]
    return isObject(details) ? Number(details[part] ?? 0) : 0
  }
  const cached = detail('prompt_tokens_details', 'cached_tokens')
  const reasoning = detail('completion_tokens_details', 'reasoning_tokens')
  return {
    inputTokens: prompt - cached,
    cachedInputTokens: cached,
    outputTokens: completion - reasoning,
    reasoningTokens: reasoning,
    estimated: false,
  }
}

const isCount = (value: Json | undefined): value is number => Number.isSafeInteger(value) && Number(value) >= 0

/** Every bucket at its own price per million, summed up, then rounded up once. */
export function expectedCost(usage: Usage, price: Price): bigint {
  let product = 0n
  for (const bucket of BUCKETS) {
    const unit =
      bucket === 'inputTokens'
        ? price.inputNanoUsd
        : bucket === 'cachedInputTokens'
          ? price.cachedInputNanoUsd
          : price.outputNanoUsd
    product += BigInt(usage[bucket]) * unit
  }
  return product / 1_000_000n + (product % 1_000_000n > 0n ? 1n : 0n)
}
