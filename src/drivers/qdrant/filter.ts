import type { Schemas } from '@qdrant/js-client-rest'
import type { Attributes, AttributeValue, Filter } from '../../store/filter.ts'

/** Filters as Qdrant's, over one list of keywords: each an attribute with its value. */

/** The field of the list. */
export const TOKENS = 'tokens'

/** Name, type and value, so that 1 and "1" differ. Never empty. */
const token = (name: string, value: AttributeValue): string => JSON.stringify([name, typeof value, String(value)])

export const tokensOf = (attributes: Attributes): string[] =>
  Object.keys(attributes).map((name) => token(name, attributes[name] ?? ''))

/** No token is empty. */
const NONE: Schemas['Filter'] = { must: [{ key: TOKENS, match: { value: '' } }] }

/** Ranges are not for a list of texts: the index names the values that lie in them instead. */
export function conditionOf(filter: Filter): Schemas['Filter'] {
  switch (filter.op) {
    case 'and':
      return filter.filters.length === 0 ? { must_not: [NONE] } : { must: filter.filters.map(conditionOf) }
    case 'or':
      return filter.filters.length === 0 ? NONE : { should: filter.filters.map(conditionOf) }
    case 'not':
      return { must_not: [conditionOf(filter.filter)] }
    case 'in':
      if (filter.values.length === 0) return NONE
      return { must: [{ key: TOKENS, match: { any: filter.values.map((value) => token(filter.name, value)) } }] }
    case 'range':
      throw new Error('a range reached the vectors')
  }
}
