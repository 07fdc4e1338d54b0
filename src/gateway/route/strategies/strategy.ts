import type { Random } from '../../../base/random.ts'
import type { Deployment } from '../../catalogue.ts'
import type { RouteRequest } from '../request.ts'

/** In which order the deployments of a model are asked. All are given back, each once; what decides is in
 *  memory, and takes no longer for a longer prompt. Of equals the draw decides, unless their order is what
 *  was asked for. */
export type Strategy = (
  deployments: readonly Deployment[],
  request: RouteRequest,
  random: Random,
) => readonly Deployment[]
