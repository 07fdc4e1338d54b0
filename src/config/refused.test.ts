import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { load, loaded, matches, problemsOf } from '../../tests/kit/config.ts'
import { Refusal, sentenceOf } from '../base/errors.ts'
import { loadConfig } from './load.ts'
import { providerOf, urlOf } from './providers.ts'

test('a wrong override is reported under its own name', async () => {
  matches(
    await problemsOf('listen: 127.0.0.1:1', { HEADWORKS_LISTEN: 'nonsense' }),
    /^- HEADWORKS_LISTEN = "nonsense" is no address \| Write host:port/,
  )
})

test('all problems are reported at once, each with its line, column and value', async () => {
  const lines = await problemsOf(`listen: 4750
modles: {}
engines:
  local:
    kind: openai
    url: localhost:8000
models:
  chat:
    deployments:
      - { engine: locl, model: qwen, weight: heavy }
    outputTokensMax: 0
workflows:
  docs: { model: chta, topK: 1000 }
`)
  assert.deepEqual(
    lines.map((line) => line.split(' | ')[0] ?? '').sort((a, b) => a.localeCompare(b, 'en', { numeric: true })),
    [
      '1:9 listen = 4750 is not a text',
      '2:1 modles is not a known field',
      '6:10 engines.local.url = "localhost:8000" is no http or https URL',
      '10:19 models.chat.deployments[0].engine = "locl" names no engine',
      '10:46 models.chat.deployments[0].weight = "heavy" is not a whole number from 0 to 1000',
      '11:22 models.chat.outputTokensMax = 0 is below 1',
      '13:18 workflows.docs.model = "chta" names no model',
      '13:30 workflows.docs.topK = 1000 is above 100',
    ],
  )
  assert(lines.some((line) => /Did you mean "local"\?/.test(line)))
  assert(lines.some((line) => /Did you mean "models"\?/.test(line)))
  assert(lines.some((line) => /Did you mean "chat"\?/.test(line)))
})

test('fields of later versions are refused, not ignored', async () => {
  const lines = await problemsOf(`roles: [gateway]
store: { kind: sqlite }
blobs: { kind: filesystem }
engines: { e: { kind: openai, url: 'http://h/v1' }, a: { kind: vertex } }
collections: { c: {} }
workflows: { w: { collection: c } }
`)
  assert.equal(lines.length, 4, lines.join('\n'))
  for (const line of lines) assert.match(line, /is not available in this version/)
})

test('a collection is embedded by a model that can', async () => {
  const file = (embedding: string): string =>
    `engines: { o: { kind: ollama, url: 'http://h' }, a: { kind: reader } }
models: { minilm: { deployments: [{ engine: o, model: m }] }, chat: { deployments: [{ engine: a, model: c }] } }
collections: { c: { embedding: ${embedding} } }
`
  matches(await problemsOf(file('minilmm')), /embedding = "minilmm" names no model \| Did you mean "minilm"/)
  matches(
    await problemsOf(file('minilm, context: minilm')),
    /context = "minilm" names a model that cannot answer \| Name a model that serves chat, or write `none`/,
  )
  matches(await problemsOf(file('chat')), /embedding = "chat" names a model that cannot embed/)
  matches(await problemsOf(file('7')), /embedding = 7 is not a text/)
})

test('a number of gateways that makes no sense is refused', async () => {
  for (const count of ['0', '-1', '65', '1.5', 'two', '[]'])
    matches(await problemsOf(`gateways: ${count}`), /^1:11 gateways = .* \| Write a whole number from 1 to 64/)
})

test('unknown fields at every depth name their neighbours, and never show their value', async () => {
  const result = await problemsOf(
    `engines: { e: { kind: openai, url: 'http://h/v1', apiKey: sk-secret-1 } }\nmodels: { m: { deployments: [{ engine: e, model: m, wieght: 1 }], timeouts: { firstTokensMs: 1 } } }`,
  )
  matches(
    result,
    /1:51 engines\.e\.apiKey is not a known field \| .*key/,
    /wieght is not a known field \| Did you mean "weight"/,
    /firstTokensMs is not .* \| Did you mean "firstTokenMs"/,
  )
  assert(!result.join().includes('sk-secret'))
})

