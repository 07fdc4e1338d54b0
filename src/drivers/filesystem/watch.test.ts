import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { systemClock } from '../../base/clock.ts'
import { watchFile } from './watch.ts'

function watched(t: TestContext, name = 'headworks.yaml') {
  const folder = mkdtempSync(join(tmpdir(), 'watch-'))
  const path = join(folder, name)
  let changes = 0
  let wake = (): void => {}
  const errors: string[] = []
  const start = (): void => {
    const watch = watchFile(path, {
      clock: systemClock,
      quietMs: 10,
      onError: (reason) => errors.push(reason),
      onChange: () => (changes++, wake()),
    })
    t.after(() => watch.close())
  }
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  const change = async (count: number): Promise<void> => {
    while (changes < count) await new Promise<void>((resolve) => (wake = resolve))
    assert.equal(changes, count)
  }
  return { folder, path, start, change, errors }
}

test('a write, a rename over the file, its removal and its return are each seen', async (t) => {
  const { folder, path, start, change } = watched(t)
  writeFileSync(path, 'a')
  start()
  writeFileSync(path, 'bb')
  await change(1)
  writeFileSync(join(folder, '.tmp'), 'ccc')
  renameSync(join(folder, '.tmp'), path)
  await change(2)
  rmSync(path)
  await change(3)
  writeFileSync(path, 'dddd')
  await change(4)
})

test('a mount that swaps a link is seen', async (t) => {
  const { folder, path, start, change } = watched(t)
  for (const version of ['1', '2']) {
    mkdirSync(join(folder, version))
    writeFileSync(join(folder, version, 'headworks.yaml'), version)
  }
  symlinkSync('1', join(folder, '..data'))
  symlinkSync('..data/headworks.yaml', path)
  start()
  symlinkSync('2', join(folder, '..new'))
  renameSync(join(folder, '..new'), join(folder, '..data'))
  await change(1)
})

test('a burst of writes is one change, and neighbours are none', async (t) => {
  const { folder, path, start, change } = watched(t)
  start()
  writeFileSync(join(folder, 'other'), 'x')
  for (let i = 0; i < 50; i++) writeFileSync(path, 'y'.repeat(i))
  await change(1)
})

test('a folder that does not exist is reported, once', (t) => {
  const { start, errors } = watched(t, 'gone/headworks.yaml')
  start()
  assert.equal(errors.length, 1)
  assert.match(errors[0] ?? '', /ENOENT/)
})
