import assert from 'node:assert/strict'
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { Fault } from '../../base/errors.ts'
import { seededRandom, systemRandom } from '../../base/random.ts'
import { keepPepper } from './pepper.ts'

function newFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'pepper-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

const faultOf = (folder: string): Fault => {
  try {
    keepPepper(folder, 32, systemRandom)
  } catch (thrown) {
    if (thrown instanceof Fault) return thrown
  }
  return assert.fail('was accepted')
}

test('a pepper is made once, for the owner alone, and found again', (t) => {
  const folder = newFolder(t)
  const made = keepPepper(folder, 32, seededRandom(1))
  assert.deepEqual(made, seededRandom(1).bytes(32))
  assert.deepEqual(Buffer.from(keepPepper(folder, 32, seededRandom(2))), Buffer.from(made))
  assert.deepEqual(readdirSync(folder), ['pepper'])
  if (process.platform !== 'win32') assert.equal(statSync(join(folder, 'pepper')).mode & 0o777, 0o600)
})

test('what a crash left of one half written is no pepper', (t) => {
  const folder = newFolder(t)
  writeFileSync(join(folder, 'pepper.new'), 'half')
  const made = keepPepper(folder, 32, systemRandom)
  assert.deepEqual(readFileSync(join(folder, 'pepper')), Buffer.from(made))
  if (process.platform !== 'win32') assert.equal(statSync(join(folder, 'pepper')).mode & 0o777, 0o600)
})

test('a pepper of another length, or none that can be read, is refused and left as it is', (t) => {
  const folder = newFolder(t)
  for (const bytes of ['', 'short', 'x'.repeat(33)]) {
    writeFileSync(join(folder, 'pepper'), bytes)
    assert.equal(faultOf(folder).code, 'data_unusable')
    assert.match(faultOf(folder).message, new RegExp(`has ${bytes.length} bytes instead of 32`))
    assert.equal(readFileSync(join(folder, 'pepper'), 'utf8'), bytes)
  }
  assert.equal(faultOf(join(folder, 'nowhere')).code, 'data_unusable')
  if (process.getuid?.() === 0) return // Nothing is closed to root.
  chmodSync(join(folder, 'pepper'), 0)
  assert.equal(faultOf(folder).code, 'data_unusable')
})
