import { costBound } from '../../../meter/prices.ts'
import type { Deployment } from '../../catalogue.ts'
import type { RouteRequest } from '../request.ts'
import type { Strategy } from './strategy.ts'

/** Where the request can cost least; unknown prices last. */
export const cheapest: Strategy = (deployments, request) =>
  deployments
    .map((deployment) => ({ deployment, cost: costAt(deployment, request) }))
    .sort((a, b) => compareCosts(a.cost, b.cost))
    .map(({ deployment }) => deployment)

function costAt({ priceAt }: Deployment, { size, atMs }: RouteRequest): bigint | undefined {
  const versioned = priceAt?.(atMs)
  return versioned && costBound(versioned.price, size.inputTokens, size.outputTokens)
}

function compareCosts(a: bigint | undefined, b: bigint | undefined): number {
  if (a === undefined || b === undefined) return Number(a === undefined) - Number(b === undefined)
  return a < b ? -1 : Number(a > b)
}
