import { fault, type Fault } from '../base/errors.ts'

/** What a chunk is, apart from its text and vector: what filters compare. */
export interface Attributes {
  readonly [name: string]: AttributeValue
}

export type AttributeValue = string | number | boolean

/** Which chunks may answer. A chunk without the attribute fits neither `in` nor `range`. */
export type Filter =
  | { readonly op: 'and' | 'or'; readonly filters: readonly Filter[] }
  | { readonly op: 'not'; readonly filter: Filter }
  /** The value is one of these; 1 and "1" differ. */
  | { readonly op: 'in'; readonly name: string; readonly values: readonly AttributeValue[] }
  /** The value is a number between these, each absent or finite. */
  | ({ readonly op: 'range'; readonly name: string } & Range)

export interface Range {
  readonly atLeast?: number
  readonly above?: number
  readonly atMost?: number
  readonly below?: number
}

/** Parts of one filter, with `and`, `or` and `not` counted. */
const FILTER_PARTS_MAX = 256
/** Values of all `in` together. */
const FILTER_VALUES_MAX = 4096
const FILTER_DEPTH_MAX = 16

/** Throws a `Fault` (`field_invalid`) where a filter passes a bound or makes no sense. */
export function checkFilter(filter: Filter): void {
  let [parts, values] = [0, 0]
  const check = (one: Filter, depth: number): void => {
    if (depth > FILTER_DEPTH_MAX)
      throw invalid(`is nested deeper than ${FILTER_DEPTH_MAX}`, 'Say the same with fewer levels.')
    if (++parts > FILTER_PARTS_MAX) throw invalid(`has more than ${FILTER_PARTS_MAX} parts`, 'Say it with fewer parts.')
    switch (one.op) {
      case 'and':
      case 'or':
        for (const part of one.filters) check(part, depth + 1)
        return
      case 'not':
        return check(one.filter, depth + 1)
      case 'in':
        values += one.values.length
        if (values > FILTER_VALUES_MAX)
          throw invalid(`names more than ${FILTER_VALUES_MAX} values`, 'Name fewer values, or give them one attribute.')
        for (const value of one.values) if (Number.isNaN(value)) throw invalid('compares with NaN', 'Use numbers.')
        return
      case 'range':
        for (const bound of [one.atLeast, one.above, one.atMost, one.below])
          if (bound !== undefined && !Number.isFinite(bound))
            throw invalid(`compares with ${bound}`, 'Use finite numbers, or leave the bound out.')
    }
  }
  check(filter, 1)
}

export function matches(filter: Filter, attributes: Attributes): boolean {
  switch (filter.op) {
    case 'and':
      return filter.filters.every((one) => matches(one, attributes))
    case 'or':
      return filter.filters.some((one) => matches(one, attributes))
    case 'not':
      return !matches(filter.filter, attributes)
    case 'in':
    case 'range':
      return Object.hasOwn(attributes, filter.name) && accepts(filter, attributes[filter.name])
  }
}

/** Whether one value fits a leaf. */
export function accepts(leaf: Extract<Filter, { op: 'in' | 'range' }>, value: AttributeValue | undefined): boolean {
  if (leaf.op === 'in') return value !== undefined && leaf.values.includes(value)
  return (
    typeof value === 'number' &&
    (leaf.atLeast === undefined || value >= leaf.atLeast) &&
    (leaf.above === undefined || value > leaf.above) &&
    (leaf.atMost === undefined || value <= leaf.atMost) &&
    (leaf.below === undefined || value < leaf.below)
  )
}

const invalid = (problem: string, remedy: string): Fault => fault('field_invalid', { field: 'filter', problem, remedy })
