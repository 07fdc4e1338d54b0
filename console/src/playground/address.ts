import { type Asked, type Condition, type Mode, MODES, type Operator, OPERATORS, type Value } from '../api/search.ts'

/** A search as its address holds it, whole: what is shown can be shared and gone back to. */

export interface Draft {
  readonly collection: string
  readonly question: string
  readonly mode: Mode
  readonly k: number
  readonly diversity: number
  readonly expandTokens: number
  readonly filters: readonly FilterDraft[]
}

/** One condition, its value as typed. */
export interface FilterDraft {
  readonly name: string
  readonly operator: Operator
  readonly text: string
}

/** As the server has them. */
export const K_MAX = 100
export const EXPAND_TOKENS_MAX = 8192
const FILTERS_MAX = 16

export const EMPTY: Draft = {
  collection: '',
  question: '',
  mode: 'hybrid',
  k: 10,
  diversity: 0,
  expandTokens: 0,
  filters: [],
}

/** What makes no sense in an address is as if it were not there. */
export function readAddress(query: URLSearchParams): Draft {
  return {
    collection: query.get('collection') ?? '',
    question: query.get('q') ?? '',
    mode: MODES.find((mode) => mode === query.get('mode')) ?? EMPTY.mode,
    k: numberIn(query.get('k'), 1, K_MAX, true) ?? EMPTY.k,
    diversity: numberIn(query.get('diversity'), 0, 1, false) ?? EMPTY.diversity,
    expandTokens: numberIn(query.get('expand'), 0, EXPAND_TOKENS_MAX, true) ?? EMPTY.expandTokens,
    filters: query
      .getAll('filter')
      .slice(0, FILTERS_MAX)
      .map(readFilter)
      .filter((filter) => filter !== undefined),
  }
}

/** What is as always is left out. */
export function writeAddress(draft: Draft): string {
  const query = new URLSearchParams()
  if (draft.collection !== '') query.set('collection', draft.collection)
  if (draft.question.trim() !== '') query.set('q', draft.question.trim())
  if (draft.mode !== EMPTY.mode) query.set('mode', draft.mode)
  if (draft.k !== EMPTY.k) query.set('k', String(draft.k))
  if (draft.diversity !== EMPTY.diversity) query.set('diversity', String(draft.diversity))
  if (draft.expandTokens !== EMPTY.expandTokens) query.set('expand', String(draft.expandTokens))
  for (const { name, operator, text } of draft.filters)
    if (name.trim() !== '') query.append('filter', JSON.stringify([name.trim(), operator, text]))
  return `/search?${query}`
}

function numberIn(text: string | null, least: number, most: number, whole: boolean): number | undefined {
  const value = text === null || text === '' ? Number.NaN : Number(text)
  return value >= least && value <= most && (!whole || Number.isInteger(value)) ? value : undefined
}

function readFilter(text: string): FilterDraft | undefined {
  let parts: unknown
  try {
    parts = JSON.parse(text)
  } catch {
    return undefined
  }
  if (!Array.isArray(parts)) return undefined
  const [name, operator, value] = parts as unknown[]
  const known = OPERATORS.find((one) => one === operator)
  if (typeof name !== 'string' || known === undefined || typeof value !== 'string') return undefined
  return { name, operator: known, text: value }
}

export const askedOf = ({ filters, ...draft }: Draft): Asked => ({ ...draft, conditions: filters.map(conditionOf) })

/** `2024` is a number, `true` a boolean, `"2024"` a text. Of several, one after each comma. */
export function conditionOf({ name, operator, text }: FilterDraft): Condition {
  const isList = operator === 'in' || operator === 'nin'
  const value = isList
    ? text
        .split(',')
        .map((part) => part.trim())
        .filter((part) => part !== '')
        .map(valueOf)
    : valueOf(text.trim())
  return { name, operator, value }
}

function valueOf(text: string): Value {
  if (text === 'true' || text === 'false') return text === 'true'
  if (/^".*"$/s.test(text)) return text.slice(1, -1)
  return text !== '' && Number.isFinite(Number(text)) ? Number(text) : text
}
