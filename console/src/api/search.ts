import { readStage, type Stage } from './answer.ts'
import type { Fetch } from './chat.ts'
import { post, read } from './exchange.ts'
import type { Result } from './problem.ts'
import { isRecord, listOf, numberOf, textOf, type Json } from './shape.ts'

/** A search of one collection, with everything that can be said about it. */

export const MODES = ['hybrid', 'words', 'vector'] as const
export type Mode = (typeof MODES)[number]

export const OPERATORS = ['eq', 'ne', 'gt', 'gte', 'lt', 'lte', 'in', 'nin'] as const
export type Operator = (typeof OPERATORS)[number]

export interface Condition {
  readonly name: string
  readonly operator: Operator
  /** A text, number or boolean; for `in` and `nin` a list of them. */
  readonly value: Value | readonly Value[]
}

export type Value = string | number | boolean

export interface Asked {
  readonly collection: string
  readonly question: string
  readonly mode: Mode
  readonly k: number
  /** 0 to 1: 0 is relevance alone. One less the lambda of maximal marginal relevance. */
  readonly diversity: number
  /** Tokens that a passage may grow to by its neighbours; 0: not at all. */
  readonly expandTokens: number
  /** All of them hold. */
  readonly conditions: readonly Condition[]
}

export interface Found {
  readonly passages: readonly Passage[]
  /** How the legs were put together: `rank`, `score`, `none` where there was one. */
  readonly fusion: string
  readonly stages: readonly Stage[]
}

export interface Passage {
  readonly document: string
  readonly uri: string
  readonly title: string
  readonly headings: readonly string[]
  readonly start: number
  readonly end: number
  readonly text: string
  readonly score: number
  readonly trust: string
  /** By the leg's name; a leg that did not find it is absent. */
  readonly legs: ReadonlyMap<string, { readonly score: number; readonly rank: number }>
}

export interface SearchApi {
  search(asked: Asked): Promise<Result<Found>>
}

export function openSearch(fetch: Fetch): SearchApi {
  return {
    search: async ({ collection, question, mode, k, diversity, expandTokens, conditions }) => {
      const filters = conditions.map(({ name, operator, value }) => ({ type: operator, key: name, value }))
      const body = {
        query: question,
        mode,
        k,
        diversity,
        expandTokens,
        ...(filters.length > 0 && { filter: filters.length === 1 ? filters[0] : { type: 'and', filters } }),
      }
      return read(
        await post(fetch, `/api/collections/${encodeURIComponent(collection)}/search`, body),
        'list of passages',
        readFound,
      )
    },
  }
}

function readFound(body: unknown): Found | undefined {
  if (!isRecord(body) || !Array.isArray(body['passages'])) return undefined
  return {
    passages: listOf(body['passages'], readPassage),
    fusion: textOf(body['fusion']) ?? 'none',
    stages: listOf(body['stages'], readStage),
  }
}

function readPassage(value: unknown): Passage | undefined {
  if (!isRecord(value) || typeof value['text'] !== 'string') return undefined
  const uri = textOf(value['uri']) ?? ''
  const legs: Json = isRecord(value['legs']) ? value['legs'] : {}
  return {
    document: textOf(value['document']) ?? '',
    uri,
    title: textOf(value['title']) ?? uri,
    headings: listOf(value['headings'], textOf),
    start: numberOf(value['start']) ?? 0,
    end: numberOf(value['end']) ?? 0,
    text: value['text'],
    score: numberOf(value['score']) ?? 0,
    trust: textOf(value['trust']) ?? '',
    legs: new Map(
      Object.entries(legs).flatMap(([leg, had]) => {
        const [score, rank] = isRecord(had) ? [numberOf(had['score']), numberOf(had['rank'])] : []
        return score === undefined || rank === undefined ? [] : [[leg, { score, rank }] as const]
      }),
    ),
  }
}
