import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, statSync, unlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { Fault } from '../../base/errors.ts'
import { holdFolder } from './lock.ts'

/** Started by the test below as `lock.test.ts hold FOLDER`: holds the folder until it is killed,
 *  keeping nothing of what it was given, and collecting garbage. */
const [, script, role, held] = process.argv
if (script === import.meta.filename && role === 'hold') {
  holdFolder(held ?? '')
  process.stdin.resume()
  setImmediate(() => {
    globalThis.gc?.()
    process.stdout.write(globalThis.gc ? 'held\n' : 'cannot collect\n')
  })
} else {
  tests()
}

function tests(): void {
  test('a folder is made for its owner alone, and held by one', (t) => {
    const folder = join(newFolder(t), 'deep', 'data')
    const hold = holdFolder(folder)
    if (process.platform !== 'win32') assert.equal(statSync(folder).mode & 0o777, 0o700)
    refused(folder, 'data_in_use', process.pid)
    hold.release()
    hold.release()
    holdFolder(folder).release()
  })

  test('another process is refused with the pid of the holder, until that is killed', async (t) => {
    const folder = newFolder(t)
    const child = spawn(process.execPath, ['--expose-gc', import.meta.filename, 'hold', folder], {
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    t.after(() => child.kill('SIGKILL'))
    const said = await new Promise((resolve) => child.stdout.once('data', resolve))
    assert.equal(String(said), 'held\n')
    refused(folder, 'data_in_use', child.pid)
    refused(folder, 'data_in_use', child.pid) // Having asked must not have weakened the lock.
    unlinkSync(join(folder, 'lock.pid'))
    refused(folder, 'data_in_use', 'unknown')
    const gone = new Promise((resolve) => child.once('exit', resolve))
    child.kill('SIGKILL')
    await gone
    holdFolder(folder).release()
  })

  test('what cannot be a data folder is refused, saying so', (t) => {
    const folder = newFolder(t)
    writeFileSync(join(folder, 'file'), '')
    refused(join(folder, 'file'), 'data_unusable')
    refused(join(folder, 'file', 'below'), 'data_unusable')
    refused(`${folder}/a\0b`, 'data_unusable')
    writeFileSync(join(folder, 'lock.db'), 'this is no database, but a text of some length. '.repeat(100))
    refused(folder, 'data_unusable')
  })

  test('a folder that cannot be made is refused, saying so', () => {
    refused('/proc/headworks', 'data_unusable') // Not even root may.
  })
}

function newFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'headworks-lock-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

function refused(folder: string, code: string, pid?: number | string): void {
  assert.throws(
    () => holdFolder(folder),
    (thrown: unknown) =>
      thrown instanceof Fault &&
      thrown.code === code &&
      thrown.details['path'] === folder &&
      thrown.details['pid'] === pid,
  )
}
