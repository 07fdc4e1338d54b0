import assert from 'node:assert/strict'
import { createHash, createHmac } from 'node:crypto'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, describe, test } from 'node:test'
import { AwsClient } from 'aws4fetch'
import { type Moto, skipMoto, startMoto } from '../../../tests/kit/moto.ts'
import { openCollection, type Stock, sourceContract } from '../../../tests/kit/source-contract.ts'
import { systemClock as clock } from '../../base/clock.ts'
import { Refusal } from '../../base/errors.ts'
import type { SourceConfig } from '../../config/schema.ts'
import { GuardedFetcher } from '../undici/fetcher.ts'
import { openS3 } from './sources.ts'

const strict = (text: string): string =>
  encodeURIComponent(text).replace(/[!'()*]/g, (one) => `%${one.charCodeAt(0).toString(16).toUpperCase()}`)

type S3Config = Extract<SourceConfig, { readonly kind: 's3' }>

describe('against a server', { skip: skipMoto }, () => {
  let moto: Moto
  let signer: AwsClient
  let buckets = 0
  before(async () => {
    moto = await startMoto()
    signer = new AwsClient({ ...moto, service: 's3', region: 'us-east-1' })
  })
  after(() => moto.stop())

  async function stock(prefix = 'handbook/'): Promise<Stock & { readonly spec: S3Config }> {
    const bucket = `docs-${++buckets}`
    const fetcher = new GuardedFetcher({ clock, privateHosts: new Set(['127.0.0.1']) })
    const change = async (method: string, path: string, body?: string | Uint8Array): Promise<void> => {
      const target = `${moto.url}/${bucket}${path.split('/').map(strict).join('/')}`
      const answer = await signer.fetch(target, {
        method,
        ...(body === undefined ? {} : { body: new Uint8Array(Buffer.from(body)) }),
      })
      assert.ok(answer.ok, `${method} ${path}: ${answer.status} ${await answer.text()}`)
    }
    await change('PUT', '')
    const names = new Set<string>()
    const remove = async (name: string): Promise<void> => {
      names.delete(name)
      await change('DELETE', `/${prefix}${name}`)
    }
    return {
      spec: {
        kind: 's3',
        bucket,
        prefix,
        region: 'us-east-1',
        endpoint: moto.url,
        accessKeyId: moto.accessKeyId,
        secretAccessKey: 'env:KEY',
      },
      sources: {
        open: (what, signal) =>
          openS3(
            what as S3Config,
            { fetcher, reveal: (text) => (text === 'env:KEY' ? moto.secretAccessKey : text), bytesMax: 10_000 },
            signal,
          ),
      },
      put: async (name, content) => {
        names.add(name)
        await change('PUT', `/${prefix}${name}`, content)
      },
      remove,
      async vanish() {
        for (const name of names) await remove(name)
        await change('DELETE', '')
      },
      close: () => fetcher.close(),
    }
  }

  sourceContract('s3', stock)

  test('keys of every form are listed and read; what is outside the prefix and what holds no text is not', async () => {
    const from = await stock('')
    const names = ['in/a b+c.md', 'in/größe (1) 100%.md', "in/it's!*.md", 'in/deep/er.txt']
    for (const [at, name] of names.entries()) await from.put(name, `Text word${at}`)
    await from.put('in/picture.png', 'x')
    await from.put('in/large.md', 'x'.repeat(10_001))
    await from.put('out.md', 'A red apple.')
    const house = openCollection(from.sources)
    const shown = await house.run({ ...from.spec, prefix: 'in/' })
    assert.deepEqual(
      [shown.files['read'], shown.files['ignored'], shown.files['skipped']],
      [4, 1, 1],
      JSON.stringify(shown['skipped']),
    )
    assert.deepEqual(
      house
        .documents()
        .map(({ uri }) => decodeURIComponent(uri))
        .sort(),
      names.map((name) => `s3://${from.spec.bucket}/${name}`).sort(),
    )
    for (const [at] of names.entries()) assert.equal(await house.find(`word${at}`), 1)
    await house.ingest.stop()
    await from.close()
  })

  test('a wrong key, a bucket that is not there and a host that is not public are refused', async () => {
    const from = await stock()
    for (const [more, reason] of [
      [{ secretAccessKey: 'hush' }, /403 SignatureDoesNotMatch/],
      [{ accessKeyId: 'hush' }, /403 InvalidAccessKeyId/],
      [{ bucket: 'none' }, /404 NoSuchBucket/],
      [{ endpoint: 'http://10.0.0.1' }, /not public/],
    ] as const) {
      const refused = await from.sources.open({ ...from.spec, ...more }, new AbortController().signal)
      assert.ok(refused instanceof Refusal, JSON.stringify(more))
      assert.match(String(refused.details['reason']), reason)
      assert.ok(!JSON.stringify(refused.details).includes('hush'))
    }
    await from.close()
  })
})

const SECRET = 'wJalrXUtnFEMI/K7MDENG'

/** Signature Version 4 as its specification has it, to check what the driver sends. */
function signatureOf({ method = '', url = '', headers }: IncomingMessage): string {
  const { pathname, searchParams } = new URL(url, 'http://host')
  const query = [...searchParams]
    .map(([name, value]) => `${strict(name)}=${strict(value)}`)
    .sort()
    .join('&')
  const signed = /SignedHeaders=([^,]+)/.exec(headers.authorization ?? '')?.[1] ?? ''
  const lines = signed
    .split(';')
    .map((name) => `${name}:${String(headers[name])}\n`)
    .join('')
  const canonical = [method, pathname, query, lines, signed, headers['x-amz-content-sha256']].join('\n')
  const time = String(headers['x-amz-date'])
  const scope = `${time.slice(0, 8)}/eu-x/s3/aws4_request`
  const text = ['AWS4-HMAC-SHA256', time, scope, createHash('sha256').update(canonical).digest('hex')].join('\n')
  const key = scope
    .split('/')
    .reduce<string | Buffer>((secret, part) => createHmac('sha256', secret).update(part).digest(), `AWS4${SECRET}`)
  return createHmac('sha256', key).update(text).digest('hex')
}

test('lists have pages, and every request is signed', async () => {
  const list = (inside: string): string =>
    `<?xml version="1.0"?><ListBucketResult><EncodingType>url</EncodingType>${inside}</ListBucketResult>`
  const pages = [
    list(
      '<IsTruncated>true</IsTruncated><Contents><Key>a+%26.md</Key><ETag>&quot;1&quot;</ETag></Contents><Contents><Key>folder/</Key></Contents><NextContinuationToken>to+ken/=</NextContinuationToken>',
    ),
    list('<Contents><Key>b%2Bc.md</Key><ETag>"2"</ETag></Contents>'),
  ]
  const wrong: string[] = []
  const server = createServer((request, response) => {
    if (!request.headers.authorization?.endsWith(`Signature=${signatureOf(request)}`)) wrong.push(String(request.url))
    const url = new URL(request.url ?? '', 'http://x')
    if (!url.searchParams.has('list-type'))
      return void response
        .writeHead(url.pathname === '/docs/a%20%26.md' ? 200 : 404, { etag: '"1"' })
        .end('A red apple.')
    response.end(pages[url.searchParams.get('continuation-token') === 'to+ken/=' ? 1 : 0])
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const fetcher = new GuardedFetcher({ clock, privateHosts: new Set(['127.0.0.1']) })
  const { signal } = new AbortController()
  const source = await openS3(
    {
      kind: 's3',
      bucket: 'docs',
      prefix: 'a b/*',
      region: 'eu-x',
      endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      accessKeyId: 'AKID',
      secretAccessKey: SECRET,
    },
    { fetcher, reveal: (text) => text, bytesMax: 100 },
    signal,
  )
  assert.ok(!(source instanceof Refusal))
  const found: string[] = []
  const contents: unknown[] = []
  for await (const item of source.list(signal)) {
    if (item.kind !== 'document') continue
    found.push(`${item.uri} ${item.revision}`)
    const content = await item.read(undefined, signal)
    contents.push(content instanceof Refusal ? content.code : 'read')
  }
  assert.deepEqual(found, ['s3://docs/a%20%26.md "1"', 's3://docs/b%2Bc.md "2"'])
  assert.deepEqual(contents, ['read', 'document_absent'])
  assert.deepEqual(wrong, [])
  server.closeAllConnections()
  server.close()
  await fetcher.close()
})

test('a server that speaks no S3 is refused', async () => {
  const server = createServer((_, response) => response.end('<html><p>hello'))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const fetcher = new GuardedFetcher({ clock, privateHosts: new Set(['127.0.0.1']) })
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const spec: S3Config = { kind: 's3', bucket: 'docs', prefix: '', region: 'x', endpoint }
  const refused = await openS3(spec, { fetcher, reveal: (text) => text, bytesMax: 100 }, new AbortController().signal)
  assert.ok(refused instanceof Refusal && /no list of objects/.test(String(refused.details['reason'])))
  server.closeAllConnections()
  server.close()
  await fetcher.close()
})
