import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { parquetReadObjects } from 'hyparquet'
import type { Column, ColumnRow } from '../../base/columns.ts'
import { parquetOf } from './columns.ts'

const COLUMNS: readonly Column[] = [
  { name: 'who', type: 'text' },
  { name: 'nano', type: 'integer' },
  { name: 'ms', type: 'number' },
]

async function* inBatches(batches: readonly (readonly ColumnRow[])[]): AsyncGenerator<readonly ColumnRow[]> {
  yield* batches
}

async function written(batches: readonly (readonly ColumnRow[])[]): Promise<{ file: Uint8Array; pieces: number[] }> {
  const pieces: Uint8Array[] = []
  for await (const piece of parquetOf(COLUMNS, inBatches(batches))) pieces.push(piece)
  return { file: Buffer.concat(pieces), pieces: pieces.map(({ length }) => length) }
}

const read = (file: Uint8Array): Promise<Record<string, unknown>[]> =>
  parquetReadObjects({ file: new Uint8Array(file).buffer })

const row = fc.tuple(
  fc.option(fc.string({ unit: 'grapheme' })),
  fc.option(fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n)),
  fc.option(fc.double({ noNaN: true })),
)

test('what is written is read back to the last unit, nothing included', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.array(row, { maxLength: 20 }), { maxLength: 4 }), async (batches) => {
      const { file } = await written(batches)
      const rows = (await read(file)).map(({ who, nano, ms }) => [who ?? null, nano ?? null, ms ?? null])
      assert.deepEqual(rows, batches.flat())
    }),
    { numRuns: 50 },
  )
})

test('a long table leaves in pieces, as it comes', async () => {
  const batch = Array.from({ length: 4_000 }, (_, i): ColumnRow => [`u${i}`, BigInt(i), i / 2])
  const { file, pieces } = await written(Array.from({ length: 9 }, () => batch))
  assert.equal(pieces.length, 4)
  const rows = await read(file)
  assert.deepEqual([rows.length, rows.at(-1)], [36_000, { who: 'u3999', nano: 3999n, ms: 1999.5 }])
})
