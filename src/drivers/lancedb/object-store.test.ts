import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { AwsClient } from 'aws4fetch'
import { type Moto, skipMoto, startMoto } from '../../../tests/kit/moto.ts'
import { type VectorsFixture, vectorsContract } from '../../store/contract/vectors.ts'
import { tableOf } from './name.ts'
import { openLanceVectors } from './vectors.ts'

const missing = await import('@lancedb/lancedb').then(
  () => false as const,
  () => '@lancedb/lancedb is not installed (npm leaves it out with --omit=optional)',
)
const skip = missing === false ? skipMoto : missing

const TARGET = { recallAt10: 0.95 }
const PREFIX = 'headworks/index'

describe('lancedb in an object store', { skip }, () => {
  let moto: Moto
  let signer: AwsClient
  let buckets = 0
  before(async () => {
    moto = await startMoto()
    signer = new AwsClient({ ...moto, service: 's3', region: 'us-east-1' })
  })
  after(() => moto.stop())

  async function call(method: string, path: string): Promise<string> {
    const answer = await signer.fetch(`${moto.url}/${path}`, { method })
    const text = await answer.text()
    assert.ok(answer.ok, `${method} ${path}: ${answer.status} ${text}`)
    return text
  }

  async function newBucket(): Promise<string> {
    const bucket = `vectors-${++buckets}`
    await call('PUT', bucket)
    return bucket
  }

  const keysOf = async (bucket: string, under: string): Promise<string[]> =>
    [
      ...(await call('GET', `${bucket}?list-type=2&prefix=${encodeURIComponent(under)}`)).matchAll(
        /<Key>([^<]+)<\/Key>/g,
      ),
    ].map(([, key = '']) => key)

  const openAt = (bucket: string, more: { readonly [name: string]: string } = {}) =>
    openLanceVectors({
      uri: `s3://${bucket}/${PREFIX}`,
      storage: {
        aws_access_key_id: moto.accessKeyId,
        aws_secret_access_key: moto.secretAccessKey,
        aws_endpoint: moto.url,
        aws_region: 'us-east-1',
        allow_http: 'true',
        ...more,
      },
    })

  vectorsContract('lancedb in an object store', async (): Promise<VectorsFixture> => {
    const bucket = await newBucket()
    const opened = [await openAt(bucket)]
    return {
      vectors: opened[0]!,
      reopen: async () => {
        const again = await openAt(bucket)
        opened.push(again)
        return again
      },
      damage: async (segment) => {
        const keys = await keysOf(bucket, `${PREFIX}/${tableOf(segment)}.lance/data/`)
        assert.ok(keys.length > 0)
        for (const key of keys) await call('DELETE', `${bucket}/${key}`)
      },
      close: async () => {
        for (const one of opened) await one.close()
      },
    }
  })

  test('nothing lies outside of the prefix, and a dropped segment leaves no object', async () => {
    const bucket = await newBucket()
    const vectors = await openAt(bucket)
    const writer = await vectors.write('shelf/a', 2)
    await writer.add(Float32Array.of(1, 0), [{ tenant: 'a' }])
    await writer.finish()
    const keys = await keysOf(bucket, '')
    assert.ok(keys.length > 0 && keys.every((key) => key.startsWith(`${PREFIX}/`)), keys.join())
    await vectors.drop('shelf/a')
    assert.deepEqual(await keysOf(bucket, ''), [])
    await vectors.close()
  })

  test('keys that are not accepted and buckets that are not there are faults, and the secret is not told', async () => {
    const bucket = await newBucket()
    for (const [what, open, reason] of [
      ['wrong secret', () => openAt(bucket, { aws_secret_access_key: 'canary-secret' }), /SignatureDoesNotMatch/],
      ['no bucket', () => openAt('nowhere-at-all'), /missing|NoSuchBucket/],
    ] as const) {
      await assert.rejects(
        async () => {
          const vectors = await open()
          try {
            await vectors.open('shelf/a', TARGET)
          } finally {
            await vectors.close()
          }
        },
        (thrown: { code: string; message: string; details: object }) => {
          assert.equal(thrown.code, 'index_unavailable', what)
          assert.match(thrown.message, reason)
          assert.ok(thrown.message.length < 400, thrown.message)
          assert.doesNotMatch(thrown.message + JSON.stringify(thrown.details), /canary-secret/)
          return true
        },
      )
    }
  })
})
