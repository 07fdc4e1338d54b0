import type { Attributes, AttributeValue, Filter } from '../../store/filter.ts'

/** Attributes as zvec sees them: one list of texts per chunk, each a name with a value, so that a
 *  segment need not know its names before it is written. */

/** Quotes and whatever else has a meaning in a filter are gone by the encoding. */
const encode = (text: string): string => encodeURIComponent(text.toWellFormed()).replaceAll("'", '%27')

const token = (name: string, value: AttributeValue): string =>
  `${encode(name)}=${(typeof value).charAt(0)}${encode(String(value))}`

export const tokensOf = (attributes: Attributes): string[] =>
  Object.entries(attributes).map(([name, value]) => token(name, value))

/** What zvec takes in one list. */
const LIST_MAX = 32

type Expression = string | typeof ALL | typeof NONE

/** Every chunk fits. */
export const ALL = Symbol('all')
/** None does. */
export const NONE = Symbol('none')

/** A filter in zvec's language; `NONE` where no chunk can fit it, `ALL` where every one does. Ranges
 *  are not part of that language: who asks names the values instead. */
export function expressionOf(filter: Filter): Expression {
  return express(filter, true)
}

/** The language has no `not` before brackets, so it is carried inwards: `wanted` is whether the
 *  filter shall hold. */
function express(filter: Filter, wanted: boolean): Expression {
  switch (filter.op) {
    case 'and':
    case 'or': {
      const parts = filter.filters.map((one) => express(one, wanted))
      return (filter.op === 'and') === wanted ? allOf(parts) : anyOf(parts)
    }
    case 'not':
      return express(filter.filter, !wanted)
    case 'in': {
      const lists: string[] = []
      for (let at = 0; at < filter.values.length; at += LIST_MAX)
        lists.push(quoted(filter.name, filter.values.slice(at, at + LIST_MAX)))
      const verb = wanted ? 'contain_any' : 'not contain_any'
      const parts = lists.map((list) => `a ${verb} (${list})`)
      return wanted ? anyOf(parts) : allOf(parts)
    }
    case 'range':
      throw new Error('a range reached the vectors')
  }
}

const quoted = (name: string, values: readonly AttributeValue[]): string =>
  values.map((value) => `'${token(name, value)}'`).join(',')

function allOf(parts: readonly Expression[]): Expression {
  if (parts.includes(NONE)) return NONE
  return joined(
    parts.filter((part) => part !== ALL),
    ' and ',
    ALL,
  )
}

function anyOf(parts: readonly Expression[]): Expression {
  if (parts.includes(ALL)) return ALL
  return joined(
    parts.filter((part) => part !== NONE),
    ' or ',
    NONE,
  )
}

function joined(parts: readonly Expression[], by: string, empty: Expression): Expression {
  if (parts.length === 0) return empty
  return parts.length === 1 ? (parts[0] ?? empty) : `(${parts.map(String).join(by)})`
}
