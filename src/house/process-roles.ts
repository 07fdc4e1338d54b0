import { refuse } from '../base/errors.ts'
import type { Request } from '../base/http.ts'
import type { ProcessRole } from '../cli/house.ts'
import type { Route } from '../control/router.ts'
import { isKeptHere } from '../control/vector-stores.ts'

/** What a process answers by the roles it has. */

export type Roles = ReadonlySet<ProcessRole>

/** What every process answers, whatever its roles. */
const HEALTH = /^\/(?:healthz|readyz)(?:\?|$)/

/** The role that a request needs and the process has not. Who owns the data folder asks over the control
 *  socket whatever the roles. */
export function absentRole(roles: Roles, { target, peer }: Request): ProcessRole | undefined {
  if (HEALTH.test(target)) return undefined
  const isForModels = target.startsWith('/v1/') && !isKeptHere(target)
  const role = isForModels ? 'gateway' : 'control'
  return roles.has(role) || (role === 'control' && peer === 'local') ? undefined : role
}

/** The route as it answers in a process with these roles. */
export function withinRoles(roles: Roles, route: Route): Route {
  if (route.ingests !== true || roles.has('ingest')) return route
  return { ...route, answer: () => refuse('role_absent', { role: 'ingest' }) }
}