test('missing fields say what to add', async () => {
  matches(
    await problemsOf(
      'engines: { e: { url: x } }\nmodels: { m: {} }\nworkflows: { w: {} }\ncollections: { c: { sources: [{}] } }',
    ),
    /engines\.e\.kind is missing \| Add it: one of openai, anthropic, gemini, bedrock, tei, ollama, onnx, reader, lexical, detectors/,
    /models\.m\.deployments is missing \| Add it: a list/,
    /collections\.c\.sources\[0\]\.path is missing/,
    /workflows\.w\.collection is missing \| Add it: a text\. Name of the collection/,
  )
})

test('wrong shapes are named', async () => {
  matches(await problemsOf('engines: [a]\n'), /engines = \["a"\] is not a mapping/)
  matches(await problemsOf('models: { m: { deployments: {} } }'), /models\.m\.deployments = \{\} is not a list/)
  matches(await problemsOf('models: { m: { deployments: [] } }'), /models\.m\.deployments = \[\] is empty/)
  matches(
    await problemsOf('log: { level: inof }'),
    /log\.level = "inof" is not among the choices \| Did you mean "info"/,
  )
  matches(
    await problemsOf('engines: { e: { kind: opnai } }'),
    /engines\.e\.kind = "opnai" is no kind of engine \| Did you mean "openai"/,
  )
  matches(await problemsOf('engines: { e: null }'), /engines\.e = null is not a mapping/)
  matches(
    await problemsOf('engines: { Big: { kind: reader } }'),
    /1:12 engines\.Big is not a valid name \| Begin with a lower-case/,
  )
  matches(
    await problemsOf('models: { "a b": { deployments: [{ engine: reader, model: m }] } }'),
    /models\["a b"\] is not a valid name/,
  )
})

test('an engine without a URL is a provider with a key, never a forgotten address', async () => {
  matches(await problemsOf('engines: { gpu: { kind: openai } }'), /1:12 engines\.gpu has neither `url` nor `key`/)
  matches(
    await problemsOf('engines: { c: { kind: anthropic } }'),
    /c has neither `url` nor `key` \|.* Anthropic its `key`/,
  )
  const { config } = await loaded('engines: { openai: { kind: openai, key: env:K } }', { K: 'sk-1' })
  assert(config.engines['openai']?.kind === 'openai' && config.engines['openai'].url === undefined)
  assert.equal(urlOf(config.engines['openai']), 'https://api.openai.com/v1')
  matches(await problemsOf('engines: { g: { kind: openai, provider: groq } }'), /g has neither `url` nor `key`/)
  matches(
    await problemsOf('engines: { a: { kind: openai, provider: azure, key: env:K } }', { K: 'k' }),
    /a has no `url`, and its provider "azure" has none that is the same for everybody/,
  )
  const own = await loaded('engines: { s: { kind: openai, provider: sglang } }')
  assert(own.config.engines['s']?.kind === 'openai' && urlOf(own.config.engines['s']) === 'http://127.0.0.1:30000/v1')
})

test('whoever serves it is known by name, or by the host of the URL', () => {
  assert.deepEqual(providerOf({ url: 'https://api.groq.com/openai/v1' }).serves, ['audio'])
  assert.equal(providerOf({ url: 'https://a.openai.azure.com/openai/v1', provider: 'azure' }).keyHeader, 'api-key')
  for (const url of ['http://127.0.0.1:8000/v1', 'http://api.groq.com.evil.test/v1'])
    assert.deepEqual(providerOf({ url }), {})
  assert.deepEqual(providerOf({ provider: 'constructor' }), {})
})

test('a Bedrock engine has a region and credentials, and none of them as text', async () => {
  const engine = (fields: string): string => `engines: { b: { kind: bedrock${fields} } }`
  matches(await problemsOf(engine('')), /b\.region is missing/)
  matches(
    await problemsOf(engine(', region: eu-central-1')),
    /b\.accessKeyId is missing, and no `key` stands in its place \| Give it `accessKeyId`/,
  )
  matches(await problemsOf(engine(', region: Frankfurt, key: env:K'), { K: 'k' }), /region = "Frankfurt"/)
  matches(
    await problemsOf(engine(', region: eu-central-1, accessKeyId: env:K, secretAccessKey: shh'), { K: 'k' }),
    /secretAccessKey = \[hidden\]? ?.*is a literal secret/,
  )
  const { secrets } = await loaded(engine(', region: eu-central-1, accessKeyId: env:A, secretAccessKey: env:S'), {
    A: 'a',
    S: 's',
  })
  assert.equal(secrets.get('env:S')?.reveal(), 's')
})

