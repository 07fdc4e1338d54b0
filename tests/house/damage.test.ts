/** A database that is damaged in the middle: found out only while the house opens. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'

const MAIN = join(import.meta.dirname, '../../src/main.ts')
const ENDS_MS_MAX = 30_000

test('a command over a damaged database says so and ends, with all it started', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'headworks-damage-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  writeFileSync(join(folder, 'tea.md'), '# Tea\n\nBrew it for two minutes.\n')
  const headworks = (...words: string[]) =>
    spawnSync(process.execPath, [MAIN, ...words], {
      cwd: folder,
      env: { PATH: process.env['PATH'], HEADWORKS_DATA: join(folder, 'data') },
      encoding: 'utf8',
      timeout: ENDS_MS_MAX,
    })
  assert.equal(headworks('ingest', 'notes', '.').status, 0)
  const database = join(folder, 'data', 'headworks.db')
  const bytes = readFileSync(database)
  for (let at = 5000; at < bytes.length; at += 50) bytes[at] = (bytes[at] ?? 0) ^ 0xff
  writeFileSync(database, bytes)
  const { status, signal, stderr } = headworks('collections')
  assert.deepEqual([status, signal], [1, null])
  assert.match(stderr, /headworks\.db is damaged/)
})
