import { refuse, Refusal } from '../base/errors.ts'
import type { Json, JsonObject } from '../base/json.ts'
import type { Audit } from '../guard/audit.ts'
import type { Deletions } from '../retrieval/deletion/receipts.ts'
import {
  CHUNKS,
  chunkKeys,
  collectionKey,
  type CollectionRow,
  documentKey,
  DOCUMENTS,
  type DocumentRow,
} from '../retrieval/document.ts'
import { collectionOf } from '../retrieval/generation/row.ts'
import { maySeeDocument } from '../retrieval/search/access.ts'
import { getAll, type Rows } from '../store/rows.ts'
import { accessOf, findCollection, mayChangeDocument, type OwnerOf, refuseChange } from './access.ts'
import { cursorOf, pageOf } from './openai-list.ts'
import { type Answer, type Context, ok, type Route } from './router.ts'

/** The files of a vector store: the documents of a collection. */

export interface VectorStoreFileDependencies {
  readonly rows: Rows
  readonly ownerOf: OwnerOf
  readonly audit: Audit
  readonly deletions: Pick<Deletions, 'remove'>
}

export function vectorStoreFileRoutes(dependencies: VectorStoreFileDependencies): Route[] {
  return [
    {
      method: 'GET',
      path: '/v1/vector_stores/{id}/files',
      summary: 'Its files: the documents that answer. `limit`, `order`, `after`, `before`, `filter`.',
      role: 'user',
      answer: (context) => list(dependencies, context),
    },
    {
      method: 'GET',
      path: '/v1/vector_stores/{id}/files/{file}',
      summary: 'One of its files.',
      role: 'user',
      async answer(context) {
        const found = await findFile(dependencies, context)
        return found instanceof Refusal ? found : ok(shown(collectionOf(found.collection.name), found.document))
      },
    },
    {
      method: 'GET',
      path: '/v1/vector_stores/{id}/files/{file}/content',
      summary: 'The text of one of its files, chunk by chunk.',
      role: 'user',
      answer: (context) => content(dependencies, context),
    },
    {
      method: 'DELETE',
      path: '/v1/vector_stores/{id}/files/{file}',
      summary: 'Takes a file out; it stops answering at once.',
      role: 'admin',
      answer: (context) => remove(dependencies, context),
    },
  ]
}

const STATES = ['in_progress', 'completed', 'failed', 'cancelled']

async function list(
  { rows, ownerOf }: VectorStoreFileDependencies,
  { params, query, principal }: Context,
): Promise<Answer | Refusal> {
  const collection = await findCollection(rows, principal, params['id'] ?? '', ownerOf)
  if (collection instanceof Refusal) return collection
  const cursor = cursorOf(query)
  if (cursor instanceof Refusal) return cursor
  const state = query.get('filter') ?? 'completed'
  if (!STATES.includes(state))
    return refuse('field_invalid', {
      field: 'filter',
      problem: `must be one of ${STATES.join(', ')}`,
      remedy: 'Leave it out for all of them.',
    })
  const access = accessOf(principal)
  // What is not completed has no document yet: the ingest runs tell of it.
  const isSeen = (row: DocumentRow): boolean => maySeeDocument(access, row)
  const { chosen, more } =
    state === 'completed'
      ? await pageOf(rows, DOCUMENTS, collectionKey(collection.name), cursor, isSeen)
      : { chosen: [], more: false }
  const data: Json[] = chosen.map((row) => shown(collectionOf(collection.name), row))
  return ok({
    object: 'list',
    data,
    first_id: chosen[0]?.id ?? null,
    last_id: chosen.at(-1)?.id ?? null,
    has_more: more,
  })
}

async function content(dependencies: VectorStoreFileDependencies, context: Context): Promise<Answer | Refusal> {
  const found = await findFile(dependencies, context)
  if (found instanceof Refusal) return found
  const chunks = await getAll(dependencies.rows, CHUNKS, chunkKeys(found.document))
  const data = chunks.flatMap((stored): JsonObject[] =>
    stored === undefined ? [] : [{ type: 'text', text: stored.row.text }],
  )
  return ok({ object: 'vector_store.file_content.page', data, has_more: false, next_page: null })
}

async function remove(dependencies: VectorStoreFileDependencies, context: Context): Promise<Answer | Refusal> {
  const found = await findFile(dependencies, context)
  if (found instanceof Refusal) return found
  const { collection, document } = found
  if (!mayChangeDocument(context.principal, collectionOf(collection.name), document, dependencies.ownerOf))
    return refuseChange()
  const act = { action: 'document.remove', object: document.id, details: { collection: collectionOf(collection.name) } }
  const removed = await dependencies.audit.record(context.principal, act, () =>
    dependencies.deletions.remove(collectionOf(collection.name), document.id),
  )
  if (removed instanceof Refusal) return removed
  return ok({ id: document.id, object: 'vector_store.file.deleted', deleted: true, headworks: { receipt: removed.id } })
}

async function findFile(
  { rows, ownerOf }: VectorStoreFileDependencies,
  { params, principal }: Context,
): Promise<{ readonly collection: CollectionRow; readonly document: DocumentRow } | Refusal> {
  const collection = await findCollection(rows, principal, params['id'] ?? '', ownerOf)
  if (collection instanceof Refusal) return collection
  const id = params['file'] ?? ''
  const stored = await rows.get(DOCUMENTS, documentKey(collection.name, id))
  if (stored === undefined || !maySeeDocument(accessOf(principal), stored.row))
    return refuse('not_found', { what: 'file', id })
  return { collection, document: stored.row }
}

const shown = (collection: string, { id, bytes, ingestedAtMs, metadata }: DocumentRow): JsonObject => ({
  id,
  object: 'vector_store.file',
  created_at: Math.floor(ingestedAtMs / 1000),
  vector_store_id: collection,
  status: 'completed',
  usage_bytes: bytes,
  last_error: null,
  attributes: { ...metadata },
  chunking_strategy: { type: 'other' },
})
