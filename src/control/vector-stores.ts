import type { Clock } from '../base/clock.ts'
import { refuse, Refusal } from '../base/errors.ts'
import { newId } from '../base/ids.ts'
import { isObject, type Json, type JsonObject } from '../base/json.ts'
import type { Random } from '../base/random.ts'
import { PLAIN_NAME } from '../config/forms.ts'
import type { Files } from '../files/files.ts'
import type { Audit } from '../guard/audit.ts'
import type { Attachments } from '../retrieval/attach/attachments.ts'
import { ATTACHMENTS, FILE_BATCHES } from '../retrieval/attach/rows.ts'
import { collectionKey, COLLECTIONS, type CollectionRow } from '../retrieval/document.ts'
import { collectionOf, storageOf } from '../retrieval/generation/row.ts'
import type { Search } from '../retrieval/search.ts'
import { type Change, put, remove, scanAll, type Rows, table } from '../store/rows.ts'
import { findCollection, maySee, type OwnerOf, refuseUnlessAdministered } from './access.ts'
import type { IngestRuns } from './ingests.ts'
import { cursorOf, pageAmong } from './openai-list.ts'
import { type Answer, type Context, ok, type Route } from './router.ts'
import type { EmbedFor } from './search.ts'
import { readManyAttached, refuseStrategy } from './vector-store-attach.ts'
import { searchVectorStore } from './vector-store-search.ts'

/** OpenAI's vector stores. One is a collection, by its name. */

export interface VectorStoreDependencies {
  readonly clock: Clock
  readonly random: Random
  readonly rows: Rows
  readonly search: Search
  readonly ownerOf: OwnerOf
  readonly audit: Audit
  readonly ingest: Pick<IngestRuns, 'dropCollection'>
  readonly embedFor: EmbedFor
  readonly files: Pick<Files, 'find'>
  readonly attachments: Pick<Attachments, 'attach'>
}

/** What a collection does not know of itself. */
interface VectorStoreRow {
  readonly name: string
  readonly metadata: { readonly [name: string]: string }
  readonly createdAtMs: number
}

const VECTOR_STORES = table<VectorStoreRow>('vector_stores')

/** What of `/v1` is kept, and is answered here and not by a gateway. */
export const isKeptHere = (target: string): boolean =>
  /^\/v1\/(?:vector_stores|files|batches|messages\/batches)(?:[/?]|$)/.test(target)

const NAME_UNITS_MAX = 256
const METADATA_MAX = 16
const METADATA_NAME_UNITS_MAX = 64
const METADATA_VALUE_UNITS_MAX = 512

export function vectorStoreRoutes(dependencies: VectorStoreDependencies): Route[] {
  return [
    {
      method: 'GET',
      path: '/v1/vector_stores',
      summary: "OpenAI's list of vector stores: the collections. `limit`, `order`, `after`, `before`.",
      role: 'user',
      answer: (context) => list(dependencies, context),
    },
    {
      method: 'POST',
      path: '/v1/vector_stores',
      summary:
        'Makes one: {name, metadata, file_ids}. Its id is the name, where that is free and may name a collection.',
      role: 'admin',
      answer: (context) => create(dependencies, context),
    },
    {
      method: 'GET',
      path: '/v1/vector_stores/{id}',
      summary: 'One vector store.',
      role: 'user',
      async answer({ params, principal }) {
        const found = await findCollection(dependencies.rows, principal, params['id'] ?? '', dependencies.ownerOf)
        return found instanceof Refusal ? found : ok(await shown(dependencies.rows, found))
      },
    },
    {
      method: 'POST',
      path: '/v1/vector_stores/{id}',
      summary: 'Changes its {name, metadata}; the id stays.',
      role: 'admin',
      answer: (context) => update(dependencies, context),
    },
    {
      method: 'DELETE',
      path: '/v1/vector_stores/{id}',
      summary: 'Removes it with everything in it.',
      role: 'admin',
      answer: (context) => drop(dependencies, context),
    },
    {
      method: 'POST',
      path: '/v1/vector_stores/{id}/search',
      summary: 'Searches: {query, filters, max_num_results, ranking_options, rewrite_query}.',
      role: 'user',
      answer: (context) => searchVectorStore(dependencies, context),
    },
  ]
}