test('addresses are checked', async () => {
  for (const wrong of ['localhost', '127.0.0.1:99999', 'http://127.0.0.1:1', ':80', '::1:80']) {
    matches(await problemsOf(`listen: "${wrong}"`), /is no address \| Write host:port/)
  }
})

test('names that must exist, circles, clashes and unfit models are found', async () => {
  matches(
    await problemsOf('workflows: { w: { collection: handbok } }'),
    /w\.collection = "handbok" names no collection \| Did you mean "handbook"/,
  )
  matches(
    await problemsOf('workflows: { w: { collection: handbook, model: docs } }'),
    /w\.model = "docs" names a workflow/,
  )
  matches(await problemsOf('workflows: { w: { collection: handbook, model: lexical } }'), /cannot answer/)
  matches(await problemsOf('workflows: { w: { collection: handbook, rerank: reader } }'), /cannot rerank/)
  for (const field of ['rewrite', 'groundedness']) {
    matches(await problemsOf(`workflows: { w: { collection: handbook, ${field}: reder } }`), /Did you mean "reader"/)
    matches(await problemsOf(`workflows: { w: { collection: handbook, ${field}: lexical2 } }`), /names no model/)
  }
  matches(await problemsOf('workflows: { w: { collection: handbook, rewrite: lexical } }'), /cannot answer/)
  matches(await problemsOf('workflows: { w: { collection: handbook, evidenceMin: 2 } }'), /evidenceMin = 2/)
  matches(await problemsOf('workflows: { w: { collection: handbook, policy: { tools: all } } }'), /policy\.tools/)
  matches(await problemsOf('workflows: { w: { collection: handbook, policy: { hosts: ["https://x"] } } }'), /hosts/)
  matches(
    await problemsOf('workflows: { reader: { collection: handbook } }'),
    /1:14 workflows\.reader has the name of a model/,
  )
  const model = (fallback: string) => `{ deployments: [{ engine: reader, model: m }], fallback: [${fallback}] }`
  matches(await problemsOf(`models: { a: ${model('nope')} }`), /a\.fallback\[0\] = "nope" names no model/)
  matches(await problemsOf(`models: { a: ${model('readr/x')} }`), /"readr\/x" names no model/)
  assert.deepEqual((await loaded(`models: { a: ${model('reader/x')} }`)).config.models['a']?.fallback, ['reader/x'])
  matches(await problemsOf(`models: { a: ${model('docs')} }`), /names a workflow \| A fallback is a model/)
  matches(await problemsOf(`models: { a: ${model('a')} }`), /leads back to itself: a → a/)
  const meaning = (terms: string) =>
    `models: { a: { deployments: [{ engine: reader, model: m }], cache: { ttlMs: 1, semantic: { ${terms} } } } }`
  matches(await problemsOf(meaning('embedding: nope')), /a\.cache\.semantic\.embedding = "nope" names no model/)
  matches(await problemsOf(meaning('embedding: a, similarityMin: 0.4')), /similarityMin = 0\.4/)
  matches(await problemsOf(meaning('embedding: a, turnsMax: 0')), /turnsMax = 0/)
  matches(await problemsOf(meaning('turnsMax: 2')), /semantic\.embedding is missing/)
  const circle = await problemsOf(`models: { a: ${model('b')}, b: ${model('reader, c')}, c: ${model('a')} }`)
  matches(circle, /a → b → c → a/, /b → c → a → b/, /c → a → b → c/)
  matches(
    await problemsOf(
      `models: { a: { deployments: [{ engine: reader, model: m }], timeouts: { firstTokenMs: 9000, totalMs: 5000 } } }`,
    ),
    /firstTokenMs = 9000 is longer than totalMs, 5000/,
  )
})

