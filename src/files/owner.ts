import { hash } from 'node:crypto'
import type { Principal } from '../guard/principal.ts'

/** Whose a file or a batch is: everybody's whose key is bound to the same tenant, team and user, so
 *  that an application keeps its files when its key is replaced. Of a key that is bound to none, its
 *  own. Nobody else learns that they are there, administrators included. */
export function ownerOf({ id, bindings: { tenant, team, user } }: Principal): string {
  if (tenant === undefined && team === undefined && user === undefined) return id
  return `of_${hash('sha256', JSON.stringify([tenant ?? null, team ?? null, user ?? null]), 'hex')}`
}
