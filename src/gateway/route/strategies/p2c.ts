import type { Deployment } from '../../catalogue.ts'
import { byLoad } from './load.ts'
import type { Strategy } from './strategy.ts'
import { weighted } from './weighted.ts'

/** The better of two drawn by weight (Mitzenmacher, "The Power of Two Choices in Randomized Load Balancing",
 *  2001): nearly as even as the least loaded, and many gateways do not run to the same one. Of the drawn
 *  order each place goes to the less loaded of the next two. */
export const p2c: Strategy = (deployments, request, random) => {
  const order: Deployment[] = []
  const [first, ...rest] = weighted(deployments, request, random)
  let held = first
  for (const other of rest) {
    if (held === undefined) break
    const better: Deployment = byLoad(held, other) <= 0 ? held : other
    order.push(better)
    held = better === held ? other : held
  }
  return held === undefined ? order : [...order, held]
}