async function list(
  { rows, ownerOf }: VectorStoreDependencies,
  { query, principal }: Context,
): Promise<Answer | Refusal> {
  const cursor = cursorOf(query)
  if (cursor instanceof Refusal) return cursor
  const seen = new Map<string, CollectionRow>()
  for await (const { row } of scanAll(rows, COLLECTIONS)) {
    const id = collectionOf(row.name)
    if (maySee(principal, id, ownerOf) && (await storageOf(rows, id)) === row.name) seen.set(id, row)
  }
  const { chosen, more } = pageAmong([...seen.keys()].toSorted(), cursor)
  const listed = chosen.flatMap((id) => seen.get(id) ?? [])
  const data = await Promise.all(listed.map((row) => shown(rows, row)))
  return ok({
    object: 'list',
    data,
    first_id: chosen[0] ?? null,
    last_id: chosen.at(-1) ?? null,
    has_more: more,
  })
}

async function create(
  { clock, random, rows, audit, files, attachments }: VectorStoreDependencies,
  { body, principal }: Context,
): Promise<Answer | Refusal> {
  // It would be nobody's, for everybody to see.
  const refused = refuseUnlessAdministered(principal, '', () => undefined)
  if (refused !== undefined) return refused
  if (!isObject(body)) return invalid('body', 'must be an object', 'Send {"name": ...}.')
  if (!isNone(body['expires_after'])) return invalid('expires_after', 'is not supported here', 'Leave it out.')
  const { file_ids: ids } = body
  const attached = isNone(ids) ? [] : await readManyAttached(files, principal, { file_ids: ids ?? [] })
  if (attached instanceof Refusal) return attached
  const strategy = refuseStrategy(body['chunking_strategy'])
  if (strategy !== undefined) return strategy
  const described = readDescription(body, { name: '', metadata: {} })
  if (described instanceof Refusal) return described
  const { name, metadata } = described
  const isFree = PLAIN_NAME.test(name) && (await rows.get(COLLECTIONS, collectionKey(name))) === undefined
  const id = isFree ? name : newId('vs', clock, random)
  const nowMs = clock.wallMs()
  const collection = { name: id, segments: [], documents: 0, chunks: 0, bytes: 0, updatedAtMs: nowMs }
  const act = { action: 'collection.create', object: id, details: { name } }
  const made = await audit.record(principal, act, () =>
    rows.commit([
      put(COLLECTIONS, collectionKey(id), collection, 0),
      put(VECTOR_STORES, [id], { name, metadata, createdAtMs: nowMs }),
    ]),
  )
  if (!made) return refuse('overloaded', { what: 'changes of one collection', limit: 1 })
  if (attached.length > 0) await attachments.attach(id, attached)
  return ok(await shown(rows, collection))
}

async function update(
  { rows, ownerOf }: VectorStoreDependencies,
  { params, principal, body }: Context,
): Promise<Answer | Refusal> {
  const found = await findCollection(rows, principal, params['id'] ?? '', ownerOf)
  if (found instanceof Refusal) return found
  const refused = refuseUnlessAdministered(principal, params['id'] ?? '', ownerOf)
  if (refused !== undefined) return refused
  if (!isObject(body)) return invalid('body', 'must be an object', 'Send {"name": ...}.')
  if (!isNone(body['expires_after'])) return invalid('expires_after', 'is not supported here', 'Leave it out.')
  const former = await rows.get(VECTOR_STORES, [collectionOf(found.name)])
  const { name = collectionOf(found.name), metadata = {}, createdAtMs = found.updatedAtMs } = former?.row ?? {}
  const described = readDescription(body, { name, metadata })
  if (described instanceof Refusal) return described
  await rows.commit([put(VECTOR_STORES, [collectionOf(found.name)], { ...described, createdAtMs })])
  return ok(await shown(rows, found))
}

