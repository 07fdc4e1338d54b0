import type { Clock } from '../base/clock.ts'
import { Fault, fault, Refusal, refuse } from '../base/errors.ts'
import { isObject, type Json, type JsonObject } from '../base/json.ts'
import type { EmbedWith } from '../engine/port.ts'
import type { Gateway } from '../gateway/gateway.ts'
import { stagesJson } from '../gateway/settle.ts'
import type { Passage } from '../retrieval/passage.ts'
import { type Search, SEARCH_MODES, type SearchMode, type SearchOptions } from '../retrieval/search.ts'
import type { Rows } from '../store/rows.ts'
import { Trace } from '../trace/trace.ts'
import { accessOf, findCollection, type OwnerOf } from './access.ts'
import { readFilter } from './filters.ts'
import { type Answer, type Context, ok, type Route } from './router.ts'

/** Our own search, with everything there is. */

export interface SearchRouteDependencies {
  readonly clock: Clock
  readonly rows: Rows
  readonly search: Search
  readonly ownerOf: OwnerOf
  readonly rerank: Gateway['rerank']
  readonly embedFor: EmbedFor
}

/** Embeds on the account of who asks. */
export type EmbedFor = (asker: Parameters<Gateway['accountOf']>[0]) => EmbedWith | Refusal

const K_MAX = 100
const K_DEFAULT = 10
const QUERY_UNITS_MAX = 10_000
const EXPAND_TOKENS_MAX = 8_192
const MODEL_UNITS_MAX = 256

const FIELDS = ['query', 'k', 'mode', 'filter', 'diversity', 'expandTokens', 'rerank']

export function searchRoutes(dependencies: SearchRouteDependencies): Route[] {
  return [
    {
      method: 'POST',
      path: '/api/collections/{collection}/search',
      summary:
        'Searches: {query, k, mode, filter, diversity, expandTokens, rerank}. Answers with passages, best first, each with its scores and ranks by leg, and the stages.',
      role: 'user',
      answer: (context) => search(dependencies, context),
    },
  ]
}

async function search(dependencies: SearchRouteDependencies, context: Context): Promise<Answer | Refusal> {
  const { clock, rows, search: searchIn, ownerOf } = dependencies
  const { params, body, principal } = context
  const collection = await findCollection(rows, principal, params['collection'] ?? '', ownerOf)
  if (collection instanceof Refusal) return collection
  const asked = readAsked(body)
  if (asked instanceof Refusal) return asked
  const payer = payerOf(dependencies, context)
  if (payer instanceof Refusal) return payer
  const trace = new Trace(clock)
  const span = trace.open('search')
  const { question, rerank, ...options } = asked
  const reranked = rerank === undefined ? {} : { rerank: rerankBy(dependencies, context, trace, rerank) }
  const { passages, fusion } = await searchIn.search(params['collection'] ?? '', question, {
    ...options,
    ...reranked,
    access: accessOf(principal),
    payer,
    span,
  })
  span.end({ found: passages.length })
  return ok({
    passages: passages.map(passageJson),
    fusion: fusion ?? 'none',
    stages: stagesJson(trace.spans()),
  })
}

/** Whoever searches pays for the vector of the question. */
export function payerOf(
  { embedFor }: { readonly embedFor: EmbedFor },
  { principal, request: { headers } }: Context,
): NonNullable<SearchOptions['payer']> | Refusal {
  // The terminal of the house itself has no key.
  if (principal === undefined) return {}
  const embedWith = embedFor({ principal, headers })
  return embedWith instanceof Refusal ? embedWith : { embedWith }
}

/** What refuses the model refuses the search. */
const rerankBy =
  ({ rerank }: SearchRouteDependencies, { principal, request, requestId }: Context, trace: Trace, model: string) =>
  async (question: string, texts: readonly string[]): Promise<readonly number[]> => {
    if (principal === undefined) throw fault('key_missing', {})
    const order = await rerank({ principal, headers: request.headers, requestId, trace }, model, question, texts)
    if (order instanceof Refusal) throw new Fault(order.code, order.details)
    return order
  }

type Asked = Omit<SearchOptions, 'rerank'> & { readonly question: string; readonly rerank?: string }

function readAsked(body: Json): Asked | Refusal {
  if (!isObject(body)) return invalid('body', 'must be an object', 'Send {"query": ...}.')
  const stranger = Object.keys(body).find((field) => !FIELDS.includes(field))
  if (stranger !== undefined)
    return invalid(stranger.slice(0, 80), 'is no field of a search', `There are ${FIELDS.join(', ')}.`)
  const question = body['query']
  if (typeof question !== 'string' || question.trim() === '' || question.length > QUERY_UNITS_MAX)
    return invalid('query', `must be 1 to ${QUERY_UNITS_MAX} characters`, 'Send a question or some words.')
  const k = body['k'] ?? K_DEFAULT
  if (typeof k !== 'number' || !Number.isInteger(k) || k < 1 || k > K_MAX)
    return invalid('k', `must be 1 to ${K_MAX}`, `Leave it out for ${K_DEFAULT}.`)
  const mode = body['mode'] ?? 'hybrid'
  if (!isMode(mode)) return invalid('mode', `must be one of ${SEARCH_MODES.join(', ')}`, 'Leave it out for hybrid.')
  const filter = readFilter(body['filter'], 'filter')
  if (filter instanceof Refusal) return filter
  const diversity = body['diversity'] ?? 0
  if (typeof diversity !== 'number' || !(diversity >= 0 && diversity <= 1))
    return invalid('diversity', 'must be a number from 0 to 1', 'Leave it out to go by relevance alone.')
  const expandTokensMax = body['expandTokens'] ?? 0
  if (
    typeof expandTokensMax !== 'number' ||
    !Number.isInteger(expandTokensMax) ||
    expandTokensMax < 0 ||
    expandTokensMax > EXPAND_TOKENS_MAX
  )
    return invalid('expandTokens', `must be 0 to ${EXPAND_TOKENS_MAX}`, 'Leave it out for passages as they are.')
  const rerank = body['rerank'] ?? undefined
  if (rerank !== undefined && (typeof rerank !== 'string' || rerank === '' || rerank.length > MODEL_UNITS_MAX))
    return invalid('rerank', 'must be the name of a model', 'GET /v1/models lists what there is.')
  return {
    question,
    k,
    mode,
    ...(filter === undefined ? {} : { filter }),
    ...(diversity === 0 ? {} : { mmrLambda: 1 - diversity }),
    ...(expandTokensMax === 0 ? {} : { expandTokensMax }),
    ...(rerank === undefined ? {} : { rerank }),
  }
}

const isMode = (value: Json): value is SearchMode => SEARCH_MODES.some((mode) => mode === value)

const passageJson = ({ legs = {}, ...passage }: Passage): JsonObject => ({
  ...passage,
  legs: Object.fromEntries(Object.entries(legs).map(([leg, had]) => [leg, { ...had }])),
})

const invalid = (field: string, problem: string, remedy: string): Refusal =>
  refuse('field_invalid', { field, problem, remedy })
