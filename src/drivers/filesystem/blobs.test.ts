import assert from 'node:assert/strict'
import { mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { blobsContract, durableBlobsContract } from '../../store/contract/blobs.ts'
import { rejects } from '../../store/contract/opened.ts'
import { openBlobs } from './blobs.ts'

const newFolder = (): Promise<string> => mkdtemp(join(tmpdir(), 'headworks-blobs-'))

async function folderOf(t: TestContext): Promise<string> {
  const folder = await newFolder()
  t.after(() => rm(folder, { recursive: true, force: true }))
  return folder
}

async function open() {
  const folder = await newFolder()
  return {
    port: await openBlobs({ folder, sweep: true }),
    reopen: () => openBlobs({ folder, sweep: true }),
    close: () => rm(folder, { recursive: true }),
  }
}

blobsContract('filesystem', open)
durableBlobsContract('filesystem', open)

test('a write that was interrupted is never listed, and swept by the holder of the folder alone', async (t) => {
  const folder = await folderOf(t)
  const blobs = await openBlobs({ folder, sweep: true })
  await blobs.put('a/b', new Uint8Array(3))
  const left = [join(folder, '.put-1-00'), join(folder, 'a', '.put-1-00')]
  for (const path of left) await writeFile(path, 'half')
  assert.deepEqual(await blobs.list(''), [{ name: 'a/b', bytes: 3 }])
  await openBlobs({ folder, sweep: false })
  for (const path of left) assert.equal(await readFile(path, 'utf8'), 'half')
  const swept = await openBlobs({ folder, sweep: true })
  for (const path of left) await assert.rejects(stat(path), { code: 'ENOENT' })
  assert.deepEqual(await swept.list(''), [{ name: 'a/b', bytes: 3 }])
})

test('a put leaves its file alone behind, for its owner alone', async (t) => {
  const folder = join(await folderOf(t), 'deep', 'blobs')
  const blobs = await openBlobs({ folder, sweep: true })
  await blobs.put('a/b/c', new Uint8Array(3))
  await rejects(() => blobs.put('a/b', new Uint8Array(3)), 'internal')
  assert.deepEqual((await readdir(folder, { recursive: true })).sort(), ['a', 'a/b', 'a/b/c'])
  if (process.platform === 'win32') return
  assert.equal((await stat(join(folder, 'a/b/c'))).mode & 0o777, 0o600)
  for (const path of [folder, join(folder, 'a/b')]) assert.equal((await stat(path)).mode & 0o777, 0o700)
})

test('no symbolic link is followed', async (t) => {
  const outside = await folderOf(t)
  await writeFile(join(outside, 'secret'), 'secret')
  await mkdir(join(outside, 'empty'))
  const folder = await folderOf(t)
  const blobs = await openBlobs({ folder, sweep: true })
  await blobs.put('real/secret', new Uint8Array(3))
  await symlink(outside, join(folder, 'link'))
  await symlink(join(outside, 'secret'), join(folder, 'file'))
  await symlink(join(folder, 'real'), join(folder, 'inside'))
  for (const name of ['link/secret', 'file', 'inside/secret', 'link/empty/x'])
    await rejects(() => blobs.get(name), 'store_unavailable')
  for (const name of ['link/secret', 'link/new', 'link/empty/x/y', 'inside/x'])
    await rejects(() => blobs.put(name, new Uint8Array(1)), 'store_unavailable', /symbolic link/)
  for (const name of ['link/secret', 'inside/secret'])
    await rejects(() => blobs.remove(name), 'store_unavailable', /symbolic link/)
  assert.equal(await blobs.remove('file'), false)
  await rejects(() => blobs.list('link/'), 'store_unavailable', /symbolic link/)
  assert.deepEqual(await blobs.list(''), [{ name: 'real/secret', bytes: 3 }])
  await blobs.put('file', new Uint8Array(2))
  assert.equal((await blobs.get('file'))?.length, 2)
  assert.equal(await readFile(join(outside, 'secret'), 'utf8'), 'secret')
  assert.deepEqual((await readdir(outside)).sort(), ['empty', 'secret'])
})

test('a folder that is a file is refused, saying so', async (t) => {
  const file = join(await folderOf(t), 'file')
  await writeFile(file, '')
  await rejects(() => openBlobs({ folder: file, sweep: true }), 'data_unusable', /file/)
  await rejects(() => openBlobs({ folder: join(file, 'below'), sweep: true }), 'data_unusable', /file/)
})
