import { type Random, uniform } from '../base/random.ts'
import type { Deployment, LogicalModel } from './catalogue.ts'

/** Attempts per request, fallbacks included: a bound on amplification. */
const ATTEMPTS_MAX = 4

/** A deployment to try, and the model it stands for. */
export interface Candidate {
  readonly model: LogicalModel
  readonly deployment: Deployment
}

/** The deployments to try, in order: this model's, drawn by weight without replacement
 *  (Efraimidis and Spirakis 2006: the largest u^(1/w) first), then each fallback's likewise. */
export function route(model: LogicalModel, random: Random): Candidate[] {
  const order: Candidate[] = []
  for (const candidate of [model, ...model.fallback])
    for (const deployment of drawByWeight(candidate.deployments, random)) order.push({ model: candidate, deployment })
  return order.slice(0, ATTEMPTS_MAX)
}

function drawByWeight(deployments: readonly Deployment[], random: Random): readonly Deployment[] {
  if (deployments.length < 2) return deployments
  return deployments
    .map((deployment) => ({
      deployment,
      rank: deployment.weight > 0 ? uniform(random) ** (1 / deployment.weight) : -1,
    }))
    .sort((a, b) => b.rank - a.rank)
    .map(({ deployment }) => deployment)
}
