import type { Clock } from '../base/clock.ts'
import { refuse, Refusal } from '../base/errors.ts'
import { isObject, type Json, type JsonObject } from '../base/json.ts'
import { stagesJson } from '../gateway/settle.ts'
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
import type { Passage } from '../retrieval/passage.ts'
import type { Search } from '../retrieval/search.ts'
import { getAll, scanAll, type Rows } from '../store/rows.ts'
import { Trace } from '../trace/trace.ts'
import { type Answer, type Context, limitOf, ok, type Route } from './router.ts'

export interface CollectionDependencies {
  readonly clock: Clock
  readonly rows: Rows
  readonly search: Search
}

const PAGE_MAX = 500
const PAGE_DEFAULT = 100
const K_MAX = 100
const QUERY_UNITS_MAX = 10_000

export function collectionRoutes(dependencies: CollectionDependencies): Route[] {
  const { rows } = dependencies
  return [
    {
      method: 'GET',
      path: '/api/collections',
      summary: 'The collections and what they hold.',
      role: 'user',
      async answer() {
        const collections: Json[] = []
        for await (const { row } of scanAll(rows, COLLECTIONS)) {
          const name = collectionOf(row.name)
          if ((await storageOf(rows, name)) === row.name) collections.push(await shownCollection(rows, name, row))
        }
        return ok({ collections })
      },
    },
    {
      method: 'GET',
      path: '/api/collections/{collection}',
      summary: 'One collection.',
      role: 'user',
      async answer({ params }) {
        const { collection = '' } = params
        const stored = await find(rows, collection)
        return stored instanceof Refusal ? stored : ok(await shownCollection(rows, collection, stored))
      },
    },
    {
      method: 'GET',
      path: '/api/collections/{collection}/documents',
      summary: 'Its documents by id. `limit`, `after`.',
      role: 'user',
      answer: (context) => documents(rows, context),
    },
    {
      method: 'GET',
      path: '/api/collections/{collection}/documents/{document}',
      summary: 'One document with its text.',
      role: 'user',
      answer: (context) => document(rows, context),
    },
    {
      method: 'POST',
      path: '/api/collections/{collection}/search',
      summary: 'Searches: {query, k}. Answers with passages, best first, and the stages.',
      role: 'user',
      answer: (context) => search(dependencies, context),
    },
  ]
}

async function find(rows: Rows, collection: string): Promise<CollectionRow | Refusal> {
  const stored = await rows.get(COLLECTIONS, collectionKey(await storageOf(rows, collection)))
  return stored?.row ?? refuse('collection_unknown', { collection })
}

async function documents(rows: Rows, { params, query }: Context): Promise<Answer | Refusal> {
  const found = await find(rows, params['collection'] ?? '')
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
  return ok({ documents: page.map(({ row }) => shownDocument(row)), next })
}

async function document(rows: Rows, { params }: Context): Promise<Answer | Refusal> {
  const collection = params['collection'] ?? ''
  const id = params['document'] ?? ''
  const stored = await rows.get(DOCUMENTS, documentKey(await storageOf(rows, collection), id))
  if (stored === undefined) return refuse('not_found', { what: 'document', id })
  const chunks = await getAll(rows, CHUNKS, chunkKeys(stored.row))
  // Between chunks lies only white space, which is put back so that ranges keep their meaning.
  let text = ''
  for (const chunk of chunks) if (chunk !== undefined) text = text.padEnd(chunk.row.start, '\n') + chunk.row.text
  return ok({ ...shownDocument(stored.row), text })
}

async function search(
  { clock, rows, search: searchIn }: CollectionDependencies,
  { params, body }: Context,
): Promise<Answer | Refusal> {
  const collection = await find(rows, params['collection'] ?? '')
  if (collection instanceof Refusal) return collection
  const query = isObject(body) ? body['query'] : undefined
  const k = isObject(body) ? (body['k'] ?? 10) : 10
  if (typeof query !== 'string' || query.trim() === '' || query.length > QUERY_UNITS_MAX) {
    return refuse('field_invalid', {
      field: 'query',
      problem: `must be 1 to ${QUERY_UNITS_MAX} characters`,
      remedy: 'Send a question or some words.',
    })
  }
  if (typeof k !== 'number' || !Number.isInteger(k) || k < 1 || k > K_MAX) {
    return refuse('field_invalid', { field: 'k', problem: `must be 1 to ${K_MAX}`, remedy: 'Leave it out for 10.' })
  }
  const trace = new Trace(clock)
  const span = trace.open('search')
  const { passages } = await searchIn.search(params['collection'] ?? '', query, { k, span })
  span.end({ found: passages.length })
  return ok({ passages: passages.map(passageJson), stages: stagesJson(trace.spans()) })
}

const passageJson = ({ legs = {}, ...passage }: Passage): JsonObject => ({
  ...passage,
  legs: Object.fromEntries(Object.entries(legs).map(([leg, had]) => [leg, { ...had }])),
})

/** A model's name, or `lsa` for directions fitted on its own texts; null: it is searched by words alone. */
async function shownCollection(rows: Rows, name: string, row: CollectionRow): Promise<Json> {
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
