import { tokenOf } from '../../store/attribute-tokens.ts'
import type { Attributes, Filter } from '../../store/filter.ts'

/** Filters as conditions of SQL over two columns: `tokens`, one text for each attribute with its
 *  value, which an inverted index serves; and `numbers`, what ranges compare. */

/** How a name stands in `numbers`. */
const numberKey = (name: string): string => JSON.stringify(name)

/** JSON of what ranges compare, undefined where there is nothing. Numbers stand as text, which also
 *  says Infinity. */
export function numbersOf(attributes: Attributes): string | undefined {
  const numbers: [string, string][] = []
  for (const [name, value] of Object.entries(attributes))
    if (typeof value === 'number' && !Number.isNaN(value)) numbers.push([numberKey(name), String(value)])
  return numbers.length === 0 ? undefined : JSON.stringify(Object.fromEntries(numbers))
}

/** A condition that is true or false, never unknown; what it compares with goes to the end of
 *  `values`. */
export function conditionOf(filter: Filter, values: unknown[]): string {
  const parameter = (value: unknown): string => `$${values.push(value)}`
  switch (filter.op) {
    case 'and':
      return filter.filters.length === 0 ? 'true' : joined(filter.filters, ' AND ', values)
    case 'or':
      return filter.filters.length === 0 ? 'false' : joined(filter.filters, ' OR ', values)
    case 'not':
      return `NOT ${conditionOf(filter.filter, values)}`
    case 'in':
      return `(tokens && ${parameter(filter.values.map((value) => tokenOf(filter.name, value)))}::text[])`
    case 'range': {
      const number = `(numbers ->> ${parameter(numberKey(filter.name))}::text)::float8`
      const bounds = [
        ['>=', filter.atLeast],
        ['>', filter.above],
        ['<=', filter.atMost],
        ['<', filter.below],
      ] as const
      const compared = bounds.flatMap(([operator, bound]) =>
        bound === undefined ? [] : [`${number} ${operator} ${parameter(bound)}::float8`],
      )
      return `COALESCE(${compared.length === 0 ? `${number} IS NOT NULL` : compared.join(' AND ')}, false)`
    }
  }
}

const joined = (filters: readonly Filter[], word: string, values: unknown[]): string =>
  `(${filters.map((one) => conditionOf(one, values)).join(word)})`
