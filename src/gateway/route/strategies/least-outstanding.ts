import { byLoad } from './load.ts'
import type { Strategy } from './strategy.ts'
import { weighted } from './weighted.ts'

/** The one that works on the fewest tokens for its weight. */
export const leastOutstanding: Strategy = (deployments, request, random) =>
  // Sorting is stable: idle deployments share the load as they are drawn.
  weighted(deployments, request, random).toSorted(byLoad)
