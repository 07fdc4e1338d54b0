import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import pg from 'pg'
import { skipPostgres, startPostgres } from '../../../tests/kit/programs.ts'
import { openCollection, type Stock, sourceContract } from '../../../tests/kit/source-contract.ts'
import { Fault, Refusal } from '../../base/errors.ts'
import type { SourceConfig } from '../../config/schema.ts'
import { openQuery, type QueryConfig } from '../../retrieval/queries.ts'
import { openPostgres } from './query.ts'

type PostgresConfig = Extract<SourceConfig, { readonly kind: 'postgres' }>

describe('PostgreSQL', { skip: skipPostgres }, () => {
  let server: Awaited<ReturnType<typeof startPostgres>>
  let client: pg.Client
  before(async () => {
    server = await startPostgres()
    client = new pg.Client(server.url)
    await client.connect()
  })
  after(async () => {
    await client?.end()
    await server?.stop()
  })

  const query = `SELECT name AS id, body AS text, name AS title, changed AS updated_at, stars, big,
    CASE WHEN name LIKE '%.pdf' THEN 'application/pdf' ELSE 'text/markdown' END AS media_type FROM pages`

  async function stock(): Promise<Stock & { readonly spec: PostgresConfig }> {
    await client.query('DROP TABLE IF EXISTS pages')
    await client.query(
      'CREATE TABLE pages (name TEXT PRIMARY KEY, body BYTEA, changed TIMESTAMPTZ, stars FLOAT, big BIGINT)',
    )
    return {
      spec: { kind: 'postgres', name: 'wiki', url: 'env:WIKI', query },
      sources: {
        open: async (spec) => openQuery(spec as QueryConfig, await openPostgres('wiki', server.url)),
      },
      put: async (name, content) =>
        void (await client.query(
          'INSERT INTO pages VALUES ($1, $2, clock_timestamp(), 4.5, 7) ON CONFLICT (name) DO UPDATE SET body = excluded.body, changed = excluded.changed',
          [name, Buffer.from(content)],
        )),
      remove: async (name) => void (await client.query('DELETE FROM pages WHERE name = $1', [name])),
      vanish: async () => void (await client.query('DROP TABLE pages')),
      close: async () => {},
    }
  }

  sourceContract('postgres', stock)

  test('columns become attributes, times keep their microseconds', async () => {
    const from = await stock()
    await from.put('a.md', 'A red apple.')
    const house = openCollection(from.sources)
    await house.run(from.spec)
    const [document] = house.documents()
    assert.deepEqual(document?.metadata, { stars: 4.5, big: 7 })
    assert.match(document.provenance?.revision ?? '', /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+/)
    await house.ingest.stop()
  })

  test('no query can write, and none that gives no documents is read', async () => {
    const from = await stock()
    await from.put('a.md', 'A red apple.')
    await client.query(
      "CREATE OR REPLACE FUNCTION spoil() RETURNS TEXT AS $$ DELETE FROM pages; SELECT 'x'::text $$ LANGUAGE SQL",
    )
    for (const bad of [
      'SELECT nothing',
      'DELETE FROM pages RETURNING name AS id, name AS text',
      "SELECT 'a' AS id, 'b' AS text) AS x; DELETE FROM pages; SELECT * FROM (SELECT 1",
      'SELECT name AS id FROM pages',
    ]) {
      const opened = await from.sources.open({ ...from.spec, query: bad }, new AbortController().signal)
      assert.ok(opened instanceof Refusal && opened.code === 'source_unreadable', bad)
    }
    const house = openCollection(from.sources)
    const run = await house.ingest.start('shelf', { ...from.spec, query: "SELECT 'a' AS id, spoil() AS text" })
    assert.equal(typeof run, 'string')
    await house.ingest.stop()
    assert.equal((await client.query('SELECT 1 FROM pages')).rows.length, 1)
  })

  test('a server that is not there is tried again, and its password told to nobody', async () => {
    await assert.rejects(openPostgres('wiki', 'postgres://me:hush@127.0.0.1:1/x'), (thrown) => {
      assert.ok(thrown instanceof Fault && thrown.code === 'source_unavailable')
      assert.ok(!JSON.stringify(thrown.details).includes('hush'))
      return true
    })
  })
})
