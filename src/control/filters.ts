import { type Fault, Refusal, refuse } from '../base/errors.ts'
import { isObject, type Json, type JsonObject } from '../base/json.ts'
import { type AttributeValue, checkFilter, type Filter } from '../store/filter.ts'

/** Filters as OpenAI's vector stores take them: `{type: "eq", key, value}` and
 *  `{type: "and", filters: [...]}`. */

const FILTER_DEPTH_MAX = 16
const FILTER_VALUES_MAX = 1_000
const NAME_UNITS_MAX = 64
const VALUE_UNITS_MAX = 512

/** Undefined where none was given; `field_invalid`. */
export function readFilter(given: Json | undefined, field: string): Filter | undefined | Refusal {
  if (given === undefined || given === null) return undefined
  const filter = read(given, field, 1)
  if (filter instanceof Refusal) return filter
  try {
    checkFilter(filter)
  } catch (thrown) {
    const { details } = thrown as Fault
    return invalid(field, String(details['problem']), String(details['remedy']))
  }
  return filter
}

function read(given: Json, field: string, depth: number): Filter | Refusal {
  if (depth > FILTER_DEPTH_MAX)
    return invalid(field, `is nested deeper than ${FILTER_DEPTH_MAX}`, 'Say the same with fewer levels.')
  if (!isObject(given))
    return invalid(
      field,
      'must be an object',
      'Send {"type": "eq", "key": ..., "value": ...}, or {"type": "and", "filters": [...]}.',
    )
  const { type } = given
  if (type === 'and' || type === 'or') return readCompound(type, given, field, depth)
  const key = given['key']
  if (typeof key !== 'string' || key === '' || key.length > NAME_UNITS_MAX)
    return invalid(`${field}.key`, `must be 1 to ${NAME_UNITS_MAX} characters`, 'Name an attribute of the documents.')
  return readComparison(String(type), key, given['value'] ?? null, field)
}

function readCompound(op: 'and' | 'or', given: JsonObject, field: string, depth: number): Filter | Refusal {
  const parts = given['filters']
  if (!Array.isArray(parts) || parts.length === 0)
    return invalid(`${field}.filters`, 'must be a non-empty array', 'Leave the filter out to have none.')
  const filters: Filter[] = []
  for (const [at, part] of (parts as readonly Json[]).entries()) {
    const filter = read(part, `${field}.filters[${at}]`, depth + 1)
    if (filter instanceof Refusal) return filter
    filters.push(filter)
  }
  return { op, filters }
}

const BOUNDS = { gt: 'above', gte: 'atLeast', lt: 'below', lte: 'atMost' } as const
const isBound = (type: string): type is keyof typeof BOUNDS => Object.hasOwn(BOUNDS, type)

function readComparison(type: string, name: string, value: Json, field: string): Filter | Refusal {
  if (isBound(type)) {
    if (typeof value !== 'number')
      return invalid(`${field}.value`, 'must be a number', `Compare texts with "eq" or "in".`)
    return { op: 'range', name, [BOUNDS[type]]: value }
  }
  const values = type === 'in' || type === 'nin' ? value : [value]
  if (type !== 'eq' && type !== 'ne' && type !== 'in' && type !== 'nin')
    return invalid(`${field}.type`, 'must be eq, ne, gt, gte, lt, lte, in, nin, and, or', 'Use one of these.')
  if (!Array.isArray(values) || values.length > FILTER_VALUES_MAX || !values.every(isValue))
    return invalid(
      `${field}.value`,
      type === 'in' || type === 'nin'
        ? 'must be a list of texts, numbers or booleans'
        : 'must be a text, number or boolean',
      `Texts have at most ${VALUE_UNITS_MAX} characters; lists at most ${FILTER_VALUES_MAX} values.`,
    )
  const among: Filter = { op: 'in', name, values }
  return type === 'eq' || type === 'in' ? among : { op: 'not', filter: among }
}

const isValue = (value: unknown): value is AttributeValue =>
  (typeof value === 'string' && value.length <= VALUE_UNITS_MAX) ||
  (typeof value === 'number' && Number.isFinite(value)) ||
  typeof value === 'boolean'

const invalid = (field: string, problem: string, remedy: string): Refusal =>
  refuse('field_invalid', { field, problem, remedy })
