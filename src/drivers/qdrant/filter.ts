import type { Schemas } from '@qdrant/js-client-rest'
import { tokenOf } from '../../store/attribute-tokens.ts'
import type { Filter } from '../../store/filter.ts'

/** Filters as Qdrant's, over one list of keywords: each an attribute with its value. */

/** The field of the list. */
export const TOKENS = 'tokens'

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
      return { must: [{ key: TOKENS, match: { any: filter.values.map((value) => tokenOf(filter.name, value)) } }] }
    case 'range':
      throw new Error('a range reached the vectors')
  }
}
