import type { PriceOf } from '../trace/adapt.ts'
import type { PriceCatalogue } from './catalogue.ts'
import { costOf } from './prices.ts'
import { NO_USAGE } from './usage.ts'

/** What calls cost that others report, by the price catalogue. A call that names no provider is taken
 *  for one of the first provider that lists its model. */
export function spanPrices(catalogue: PriceCatalogue): PriceOf {
  const owners = new Map<string, string>()
  for (const { provider, model, also } of catalogue.listed)
    for (const name of [model, ...also]) if (!owners.has(name)) owners.set(name, provider)

  return (said, model, atMs, tokens) => {
    const provider = catalogue.providers.has(said) ? said : said === '' ? owners.get(model) : undefined
    if (provider === undefined) return undefined
    const found = catalogue.priceOf({ provider, model, atMs })
    if (found === undefined) return undefined
    const { inputTokens, cachedInputTokens, cacheWriteTokens, outputTokens, reasoningTokens } = tokens
    const usage = {
      ...NO_USAGE,
      inputTokens,
      cachedInputTokens,
      cacheWrite5mTokens: cacheWriteTokens,
      outputTokens,
      reasoningTokens,
    }
    return { provider, costNanoUsd: Number(costOf(usage, found.price)) }
  }
}
