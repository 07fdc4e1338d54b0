import type { Attributes, AttributeValue } from './filter.ts'

/** Attributes as a list of texts, each a name with a value, for stores in which a list of keywords
 *  is what filters are fast over: so a segment need not know its names before it is written. */

/** Name, type and value, so that 1 and "1" differ. JSON leaves nothing that a store's text cannot
 *  hold, such as U+0000 or half a surrogate pair. Never empty. */
export const tokenOf = (name: string, value: AttributeValue): string =>
  JSON.stringify([name, typeof value, String(value)])

export const tokensOf = (attributes: Attributes): string[] =>
  Object.keys(attributes).map((name) => tokenOf(name, attributes[name] ?? ''))
