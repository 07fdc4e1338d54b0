import assert from 'node:assert/strict'
import { test } from 'node:test'
import { loaded, matches, problemsOf } from '../../tests/kit/config.ts'

const sources = (text: string): string => `collections: { c: { sources: [${text}] } }`

test('every kind of source is taken, with its defaults, its paths made whole, its secrets as references', async () => {
  const { config, secrets } = await loaded(
    sources(`{ path: a, every: 15m }, { kind: glob, pattern: 'b/**' }, { kind: s3, bucket: bucket, accessKeyId: env:ID, secretAccessKey: env:KEY },
      { kind: urls, urls: ['https://example.com/a'] }, { kind: sitemap, url: 'https://example.com/sitemap.xml' },
      { kind: git, repository: ./book }, { kind: git, repository: 'ssh://git@example.com/book' },
      { kind: sqlite, path: wiki.db, query: SELECT }, { kind: postgres, url: env:KEY, query: SELECT },
      { kind: nats, servers: ['h:4222'], stream: S, trust: trusted, metadata: { a: 1, b: true, c: x } },
      { kind: kafka, brokers: ['h:9092'], topic: docs, user: me, password: env:KEY }`),
    { ID: 'id', KEY: 'hush' },
  )
  const found = config.collections['c']?.sources ?? []
  assert.deepEqual(
    found.map((source) => source.kind),
    ['folder', 'glob', 's3', 'urls', 'sitemap', 'git', 'git', 'sqlite', 'postgres', 'nats', 'kafka'],
  )
  assert.deepEqual(
    found.flatMap((source) =>
      'path' in source
        ? [source.path]
        : 'pattern' in source
          ? [source.pattern]
          : 'repository' in source
            ? [source.repository]
            : [],
    ),
    ['/house/a', '/house/b/**', '/house/book', 'ssh://git@example.com/book', '/house/wiki.db'],
  )
  assert.equal(secrets.get('env:KEY')?.reveal(), 'hush')
  assert.ok(!JSON.stringify(config).includes('hush'))
  assert.deepEqual([config.ingest.parallel, config.ingest.pushWaitMs, config.ingest.privateHosts], [1, 200, []])
})

test('sources that make no sense are refused where they stand', async () => {
  for (const [text, ...problems] of [
    ['{ kind: s4 }', /sources\[0\]\.kind = "s4" is no kind of source \| Did you mean "s3"/],
    ['{ kind: kafka, brokers: [], topic: docs }', /sources\[0\]\.brokers/],
    ["{ kind: kafka, brokers: ['h:9092'], topic: 'a b' }", /sources\[0\]\.topic/],
    [
      "{ kind: kafka, brokers: ['h:9092'], topic: docs, password: literal }",
      /password = \[hidden\] is a literal secret/,
    ],
    ['{ kind: s3, bucket: Not_A_Bucket }', /sources\[0\]\.bucket/],
    ['{ kind: s3, bucket: abc, secretAccessKey: AKIA-literal }', /secretAccessKey = \[hidden\] is a literal secret/],
    ['{ kind: s3, bucket: abc, secretAccessKey: env:ABSENT }', /refers to a variable that is not set/],
    ["{ kind: s3, bucket: abc, endpoint: 'ftp://x' }", /endpoint = .* is no http or https URL/],
    ["{ kind: urls, urls: ['file:///etc/passwd'] }", /is no http or https URL/],
    ["{ kind: urls, urls: ['https://me:hush@example.com/'] }", /carries a user name or password/],
    ['{ kind: urls, urls: [] }', /urls = \[\] is empty/],
    ["{ kind: sitemap, url: 'https://e.com/s.xml', pagesMax: 0 }", /pagesMax = 0 is below 1/],
    ["{ kind: git, repository: '--upload-pack=touch x' }", /is no repository/],
    ["{ kind: git, repository: 'ext::sh -c x' }", /is no repository/],
    ["{ kind: git, repository: 'file:///etc' }", /is no repository/],
    ["{ kind: git, repository: r, branch: '-x' }", /branch/],
    ['{ kind: postgres, url: "postgres://me:hush@h/d", query: S }', /url = \[hidden\] is a literal secret/],
    ['{ kind: sqlite, path: a }', /query is missing/],
    ['{ path: a, trust: blind }', /trust = "blind" is not among the choices/],
    ['{ path: a, metadata: { trust: x } }', /has an entry "trust", a name that is ours/],
    ['{ path: a, metadata: { a: [] } }', /metadata\.a/],
    [
      "{ kind: urls, urls: ['https://a.example/'] }, { kind: urls, urls: ['https://b.example/'] }",
      /sources\[1\].* has the kind and the name of another/,
    ],
  ] as const)
    matches(await problemsOf(sources(text)), ...problems)
  matches(await problemsOf('ingest: { parallel: 0 }'), /ingest\.parallel = 0 is below 1/)
})
