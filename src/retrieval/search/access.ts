import { type Attributes, type AttributeValue, type Filter, matches } from '../../store/filter.ts'
import type { DocumentRow } from '../document.ts'

/** Whose eyes a search has. What a tenant may not see is taken out by a condition that stands beside
 *  whatever the caller asks for, in the index, and is checked once more against the rows before
 *  anything leaves: what the index believes about a chunk decides nothing alone. */

/** `all`: whoever looks after the house. A tenant sees its own documents and those of nobody; without
 *  one, only those of nobody. */
export type Access = 'all' | { readonly tenant: string | undefined }

/** Of a caller that nothing is known about. */
export const NOBODY: Access = Object.freeze({ tenant: undefined })

/** The attribute that says whose a document is. */
export const TENANT = 'tenant'
/** Of a document that is nobody's, nothing. */
export const tenantOf = ({ metadata }: Pick<DocumentRow, 'metadata'>): { readonly tenant?: AttributeValue } =>
  metadata !== undefined && Object.hasOwn(metadata, TENANT) ? { tenant: metadata[TENANT] ?? '' } : {}

/** Whether it has one: a filter cannot ask for what is missing. */
const TENANTED = 'tenanted'

/** Who may see a collection that belongs to `owner`; undefined: it belongs to nobody. */
export const maySeeCollection = (access: Access, owner: string | undefined): boolean =>
  access === 'all' || owner === undefined || access.tenant === owner

export function maySeeDocument(access: Access, { metadata }: Pick<DocumentRow, 'metadata'>): boolean {
  if (access === 'all' || metadata === undefined || !Object.hasOwn(metadata, TENANT)) return true
  return access.tenant !== undefined && metadata[TENANT] === access.tenant
}

/** The condition for the index; undefined where everything may be seen. A chunk that the index knows
 *  no tenant of may pass it, and is stopped by its row. */
export function mandatoryFilter(access: Access): Filter | undefined {
  if (access === 'all') return undefined
  const ofNobody: Filter = { op: 'not', filter: { op: 'in', name: TENANTED, values: [true] } }
  if (access.tenant === undefined) return ofNobody
  return { op: 'or', filters: [ofNobody, { op: 'in', name: TENANT, values: [access.tenant] }] }
}

/** Both hold: nothing a caller sends makes the mandatory condition wider. */
export function bothOf(mandatory: Filter | undefined, asked: Filter | undefined): Filter | undefined {
  if (mandatory === undefined || asked === undefined) return mandatory ?? asked
  return { op: 'and', filters: [mandatory, asked] }
}

/** What filters compare of a document, in the index as in the rows. */
export const attributesOf = ({
  id,
  metadata,
  trust = 'internal',
}: Pick<DocumentRow, 'id' | 'metadata' | 'trust'>): Attributes => ({
  ...metadata,
  document: id,
  trust,
  [TENANTED]: metadata !== undefined && Object.hasOwn(metadata, TENANT),
})

/** Against the rows: what may be seen and was asked for. */
export const isWanted = (access: Access, filter: Filter | undefined, document: DocumentRow): boolean =>
  maySeeDocument(access, document) && (filter === undefined || matches(filter, attributesOf(document)))
