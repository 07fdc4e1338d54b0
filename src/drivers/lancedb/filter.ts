import { tokenOf } from '../../store/attribute-tokens.ts'
import type { Filter } from '../../store/filter.ts'

/** Filters as conditions of LanceDB's SQL over one list of texts, each an attribute with its value,
 *  so that a segment need not know the names of its attributes before it is written. */

/** The column of the list. */
export const TOKENS = 'tokens'

/** Ranges are not for a list of texts: the index names the values that lie in them instead. */
export function conditionOf(filter: Filter): string {
  switch (filter.op) {
    case 'and':
      return filter.filters.length === 0 ? 'true' : `(${filter.filters.map(conditionOf).join(' AND ')})`
    case 'or':
      return filter.filters.length === 0 ? 'false' : `(${filter.filters.map(conditionOf).join(' OR ')})`
    case 'not':
      return `(NOT ${conditionOf(filter.filter)})`
    case 'in': {
      if (filter.values.length === 0) return 'false'
      const list = filter.values.map((value) => `'${tokenOf(filter.name, value).replaceAll("'", "''")}'`)
      return `array_has_any(${TOKENS}, [${list.join(', ')}])`
    }
    case 'range':
      throw new Error('a range reached the vectors')
  }
}