test('literal, absent and unusable secrets are refused without showing them', async () => {
  const key = (text: string) => `engines: { a: { kind: openai, url: 'http://h/v1', key: ${text} } }`
  const header = (name: string, text: string) =>
    `engines: { a: { kind: openai, url: 'http://h/v1', headers: { ${name}: ${text} } } }`
  const files = { '/house/empty': '', '/house/big': 'x'.repeat(70_000), '/house/two': 'sk-a\nsk-b' }
  const cases: [string, RegExp][] = [
    [key('sk-live-1'), /engines\.a\.key = \[hidden\] is a literal secret \| .*env:NAME/],
    [key('12345'), /engines\.a\.key = \[hidden\] is not a text/],
    [key('env:GONE'), /engines\.a\.key = env:GONE refers to a variable that is not set \| Set GONE/],
    [key('file:gone'), /refers to a file that does not exist/],
    [key('file:empty'), /empty or has characters/],
    [key('file:two'), /empty or has characters/],
    [key('file:big'), /larger than 65536 bytes/],
    [key('env:SPACED'), /empty or has characters/],
    [header('Authorization', 'Bearer sk-live-2'), /headers\.Authorization = \[hidden\] is a literal secret/],
    [header('host', 'evil'), /is set by Headworks itself/],
    [header('"a b"', 'x'), /is no name of a header/],
    [header('x-note', '"a\\r\\nb: c"'), /is no value of a header/],
    [
      `engines: { a: { kind: openai, url: 'http://user:sk-live-3@h/v1' } }`,
      /url = "http:\/\/\[hidden\]@h\/v1" carries a user name or password/,
    ],
    [`engines: { a: { kind: openai, url: 'http://h/v1?key=1' } }`, /has a query/],
  ]
  for (const [yaml, expected] of cases) {
    const lines = await problemsOf(yaml, { SPACED: 'a b\u2013 ' }, files)
    matches(lines, expected)
    assert(!/sk-/.test(lines.join()), lines.join())
  }
})

test('files that are no proper YAML are refused with the place and what to do', async () => {
  const cases: [string | Uint8Array, RegExp][] = [
    ['listen: a:1\nlisten: b:2\n', /^2:1 listen is given twice/],
    ['models: { a: 1, a: 2 }', /^1:17 models\.a is given twice/],
    ['log:\n\tlevel: info\n', /^2:1 {2}is indented with a tab \| .*spaces/],
    ['- a\n- b\n', /is no mapping/],
    ['just text', /is no mapping/],
    ['42', /is no mapping/],
    [new Uint8Array([0x6c, 0xff, 0xfe]), /is not UTF-8/],
    [Buffer.from('listen: x', 'utf16le'), /control|no mapping|UTF-8|known field/],
    [`# ${'x'.repeat(2 ** 20)}`, /larger than 1048576 bytes/],
    ['a: 1\n---\nb: 2\n', /^2:1 {2}begins a second document/],
    ['log: { level: info', /^\d+:\d+ {2}is indented so|lacks/],
    ['log: "info', /lacks a closing quote/],
    ['log: !!js/function x', /has a tag/],
    ['log: *nowhere', /uses the anchor \*nowhere/],
    ['? { a: 1 }\n: 2', /has a name that is no text/],
    ['__proto__: { listen: x }', /has "__proto__", which cannot be a name/],
    ['models: { <<: { a: 1 } }', /has "<<", which cannot be a name/],
    ['['.repeat(30_000), /nests deeper than 32 levels/],
    [`log: ${'{a: '.repeat(100)}1${'}'.repeat(100)}`, /nests deeper than 32 levels/],
  ]
  for (const [bytes, expected] of cases) {
    const lines = await problemsOf(bytes)
    assert.match(lines[0] ?? '', expected)
  }
})

test('a bomb of anchors is refused quickly, and a circle too', async () => {
  let bomb = 'a0: &a0 [x,x,x,x,x,x,x,x,x]\n'
  for (let i = 1; i < 12; i++) bomb += `a${i}: &a${i} [${Array.from({ length: 9 }, () => `*a${i - 1}`).join(',')}]\n`
  assert((await problemsOf(bomb)).some((line) => /uses anchors more than 100 times/.test(line)))
  assert(
    (await problemsOf('log: &a { level: *a }')).some((line) =>
      /uses anchors more than 100 times|nests deeper|anchor/.test(line),
    ),
  )
})

test('a file that cannot be read is a problem, not a crash', async () => {
  const result = await loadConfig({
    readFile: () => Promise.reject(new Error('EACCES: permission denied')),
    env: {},
    cwd: '/',
    docsFolder: '/d',
  })
  assert(result instanceof Refusal)
  assert.match(sentenceOf(result), /headworks\.yaml is not valid:\n {2}The file cannot be read: EACCES/)
})

