import type { Strategy } from './strategy.ts'

/** As they stand in the configuration. */
export const priority: Strategy = (deployments) => deployments
