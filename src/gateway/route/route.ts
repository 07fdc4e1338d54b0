import { type Random, uniforms } from '../../base/random.ts'
import type { Operation } from '../../engine/port.ts'
import { costBound } from '../../meter/prices.ts'
import type { Deployment, LogicalModel, Routing } from '../catalogue.ts'
import type { RequestSize } from './size.ts'

/** Attempts per request, fallbacks included: a bound on amplification. */
export const ATTEMPTS_MAX = 4

/** A deployment to try, and the model it stands for. */
export interface Candidate {
  readonly model: LogicalModel
  readonly deployment: Deployment
}

/** What a decision may depend on beside the books of the deployments. */
export interface RouteRequest {
  readonly operation: Operation
  readonly size: RequestSize
  /** Whose prices hold, in wall milliseconds. */
  readonly atMs: number
}

/** The deployments to try, in order: this model's by its strategy, then each fallback's likewise.
 *  Those without weight come last of their model, and those whose circuit is open do not come at
 *  all. Takes at most 0.1 ms, however long the prompt (`npm run bench -- --only route`). */
export function route(model: LogicalModel, request: RouteRequest, random: Random): Candidate[] {
  const order: Candidate[] = []
  for (const candidate of [model, ...model.fallback]) {
    const usable = candidate.deployments.filter(({ health }) => health?.circuit(request.operation).admits !== false)
    for (const deployment of arrange(usable, candidate.routing, request, random)) {
      order.push({ model: candidate, deployment })
      if (order.length === ATTEMPTS_MAX) return order
    }
  }
  return order
}

type Deployments = readonly Deployment[]

function arrange(all: Deployments, routing: Routing = 'weighted', request: RouteRequest, random: Random): Deployments {
  if (all.length < 2) return all
  const spare = all.filter(({ weight }) => weight === 0)
  const first = all.filter(({ weight }) => weight > 0)
  return [...ORDER[routing](first, request, random), ...spare]
}

const ORDER: {
  readonly [name in Routing]: (deployments: Deployments, request: RouteRequest, random: Random) => Deployments
} = {
  weighted: (deployments, _, random) => drawByWeight(deployments, random),
  priority: (deployments) => deployments,
  // Sorting is stable: of equals the draw decides, so that idle deployments share the load.
  least_outstanding: (deployments, _, random) => drawByWeight(deployments, random).toSorted(byLoad),
  p2c: (deployments, _, random) => betterOfTwo(drawByWeight(deployments, random)),
  cheapest: (deployments, request) =>
    deployments
      .map((deployment) => ({ deployment, cost: costAt(deployment, request) }))
      .sort((a, b) => compareCosts(a.cost, b.cost))
      .map(({ deployment }) => deployment),
}

/** Drawn by weight without replacement (Efraimidis and Spirakis 2006: the largest u^(1/w) first). */
function drawByWeight(deployments: Deployments, random: Random): Deployments {
  const draws = uniforms(random, deployments.length)
  return deployments
    .map((deployment, at) => ({ deployment, rank: (draws[at] ?? 0) ** (1 / deployment.weight) }))
    .sort((a, b) => b.rank - a.rank)
    .map(({ deployment }) => deployment)
}

const loadOf = ({ health, weight }: Deployment): number => (health?.tokensInFlight ?? 0) / weight
const byLoad = (a: Deployment, b: Deployment): number => loadOf(a) - loadOf(b)

/** Of a drawn order each place goes to the less loaded of the next two. */
function betterOfTwo(drawn: Deployments): Deployments {
  const order: Deployment[] = []
  const [first, ...rest] = drawn
  let held = first
  for (const other of rest) {
    if (held === undefined) break
    const better: Deployment = byLoad(held, other) <= 0 ? held : other
    order.push(better)
    held = better === held ? other : held
  }
  return held === undefined ? order : [...order, held]
}

function costAt({ priceAt }: Deployment, { size, atMs }: RouteRequest): bigint | undefined {
  const versioned = priceAt?.(atMs)
  return versioned && costBound(versioned.price, size.inputTokens, size.outputTokens)
}

function compareCosts(a: bigint | undefined, b: bigint | undefined): number {
  if (a === undefined || b === undefined) return Number(a === undefined) - Number(b === undefined)
  return a < b ? -1 : Number(a > b)
}
