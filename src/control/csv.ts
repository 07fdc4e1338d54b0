import type { ColumnRow, EncodeColumns } from '../base/columns.ts'

/** RFC 4180, with a line of names. What is not known is an empty cell. */
export const csvOf: EncodeColumns = async function* (columns, batches) {
  yield lines([columns.map(({ name }) => name)])
  for await (const rows of batches) if (rows.length > 0) yield lines(rows)
}

const lines = (rows: readonly ColumnRow[]): Uint8Array =>
  new TextEncoder().encode(rows.map((row) => `${row.map(cell).join(',')}\r\n`).join(''))

/** A spreadsheet would run a text that begins like a formula. */
function cell(value: ColumnRow[number]): string {
  const text = value === null ? '' : String(value)
  const safe = typeof value === 'string' && /^[=+\-@\t\r]/.test(text) ? `'${text}` : text
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe
}
