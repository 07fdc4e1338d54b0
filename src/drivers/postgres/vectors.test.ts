import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { Client } from 'pg'
import { PostgresServer, withoutPostgres } from '../../../tests/kit/postgres.ts'
import { Analyzer } from '../../base/words.ts'
import { damageFile } from '../../../tests/kit/damage.ts'
import { type DurableIndexFixture, durableIndexContract, indexContract } from '../../store/contract/index.ts'
import { type VectorsFixture, vectorsContract } from '../../store/contract/vectors.ts'
import type { Filter } from '../../store/filter.ts'
import type { Index } from '../../store/index.ts'
import { openFilesystemIndex } from '../filesystem/index.ts'
import { openPostgresVectors } from './vectors.ts'

const TARGET = { recallAt10: 0.95 }

describe('with a Postgres', { skip: withoutPostgres }, () => {
  let server: PostgresServer
  let schemas = 0
  before(async () => {
    server = await PostgresServer.start({ fsync: 'off' })
  })
  after(() => server.stop())

  const ask = async (sql: string, values: unknown[] = []): Promise<Record<string, unknown>[]> => {
    const client = new Client({ connectionString: server.url })
    await client.connect()
    try {
      return (await client.query<Record<string, unknown>>(sql, values)).rows
    } finally {
      await client.end()
    }
  }

  vectorsContract('postgres', async (): Promise<VectorsFixture> => {
    const schema = `s${schemas++}`
    const open = () => openPostgresVectors({ url: server.url, schema })
    const opened = [await open()]
    return {
      vectors: opened[0]!,
      reopen: async () => {
        const again = await open()
        opened.push(again)
        return again
      },
      damage: async (segment) => {
        const [row] = await ask(`SELECT id FROM ${schema}.segments WHERE name = $1`, [segment])
        await ask(`DELETE FROM ${schema}.segment_${String(row?.['id'])} WHERE chunk = 1`)
      },
      close: async () => {
        for (const one of opened) await one.close()
      },
    }
  })

  indexContract('filesystem with postgres', () => indexFixture())
  durableIndexContract('filesystem with postgres', () => indexFixture())

  async function indexFixture(): Promise<DurableIndexFixture> {
    const folder = await mkdtemp(join(tmpdir(), 'headworks-postgres-index-'))
    const schema = `s${schemas++}`
    const opened: { readonly index: Index; readonly vectors: { close(): Promise<void> } }[] = []
    const open = async (): Promise<Index> => {
      const vectors = await openPostgresVectors({ url: server.url, schema })
      const index = openFilesystemIndex(folder, new Analyzer(), { apart: vectors, comparedMax: 0 })
      opened.push({ index, vectors })
      return index
    }
    return {
      index: await open(),
      reopen: open,
      damage: (segment, how) => damageFile(join(folder, `${segment}.segment`), how),
      close: async () => {
        for (const { index, vectors } of opened) {
          await index.close()
          await vectors.close()
        }
        await rm(folder, { recursive: true })
      },
    }
  }

  test('ranges are compared in the server', async () => {
    const vectors = await openPostgresVectors({ url: server.url, schema: 'ranges' })
    const writer = await vectors.write('a', 2)
    const sizes = [1, 2.5, -1e300, Number.POSITIVE_INFINITY, '3', undefined, -0, Number.NaN]
    await writer.add(
      Float32Array.from(sizes.flatMap((_, at) => [Math.cos(at / 9), Math.sin(at / 9)])),
      sizes.map((size) => (size === undefined ? {} : { "si'ze\0": size })),
    )
    await writer.finish()
    const reader = await vectors.open('a', TARGET)
    const expected: readonly [Omit<Extract<Filter, { op: 'range' }>, 'op' | 'name'>, number[]][] = [
      [{ atLeast: 1 }, [0, 1, 3]],
      [{ above: 1 }, [1, 3]],
      [{ atMost: 0 }, [2, 6]],
      [{ below: 0 }, [2]],
      [{ atLeast: 0, below: 2.5 }, [0, 6]],
      [{}, [0, 1, 2, 3, 6]],
    ]
    for (const [range, chunks] of expected) {
      const filter: Filter = { op: 'range', name: "si'ze\0", ...range }
      const fit = async (one: Filter): Promise<number[]> =>
        (await reader.search(Float32Array.of(1, 0), { k: 9, filter: one })).map(({ chunk }) => chunk)
      assert.deepEqual(await fit(filter), chunks, JSON.stringify(range))
      const others = [...sizes.keys()].filter((chunk) => !chunks.includes(chunk))
      assert.deepEqual(await fit({ op: 'not', filter }), others, `not ${JSON.stringify(range)}`)
    }
    reader.close()
    await vectors.close()
  })

  test('what a crash left of a writer is nothing; what it left of a drop goes at a later start', async () => {
    const vectors = await openPostgresVectors({ url: server.url, schema: 'crash' })
    const writer = await vectors.write('half', 2)
    await writer.add(Float32Array.of(1, 0), [{}])
    await ask(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE state = 'active' AND query LIKE 'COPY crash.%'",
    )
    await assert.rejects(writer.finish(), { code: 'store_unavailable' })
    assert.deepEqual(await vectors.segments(), [])
    const again = await vectors.write('half', 2)
    await again.add(Float32Array.of(1, 0), [{}])
    await again.finish()
    await ask("UPDATE crash.segments SET name = NULL, dropped_at = now() - interval '1 day'")
    const later = await openPostgresVectors({ url: server.url, schema: 'crash' })
    const tables = await ask("SELECT tablename FROM pg_tables WHERE schemaname = 'crash'")
    assert.deepEqual(tables, [{ tablename: 'segments' }])
    await later.close()
    await vectors.close()
  })

  test('a dropped segment leaves no table once nobody reads it', async () => {
    const vectors = await openPostgresVectors({ url: server.url, schema: 'dropped' })
    const writer = await vectors.write('a', 2)
    await writer.add(Float32Array.of(1, 0), [{}])
    await writer.finish()
    const reader = await vectors.open('a', TARGET)
    await vectors.drop('a')
    reader.close()
    await vectors.close()
    assert.deepEqual(await ask("SELECT tablename FROM pg_tables WHERE schemaname = 'dropped'"), [
      { tablename: 'segments' },
    ])
  })

  test('a connection that breaks is replaced', async () => {
    const vectors = await openPostgresVectors({ url: server.url, schema: 'broken' })
    assert.deepEqual(await vectors.segments(), [])
    await ask("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'headworks'")
    await vectors
      .segments()
      .catch((thrown: unknown) => assert.equal((thrown as { code: string }).code, 'index_unavailable'))
    assert.deepEqual(await vectors.segments(), [])
    await vectors.close()
  })

  test('a database that does not exist is named', async () => {
    const url = server.url.replace('/postgres?', '/nowhere?')
    await assert.rejects(openPostgresVectors({ url, schema: 'x' }), (thrown: { code: string; message: string }) => {
      assert.equal(thrown.code, 'index_unavailable')
      assert.match(thrown.message, /nowhere/)
      return true
    })
  })
})

test('a server that is not there is index_unavailable', async () => {
  await assert.rejects(openPostgresVectors({ url: 'postgres://127.0.0.1:1/x', schema: 'x' }), {
    code: 'index_unavailable',
  })
})

test('a schema that is no name is refused before it reaches SQL', async () => {
  await assert.rejects(openPostgresVectors({ url: 'postgres://127.0.0.1:1/x', schema: 'x; DROP TABLE y' }), {
    code: 'internal',
  })
})
