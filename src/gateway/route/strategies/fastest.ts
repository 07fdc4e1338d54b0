import type { Deployment } from '../../catalogue.ts'
import type { Strategy } from './strategy.ts'
import { weighted } from './weighted.ts'

/** The one that will begin soonest: how soon it began lately, times the calls it has (Finagle's Peak EWMA).
 *  Who is not known, or has not been asked for long, is asked to find out. Where the model promises a time,
 *  whoever has kept it 95 times of 100 comes before whoever has not. */
export const fastest = (firstTokenMs: number | undefined): Strategy => {
  const isLate = ({ health }: Deployment): boolean =>
    firstTokenMs !== undefined && (health?.pace.percentileMs(0.95) ?? 0) > firstTokenMs
  return (deployments, request, random) =>
    weighted(deployments, request, random)
      .map((deployment) => ({ deployment, late: Number(isLate(deployment)), waitMs: waitOf(deployment) }))
      .sort((a, b) => a.late - b.late || a.waitMs - b.waitMs)
      .map(({ deployment }) => deployment)
}

const waitOf = ({ health }: Deployment): number =>
  health === undefined ? 0 : health.pace.expectedMs * (health.callsInFlight + 1)
