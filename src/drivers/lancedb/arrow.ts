import type { Table } from 'apache-arrow'
import { tokensOf } from '../../store/attribute-tokens.ts'
import type { Attributes } from '../../store/filter.ts'
import { TOKENS } from './filter.ts'

/** The library `apache-arrow`, handed over since it is loaded only where it is needed. */
export type Arrow = typeof import('apache-arrow')

/** Rows (chunk, vector, tokens), numbered from `first`. */
export function arrowRows(
  arrow: Arrow,
  first: number,
  dimension: number,
  rows: Float32Array,
  attributes: readonly Attributes[],
): Table {
  const { Field, FixedSizeList, Float32, Int32, List, makeData, RecordBatch, Schema, Struct, Table, Utf8 } = arrow
  const length = attributes.length
  const numbers = new Field('item', new Float32(), true)
  const texts = new List(new Field('item', new Utf8(), true))
  const vectors = new FixedSizeList(dimension, numbers)
  const schema = new Schema([
    new Field('chunk', new Int32(), false),
    new Field('vector', vectors, false),
    new Field(TOKENS, texts, false),
  ])
  const children = [
    makeData({ type: new Int32(), length, data: Int32Array.from(attributes.keys(), (at) => first + at) }),
    makeData({ type: vectors, length, child: makeData({ type: new Float32(), length: rows.length, data: rows }) }),
    textLists(arrow, texts, attributes.map(tokensOf)),
  ]
  return new Table(schema, [new RecordBatch(schema, makeData({ type: new Struct(schema.fields), length, children }))])
}

/** Written by hand: arrow's own builder takes ten times as long. */
function textLists(arrow: Arrow, type: InstanceType<Arrow['List']>, lists: readonly (readonly string[])[]) {
  const { makeData, Utf8 } = arrow
  const texts = lists.flat()
  const bytes = texts.map((text) => Buffer.from(text))
  const child = makeData({
    type: new Utf8(),
    length: texts.length,
    valueOffsets: offsets(bytes),
    data: Buffer.concat(bytes),
  })
  return makeData({ type, length: lists.length, valueOffsets: offsets(lists), child })
}

function offsets(parts: readonly { readonly length: number }[]): Int32Array {
  const ends = new Int32Array(parts.length + 1)
  for (const [at, { length }] of parts.entries()) ends[at + 1] = (ends[at] ?? 0) + length
  return ends
}
