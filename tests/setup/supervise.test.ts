import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { runGroup } from '../supervise.ts'

const IMPORTS = "import { describe, it, test } from 'node:test'\n"

/** Runs these texts as test files. Silence is cut short: a hang shall not take minutes. */
async function runFiles(texts: { readonly [file: string]: string }, silenceMsMax = 60_000) {
  const root = mkdtempSync(join(tmpdir(), 'headworks-tests-'))
  try {
    for (const [file, text] of Object.entries(texts)) writeFileSync(join(root, file), IMPORTS + text)
    const { passed, failures, skipped } = await runGroup({
      root,
      files: Object.keys(texts),
      silenceMsMax,
      onFailure: () => {},
    })
    return {
      passed,
      skipped: skipped.map(({ file, name, reason }) => [file, name, reason]),
      failures: failures.map(({ file, name }) => [file, name]),
      details: failures.map(({ detail }) => detail).join('\n'),
    }
  } finally {
    rmSync(root, { recursive: true, force: true })
  }
}

const SOUND = "test('sound', () => {})\n"

test('passes, failures and skips are told by file and full name', async () => {
  const { passed, failures, skipped, details } = await runFiles({
    'a.test.ts':
      "describe('outer', () => { it('inner', () => {}); it('fails', () => { throw new Error('on purpose') }) })\n",
    'b.test.ts':
      "test('left out', { skip: 'no browser' }, () => {})\ntest('later', { todo: true }, () => {})\n" + SOUND,
  })
  assert.equal(passed, 2)
  assert.deepEqual(failures, [['a.test.ts', 'outer > fails']])
  assert.match(details, /on purpose/)
  assert.deepEqual(skipped, [
    ['b.test.ts', 'left out', 'no browser'],
    ['b.test.ts', 'later', 'no reason given'],
  ])
})

test('a file that keeps the process alive is named', async () => {
  const { passed, failures, details } = await runFiles({
    'a.test.ts': SOUND,
    'b.test.ts': "test('leaks', () => { setInterval(() => {}, 1000) })\n",
  })
  assert.equal(passed, 2)
  assert.deepEqual(failures, [['b.test.ts', '(leak)']])
  assert.match(details, /Timeout/)
})

test('a test that never returns is named, and what was not reached', async () => {
  const { failures, details } = await runFiles(
    { 'a.test.ts': "test('spins', () => { for (;;); })\n", 'b.test.ts': SOUND },
    3000,
  )
  assert.deepEqual(failures, [
    ['a.test.ts: spins', '(hang)'],
    ['2 files', '(not reached)'],
  ])
  assert.match(details, /b\.test\.ts/)
})

test('a test that ends the process is named', async () => {
  const { failures } = await runFiles({ 'a.test.ts': "test('leaves', () => process.exit(0))\n" })
  assert.deepEqual(failures[0], ['a.test.ts: leaves', '(process)'])
})

test('a file that cannot be loaded, and one without tests, fail', async () => {
  const { passed, failures } = await runFiles({
    'a.test.ts': "import 'no-such-package'\n",
    'b.test.ts': '',
    'c.test.ts': SOUND,
  })
  assert.equal(passed, 1)
  assert.deepEqual(failures, [
    ['a.test.ts', '(file)'],
    ['b.test.ts', '(file)'],
  ])
})
