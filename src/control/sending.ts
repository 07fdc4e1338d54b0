import { refuse, Refusal } from '../base/errors.ts'
import { ATTRIBUTES_MAX } from '../config/sources.ts'
import type { Principal } from '../guard/principal.ts'
import { documentKey, DOCUMENTS } from '../retrieval/document.ts'
import { storageOf } from '../retrieval/generation/row.ts'
import type { SentDocument } from '../retrieval/ingest/sent.ts'
import { TENANT } from '../retrieval/search/access.ts'
import type { Rows } from '../store/rows.ts'
import { administers, findCollection, mayChangeDocument, type OwnerOf, refuseChange } from './access.ts'

/** What a key that is bound to a tenant sends is that tenant's: it plants nothing before the eyes of
 *  others, and replaces nothing that is not its own. */

export interface SendingDependencies {
  readonly rows: Rows
  readonly ownerOf: OwnerOf
}

/** Each as it may be kept, or why not; a refusal of all where the collection is none the caller may
 *  send to. */
export async function ownDocuments(
  { rows, ownerOf }: SendingDependencies,
  principal: Principal | undefined,
  collection: string,
  documents: readonly (SentDocument | Refusal)[],
): Promise<readonly (SentDocument | Refusal)[] | Refusal> {
  const tenant = principal?.bindings.tenant
  if (tenant === undefined) return documents
  // One that is there already: what a tenant makes by sending would be there for everybody.
  if (!administers(principal, collection, ownerOf)) {
    const found = await findCollection(rows, principal, collection, ownerOf)
    if (found instanceof Refusal) return found
  }
  const storage = await storageOf(rows, collection)
  const sent = documents.filter((one): one is SentDocument => !(one instanceof Refusal))
  const stored = await rows.getMany(
    DOCUMENTS,
    sent.map(({ id }) => documentKey(storage, id)),
  )
  const former = new Map(sent.map(({ id }, at) => [id, stored[at]?.row]))
  return documents.map((one) => {
    if (one instanceof Refusal) return one
    const before = former.get(one.id)
    if (before !== undefined && !mayChangeDocument(principal, collection, before, ownerOf)) return refuseChange()
    return ownDocument(one, tenant)
  })
}

function ownDocument(document: SentDocument, tenant: string): SentDocument | Refusal {
  const { metadata = {} } = document
  const named = Object.hasOwn(metadata, TENANT)
  if (named && metadata[TENANT] !== tenant)
    return invalid('is not the tenant your key is bound to', 'Leave it out: it is set by the key.')
  if (!named && Object.keys(metadata).length >= ATTRIBUTES_MAX)
    return invalid('has no place left', `Send at most ${ATTRIBUTES_MAX - 1} attributes of your own.`)
  return { ...document, metadata: { ...metadata, [TENANT]: tenant } }
}

const invalid = (problem: string, remedy: string): Refusal =>
  refuse('field_invalid', { field: `metadata.${TENANT}`, problem, remedy })
