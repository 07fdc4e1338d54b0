import { ByteWriter, ParquetWriter } from 'hyparquet-writer'
import type { Column, ColumnRow, EncodeColumns } from '../../base/columns.ts'

/** Apache Parquet, row group by row group: what is held in memory is one row group and the
 *  directory of those before it. */

/** A row group begins a new one once it has this many rows. */
const GROUP_ROWS = 10_000

export const parquetOf: EncodeColumns = async function* (columns, batches) {
  const bytes = new ByteWriter()
  const file = new ParquetWriter({
    writer: bytes,
    schema: [{ name: 'root', num_children: columns.length }, ...columns.map(elementOf)],
    createdBy: 'headworks',
  })
  let rows: ColumnRow[] = []
  for await (const batch of batches) {
    rows.push(...batch)
    if (rows.length < GROUP_ROWS) continue
    await writeGroup(file, columns, rows)
    rows = []
    yield take(bytes)
  }
  if (rows.length > 0) await writeGroup(file, columns, rows)
  await file.finish()
  yield take(bytes)
}

async function writeGroup(file: ParquetWriter, columns: readonly Column[], rows: readonly ColumnRow[]): Promise<void> {
  const columnData = columns.map(({ name }, at) => ({
    name,
    data: rows.map((row) => row[at] ?? null),
    offsetIndex: false,
  }))
  await file.write({ columnData, rowGroupSize: rows.length })
}

type Element = ConstructorParameters<typeof ParquetWriter>[0]['schema'][number]

function elementOf({ name, type }: Column): Element {
  if (type === 'text') return { name, type: 'BYTE_ARRAY', converted_type: 'UTF8', repetition_type: 'OPTIONAL' }
  return { name, type: type === 'integer' ? 'INT64' : 'DOUBLE', repetition_type: 'OPTIONAL' }
}

/** What was written since the last time; the place in the file goes on. */
function take(bytes: ByteWriter): Uint8Array {
  const taken = bytes.getBytes().slice()
  bytes.index = 0
  return taken
}
