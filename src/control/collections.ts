import { refuse, Refusal } from '../base/errors.ts'
import type { Json, JsonObject } from '../base/json.ts'
import {
  CHUNKS,
  chunkKeys,
  collectionKey,
  COLLECTIONS,
  type CollectionRow,
  documentKey,
  DOCUMENTS,
  type DocumentRow,
} from '../retrieval/document.ts'
import { SPACES, spaceKey } from '../retrieval/embedding/port.ts'
import { collectionOf, storageOf } from '../retrieval/generation/row.ts'
import { maySeeDocument } from '../retrieval/search/access.ts'
import type { Schedules } from '../retrieval/ingest/schedules.ts'
import { getAll, scanAll, type Rows } from '../store/rows.ts'
import { accessOf, findCollection, maySee, type OwnerOf } from './access.ts'
import { pageOf } from './openai-list.ts'
import { type Answer, type Context, limitOf, ok, type Route } from './router.ts'

export interface CollectionDependencies {
  readonly rows: Rows
  readonly ownerOf: OwnerOf
  /** How well a collection answers, by what was measured. */
  readonly quality: (collection: string) => Promise<JsonObject>
  /** When its sources are read again by themselves. */
  readonly schedules: Pick<Schedules, 'of'>
}

const PAGE_MAX = 500
const PAGE_DEFAULT = 100

export function collectionRoutes(dependencies: CollectionDependencies): Route[] {
  const { rows, ownerOf, quality, schedules } = dependencies
  return [
    {
      method: 'GET',
      path: '/api/collections',
      summary: 'The collections and what they hold.',
      role: 'user',
      async answer({ principal }) {
        const collections: Json[] = []
        for await (const { row } of scanAll(rows, COLLECTIONS)) {
          const name = collectionOf(row.name)
          if (maySee(principal, name, ownerOf) && (await storageOf(rows, name)) === row.name)
            collections.push({
              ...(await shownCollection(rows, name, row)),
              nextReadAt: await nextReadAt(schedules, name),
            })
        }
        return ok({ collections })
      },
    },
    {
      method: 'GET',
      path: '/api/collections/{collection}',
      summary: 'One collection, with what was measured of it: recall, freshness, completeness.',
      role: 'user',
      async answer({ params, principal }) {
        const { collection = '' } = params
        const stored = await findCollection(rows, principal, collection, ownerOf)
        return stored instanceof Refusal
          ? stored
          : ok({
              ...(await shownCollection(rows, collection, stored)),
              nextReadAt: await nextReadAt(schedules, collectionOf(stored.name)),
              quality: await quality(collection),
            })
      },
    },
    {
      method: 'GET',
      path: '/api/collections/{collection}/documents',
      summary: 'Its documents by id. `limit`, `after`.',
      role: 'user',
      answer: (context) => documents(dependencies, context),
    },
    {
      method: 'GET',
      path: '/api/collections/{collection}/documents/{document}',
      summary: 'One document with its text.',
      role: 'user',
      answer: (context) => document(dependencies, context),
    },
  ]
}

async function documents(
  { rows, ownerOf }: CollectionDependencies,
  { params, query, principal }: Context,
): Promise<Answer | Refusal> {
  const found = await findCollection(rows, principal, params['collection'] ?? '', ownerOf)
  if (found instanceof Refusal) return found
  const limit = limitOf(query, { default: PAGE_DEFAULT, most: PAGE_MAX, cursor: 'after' })
  if (limit instanceof Refusal) return limit
  const after = query.get('after')
  const access = accessOf(principal)
  const cursor = { limit, descending: false, after: after ?? undefined, before: undefined }
  const { chosen, more } = await pageOf(rows, DOCUMENTS, collectionKey(found.name), cursor, (row) =>
    maySeeDocument(access, row),
  )
  return ok({ documents: chosen.map(shownDocument), next: more ? (chosen.at(-1)?.id ?? null) : null })
}

async function document(
  { rows, ownerOf }: CollectionDependencies,
  { params, principal }: Context,
): Promise<Answer | Refusal> {
  const collection = params['collection'] ?? ''
  const id = params['document'] ?? ''
  const stored = maySee(principal, collection, ownerOf)
    ? await rows.get(DOCUMENTS, documentKey(await storageOf(rows, collection), id))
    : undefined
  if (stored === undefined || !maySeeDocument(accessOf(principal), stored.row))
    return refuse('not_found', { what: 'document', id })
  const chunks = await getAll(rows, CHUNKS, chunkKeys(stored.row))
  // Between chunks lies only white space, which is put back so that ranges keep their meaning.
  let text = ''
  for (const chunk of chunks) if (chunk !== undefined) text = text.padEnd(chunk.row.start, '\n') + chunk.row.text
  return ok({ ...shownDocument(stored.row), text })
}

/** Null: it is read again when somebody asks, and at every start. */
async function nextReadAt(schedules: CollectionDependencies['schedules'], name: string): Promise<string | null> {
  const [first] = await schedules.of(name)
  return first === undefined ? null : new Date(first.nextAtMs).toISOString()
}

/** A model's name, or `lsa` for directions fitted on its own texts; null: it is searched by words alone. */
async function shownCollection(rows: Rows, name: string, row: CollectionRow): Promise<JsonObject> {
  const stored = row.space === undefined ? undefined : await rows.get(SPACES, spaceKey(row.name, row.space))
  return { name, ...countsOf(row), embedding: stored === undefined ? null : { ...stored.row.space } }
}

const countsOf = ({ documents: count, chunks, bytes, segments, updatedAtMs }: CollectionRow): JsonObject => ({
  documents: count,
  chunks,
  bytes,
  segments: segments.length,
  updatedAt: new Date(updatedAtMs).toISOString(),
})

const shownDocument = ({
  id,
  uri,
  title,
  mediaType,
  contentHash,
  bytes,
  chunkCount,
  ingestedAtMs,
  note,
  metadata,
  trust,
  provenance,
}: DocumentRow): JsonObject => ({
  id,
  uri,
  title,
  mediaType,
  contentHash,
  bytes,
  chunks: chunkCount,
  ingestedAt: new Date(ingestedAtMs).toISOString(),
  ...(note === undefined ? {} : { note }),
  metadata: { ...metadata },
  trust: trust ?? 'internal',
  provenance: provenance === undefined ? null : { ...provenance },
})
