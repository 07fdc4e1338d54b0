import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { test, type TestContext } from 'node:test'
import { systemClock } from '../../base/clock.ts'
import { silentLog } from '../../base/log.ts'
import { rejects } from '../../store/contract/opened.ts'
import { put, table } from '../../store/rows.ts'
import { openDatabase } from './schema.ts'
import { openSqlite, type SqliteOptions } from './store.ts'

const NOTES = table<string>('notes')

function optionsOf(t: TestContext): SqliteOptions {
  const folder = mkdtempSync(join(tmpdir(), 'headworks-store-'))
  t.after(() => rmSync(folder, { recursive: true }))
  return { path: join(folder, 'store.db'), clock: systemClock, log: silentLog }
}

async function written(options: SqliteOptions, rows = 1): Promise<void> {
  const store = await openSqlite(options)
  for (let at = 0; at < rows; at++) await store.rows.commit([put(NOTES, [`${at}`], 'x'.repeat(2_000))])
  await store.close()
}

test("the file is its owner's alone, and its log is gone once closed", async (t) => {
  const options = optionsOf(t)
  const store = await openSqlite(options)
  t.after(() => store.close())
  await store.rows.commit([put(NOTES, ['a'], 'x')])
  if (process.platform !== 'win32')
    for (const end of ['', '-wal', '-shm']) assert.equal(statSync(options.path + end).mode & 0o777, 0o600)
  await store.close()
  assert.throws(() => statSync(`${options.path}-wal`), { code: 'ENOENT' })
})

test('a commit waits for the disk', (t) => {
  const db = openDatabase({ path: optionsOf(t).path, bytesMax: undefined })
  assert.equal(db.prepare('PRAGMA synchronous').get()?.['synchronous'], 2) // FULL
  assert.equal(db.prepare('PRAGMA journal_mode').get()?.['journal_mode'], 'wal')
  db.close()
})

test('every acknowledgement comes after the commit, which another reader then sees', async (t) => {
  const options = optionsOf(t)
  const store = await openSqlite(options)
  t.after(() => store.close())
  await store.rows.commit([put(NOTES, ['a'], 'x')])
  const other = new DatabaseSync(options.path, { readOnly: true })
  assert.equal(other.prepare('SELECT count(*) AS count FROM rows').get()?.['count'], 1)
  other.close()
})

test('a file of a newer version is refused, untouched, saying what to do', async (t) => {
  const options = optionsOf(t)
  await written(options)
  const db = new DatabaseSync(options.path)
  db.exec('PRAGMA user_version = 99')
  db.close()
  const before = readFileSync(options.path)
  await rejects(() => openSqlite(options), 'data_unusable', /newer Headworks \(schema 99.*update/)
  assert.ok(before.equals(readFileSync(options.path)))
})

test('a database of another program is refused, untouched', async (t) => {
  const options = optionsOf(t)
  const db = new DatabaseSync(options.path)
  db.exec('CREATE TABLE rows (a)')
  db.close()
  const before = readFileSync(options.path)
  await rejects(() => openSqlite(options), 'data_unusable', /another program/)
  assert.ok(before.equals(readFileSync(options.path)))
})

test('a file that is no database is refused', async (t) => {
  const options = optionsOf(t)
  writeFileSync(options.path, 'a text of some length, but no database. '.repeat(200))
  await rejects(() => openSqlite(options), 'data_unusable', /store\.db/)
})

test('a damaged file is refused as such when the damage is met, and the process lives', async (t) => {
  const options = optionsOf(t)
  await written(options, 200)
  const bytes = readFileSync(options.path)
  bytes.fill(0x5a, 3 * 4096)
  writeFileSync(options.path, bytes)
  await rejects(
    async () => {
      const store = await openSqlite(options)
      t.after(() => store.close())
      await store.rows.scan(NOTES, { limit: 1_000 })
    },
    'data_unusable',
    /damaged/,
  )
})

test('damage that would read as an empty table is found while opening', async (t) => {
  const options = optionsOf(t)
  await written(options, 200)
  const bytes = readFileSync(options.path)
  for (let at = 5000; at < bytes.length; at += 50) bytes[at] = (bytes[at] ?? 0) ^ 0xff
  writeFileSync(options.path, bytes)
  await rejects(() => openSqlite(options), 'data_unusable', /damaged/)
})

test('a file cut short is refused as such', async (t) => {
  const options = optionsOf(t)
  await written(options, 200)
  writeFileSync(options.path, readFileSync(options.path).subarray(0, 2 * 4096))
  await rejects(async () => {
    const store = await openSqlite(options)
    t.after(() => store.close())
    await store.rows.scan(NOTES, { limit: 1_000 })
  }, 'data_unusable')
})

test('a path that is a folder, or in none, is refused', async (t) => {
  const options = optionsOf(t)
  mkdirSync(options.path)
  await rejects(() => openSqlite(options), 'data_unusable', /store\.db/)
  await rejects(() => openSqlite({ ...options, path: join(options.path, 'never', 'store.db') }), 'data_unusable')
})

test('closing answers what was asked before; after it every port refuses', async (t) => {
  const store = await openSqlite(optionsOf(t))
  const asked = Array.from({ length: 50 }, (_, at) => store.rows.commit([put(NOTES, [`${at}`], 'x')]))
  const closed = Promise.all([store.close(), store.close()])
  assert.ok((await Promise.all(asked)).every(Boolean))
  await closed
  await rejects(() => store.rows.get(NOTES, ['1']), 'store_unavailable', /closed/)
  await rejects(() => store.queue.lease('q', 1_000), 'store_unavailable', /closed/)
  await rejects(() => store.leases.read('l'), 'store_unavailable', /closed/)
  await rejects(() => store.events.read('e'), 'store_unavailable', /closed/)
})

test('more calls than may wait are refused, those that wait are answered', async (t) => {
  const store = await openSqlite(optionsOf(t))
  t.after(() => store.close())
  const asked = await Promise.allSettled(Array.from({ length: 20_500 }, () => store.events.read('none')))
  const refused = asked.filter((one) => one.status === 'rejected')
  assert.equal(refused.length, 500)
  assert.ok(refused.every(({ reason }) => reason.code === 'overloaded'))
})
