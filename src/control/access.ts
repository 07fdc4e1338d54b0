import { refuse, type Refusal } from '../base/errors.ts'
import { mayRead } from '../guard/bindings.ts'
import type { Principal } from '../guard/principal.ts'
import { collectionKey, COLLECTIONS, type CollectionRow, type DocumentRow } from '../retrieval/document.ts'
import { storageOf } from '../retrieval/generation/row.ts'
import { type Access, maySeeCollection, TENANT } from '../retrieval/search/access.ts'
import type { Rows } from '../store/rows.ts'
import type { Context, Route } from './router.ts'

/** What a caller may read. What it may not is not there: it learns of it as little as of a name that
 *  nobody gave. */

/** The tenant a collection belongs to, by the configuration in force. */
export type OwnerOf = (collection: string) => string | undefined

/** Administrators see everything, unless their key is bound to a tenant. */
export function accessOf(principal: Principal | undefined): Access {
  const tenant = principal?.bindings.tenant
  return principal?.role === 'admin' && tenant === undefined ? 'all' : { tenant }
}

/** By the collection's name; `name@g2` is one of its generations. What stands in the store under a name
 *  with a slash is nobody's to ask for. */
export function maySee(principal: Principal | undefined, name: string, ownerOf: OwnerOf): boolean {
  const [collection = ''] = name.split('@', 1)
  return (
    principal !== undefined &&
    !name.includes('/') &&
    (principal.role === 'admin' || mayRead(principal.bindings, collection)) &&
    maySeeCollection(accessOf(principal), ownerOf(collection))
  )
}

/** Who changes a collection as a whole, reads what it is fed from and what others asked of it: an
 *  administrator, and where the key is bound to a tenant, only of collections that the configuration
 *  gives to that tenant. */
export function administers(principal: Principal | undefined, collection: string, ownerOf: OwnerOf): boolean {
  const tenant = principal?.bindings.tenant
  return principal?.role === 'admin' && (tenant === undefined || isOf(tenant, collection, ownerOf))
}

/** `collection_unknown` where the caller may not even see it, else `not_allowed`. */
export function refuseUnlessAdministered(
  principal: Principal | undefined,
  collection: string,
  ownerOf: OwnerOf,
): Refusal | undefined {
  if (administers(principal, collection, ownerOf)) return undefined
  return maySee(principal, collection, ownerOf)
    ? refuse('not_allowed', { action: 'change a collection that is not its tenant’s alone', role: UNBOUND })
    : refuse('collection_unknown', { collection })
}

/** Of a route with a `{collection}`: what it answers to who administers that. */
export const toAdministrators =
  (ownerOf: OwnerOf, answer: (collection: string, context: Context) => ReturnType<Route['answer']>): Route['answer'] =>
  (context) => {
    const { collection = '' } = context.params
    return refuseUnlessAdministered(context.principal, collection, ownerOf) ?? answer(collection, context)
  }

/** Documents of others, and of nobody, are not for a tenant to replace or remove. */
export const mayChangeDocument = (
  principal: Principal | undefined,
  collection: string,
  { metadata }: Pick<DocumentRow, 'metadata'>,
  ownerOf: OwnerOf,
): boolean =>
  administers(principal, collection, ownerOf) ||
  (principal?.role === 'admin' && metadata?.[TENANT] === principal.bindings.tenant)

export const refuseChange = (): Refusal =>
  refuse('not_allowed', { action: 'change a document that is not its tenant’s', role: UNBOUND })

/** Whoever administers without being bound. */
const UNBOUND = 'admin that is bound to no tenant'

const isOf = (tenant: string, collection: string, ownerOf: OwnerOf): boolean =>
  ownerOf(collection.split('@', 1)[0] ?? '') === tenant

/** As it is stored: the row's name is that of the generation. `collection_unknown`. */
export async function findCollection(
  rows: Rows,
  principal: Principal | undefined,
  collection: string,
  ownerOf: OwnerOf,
): Promise<CollectionRow | Refusal> {
  const stored = maySee(principal, collection, ownerOf)
    ? await rows.get(COLLECTIONS, collectionKey(await storageOf(rows, collection)))
    : undefined
  return stored?.row ?? refuse('collection_unknown', { collection })
}
