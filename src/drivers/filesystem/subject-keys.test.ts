import assert from 'node:assert/strict'
import { linkSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { Fault } from '../../base/errors.ts'
import { FileSubjectKeys } from './subject-keys.ts'

const WRAPPED = Buffer.from('a wrapped key of some length')

function open(t: TestContext) {
  const folder = mkdtempSync(join(tmpdir(), 'subject-keys-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  return { folder, keys: new FileSubjectKeys(join(folder, 'keys')) }
}

test('a key is written for its owner alone, found, listed by what it begins with, and replaced', async (t) => {
  const { folder, keys } = open(t)
  assert.deepEqual([await keys.read('a.b'), await keys.list('')], [undefined, []])
  await keys.write('a.b', Buffer.from('before'))
  await keys.write('a.b', WRAPPED)
  await keys.write('a.c', WRAPPED)
  assert.deepEqual(await keys.read('a.b'), WRAPPED)
  assert.deepEqual([(await keys.list('a.')).sort(), await keys.list('b.')], [['a.b', 'a.c'], []])
  if (process.platform !== 'win32') assert.equal(statSync(join(folder, 'keys', 'a.b')).mode & 0o777, 0o600)
})

test('a destroyed key is overwritten where it lay, not only unlinked', async (t) => {
  const { folder, keys } = open(t)
  await keys.write('a.b', WRAPPED)
  // A second name of the same file shows what became of its bytes.
  linkSync(join(folder, 'keys', 'a.b'), join(folder, 'same'))
  assert.deepEqual([await keys.destroy('a.b'), await keys.destroy('a.b')], [true, false])
  assert.deepEqual([await keys.read('a.b'), await keys.list('')], [undefined, []])
  assert.deepEqual(readFileSync(join(folder, 'same')), Buffer.alloc(WRAPPED.length))
})

test('what a crash left of one half written is none; a folder that is none is said to be unusable', async (t) => {
  const { folder, keys } = open(t)
  await keys.write('a.b', WRAPPED)
  writeFileSync(join(folder, 'keys', 'a.c.new'), 'half')
  assert.deepEqual(await keys.list('a.'), ['a.b'])
  writeFileSync(join(folder, 'file'), '')
  const broken = new FileSubjectKeys(join(folder, 'file'))
  for (const attempt of [() => broken.write('a', WRAPPED), () => broken.read('a'), () => broken.list('')])
    await assert.rejects(attempt, (thrown) => thrown instanceof Fault && thrown.code === 'data_unusable')
})