async function drop(
  { rows, ingest, ownerOf, audit }: VectorStoreDependencies,
  { params, principal }: Context,
): Promise<Answer | Refusal> {
  const found = await findCollection(rows, principal, params['id'] ?? '', ownerOf)
  if (found instanceof Refusal) return found
  const refused = refuseUnlessAdministered(principal, params['id'] ?? '', ownerOf)
  if (refused !== undefined) return refused
  const id = collectionOf(found.name)
  const act = { action: 'collection.drop', object: id, details: {} }
  const refusal = await audit.record(principal, act, () => ingest.dropCollection(id))
  if (refusal !== undefined) return refusal
  const changes: Change[] = [remove(VECTOR_STORES, [id])]
  for await (const { key } of scanAll(rows, ATTACHMENTS, [id])) changes.push(remove(ATTACHMENTS, key))
  for await (const { key } of scanAll(rows, FILE_BATCHES, [id])) changes.push(remove(FILE_BATCHES, key))
  await rows.commit(changes)
  return ok({ id, object: 'vector_store.deleted', deleted: true })
}

function readDescription(
  body: JsonObject,
  former: Pick<VectorStoreRow, 'name' | 'metadata'>,
): Pick<VectorStoreRow, 'name' | 'metadata'> | Refusal {
  const name = body['name'] ?? former.name
  if (typeof name !== 'string' || name.length > NAME_UNITS_MAX)
    return invalid('name', `must be a text of at most ${NAME_UNITS_MAX} characters`, 'Leave it out for none.')
  const given = body['metadata'] === undefined ? former.metadata : (body['metadata'] ?? {})
  const entries = isObject(given) ? Object.entries(given) : []
  const metadata: { [name: string]: string } = {}
  const problem = `must be an object of at most ${METADATA_MAX} texts`
  const remedy = `Names have at most ${METADATA_NAME_UNITS_MAX} characters, values ${METADATA_VALUE_UNITS_MAX}.`
  if (!isObject(given) || entries.length > METADATA_MAX) return invalid('metadata', problem, remedy)
  for (const [field, value] of entries) {
    if (typeof value !== 'string' || field.length > METADATA_NAME_UNITS_MAX || value.length > METADATA_VALUE_UNITS_MAX)
      return invalid('metadata', problem, remedy)
    Object.defineProperty(metadata, field, { value, enumerable: true })
  }
  return { name, metadata }
}

async function shown(rows: Rows, row: CollectionRow): Promise<JsonObject> {
  const id = collectionOf(row.name)
  const own = (await rows.get(VECTOR_STORES, [id]))?.row
  const updatedAt = Math.floor(row.updatedAtMs / 1000)
  const counts = { in_progress: 0, completed: row.documents, failed: 0, cancelled: 0, total: row.documents }
  for await (const { row: attachment } of scanAll(rows, ATTACHMENTS, [id])) {
    counts[attachment.state]++
    counts.total++
  }
  return {
    id,
    object: 'vector_store',
    created_at: own === undefined ? updatedAt : Math.floor(own.createdAtMs / 1000),
    last_active_at: updatedAt,
    name: own?.name ?? id,
    metadata: own?.metadata ?? {},
    status: counts.in_progress > 0 ? 'in_progress' : 'completed',
    usage_bytes: row.bytes,
    file_counts: counts,
    expires_after: null,
    expires_at: null,
  }
}

const isNone = (value: Json | undefined): boolean =>
  value === undefined || value === null || (Array.isArray(value) && value.length === 0)

const invalid = (field: string, problem: string, remedy: string): Refusal =>
  refuse('field_invalid', { field, problem, remedy })
