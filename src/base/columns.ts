/** Tables of typed columns on their way to a file. The formats are drivers. */

export interface Column {
  readonly name: string
  /** `integer`: 64 bits, exact; `number`: a double. */
  readonly type: 'text' | 'integer' | 'number'
}

/** Values in the order of the columns; null where there is none. */
export type ColumnRow = readonly (string | bigint | number | null)[]

/** The bytes of the file, piece by piece, as the rows come. */
export type EncodeColumns = (
  columns: readonly Column[],
  batches: AsyncIterable<readonly ColumnRow[]>,
) => AsyncIterable<Uint8Array>
