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
import { maySeeDocument } from '../retrieval/search/access.ts'
import { getAll, scanAll, type Rows } from '../store/rows.ts'
import { accessOf, findCollection, maySee, type OwnerOf } from './access.ts'
import { type Answer, type Context, limitOf, ok, type Route } from './router.ts'

export interface CollectionDependencies {
  readonly rows: Rows
  readonly ownerOf: OwnerOf
  /** How well a collection answers, by what was measured. */
  readonly quality: (collection: string) => Promise<JsonObject>
}

const PAGE_MAX = 500
const PAGE_DEFAULT = 100

export function collectionRoutes(dependencies: CollectionDependencies): Route[] {
  const { rows, ownerOf, quality } = dependencies
  return [
    {
      method: 'GET',
      path: '/api/collections',
      summary: 'The collections and what they hold.',
      role: 'user',
      async answer({ principal }) {
        const collections: Json[] = []
        for await (const { row } of scanAll(rows, COLLECTIONS))
          if (maySee(principal, row.name, ownerOf)) collections.push(shownCollection(row))
        return ok({ collections })
      },
    },
    {
      method: 'GET',
      path: '/api/collections/{collection}',
      summary: 'One collection, with what was measured of it: recall, freshness, completeness.',
      role: 'user',
      async answer({ params, principal }) {
        const stored = await findCollection(rows, principal, params['collection'] ?? '', ownerOf)
        return stored instanceof Refusal
          ? stored
          : ok({ ...shownCollection(stored), quality: await quality(stored.name) })
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
  const page = await rows.scan(DOCUMENTS, {
    prefix: collectionKey(found.name),
    limit,
    ...(after === null ? {} : { after: documentKey(found.name, after) }),
  })
  const next = page.length === limit ? (page.at(-1)?.row.id ?? null) : null
  const seen = page.filter(({ row }) => maySeeDocument(accessOf(principal), row))
  return ok({ documents: seen.map(({ row }) => shownDocument(row)), next })
}

async function document(
  { rows, ownerOf }: CollectionDependencies,
  { params, principal }: Context,
): Promise<Answer | Refusal> {
  const collection = params['collection'] ?? ''
  const id = params['document'] ?? ''
  const stored = await rows.get(DOCUMENTS, documentKey(collection, id))
  if (
    stored === undefined ||
    !maySee(principal, collection, ownerOf) ||
    !maySeeDocument(accessOf(principal), stored.row)
  )
    return refuse('not_found', { what: 'document', id })
  const chunks = await getAll(rows, CHUNKS, chunkKeys(stored.row))
  // Between chunks lies only white space, which is put back so that ranges keep their meaning.
  let text = ''
  for (const chunk of chunks) if (chunk !== undefined) text = text.padEnd(chunk.row.start, '\n') + chunk.row.text
  return ok({ ...shownDocument(stored.row), text })
}

const shownCollection = ({
  name,
  documents: count,
  chunks,
  bytes,
  segments,
  updatedAtMs,
}: CollectionRow): JsonObject => ({
  name,
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
}: DocumentRow): JsonObject => ({
  id,
  uri,
  title,
  mediaType,
  contentHash,
  bytes,
  chunks: chunkCount,
  ingestedAt: new Date(ingestedAtMs).toISOString(),
})
