import { refuse, Refusal } from '../base/errors.ts'
import { isObject, type Json, type JsonObject } from '../base/json.ts'
import { type DocumentRow, documentKey, DOCUMENTS } from '../retrieval/document.ts'
import type { Passage } from '../retrieval/passage.ts'
import type { Search, SearchAnswer } from '../retrieval/search.ts'
import { RRF_K } from '../retrieval/search/fuse.ts'
import { relevanceOf } from '../retrieval/search/relevance.ts'
import type { Filter } from '../store/filter.ts'
import type { Rows } from '../store/rows.ts'
import { accessOf, findCollection, type OwnerOf } from './access.ts'
import { readFilter } from './filters.ts'
import { type Answer, type Context, ok } from './router.ts'
import { type EmbedFor, payerOf } from './search.ts'

/** `POST /v1/vector_stores/{id}/search`, as OpenAI defines it. */

export interface VectorStoreSearchDependencies {
  readonly rows: Rows
  readonly search: Search
  readonly ownerOf: OwnerOf
  readonly embedFor: EmbedFor
}

const RESULTS_MAX = 50
const RESULTS_DEFAULT = 10
const QUERY_UNITS_MAX = 10_000
const QUERIES_MAX = 10
/** Results looked at of each of several queries. */
const POOL = 50
const RANKERS = ['auto', 'none', 'default-2024-11-15', 'default_2024_08_21']

interface Found {
  readonly passage: Passage
  readonly relevance: number
}

export async function searchVectorStore(
  dependencies: VectorStoreSearchDependencies,
  context: Context,
): Promise<Answer | Refusal> {
  const { rows, search, ownerOf } = dependencies
  const { params, body, principal } = context
  const collection = await findCollection(rows, principal, params['id'] ?? '', ownerOf)
  if (collection instanceof Refusal) return collection
  const asked = readAsked(body)
  if (asked instanceof Refusal) return asked
  const { queries, count, filter, threshold, rewrite } = asked
  const payer = payerOf(dependencies, context)
  if (payer instanceof Refusal) return payer
  const options = {
    payer,
    k: queries.length === 1 ? count : Math.max(count, POOL),
    access: accessOf(principal),
    ...(filter === undefined ? {} : { filter }),
  }
  const answers = await Promise.all(queries.map((query) => search.search(params['id'] ?? '', query, options)))
  const found = joined(answers)
    .filter(({ relevance }) => relevance >= threshold)
    .slice(0, count)
  const stored = await rows.getMany(
    DOCUMENTS,
    found.map(({ passage }) => documentKey(collection.name, passage.document)),
  )
  return ok({
    object: 'vector_store.search_results.page',
    search_query: rewrite ? answers.map(rewritten) : queries,
    data: found.map((one, at) => resultJson(one, stored[at]?.row)),
    has_more: false,
    next_page: null,
  })
}

/** What several queries found, by reciprocal rank fusion over them; a passage counts as relevant as
 *  it is to the query it fits best. */
function joined(answers: readonly SearchAnswer[]): readonly Found[] {
  const found = new Map<string, Found & { readonly score: number }>()
  for (const answer of answers) {
    const relevances = relevanceOf(answer)
    for (const [at, passage] of answer.passages.entries()) {
      const key = `${passage.document}\0${passage.start}`
      const known = found.get(key)
      const relevance = Math.max(known?.relevance ?? 0, relevances[at] ?? 0)
      found.set(key, { passage, relevance, score: (known?.score ?? 0) + 1 / (RRF_K + at + 1) })
    }
  }
  return [...found.values()].sort((a, b) => b.score - a.score)
}

/** The question as it was searched for: without filler, with the words that the best passages lent. */
const rewritten = ({ terms }: SearchAnswer): string =>
  terms
    .toSorted((a, b) => b.weight - a.weight)
    .map(({ word }) => word)
    .join(' ')

const resultJson = ({ passage, relevance }: Found, document: DocumentRow | undefined): JsonObject => ({
  file_id: passage.document,
  filename: filenameOf(passage.uri),
  score: relevance,
  attributes: { ...document?.metadata },
  content: [{ type: 'text', text: passage.text }],
})

/** Of a document's URI, whose parts are encoded. */
function filenameOf(uri: string): string {
  const last = uri.split('/').at(-1) ?? ''
  try {
    return decodeURIComponent(last)
  } catch {
    return last
  }
}

interface Asked {
  readonly queries: readonly string[]
  readonly count: number
  readonly filter: Filter | undefined
  readonly threshold: number
  readonly rewrite: boolean
}

function readAsked(body: Json): Asked | Refusal {
  if (!isObject(body)) return invalid('body', 'must be an object', 'Send {"query": ...}.')
  const given = body['query']
  const queries = Array.isArray(given) ? (given as readonly Json[]) : [given ?? null]
  if (queries.length === 0 || queries.length > QUERIES_MAX || !queries.every(isQuery))
    return invalid(
      'query',
      `must be a text of 1 to ${QUERY_UNITS_MAX} characters, or 1 to ${QUERIES_MAX} of them`,
      'Send a question or some words.',
    )
  const count = body['max_num_results'] ?? RESULTS_DEFAULT
  if (typeof count !== 'number' || !Number.isInteger(count) || count < 1 || count > RESULTS_MAX)
    return invalid('max_num_results', `must be 1 to ${RESULTS_MAX}`, `Leave it out for ${RESULTS_DEFAULT}.`)
  const filter = readFilter(body['filters'], 'filters')
  if (filter instanceof Refusal) return filter
  const ranking = body['ranking_options'] ?? {}
  if (!isObject(ranking)) return invalid('ranking_options', 'must be an object', 'Leave it out.')
  const ranker = ranking['ranker'] ?? 'auto'
  if (typeof ranker !== 'string' || !RANKERS.includes(ranker))
    return invalid('ranking_options.ranker', `must be one of ${RANKERS.join(', ')}`, 'Leave it out for auto.')
  const threshold = ranking['score_threshold'] ?? 0
  if (typeof threshold !== 'number' || !(threshold >= 0 && threshold <= 1))
    return invalid('ranking_options.score_threshold', 'must be a number from 0 to 1', 'Leave it out for 0.')
  const rewrite = body['rewrite_query'] ?? false
  if (typeof rewrite !== 'boolean') return invalid('rewrite_query', 'must be true or false', 'Leave it out for false.')
  return { queries, count, filter, threshold, rewrite }
}

const isQuery = (value: Json): value is string =>
  typeof value === 'string' && value.trim() !== '' && value.length <= QUERY_UNITS_MAX

const invalid = (field: string, problem: string, remedy: string): Refusal =>
  refuse('field_invalid', { field, problem, remedy })