test('no bytes make it throw', async () => {
  const line = fc.constantFrom(
    'listen: ',
    'models:',
    '  a: &x',
    '  - *x',
    '{',
    '}',
    '[',
    'engines: { e: { kind: openai, key: env:X',
    '? ',
    '!!str ',
    '"',
    "'",
    '|',
    '\t',
    '<<: *x',
    'null',
    '1e999',
    '__proto__: 1',
  )
  await fc.assert(
    fc.asyncProperty(
      fc.oneof(
        fc.array(line).map((parts) => parts.join('\n')),
        fc.string(),
        fc.uint8Array().map((bytes) => Buffer.from(bytes)),
      ),
      async (input) => {
        const result = await load(input)
        assert(result instanceof Refusal || Object.isFrozen(result.config))
      },
    ),
    { numRuns: 300 },
  )
})

test('a webhook goes to an http address without credentials, and its secret is a reference', async () => {
  const hook = (fields: string) => `alerts: { webhooks: [{ ${fields} }] }`
  for (const [yaml, problem] of [
    [hook(`url: 'ftp://h/'`), /alerts\.webhooks\[0\]\.url = "ftp:\/\/h\/" is no http or https URL/],
    [hook(`url: 'file:///etc/passwd'`), /is no http or https URL/],
    [hook(`url: 'https://ann:pw@h/'`), /carries a user name or password/],
    [hook(`url: 'https://h/#x'`), /has a fragment/],
    [hook(`url: 'https://h/', secret: whsec_abc`), /secret = \[hidden\] is a literal secret/],
    [hook(`url: 'https://h/', secret: 'env:GONE'`), /secret = env:GONE refers to a variable that is not set/],
    [hook(`secret: 'env:K'`), /url is missing/],
    ['alerts: { mail: x }', /alerts\.mail is not a known field/],
  ] as const)
    matches(await problemsOf(yaml, { K: 'x' }), problem)
  const { config, secrets } = await loaded(hook(`url: 'https://h/hook?a=1', secret: 'env:K'`), { K: 'whsec_AAAA' })
  assert.equal(config.alerts.webhooks[0]?.url, 'https://h/hook?a=1')
  assert.equal(secrets.get('env:K')?.reveal(), 'whsec_AAAA')
})

test('a place for vectors that makes no sense is refused, and its secrets are never shown', async () => {
  const problems: readonly (readonly [string, RegExp])[] = [
    ['index: { kind: pinecone }', /^1:\d+ index\.kind = "pinecone"/],
    ['index: {}', /^1:\d+ index/],
    ['index: { kind: postgres }', /index\.url is missing/],
    ['index: { kind: postgres, url: "postgres://me:pass@h/d" }', /index\.url = "?\[hidden\]"? is a literal secret/],
    ['index: { kind: postgres, url: env:PG, schema: "a;b" }', /index\.schema/],
    ['index: { kind: qdrant, url: "q:6333" }', /index\.url = "q:6333" is no http or https URL/],
    ['index: { kind: qdrant, url: "http://q:6333", key: literal }', /index\.key = "?\[hidden\]"? is a literal secret/],
    ['index: { kind: lancedb, storage: { "Bad Name": x } }', /index\.storage/],
    ['index: { kind: lancedb, storage: { aws_secret_access_key: literal } }', /\[hidden\]"? is a literal secret/],
    ['index: { kind: lancedb, vectors: x }', /index\.vectors is not a known field/],
  ]
  for (const [text, expected] of problems) {
    const lines = await problemsOf(text, { PG: 'postgres://me:pass@h/d' })
    assert.ok(
      lines.some((line) => expected.test(line)),
      `${text}: ${lines.join(' / ')}`,
    )
    assert.doesNotMatch(lines.join(), /pass@|literal"/)
  }
})

test('references of a place for vectors are looked up', async () => {
  const { secrets } = await loaded(
    'index: { kind: lancedb, uri: "s3://b/p", storage: { aws_secret_access_key: env:S3, aws_region: eu } }',
    { S3: 'abc' },
  )
  assert.equal(secrets.get('env:S3')?.reveal(), 'abc')
  assert.deepEqual((await problemsOf('index: { kind: postgres, url: env:NONE }')).length, 1)
})
