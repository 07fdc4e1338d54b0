import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { test } from 'node:test'
import { openCollection, type Stock, sourceContract } from '../../../tests/kit/source-contract.ts'
import { Refusal } from '../../base/errors.ts'
import { openQuery, type QueryConfig } from '../../retrieval/queries.ts'
import { openQueryFile } from './query.ts'

async function stock(query: string): Promise<Stock & { readonly db: DatabaseSync }> {
  const folder = await mkdtemp(join(tmpdir(), 'headworks-query-'))
  const path = join(folder, 'wiki.db')
  const db = new DatabaseSync(path)
  db.exec('CREATE TABLE pages (name TEXT PRIMARY KEY, body, changed INTEGER, stars REAL, secret TEXT)')
  let changes = 0
  return {
    db,
    spec: { kind: 'sqlite', name: 'wiki', path, query },
    sources: {
      open: async (spec) =>
        openQuery(
          spec as QueryConfig & { readonly path: string },
          openQueryFile((spec as { readonly path: string }).path),
        ),
    },
    put: async (name, content) =>
      void db.prepare('INSERT OR REPLACE INTO pages VALUES (?, ?, ?, 4.5, NULL)').run(name, content, ++changes),
    remove: async (name) => void db.prepare('DELETE FROM pages WHERE name = ?').run(name),
    vanish: () => rm(folder, { recursive: true }),
    close: async () => {
      db.close()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

const DATED = `SELECT name AS id, body AS text, name AS title, changed AS updated_at, stars, secret,
  CASE WHEN name LIKE '%.pdf' THEN 'application/pdf' ELSE 'text/markdown' END AS media_type FROM pages;`

sourceContract('sqlite, dated', () => stock(DATED))
sourceContract('sqlite, undated', () => stock(DATED.replace('changed AS updated_at,', '')), { revised: false })

test('columns become attributes, empty ones none', async () => {
  const from = await stock(DATED)
  await from.put("it's a/b?.md", 'A red apple.')
  const house = openCollection(from.sources)
  await house.run(from.spec)
  const [document] = house.documents()
  assert.deepEqual(
    [document?.title, document?.uri, document?.metadata],
    ["it's a/b?.md", `wiki/${encodeURIComponent("it's a/b?.md")}`, { stars: 4.5 }],
  )
  await house.ingest.stop()
  await from.close()
})

test('queries that give no documents are refused, and none can write', async () => {
  const from = await stock(DATED)
  await from.put('a.md', 'A red apple.')
  for (const query of [
    'SELECT name AS id FROM pages',
    'SELECT body AS text FROM pages',
    'SELECT nothing',
    'DELETE FROM pages',
    'SELECT 1 AS id, 2 AS text) JOIN (DELETE FROM pages RETURNING 1',
    `SELECT 1 AS id, 'x' AS text, ${Array.from({ length: 17 }, (_, at) => `${at} AS c${at}`).join(', ')}`,
  ]) {
    const opened = await from.sources.open({ ...from.spec, query } as never, new AbortController().signal)
    assert.ok(opened instanceof Refusal && opened.code === 'source_unreadable', query)
  }
  assert.equal(from.db.prepare('SELECT count(*) AS n FROM pages').get()?.['n'], 1)
  const absent = await from.sources.open({ ...from.spec, path: '/nowhere.db' } as never, new AbortController().signal)
  assert.ok(absent instanceof Refusal)
  await from.close()
})

test('rows without an id or a text are told, the others read', async () => {
  const from = await stock(
    "SELECT name AS id, body AS text FROM pages UNION ALL SELECT NULL, 'nameless' UNION ALL SELECT 'empty', NULL",
  )
  await from.put('a', 'A red apple.')
  const house = openCollection(from.sources)
  const shown = await house.run(from.spec)
  assert.deepEqual([shown.files['read'], shown.files['skipped']], [1, 2])
  await house.ingest.stop()
  await from.close()
})
