import type { Clock } from '../base/clock.ts'
import { refuse, Refusal } from '../base/errors.ts'
import { newId } from '../base/ids.ts'
import type { JsonObject } from '../base/json.ts'
import type { Random } from '../base/random.ts'
import type { Files } from '../files/files.ts'
import type { Attachments } from '../retrieval/attach/attachments.ts'
import {
  attachmentKey,
  type AttachmentRow,
  ATTACHMENTS,
  FILE_BATCHES,
  fileBatchKey,
  type FileBatchRow,
} from '../retrieval/attach/rows.ts'
import { documentKey, DOCUMENTS, type DocumentRow } from '../retrieval/document.ts'
import { collectionOf, storageOf } from '../retrieval/generation/row.ts'
import { maySeeDocument } from '../retrieval/search/access.ts'
import { put, type Rows } from '../store/rows.ts'
import { accessOf, findCollection, type OwnerOf } from './access.ts'
import { cursorOf, pageAmong, shownPage } from './openai-list.ts'
import { type Answer, type Context, ok, type Route } from './router.ts'
import { POLL_HEADERS, readManyAttached, shownAttachment, shownDocument } from './vector-store-attach.ts'
import { isFileState } from './vector-store-files.ts'

/** Files that are put into a vector store together. */

export interface FileBatchDependencies {
  readonly clock: Clock
  readonly random: Random
  readonly rows: Rows
  readonly ownerOf: OwnerOf
  readonly files: Pick<Files, 'find'>
  readonly attachments: Pick<Attachments, 'attach' | 'cancel'>
}

export function fileBatchRoutes(dependencies: FileBatchDependencies): Route[] {
  const path = '/v1/vector_stores/{id}/file_batches'
  return [
    {
      method: 'POST',
      path,
      summary: "Puts several of the caller's files in: {file_ids, attributes}, or {files: [{file_id, attributes}]}.",
      role: 'admin',
      answer: (context) => create(dependencies, context),
    },
    {
      method: 'GET',
      path: `${path}/{batch}`,
      summary: 'How far they are.',
      role: 'user',
      answer: (context) => retrieve(dependencies, context),
    },
    {
      method: 'POST',
      path: `${path}/{batch}/cancel`,
      summary: 'Leaves out those that have not arrived.',
      role: 'admin',
      async answer(context) {
        const found = await findBatch(dependencies, context)
        if (found instanceof Refusal) return found
        await dependencies.attachments.cancel(found.collection, found.files)
        return retrieve(dependencies, context)
      },
    },
    {
      method: 'GET',
      path: `${path}/{batch}/files`,
      summary: 'Its files, and what became of each. `limit`, `order`, `after`, `before`, `filter`.',
      role: 'user',
      answer: (context) => list(dependencies, context),
    },
  ]
}

async function create(
  { clock, random, rows, ownerOf, files, attachments }: FileBatchDependencies,
  { params, principal, body }: Context,
): Promise<Answer | Refusal> {
  const found = await findCollection(rows, principal, params['id'] ?? '', ownerOf)
  if (found instanceof Refusal) return found
  const attached = await readManyAttached(files, principal, body)
  if (attached instanceof Refusal) return attached
  const tenant = principal?.bindings.tenant
  const batch: FileBatchRow = {
    id: newId('vsfb', clock, random),
    collection: collectionOf(found.name),
    files: attached.map(({ file }) => file.id),
    createdAtMs: clock.wallMs(),
    ...(tenant === undefined ? {} : { tenant }),
  }
  await attachments.attach(batch.collection, attached, [
    put(FILE_BATCHES, fileBatchKey(batch.collection, batch.id), batch),
  ])
  return { value: await shown(rows, batch), headers: POLL_HEADERS }
}

async function retrieve(dependencies: FileBatchDependencies, context: Context): Promise<Answer | Refusal> {
  const found = await findBatch(dependencies, context)
  return found instanceof Refusal ? found : { value: await shown(dependencies.rows, found), headers: POLL_HEADERS }
}

async function list(dependencies: FileBatchDependencies, context: Context): Promise<Answer | Refusal> {
  const found = await findBatch(dependencies, context)
  if (found instanceof Refusal) return found
  const cursor = cursorOf(context.query)
  if (cursor instanceof Refusal) return cursor
  const state = context.query.get('filter') ?? undefined
  const refused = isFileState(state)
  if (refused !== undefined) return refused
  const access = accessOf(context.principal)
  const seen = new Map<string, JsonObject>()
  for (const { id, attachment, document } of await membersOf(dependencies.rows, found)) {
    const metadata = attachment?.attributes ?? document?.metadata
    if (!maySeeDocument(access, metadata === undefined ? {} : { metadata })) continue
    const one = attachment ? shownAttachment(attachment) : document && shownDocument(found.collection, document)
    if (one !== undefined && (state === undefined || one['status'] === state)) seen.set(id, one)
  }
  const { chosen, more } = pageAmong([...seen.keys()].toSorted(), cursor)
  return ok(
    shownPage(
      chosen.map((id): JsonObject => seen.get(id) ?? {}),
      more,
    ),
  )
}

async function findBatch(
  { rows, ownerOf }: FileBatchDependencies,
  { params, principal }: Context,
): Promise<FileBatchRow | Refusal> {
  const found = await findCollection(rows, principal, params['id'] ?? '', ownerOf)
  if (found instanceof Refusal) return found
  const id = params['batch'] ?? ''
  const stored = await rows.get(FILE_BATCHES, fileBatchKey(collectionOf(found.name), id))
  // In a collection that several tenants share, each meets its own.
  const { tenant } = stored?.row ?? {}
  const isTheirs = maySeeDocument(accessOf(principal), tenant === undefined ? {} : { metadata: { tenant } })
  return stored !== undefined && isTheirs ? stored.row : refuse('not_found', { what: 'file batch', id })
}

interface Member {
  readonly id: string
  readonly attachment: AttachmentRow | undefined
  readonly document: DocumentRow | undefined
}

/** One with neither was taken out again. */
async function membersOf(rows: Rows, { collection, files }: FileBatchRow): Promise<Member[]> {
  const storage = await storageOf(rows, collection)
  const [attachments, documents] = await Promise.all([
    rows.getMany(
      ATTACHMENTS,
      files.map((id) => attachmentKey(collection, id)),
    ),
    rows.getMany(
      DOCUMENTS,
      files.map((id) => documentKey(storage, id)),
    ),
  ])
  return files.map((id, at) => ({ id, attachment: attachments[at]?.row, document: documents[at]?.row }))
}

async function shown(rows: Rows, batch: FileBatchRow): Promise<JsonObject> {
  const counts = { in_progress: 0, completed: 0, failed: 0, cancelled: 0, total: batch.files.length }
  for (const { attachment, document } of await membersOf(rows, batch))
    counts[attachment?.state ?? (document === undefined ? 'cancelled' : 'completed')]++
  const status = counts.in_progress > 0 ? 'in_progress' : counts.cancelled > 0 ? 'cancelled' : 'completed'
  return {
    id: batch.id,
    object: 'vector_store.file_batch',
    created_at: Math.floor(batch.createdAtMs / 1000),
    vector_store_id: batch.collection,
    status: counts.failed === counts.total ? 'failed' : status,
    file_counts: counts,
  }
}
