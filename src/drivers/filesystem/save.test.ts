import assert from 'node:assert/strict'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { saveFile } from './save.ts'

async function* pieces(...texts: readonly (string | Error)[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) {
    if (text instanceof Error) throw text
    yield Buffer.from(text)
  }
}

test('a file is saved whole or not at all', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'headworks-save-'))
  try {
    const path = join(folder, 'usage.parquet')
    assert.equal(await saveFile(path, pieces('one', 'two')), 6)
    assert.equal(await readFile(path, 'utf8'), 'onetwo')
    await assert.rejects(saveFile(path, pieces('new', new Error('it broke off'))), /it broke off/)
    assert.equal(await readFile(path, 'utf8'), 'onetwo')
    assert.deepEqual(await readdir(folder), ['usage.parquet'])
  } finally {
    await rm(folder, { recursive: true })
  }
})
