import { refuse, Refusal } from '../base/errors.ts'
import type { JsonObject } from '../base/json.ts'
import { type DeletionRow, type Deletions, PLACES } from '../retrieval/deletion/receipts.ts'
import { documentKey, DOCUMENTS } from '../retrieval/document.ts'
import { maySeeDocument } from '../retrieval/search/access.ts'
import type { Rows } from '../store/rows.ts'
import { accessOf, findCollection, mayChangeDocument, maySee, type OwnerOf, refuseChange } from './access.ts'
import { type Answer, type Context, limitOf, ok, type Route } from './router.ts'

/** Deleting a document, and the receipt for it. */

export interface DeletionRouteDependencies {
  readonly deletions: Pick<Deletions, 'remove' | 'status' | 'list' | 'erase'>
  readonly rows: Rows
  readonly ownerOf: OwnerOf
}

const PAGE_MAX = 500
const PAGE_DEFAULT = 50

export function deletionRoutes({ deletions, rows, ownerOf }: DeletionRouteDependencies): Route[] {
  return [
    {
      method: 'DELETE',
      path: '/api/collections/{collection}/documents/{document}',
      summary:
        'Removes a document; it stops answering at once. Answers with a receipt. A later ingest of its source reads it again.',
      role: 'admin',
      async answer({ params, principal }) {
        const { collection = '', document = '' } = params
        const found = await findCollection(rows, principal, collection, ownerOf)
        if (found instanceof Refusal) return found
        const stored = await rows.get(DOCUMENTS, documentKey(found.name, document))
        if (stored === undefined || !maySeeDocument(accessOf(principal), stored.row))
          return refuse('not_found', { what: 'document', id: document })
        if (!mayChangeDocument(principal, collection, stored.row, ownerOf)) return refuseChange()
        const receipt = await deletions.remove(collection, document)
        return receipt instanceof Refusal
          ? receipt
          : ok({ collection, document, removed: true, receipt: receiptJson(receipt) })
      },
    },
    {
      method: 'GET',
      path: '/api/collections/{collection}/deletions',
      summary: 'The receipts of a collection as they were last looked at, newest first. `limit`, `after`.',
      role: 'admin',
      async answer({ params, query, principal }) {
        const { collection = '' } = params
        const limit = limitOf(query, { default: PAGE_DEFAULT, most: PAGE_MAX, cursor: 'after' })
        if (limit instanceof Refusal) return limit
        if (!maySee(principal, collection, ownerOf)) return refuse('collection_unknown', { collection })
        const { seen, more } = await seenOf(deletions, collection, limit, query.get('after'), ({ tenant }) =>
          maySeeDocument(accessOf(principal), tenant === undefined ? {} : { metadata: { tenant } }),
        )
        return ok({ deletions: seen.map(receiptJson), next: more ? (seen.at(-1)?.id ?? null) : null })
      },
    },
    {
      method: 'GET',
      path: '/api/collections/{collection}/deletions/{id}',
      summary: 'A receipt: since when a deleted document is gone from where, and what could not be erased.',
      role: 'admin',
      answer: async (context) => shownIfTheirs(await find(context)),
    },
    {
      method: 'POST',
      path: '/api/collections/{collection}/deletions/{id}/erase',
      summary:
        'Rewrites the files that still hold the deleted document, which may take minutes, and answers with the receipt.',
      role: 'admin',
      async answer(context) {
        const found = await find(context)
        return found instanceof Refusal ? found : shownIfTheirs(await deletions.erase(found.collection, found.id))
      },
    },
  ]

  async function find({ params, principal }: Context): Promise<DeletionRow | Refusal> {
    const { collection = '', id = '' } = params
    const receipt = await deletions.status(collection, id)
    if (receipt instanceof Refusal) return receipt
    // The collection itself may be gone by now.
    const { tenant } = receipt
    const isTheirs = maySeeDocument(accessOf(principal), tenant === undefined ? {} : { metadata: { tenant } })
    return isTheirs && maySee(principal, collection, ownerOf) ? receipt : refuse('not_found', { what: 'deletion', id })
  }
}

const shownIfTheirs = (found: DeletionRow | Refusal): Answer | Refusal =>
  found instanceof Refusal ? found : ok(receiptJson(found))

/** As many as were asked for, whatever stands between them: neither the number of those that may not be
 *  seen nor the id of one is told. */
async function seenOf(
  deletions: Pick<Deletions, 'list'>,
  collection: string,
  limit: number,
  after: string | null,
  maySeeIt: (row: DeletionRow) => boolean,
): Promise<{ readonly seen: DeletionRow[]; readonly more: boolean }> {
  const seen: DeletionRow[] = []
  for (let last = after ?? undefined; ;) {
    const page = await deletions.list(collection, PAGE_MAX, last)
    for (const row of page) {
      if (!maySeeIt(row)) continue
      if (seen.length === limit) return { seen, more: true }
      seen.push(row)
    }
    last = page.at(-1)?.id
    if (page.length < PAGE_MAX) return { seen, more: false }
  }
}

/** What a receipt says of places that are out of reach. */
const BEYOND: readonly JsonObject[] = [
  {
    where: 'modelCache',
    why: 'Prompts of applications that held its text may be answered from the cache in memory of a model that has one, until that is purged or runs out.',
  },
  { where: 'engines', why: 'What models that were shown it keep is up to who runs them.' },
  { where: 'backups', why: 'Copies of the data folder made before the deletion still hold it.' },
]

function receiptJson({ id, collection, document, uri, contentHash, ...row }: DeletionRow): JsonObject {
  const { requestedAtMs, goneAtMs, finalAtMs, copies } = row
  const segments = copies.map(({ segment }) => segment).join(', ')
  const time = (atMs: number | undefined): string | null => (atMs === undefined ? null : new Date(atMs).toISOString())
  const waits = goneAtMs.bytes === undefined
  return {
    id,
    collection,
    document,
    uri,
    contentHash,
    requestedAt: time(requestedAtMs),
    goneAt: Object.fromEntries(PLACES.map((place) => [place, time(goneAtMs[place])])),
    final: finalAtMs !== undefined,
    finalAt: time(finalAtMs),
    notErased: [
      ...(waits
        ? [
            {
              where: 'bytes',
              why: `Its words and vectors stand in ${segments} until that is rewritten, after a day at the latest; they are not searched. POST .../erase does it now.`,
            },
          ]
        : []),
      ...(row.shared === undefined
        ? []
        : [{ where: 'embeddingCache', why: `Another document has ${row.shared} of its passages word for word.` }]),
      ...BEYOND,
    ],
  }
}
