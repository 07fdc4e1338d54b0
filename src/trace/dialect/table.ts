/** A dialect is a table: which attribute says what. Nothing else about a dialect is code. */

/** What an attribute can say. Tokens said in total include what a part of them says apart. */
export const FACTS = [
  'operation',
  'kind',
  'provider',
  'modelAnswered',
  'modelAsked',
  'user',
  'session',
  'workflow',
  'prompt',
  'promptVersion',
  'finishReason',
  /** Of what was read and written, with and without the cached and the reasoned part. */
  'inputTotal',
  'inputUncached',
  'cacheRead',
  'cacheWrite',
  'outputTotal',
  'outputVisible',
  'reasoning',
  'costUsd',
  'firstTokenSeconds',
  'firstTokenMs',
  /** An instant, ISO 8601 or in milliseconds. */
  'firstTokenAt',
  'error',
  'probability',
  /** A JSON object of further facts, read by `parts`. */
  'usageParts',
  'costParts',
] as const
export type Fact = (typeof FACTS)[number]

export interface Dialect {
  readonly name: string
  /** Attribute -> what it says. Where two say the same, the one named first counts. */
  readonly attributes: { readonly [attribute: string]: Fact }
  /** Values of `kind` and `operation`, in lower case -> the kind of span. */
  readonly kinds: { readonly [value: string]: string }
  /** Inputs and outputs of models, names and beginnings of names: never kept with a span. */
  readonly content: readonly string[]
  /** Known, and of no use once the rest is read. */
  readonly ignored: readonly string[]
  /** Names that a library gives its spans by itself: one of ours stands in their place. */
  readonly defaultNames?: RegExp
}
