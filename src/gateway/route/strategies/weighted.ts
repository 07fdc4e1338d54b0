import { uniforms } from '../../../base/random.ts'
import type { Strategy } from './strategy.ts'

/** Drawn by weight without replacement (Efraimidis and Spirakis 2006: the largest u^(1/w) first): what
 *  gives a canary its share. */
export const weighted: Strategy = (deployments, _, random) => {
  const draws = uniforms(random, deployments.length)
  return deployments
    .map((deployment, at) => ({ deployment, rank: (draws[at] ?? 0) ** (1 / deployment.weight) }))
    .sort((a, b) => b.rank - a.rank)
    .map(({ deployment }) => deployment)
}
