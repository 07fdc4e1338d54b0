import assert from 'node:assert/strict'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { fault } from '../base/errors.ts'
import { Secret } from '../config/secret.ts'
import type { Vectors } from '../store/vectors.ts'
import { LateVectors, openVectors, vectorsFor } from './vectors.ts'

const secrets = new Map([
  ['env:PG', new Secret('postgres://me:pass@db/x')],
  ['env:KEY', new Secret('k')],
])
const told = (index: Parameters<typeof vectorsFor>[0]): unknown => JSON.parse(vectorsFor(index, secrets, '/data'))

test('children are told with secrets in place of references, and folders within the data folder', () => {
  assert.deepEqual(told({ kind: 'embedded' }), { kind: 'embedded' })
  assert.deepEqual(told({ kind: 'postgres', url: 'env:PG', schema: 'headworks' }), {
    kind: 'postgres',
    url: 'postgres://me:pass@db/x',
    schema: 'headworks',
  })
  assert.deepEqual(
    told({ kind: 'lancedb', uri: 'lance', storage: { aws_secret_access_key: 'env:KEY', aws_region: 'x' } }),
    {
      kind: 'lancedb',
      uri: join('/data', 'lance'),
      storage: { aws_secret_access_key: 'k', aws_region: 'x' },
    },
  )
  assert.deepEqual(told({ kind: 'lancedb', uri: 's3://bucket/a' }), {
    kind: 'lancedb',
    uri: 's3://bucket/a',
    storage: {},
  })
  assert.deepEqual(told({ kind: 'qdrant', url: 'http://q:6333', key: 'env:KEY', prefix: 'p' }), {
    kind: 'qdrant',
    url: 'http://q:6333',
    key: 'k',
    prefix: 'p',
  })
})

test('vectors that were told to lie in LanceDB lie there', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'headworks-vectors-'))
  t.after(() => rm(folder, { recursive: true }))
  try {
    await import('@lancedb/lancedb')
  } catch {
    return t.skip('@lancedb/lancedb is not installed')
  }
  const vectors = await openVectors(vectorsFor({ kind: 'lancedb', uri: 'lance' }, secrets, folder), folder)
  const writer = await vectors?.write('a', 2)
  await writer?.add(Float32Array.of(1, 0), [{}])
  await writer?.finish()
  assert.deepEqual(await vectors?.segments(), ['a'])
  assert.deepEqual(await readdir(join(folder, 'lance')), ['a.lance'])
})

test('a server that is down is asked again when it is needed next', async () => {
  for (const told of [
    { kind: 'postgres', url: 'postgres://127.0.0.1:1/x', schema: 'x' },
    { kind: 'qdrant', url: 'http://127.0.0.1:1', prefix: 'x' },
  ]) {
    const vectors = await openVectors(JSON.stringify(told), '/nowhere')
    for (let attempt = 0; attempt < 2; attempt++)
      await assert.rejects(async () => vectors?.segments(), { code: 'index_unavailable' })
  }
  let attempts = 0
  const up: Pick<Vectors, 'segments'> = { segments: async () => ['a'] }
  const late = new LateVectors(async () => {
    if (++attempts === 1) throw fault('index_unavailable', { reason: 'down' })
    return up as Vectors
  })
  await assert.rejects(late.segments(), { code: 'index_unavailable' })
  assert.deepEqual([await late.segments(), await late.segments(), attempts], [['a'], ['a'], 2])
})
