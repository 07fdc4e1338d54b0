import { refuse, Refusal } from '../base/errors.ts'
import type { JsonObject } from '../base/json.ts'
import type { Audit } from '../guard/audit.ts'
import type { Files } from '../files/files.ts'
import type { Attachments } from '../retrieval/attach/attachments.ts'
import { attachmentKey, type AttachmentRow, ATTACHMENTS } from '../retrieval/attach/rows.ts'
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
import { getAll, remove as removeRow, type Rows } from '../store/rows.ts'
import { accessOf, findCollection, mayChangeDocument, type OwnerOf, refuseChange } from './access.ts'
import { cursorOf, pageAmong, pageOf, shownPage } from './openai-list.ts'
import { type Answer, type Context, ok, type Route } from './router.ts'
import { POLL_HEADERS, readAttached, shownAttachment, shownDocument } from './vector-store-attach.ts'

/** The files of a vector store: the documents of a collection. */

export interface VectorStoreFileDependencies {
  readonly rows: Rows
  readonly ownerOf: OwnerOf
  readonly audit: Audit
  readonly deletions: Pick<Deletions, 'remove'>
  readonly files: Pick<Files, 'find'>
  readonly attachments: Pick<Attachments, 'attach'>
}

export function vectorStoreFileRoutes(dependencies: VectorStoreFileDependencies): Route[] {
  return [
    {
      method: 'GET',
      path: '/v1/vector_stores/{id}/files',
      summary:
        'Its files: documents that answer, files on their way and those that failed. `limit`, `order`, `after`, `before`, `filter`.',
      role: 'user',
      answer: (context) => list(dependencies, context),
    },
    {
      method: 'POST',
      path: '/v1/vector_stores/{id}/files',
      summary: "Puts one of the caller's files in: {file_id, attributes}. It is read in the background.",
      role: 'admin',
      answer: (context) => attach(dependencies, context),
    },
    {
      method: 'GET',
      path: '/v1/vector_stores/{id}/files/{file}',
      summary: 'One of its files.',
      role: 'user',
      async answer(context) {
        const attachment = await findAttachment(dependencies, context)
        if (attachment !== undefined) return shownOne(attachment)
        const found = await findFile(dependencies, context)
        return found instanceof Refusal ? found : ok(shownDocument(found.collection.name, found.document))
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

/** What is wrong with a `filter`. */
export function isFileState(state: string | undefined): Refusal | undefined {
  if (state === undefined || STATES.includes(state)) return undefined
  const problem = `must be one of ${STATES.join(', ')}`
  return refuse('field_invalid', { field: 'filter', problem, remedy: 'Leave it out for all of them.' })
}

async function list(
  { rows, ownerOf }: VectorStoreFileDependencies,
  { params, query, principal }: Context,
): Promise<Answer | Refusal> {
  const collection = await findCollection(rows, principal, params['id'] ?? '', ownerOf)
  if (collection instanceof Refusal) return collection
  const cursor = cursorOf(query)
  if (cursor instanceof Refusal) return cursor
  const state = query.get('filter') ?? undefined
  const refused = isFileState(state)
  if (refused !== undefined) return refused
  const access = accessOf(principal)
  const none = { chosen: [], more: false }
  const name = collectionOf(collection.name)
  const [documents, attachments] = await Promise.all([
    state === undefined || state === 'completed'
      ? pageOf(rows, DOCUMENTS, collectionKey(collection.name), cursor, (row) => maySeeDocument(access, row))
      : none,
    state === 'completed'
      ? none
      : pageOf(
          rows,
          ATTACHMENTS,
          [name],
          cursor,
          (row) => maySeeDocument(access, { metadata: row.attributes }) && (state ?? row.state) === row.state,
        ),
  ])
  // Of a file that is read anew its own row tells.
  const found = new Map<string, JsonObject>()
  for (const row of documents.chosen) found.set(row.id, shownDocument(name, row))
  for (const row of attachments.chosen) found.set(row.file, shownAttachment(row))
  const { chosen, more } = pageAmong([...found.keys()].toSorted(), cursor)
  const data = chosen.map((id): JsonObject => found.get(id) ?? {})
  return ok(shownPage(data, more || documents.more || attachments.more))
}

async function attach(
  { rows, ownerOf, files, attachments }: VectorStoreFileDependencies,
  { params, principal, body }: Context,
): Promise<Answer | Refusal> {
  const collection = await findCollection(rows, principal, params['id'] ?? '', ownerOf)
  if (collection instanceof Refusal) return collection
  const attached = await readAttached(files, principal, body)
  if (attached instanceof Refusal) return attached
  const [row] = await attachments.attach(collectionOf(collection.name), [attached])
  return row === undefined ? refuse('internal', { reason: 'nothing was attached' }) : shownOne(row)
}

const shownOne = (row: AttachmentRow): Answer => ({ value: shownAttachment(row), headers: POLL_HEADERS })

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
  const attachment = await findAttachment(dependencies, context)
  if (attachment !== undefined) {
    await dependencies.rows.commit([removeRow(ATTACHMENTS, attachmentKey(attachment.collection, attachment.file))])
    const isDocument = !((await findFile(dependencies, context)) instanceof Refusal)
    if (!isDocument) return ok({ id: attachment.file, object: 'vector_store.file.deleted', deleted: true })
  }
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

/** On its way, or one that did not arrive. */
async function findAttachment(
  { rows, ownerOf }: VectorStoreFileDependencies,
  { params, principal }: Context,
): Promise<AttachmentRow | undefined> {
  const collection = await findCollection(rows, principal, params['id'] ?? '', ownerOf)
  if (collection instanceof Refusal) return undefined
  const stored = await rows.get(ATTACHMENTS, attachmentKey(collectionOf(collection.name), params['file'] ?? ''))
  if (stored === undefined) return undefined
  return maySeeDocument(accessOf(principal), { metadata: stored.row.attributes }) ? stored.row : undefined
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
