import assert from 'node:assert/strict'
import { mkdtemp, readdir, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { damageFile } from '../../../tests/kit/damage.ts'
import { Analyzer } from '../../base/words.ts'
import { type DurableIndexFixture, durableIndexContract, indexContract } from '../../store/contract/index.ts'
import { vectorsContract } from '../../store/contract/vectors.ts'
import type { Index } from '../../store/index.ts'
import { openFilesystemIndex } from '../filesystem/index.ts'
import { segmentOf, tableOf } from './name.ts'
import { openLanceVectors } from './vectors.ts'

const missing = await import('@lancedb/lancedb').then(
  () => false as const,
  () => '@lancedb/lancedb is not installed (npm leaves it out with --omit=optional)',
)
const TARGET = { recallAt10: 0.95 }
const folderOf = (): Promise<string> => mkdtemp(join(tmpdir(), 'headworks-lance-'))

vectorsContract(
  'lancedb',
  async () => {
    const folder = await folderOf()
    const opened = [await openLanceVectors({ uri: folder })]
    return {
      vectors: opened[0]!,
      reopen: async () => {
        const again = await openLanceVectors({ uri: folder })
        opened.push(again)
        return again
      },
      damage: async (segment) => {
        const data = join(folder, `${tableOf(segment)}.lance`, 'data')
        for (const name of await readdir(data)) await rm(join(data, name))
      },
      close: async () => {
        for (const one of opened) await one.close()
        await rm(folder, { recursive: true })
      },
    }
  },
  missing,
)

describe('filesystem with lancedb', { skip: missing }, () => {
  indexContract('filesystem with lancedb', () => indexFixture())
  durableIndexContract('filesystem with lancedb', () => indexFixture())
})

async function indexFixture(): Promise<DurableIndexFixture> {
  const folder = await folderOf()
  const opened: { readonly index: Index; readonly vectors: { close(): Promise<void> } }[] = []
  const open = async (): Promise<Index> => {
    const vectors = await openLanceVectors({ uri: join(folder, 'lance') })
    const index = openFilesystemIndex(join(folder, 'index'), new Analyzer(), { apart: vectors, comparedMax: 0 })
    opened.push({ index, vectors })
    return index
  }
  return {
    index: await open(),
    reopen: open,
    damage: (segment, how) => damageFile(join(folder, 'index', `${segment}.segment`), how),
    close: async () => {
      for (const { index, vectors } of opened) {
        await index.close()
        await vectors.close()
      }
      await rm(folder, { recursive: true })
    },
  }
}

describe('lancedb', { skip: missing }, () => {
  test('what a crash left unfinished is listed, cannot be opened and can be dropped', async () => {
    const folder = await folderOf()
    const vectors = await openLanceVectors({ uri: folder })
    await (await vectors.write('shelf/half', 2)).add(Float32Array.of(1, 0), [{}])
    assert.deepEqual(await vectors.segments(), ['shelf/half'])
    await assert.rejects(vectors.open('shelf/half', TARGET), { code: 'index_unavailable' })
    await vectors.drop('shelf/half')
    assert.deepEqual(await vectors.segments(), [])
    await vectors.close()
    await rm(folder, { recursive: true })
  })

  test('a dropped segment leaves nothing once nobody reads it', async () => {
    const folder = await folderOf()
    const vectors = await openLanceVectors({ uri: folder })
    const writer = await vectors.write('a', 2)
    await writer.add(Float32Array.of(1, 0), [{}])
    await writer.finish()
    const reader = await vectors.open('a', TARGET)
    await vectors.drop('a')
    reader.close()
    await vectors.close()
    assert.deepEqual(await readdir(folder), [])
    await rm(folder, { recursive: true })
  })

  test('a table whose manifest is cut off is refused by name', async () => {
    const folder = await folderOf()
    const builder = await openLanceVectors({ uri: folder })
    const writer = await builder.write('a', 2)
    await writer.add(Float32Array.of(1, 0), [{}])
    await writer.finish()
    await builder.close()
    const versions = join(folder, 'a.lance', '_versions')
    for (const name of await readdir(versions)) await truncate(join(versions, name), 10)
    const vectors = await openLanceVectors({ uri: folder })
    await assert.rejects(vectors.open('a', TARGET), (thrown: { code: string; message: string }) => {
      assert.equal(thrown.code, 'index_unavailable')
      assert.match(thrown.message, /segment a cannot be read/)
      return true
    })
    await vectors.close()
    await rm(folder, { recursive: true })
  })

  test('a place that cannot be written is a fault of the store', async () => {
    const folder = await folderOf()
    await writeFile(join(folder, 'file'), 'in the way')
    await assert.rejects(
      async () => (await openLanceVectors({ uri: join(folder, 'file') })).write('a', 2),
      (thrown: { code: string }) => ['store_unavailable', 'index_unavailable'].includes(thrown.code),
    )
    await rm(folder, { recursive: true })
  })
})

test('tables bear the names of segments, and say them again', () => {
  for (const segment of ['a', 'a/b', 'a_b', 'a_sb', 'a__/_s', 'x-1.2/seg_01'])
    assert.equal(segmentOf(tableOf(segment)), segment)
  assert.equal(new Set(['a/b', 'a_sb', 'a_b', 'a__b'].map(tableOf)).size, 4)
  for (const other of ['Upper', 'a_b', '']) assert.equal(segmentOf(other), undefined)
})
