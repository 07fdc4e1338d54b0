import type { Random } from '../../base/random.ts'
import type { Deployment, LogicalModel, Routing } from '../catalogue.ts'
import { warmFirst } from './affinity/prefix.ts'
import { keptTo } from './affinity/sticky.ts'
import type { RouteRequest } from './request.ts'
import { cheapest } from './strategies/cheapest.ts'
import { fastest } from './strategies/fastest.ts'
import { leastOutstanding } from './strategies/least-outstanding.ts'
import { p2c } from './strategies/p2c.ts'
import { priority } from './strategies/priority.ts'
import type { Strategy } from './strategies/strategy.ts'
import { weighted } from './strategies/weighted.ts'

/** Attempts per request, fallbacks included: a bound on amplification. */
export const ATTEMPTS_MAX = 4

/** A deployment to try, and the model it stands for. */
export interface Candidate {
  readonly model: LogicalModel
  readonly deployment: Deployment
}

/** The deployments to try, in order: this model's by its affinity and its strategy, then each fallback's
 *  likewise. Those without weight come last of their model, after those that are ejected; those whose
 *  circuit is open do not come at all. Takes at most 0.1 ms, however long the prompt
 *  (`npm run bench -- --only route`). */
export function route(model: LogicalModel, request: RouteRequest, random: Random): Candidate[] {
  const order: Candidate[] = []
  for (const candidate of [model, ...model.fallback]) {
    candidate.outliers?.look()
    const usable = candidate.deployments.filter(({ health }) => health?.circuit(request.operation).admits !== false)
    for (const deployment of arrange(candidate, usable, request, random)) {
      order.push({ model: candidate, deployment })
      if (order.length === ATTEMPTS_MAX) return order
    }
  }
  return order
}

const STRATEGIES: { readonly [name in Routing]: (model: LogicalModel) => Strategy } = {
  weighted: () => weighted,
  priority: () => priority,
  least_outstanding: () => leastOutstanding,
  p2c: () => p2c,
  cheapest: () => cheapest,
  fastest: ({ firstTokenMs }) => fastest(firstTokenMs),
}

type Deployments = readonly Deployment[]

function arrange(model: LogicalModel, all: Deployments, request: RouteRequest, random: Random): Deployments {
  if (all.length < 2) return all
  const weighty = all.filter(({ weight }) => weight > 0)
  const spare = all.filter(({ weight }) => weight === 0)
  const sound = weighty.filter(({ health }) => health?.ejected === undefined)
  const ejected = weighty.filter((deployment) => !sound.includes(deployment))
  const ordered = STRATEGIES[model.routing ?? 'weighted'](model)(sound, request, random)
  return [...inAffinity(model, ordered, request), ...ejected, ...spare]
}

function inAffinity({ affinity }: LogicalModel, ordered: Deployments, { asker, prompt }: RouteRequest): Deployments {
  if (affinity === undefined) return ordered
  if (affinity.by === 'prefix')
    return prompt === undefined ? ordered : warmFirst(ordered, prompt(), affinity.releaseTokens)
  const name = asker?.[affinity.by]
  return name === undefined ? ordered : keptTo(name, ordered)
}
