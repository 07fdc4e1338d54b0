import { BLOCK_TOKENS, type Prompt } from '../../../engine/health.ts'
import type { Deployment } from '../../catalogue.ts'

/** Filter, then release (as llm-d's scheduler came to, in place of weighted sums of scores): whoever has
 *  the beginning of the prompt in his cache comes first, in the order of the strategy, until the tokens
 *  that he works on and has not cached pass a threshold. Then the request goes where the strategy says,
 *  and another becomes warm. */
export function warmFirst(
  order: readonly Deployment[],
  { tokens, blocks }: Prompt,
  releaseTokens: number,
): readonly Deployment[] {
  if (blocks.length === 0) return order
  const warmth = order.map(({ health }) => health?.warmBlocks(blocks) ?? 0)
  const most = Math.max(...warmth)
  if (most === 0) return order
  const isTaking = (deployment: Deployment, warm: number): boolean => {
    const { health, weight } = deployment
    if (health === undefined || warm < most * WARM_SHARE || health.isCrowded) return false
    const uncached = Math.max(0, tokens - warm * BLOCK_TOKENS)
    // Whoever has nothing to do takes it, however long it is.
    return health.uncachedInFlight === 0 || health.uncachedInFlight + uncached <= releaseTokens * weight
  }
  const taking = order.filter((deployment, at) => isTaking(deployment, warmth[at] ?? 0))
  if (taking.length === 0 || taking.length === order.length) return order
  return [...taking, ...order.filter((deployment) => !taking.includes(deployment))]
}

/** Of the warmest: who has as much of it is as good. */
const WARM_SHARE = 0.8
