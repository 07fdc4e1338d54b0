import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { root } from './modules.ts'
import { PATTERNS, checkNames } from './names.ts'

/** Files git knows or would take; the guard's own examples aside. */
function projectFiles(): [path: string, text: string][] {
  const { stdout, status } = spawnSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
    cwd: root,
    encoding: 'utf8',
  })
  assert.equal(status, 0, 'git cannot list the files of the project')
  const paths = stdout
    .split('\0')
    .filter((path) => path !== '' && path !== 'tests/guards/names.test.ts' && existsSync(join(root, path)))
  return paths
    .map((path): [string, string] => [path, readFileSync(join(root, path), 'utf8')])
    .filter(([, text]) => !text.includes('\0'))
}

test('no file names a workplace', () => {
  // More to look for, known only where it matters.
  const extra = process.env['HEADWORKS_TEST_NAMES']
  const patterns =
    extra === undefined ? PATTERNS : [...PATTERNS, { what: 'a name to keep out', pattern: new RegExp(extra, 'i') }]
  const files = projectFiles()
  assert.ok(files.length > 50, 'git lists hardly any file')
  assert.deepEqual(checkNames(files, patterns), [])
})

for (const line of [
  'see /root/notes.txt',
  'cd /home/alice/project',
  '"/Users/alice/x"',
  'https://registry.example.org/a',
  'http://build.internal/x',
  'as issue 7 asks',
]) {
  test(`sees ${line}`, () => assert.equal(checkNames([['a.md', `first\n${line}`]]).length, 1))
}

for (const line of [
  'const root = 5',
  'https://example.org/root/x',
  'mount /var/lib/headworks',
  'node:internal/timers',
  './work/x',
  'C: /home/user/docs',
  'GET /v1/models',
]) {
  test(`allows ${line}`, () => assert.deepEqual(checkNames([['a.md', line]]), []))
}
