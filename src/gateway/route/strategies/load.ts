import type { Deployment } from '../../catalogue.ts'

/** Tokens it works on, for its weight: unlike requests, they see that one prompt is a thousand times
 *  another. */
const loadOf = ({ health, weight }: Deployment): number => (health?.load ?? 0) / weight

export const byLoad = (a: Deployment, b: Deployment): number => loadOf(a) - loadOf(b)
